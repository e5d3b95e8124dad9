//! The colour tokens, read from `assets/theme/*.ron` at build time.

use egui::Color32;
use serde::{Deserialize, Deserializer, Serialize};

const DARK: &str = include_str!("../../../assets/theme/dark.ron");
const LIGHT: &str = include_str!("../../../assets/theme/light.ron");

/// Which theme the person wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThemeChoice {
    /// As the desktop says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// The colours of one theme.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// True for the dark theme.
    pub dark: bool,
    /// Neutrals from the ground (0) to body text (10).
    #[serde(deserialize_with = "hex_ramp")]
    pub ramp: [Color32; 11],
    /// The one accent, as a fill.
    #[serde(deserialize_with = "hex")]
    pub accent: Color32,
    /// The accent, as text.
    #[serde(deserialize_with = "hex")]
    pub accent_text: Color32,
    /// A quiet accent fill.
    #[serde(deserialize_with = "hex")]
    pub accent_soft: Color32,
    /// Text on the accent.
    #[serde(deserialize_with = "hex")]
    pub on_accent: Color32,
    /// Success.
    #[serde(deserialize_with = "hex")]
    pub success: Color32,
    /// Warning.
    #[serde(deserialize_with = "hex")]
    pub warning: Color32,
    /// Danger.
    #[serde(deserialize_with = "hex")]
    pub danger: Color32,
    /// Behind errors.
    #[serde(deserialize_with = "hex")]
    pub danger_soft: Color32,
}

impl Tokens {
    /// The dark theme's colours.
    ///
    /// # Panics
    /// If the file that is built in is malformed; a test reads it.
    #[must_use]
    pub fn dark() -> Self {
        ron::from_str(DARK).expect("assets/theme/dark.ron is well-formed")
    }

    /// The light theme's colours.
    ///
    /// # Panics
    /// If the file that is built in is malformed; a test reads it.
    #[must_use]
    pub fn light() -> Self {
        ron::from_str(LIGHT).expect("assets/theme/light.ron is well-formed")
    }
}

fn parse_hex<E: serde::de::Error>(text: &str) -> Result<Color32, E> {
    Color32::from_hex(text).map_err(|_| E::custom(format!("{text:?} is not a colour such as \"#1b1d22\"")))
}

fn hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Color32, D::Error> {
    parse_hex(&String::deserialize(deserializer)?)
}

fn hex_ramp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[Color32; 11], D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let count = texts.len();
    let colours = texts.iter().map(|t| parse_hex(t)).collect::<Result<Vec<_>, _>>()?;
    colours.try_into().map_err(|_| serde::de::Error::custom(format!("the ramp has {count} steps, not 11")))
}

/// Relative luminance as in WCAG 2.2.
#[cfg(test)]
fn luminance(colour: Color32) -> f64 {
    let linear = |byte: u8| {
        let c = f64::from(byte) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b())
}

/// Contrast ratio as in WCAG 2.2.
#[cfg(test)]
pub(super) fn contrast(a: Color32, b: Color32) -> f64 {
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    if a > b { a / b } else { b / a }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_contrast(name: &str, ink: Color32, paper: Color32, least: f64) {
        let found = contrast(ink, paper);
        assert!(found >= least, "{name}: {found:.2}:1 is below {least}:1");
    }

    #[test]
    fn text_and_meaningful_lines_stand_out_in_both_themes() {
        for t in [Tokens::dark(), Tokens::light()] {
            let theme = if t.dark { "dark" } else { "light" };
            for paper in 0..=3 {
                assert_contrast(&format!("{theme}: body on neutral {paper}"), t.ramp[10], t.ramp[paper], 7.0);
                assert_contrast(&format!("{theme}: caption on neutral {paper}"), t.ramp[8], t.ramp[paper], 4.5);
                assert_contrast(&format!("{theme}: line on neutral {paper}"), t.ramp[6], t.ramp[paper], 3.0);
            }
            for paper in 0..=1 {
                for (name, ink) in [
                    ("accent text", t.accent_text),
                    ("success", t.success),
                    ("warning", t.warning),
                    ("danger", t.danger),
                ] {
                    assert_contrast(&format!("{theme}: {name} on neutral {paper}"), ink, t.ramp[paper], 4.5);
                }
                assert_contrast(&format!("{theme}: accent outline on {paper}"), t.accent, t.ramp[paper], 3.0);
            }
            assert_contrast(&format!("{theme}: on accent"), t.on_accent, t.accent, 4.5);
            assert_contrast(&format!("{theme}: body on accent soft"), t.ramp[10], t.accent_soft, 7.0);
            assert_contrast(&format!("{theme}: body on danger soft"), t.ramp[10], t.danger_soft, 7.0);
        }
    }

    #[test]
    fn the_ramp_runs_one_way() {
        for t in [Tokens::dark(), Tokens::light()] {
            let rising = t.ramp.windows(2).all(|w| luminance(w[0]) < luminance(w[1]));
            let falling = t.ramp.windows(2).all(|w| luminance(w[0]) > luminance(w[1]));
            assert_eq!((rising, falling), (t.dark, !t.dark));
        }
    }
}
