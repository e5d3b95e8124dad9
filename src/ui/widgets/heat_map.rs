//! A square heat map of many cells: crisp when zoomed in, pooled by maximum when zoomed out so that no spike hides.

use egui::{Color32, ColorImage, TextureHandle, TextureOptions, Ui};
use std::collections::HashMap;
use std::hash::Hash;

/// Textures kept by a [`TextureCache`] that were not shown lately.
const IDLE_FRAMES: u64 = 600;

/// Steps of a colour table.
const STEPS: usize = 1024;

/// The colours of values in `0..=1`, looked up instead of computed cell by cell.
#[derive(Clone)]
pub struct ColorTable(Vec<Color32>);

impl ColorTable {
    /// A table of a function of `0..=1`.
    #[must_use]
    pub fn new(colour: impl Fn(f32) -> Color32) -> Self {
        // Even steps of the square root: small values, of which there are most, keep steps of their own.
        let value = |i: usize| (i as f32 / (STEPS - 1) as f32).powi(2);
        Self((0..STEPS).map(|i| colour(value(i))).collect())
    }

    /// The colour of a value; values outside `0..=1` take the nearest end, NaN the lower one.
    #[must_use]
    pub fn at(&self, value: f32) -> Color32 {
        let place = value.max(0.0).sqrt() * (STEPS - 1) as f32;
        self.0[(place.round() as usize).min(STEPS - 1)]
    }
}

/// The picture of a square matrix `[side, side]` row-major with `pool` × `pool` cells to a pixel, the highest of which
/// shows.
///
/// # Panics
/// When `values` is not `side` × `side` or `pool` is 0.
#[must_use]
pub fn pooled_image(values: &[f32], side: usize, pool: usize, table: &ColorTable) -> ColorImage {
    assert_eq!(values.len(), side * side, "a square matrix");
    assert!(pool > 0);
    if pool == 1 {
        return ColorImage::new([side, side], values.iter().map(|v| table.at(*v)).collect());
    }
    let pixels = side.div_ceil(pool);
    let mut highest = vec![0.0f32; pixels * pixels];
    for (row, line) in values.chunks_exact(side.max(1)).enumerate() {
        let out = &mut highest[row / pool * pixels..][..pixels];
        for (chunk, out) in line.chunks(pool).zip(out) {
            for value in chunk {
                if *value > *out {
                    *out = *value;
                }
            }
        }
    }
    ColorImage::new([pixels, pixels], highest.iter().map(|v| table.at(*v)).collect())
}

/// Pictures on the graphics card, made once for each key. Those not asked for during some seconds of frames are let go.
pub struct TextureCache<K> {
    entries: HashMap<K, (TextureHandle, u64)>,
}

impl<K> Default for TextureCache<K> {
    fn default() -> Self {
        Self { entries: HashMap::new() }
    }
}

impl<K: Clone + Eq + Hash> TextureCache<K> {
    /// The texture of a key, if it has been made.
    pub fn get(&mut self, ui: &Ui, key: &K) -> Option<TextureHandle> {
        let frame = ui.ctx().cumulative_frame_nr();
        let (texture, seen) = self.entries.get_mut(key)?;
        *seen = frame;
        Some(texture.clone())
    }

    /// The texture of a key, made by `image` the first time. Cells stay crisp when enlarged.
    pub fn get_or_make(&mut self, ui: &Ui, key: &K, image: impl FnOnce() -> ColorImage) -> TextureHandle {
        if let Some(texture) = self.get(ui, key) {
            return texture;
        }
        let frame = ui.ctx().cumulative_frame_nr();
        self.entries.retain(|_, (_, seen)| frame.saturating_sub(*seen) < IDLE_FRAMES);
        let options = TextureOptions { magnification: egui::TextureFilter::Nearest, ..TextureOptions::LINEAR };
        let texture = ui.ctx().load_texture("heat map", image(), options);
        self.entries.insert(key.clone(), (texture.clone(), frame));
        texture
    }

    /// Number of textures held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooling_keeps_the_spike() {
        let mut values = vec![0.1; 49];
        values[6 * 7 + 6] = 1.0;
        values[0] = 0.9;
        let table = ColorTable::new(|v| Color32::from_gray((v * 255.0) as u8));
        let image = pooled_image(&values, 7, 3, &table);
        assert_eq!(image.size, [3, 3]);
        let shades: Vec<u8> = image.pixels.iter().map(Color32::r).collect();
        // 0.9 and 0.1 of 255, to the nearest step of the table.
        let near = |a: u8, b: u8| a.abs_diff(b) <= 1;
        let wanted = [229, 25, 25, 25, 25, 25, 25, 25, 255];
        assert!(shades.iter().zip(wanted).all(|(a, b)| near(*a, b)), "{shades:?}");
    }

    #[test]
    fn values_outside_the_scale_take_its_ends() {
        let table = ColorTable::new(|v| Color32::from_gray((v * 255.0) as u8));
        let shades = [-1.0, f32::NAN, 0.0, 1.0, 7.0].map(|v| table.at(v).r());
        assert_eq!(shades, [0, 0, 0, 255, 255]);
    }
}
