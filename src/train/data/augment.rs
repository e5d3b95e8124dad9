//! Small random changes to training images, so that a network meets more hands than the data has.

use crate::nn::Random;
use crate::types::DIGIT_SIDE;

/// Largest turn in radians (12°).
const TURN: f32 = 0.21;
/// Largest slant: columns moved a row.
const SLANT: f32 = 0.15;
/// Largest relative change of size.
const SCALE: f32 = 0.12;
/// Largest shift in pixels. Drawings are centred before they are read, so little is needed.
const SHIFT: f32 = 1.5;

/// Turns, slants, scales and shifts one image of 784 values a little, with bilinear interpolation; outside is paper.
pub(in crate::train) fn distort(pixels: &[u8], random: &mut Random, out: &mut Vec<f32>) {
    let side = DIGIT_SIDE as f32;
    let centre = (side - 1.0) / 2.0;
    let (sin, cos) = random.between(-TURN, TURN).sin_cos();
    let slant = random.between(-SLANT, SLANT);
    let (scale_x, scale_y) = (1.0 + random.between(-SCALE, SCALE), 1.0 + random.between(-SCALE, SCALE));
    let (shift_x, shift_y) = (random.between(-SHIFT, SHIFT), random.between(-SHIFT, SHIFT));
    for row in 0..DIGIT_SIDE {
        for column in 0..DIGIT_SIDE {
            // From where in the source this pixel comes.
            let (x, y) = (column as f32 - centre - shift_x, row as f32 - centre - shift_y);
            let (x, y) = (x * cos + y * sin, y * cos - x * sin);
            let x = (x + slant * y) / scale_x + centre;
            out.push(interpolate(pixels, x, y / scale_y + centre));
        }
    }
}

fn interpolate(pixels: &[u8], x: f32, y: f32) -> f32 {
    let (left, top) = (x.floor(), y.floor());
    let (right_share, lower_share) = (x - left, y - top);
    let at = |x: f32, y: f32| {
        let inside = (0.0..DIGIT_SIDE as f32).contains(&x) && (0.0..DIGIT_SIDE as f32).contains(&y);
        if inside { f32::from(pixels[y as usize * DIGIT_SIDE + x as usize]) / 255.0 } else { 0.0 }
    };
    let upper = at(left, top) * (1.0 - right_share) + at(left + 1.0, top) * right_share;
    let lower = at(left, top + 1.0) * (1.0 - right_share) + at(left + 1.0, top + 1.0) * right_share;
    upper * (1.0 - lower_share) + lower * lower_share
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob() -> Vec<u8> {
        let inked = |i: usize| (9..19).contains(&(i / 28)) && (11..17).contains(&(i % 28));
        (0..784).map(|i| if inked(i) { 255 } else { 0 }).collect()
    }

    #[test]
    fn an_image_changes_a_little_and_keeps_its_ink() {
        let ink = |values: &[f32]| values.iter().sum::<f32>();
        let plain: Vec<f32> = blob().iter().map(|&v| f32::from(v) / 255.0).collect();
        let mut random = Random::new(1, 1);
        for _ in 0..50 {
            let mut image = Vec::new();
            distort(&blob(), &mut random, &mut image);
            assert_eq!(image.len(), 784);
            assert!(image.iter().all(|v| (0.0..=1.0).contains(v)));
            assert_ne!(image, plain);
            let ratio = ink(&image) / ink(&plain);
            assert!((0.7..1.4).contains(&ratio), "ink changed by {ratio}");
            let common: f32 = image.iter().zip(&plain).map(|(a, b)| a.min(*b)).sum();
            assert!(common > 0.4 * ink(&plain), "moved too far: {common} of {} in common", ink(&plain));
        }
    }

    #[test]
    fn a_point_between_four_pixels_is_their_mean() {
        let mut pixels = vec![0; 784];
        pixels[5 * 28 + 5] = 255;
        assert_eq!(interpolate(&pixels, 5.0, 5.0), 1.0);
        assert_eq!(interpolate(&pixels, 5.5, 5.5), 0.25);
        assert_eq!(interpolate(&pixels, -1.0, 40.0), 0.0);
    }
}
