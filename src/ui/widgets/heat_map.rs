//! A square heat map of many cells: crisp when zoomed in, pooled by maximum when zoomed out so that no spike hides.

use egui::{Color32, ColorImage, TextureHandle, TextureOptions, Ui};
use std::collections::HashMap;
use std::hash::Hash;

/// Textures kept by a [`TextureCache`] that were not shown lately.
const IDLE_FRAMES: u64 = 600;

/// A colour table: 256 steps are finer than the eye in any of the maps.
pub type Lut = [Color32; 256];

/// A colour table from a function of `0..=1`.
#[must_use]
pub fn lut(colour: impl Fn(f32) -> Color32) -> Lut {
    std::array::from_fn(|i| colour(i as f32 / 255.0))
}

/// The picture of a square matrix `[side, side]` row-major with `pool` × `pool` cells to a pixel, the highest of which
/// shows. `scale` is the value at the upper end of the table.
///
/// # Panics
/// When `values` is not `side` × `side` or `pool` is 0.
#[must_use]
pub fn pooled_image(values: &[f32], side: usize, pool: usize, lut: &Lut, scale: impl Fn(f32) -> f32) -> ColorImage {
    assert_eq!(values.len(), side * side, "a square matrix");
    assert!(pool > 0);
    let pixels = side.div_ceil(pool);
    let mut highest = vec![0.0f32; pixels * pixels];
    for (row, line) in values.chunks_exact(side.max(1)).enumerate() {
        let out = &mut highest[row / pool * pixels..][..pixels];
        if pool == 1 {
            out.copy_from_slice(line);
        } else {
            for (chunk, out) in line.chunks(pool).zip(out) {
                *out = chunk.iter().fold(*out, |a, b| a.max(*b));
            }
        }
    }
    let colours = highest.iter().map(|v| lut[(scale(*v).clamp(0.0, 1.0) * 255.0) as usize]).collect();
    ColorImage::new([pixels, pixels], colours)
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
        let table = lut(|v| Color32::from_gray((v * 255.0) as u8));
        let image = pooled_image(&values, 7, 3, &table, |v| v);
        assert_eq!(image.size, [3, 3]);
        let shades: Vec<u8> = image.pixels.iter().map(Color32::r).collect();
        assert_eq!(shades, [229, 25, 25, 25, 25, 25, 25, 25, 255]);
    }
}
