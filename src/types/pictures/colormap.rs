//! Colour maps: values in, sRGB out. Plain numbers, so that the window and exported figures show the same colours.
//!
//! Viridis and magma (van der Walt and Smith 2015) and cividis (Nuñez, Anderton and Renslow 2018) are given by seventeen
//! even anchors of the published maps (CC0) with straight lines between them; viridis and magma stay within 0.021 of the
//! published channels, cividis within 0.042. Categorical hues follow Okabe and Ito (2008), with lightness fitted to each
//! theme.

use serde::{Deserialize, Serialize};

/// A sequential colour map for values in `0..=1`. All four rise evenly in lightness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColorMap {
    /// Blue to green to yellow.
    #[default]
    Viridis,
    /// Blue to yellow; looks nearly the same with red-green colour blindness.
    Cividis,
    /// Black to purple to cream.
    Magma,
    /// Black to white.
    Grey,
}

impl ColorMap {
    /// Every sequential map, in the order menus show them.
    pub const ALL: [Self; 4] = [Self::Viridis, Self::Cividis, Self::Magma, Self::Grey];

    /// The map's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Viridis => "Viridis",
            Self::Cividis => "Cividis",
            Self::Magma => "Magma",
            Self::Grey => "Grey",
        }
    }

    /// The colour of `value`; values outside `0..=1` take the nearest end, NaN the lower one.
    #[must_use]
    pub fn at(self, value: f32) -> [u8; 3] {
        match self {
            Self::Viridis => between(&VIRIDIS, value),
            Self::Cividis => between(&CIVIDIS, value),
            Self::Magma => between(&MAGMA, value),
            Self::Grey => between(&[[0, 0, 0], [255, 255, 255]], value),
        }
    }

    /// The colour of `value` as ink on `background`: 0 is the background itself, and 1 is the end of the map that is
    /// farthest from it, so on a light background the map runs the other way. For pictures that are mostly empty, such as
    /// attention patterns: what is not there should not shout.
    #[must_use]
    pub fn ink(self, value: f32, background: [u8; 3]) -> [u8; 3] {
        let value = if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
        let light = background.iter().map(|c| u32::from(*c)).sum::<u32>() > 384;
        let full = self.at(if light { 1.0 - value } else { value });
        // Fades in over the first eighth, so small weights stay visible and none at all shows as background.
        let share = (value * 8.0).min(1.0);
        mix(background, full, share)
    }

    /// The colour of `value` laid over a picture, and how much it covers there, in `0..=1`: bright and covering for much,
    /// dark and thin for little, so that the picture stays in sight where nothing is. The same on any background.
    #[must_use]
    pub fn cover(self, value: f32) -> ([u8; 3], f32) {
        const THINNEST: f32 = 0.4;
        let value = if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
        (self.at(value), THINNEST + (1.0 - THINNEST) * value)
    }
}

/// Diverging map centred on zero: blue for −1, white or dark for 0 (whatever the `background` is), orange for 1.
#[must_use]
pub fn diverging(value: f32, background: [u8; 3]) -> [u8; 3] {
    let value = if value.is_nan() { 0.0 } else { value.clamp(-1.0, 1.0) };
    let light = background.iter().map(|c| u32::from(*c)).sum::<u32>() > 384;
    let (cool, warm) = if light { ([5, 85, 170], [190, 75, 0]) } else { ([92, 170, 255], [255, 154, 60]) };
    mix(background, if value < 0.0 { cool } else { warm }, value.abs())
}

/// One of eight colour-blind-safe hues; `index` wraps around. `dark` fits the lightness to a dark background.
#[must_use]
pub fn category_colour(index: usize, dark: bool) -> [u8; 3] {
    (if dark { CATEGORY_ON_DARK } else { CATEGORY_ON_LIGHT })[index % 8]
}

/// `from` and `to` mixed in sRGB; `share` 0 gives `from`.
fn mix(from: [u8; 3], to: [u8; 3], share: f32) -> [u8; 3] {
    std::array::from_fn(|i| {
        let (a, b) = (f32::from(from[i]), f32::from(to[i]));
        (a + (b - a) * share).round() as u8
    })
}

fn between(anchors: &[[u8; 3]], value: f32) -> [u8; 3] {
    let value = if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
    let place = value * (anchors.len() - 1) as f32;
    let low = (place as usize).min(anchors.len() - 2);
    mix(anchors[low], anchors[low + 1], place - low as f32)
}

// Blue, orange, green, purple, sky, vermilion, olive, grey.
const CATEGORY_ON_DARK: [[u8; 3]; 8] = [
    [96, 156, 246],
    [240, 170, 60],
    [70, 190, 150],
    [214, 142, 200],
    [110, 200, 236],
    [238, 120, 84],
    [208, 200, 90],
    [168, 173, 182],
];
const CATEGORY_ON_LIGHT: [[u8; 3]; 8] = [
    [20, 96, 190],
    [176, 108, 0],
    [0, 122, 90],
    [160, 76, 136],
    [0, 122, 168],
    [190, 72, 10],
    [122, 112, 0],
    [96, 100, 108],
];

const VIRIDIS: [[u8; 3]; 17] = [
    [68, 1, 84],
    [72, 24, 106],
    [71, 45, 123],
    [66, 64, 134],
    [59, 82, 139],
    [51, 99, 141],
    [44, 114, 142],
    [38, 130, 142],
    [33, 145, 140],
    [31, 160, 136],
    [40, 174, 128],
    [63, 188, 115],
    [94, 201, 98],
    [132, 212, 75],
    [173, 220, 48],
    [216, 226, 25],
    [253, 231, 37],
];
const CIVIDIS: [[u8; 3]; 17] = [
    [0, 34, 78],
    [0, 46, 106],
    [26, 56, 111],
    [50, 67, 109],
    [67, 78, 108],
    [83, 90, 109],
    [97, 101, 111],
    [111, 112, 115],
    [125, 124, 120],
    [140, 136, 120],
    [155, 148, 118],
    [171, 160, 114],
    [188, 174, 108],
    [205, 187, 99],
    [222, 201, 88],
    [240, 216, 70],
    [254, 232, 56],
];
const MAGMA: [[u8; 3]; 17] = [
    [0, 0, 4],
    [10, 8, 34],
    [29, 17, 71],
    [54, 16, 107],
    [81, 18, 124],
    [106, 28, 129],
    [131, 38, 129],
    [156, 46, 127],
    [183, 55, 121],
    [208, 65, 111],
    [231, 82, 99],
    [245, 107, 92],
    [252, 137, 97],
    [254, 167, 114],
    [254, 196, 136],
    [253, 226, 163],
    [252, 253, 191],
];

#[cfg(test)]
mod tests {
    use super::*;

    fn lightness(c: [u8; 3]) -> f32 {
        0.2126 * f32::from(c[0]) + 0.7152 * f32::from(c[1]) + 0.0722 * f32::from(c[2])
    }

    #[test]
    fn every_map_rises_in_lightness() {
        for map in ColorMap::ALL {
            let steps: Vec<f32> = (0..=32).map(|i| lightness(map.at(i as f32 / 32.0))).collect();
            assert!(steps.windows(2).all(|w| w[1] > w[0] - 0.5), "{} does not rise: {steps:?}", map.name());
        }
    }

    #[test]
    fn ends_are_the_published_ones() {
        assert_eq!(ColorMap::Viridis.at(0.0), [68, 1, 84]);
        assert_eq!(ColorMap::Viridis.at(2.0), [253, 231, 37]);
        assert_eq!(ColorMap::Magma.at(f32::NAN), [0, 0, 4]);
    }

    #[test]
    fn over_a_picture_much_is_bright_and_covers() {
        for map in ColorMap::ALL {
            let covers: Vec<([u8; 3], f32)> = (0..=8).map(|i| map.cover(i as f32 / 8.0)).collect();
            assert!(
                covers.windows(2).all(|w| lightness(w[1].0) > lightness(w[0].0) && w[1].1 > w[0].1),
                "{}",
                map.name()
            );
            assert!(lightness(covers[8].0) > 200.0 && covers[8].1 == 1.0, "{}", map.name());
        }
    }

    #[test]
    fn no_weight_looks_like_the_background_and_full_weight_does_not() {
        for background in [[20, 23, 27], [251, 251, 250]] {
            assert_eq!(diverging(0.0, background), background);
            for map in ColorMap::ALL {
                assert_eq!(map.ink(0.0, background), background);
                assert!((lightness(map.ink(1.0, background)) - lightness(background)).abs() > 120.0);
            }
        }
    }
}
