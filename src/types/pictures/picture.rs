//! Pictures, and what an image classifier makes of them.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A picture in colour.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels from left to right.
    pub width: usize,
    /// Pixels from top to bottom.
    pub height: usize,
    /// Red, green and blue of every pixel, row by row.
    pub rgb: Arc<[u8]>,
}

impl Picture {
    /// A gray picture of `width` columns from intensities in `0..=1`, row by row.
    #[must_use]
    pub fn gray(width: usize, values: &[f32]) -> Self {
        let rgb = values.iter().flat_map(|v| [(v.clamp(0.0, 1.0) * 255.0).round() as u8; 3]).collect();
        Self { width, height: values.len() / width.max(1), rgb }
    }

    /// The same in grays, by the weights of ITU-R BT.601 in 16 bits, as Pillow converts to its mode L.
    #[must_use]
    pub fn without_colours(&self) -> Self {
        let gray = |rgb: &[u8]| {
            let sum: u32 = rgb.iter().zip([19595, 38470, 7471]).map(|(value, weight)| u32::from(*value) * weight).sum();
            [((sum + 0x8000) >> 16) as u8; 3]
        };
        Self { rgb: self.rgb.chunks_exact(3).flat_map(gray).collect(), ..self.clone() }
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({} × {})", self.width, self.height)
    }
}

/// What only an image classifier has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VisionInfo {
    /// Height and width of the pictures it reads, in pixels.
    pub size: [usize; 2],
    /// Rows and columns of patches.
    pub grid: [usize; 2],
    /// Names of the classes; empty for a model without a head, which can only be looked into.
    pub labels: Vec<String>,
}

/// How likely one class is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassProbability {
    /// Number of the class.
    pub class: usize,
    /// Its name.
    pub label: String,
    /// In `0..=1`.
    #[serde(rename = "prob")]
    pub probability: f32,
}

/// A picture as a model read it, and what the model says of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureReport {
    /// The picture after it was brought to the model's size, before its colours were normalised.
    pub seen: Picture,
    /// Rows and columns of patches; the patches are the last tokens, row by row.
    pub grid: [usize; 2],
    /// Tokens before the first patch.
    pub special_tokens: usize,
    /// All classes, most likely first; empty for a model without a head.
    pub classes: Vec<ClassProbability>,
}
