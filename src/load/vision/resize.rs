//! Resizes pictures as Pillow does, bit for bit, because models were trained on its results: every output pixel is a
//! weighted mean over as many input pixels as it covers, rows first, with weights in 22-bit fixed point and a rounding to
//! 8 bits between the two passes. (Pillow 13 takes the columns first where that is quicker; a value may then differ by 1.)

use crate::types::Picture;

/// How much each input pixel counts, by its distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::load) enum Filter {
    /// A triangle.
    Bilinear,
    /// Keys' cubic convolution (1981) with a = −1/2.
    Bicubic,
}

impl Filter {
    /// Input pixels to either side that count, when nothing shrinks.
    fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    fn weight(self, distance: f64) -> f64 {
        const A: f64 = -0.5;
        let x = distance.abs();
        match self {
            Self::Bilinear => (1.0 - x).max(0.0),
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            Self::Bicubic => 0.0,
        }
    }
}

/// Bits behind the point of a weight.
const PRECISION: u32 = 32 - 8 - 2;

/// The input pixels that make one output pixel.
struct Window {
    start: usize,
    weights: Vec<i32>,
}

/// One window an output pixel, along one axis.
fn windows(from: usize, to: usize, filter: Filter) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    // Where a picture shrinks, the filter widens, so that no input pixel is passed over.
    let widening = scale.max(1.0);
    let support = filter.support() * widening;
    let window = |pixel: usize| {
        let centre = (pixel as f64 + 0.5) * scale;
        let start = (centre - support + 0.5).max(0.0) as usize;
        let end = ((centre + support + 0.5) as usize).min(from);
        let place = |i: usize| (i as f64 - centre + 0.5) * widening.recip();
        let weights: Vec<f64> = (start..end).map(|i| filter.weight(place(i))).collect();
        let sum: f64 = weights.iter().sum();
        let share = |w: f64| if sum == 0.0 { w } else { w / sum };
        let fixed = |w: f64| {
            let scaled = share(w) * f64::from(1 << PRECISION);
            (if scaled < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
        };
        Window { start, weights: weights.into_iter().map(fixed).collect() }
    };
    (0..to).map(window).collect()
}

/// The weighted mean of the window's pixels, the first of which is at `first` and the next each `step` further.
fn mean(values: &[u8], window: &Window, first: usize, step: usize) -> u8 {
    let half = 1 << (PRECISION - 1);
    let pixels = values[first..].iter().step_by(step).zip(&window.weights);
    let sum = pixels.fold(half, |sum: i32, (&value, &weight)| sum + i32::from(value) * weight);
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// The picture with another width and height.
pub(in crate::load) fn resize(picture: &Picture, width: usize, height: usize, filter: Filter) -> Picture {
    let mut current = picture.clone();
    if width != current.width {
        let windows = windows(current.width, width, filter);
        let mut rgb = Vec::with_capacity(3 * width * current.height);
        for row in 0..current.height {
            for window in &windows {
                let first = 3 * (row * current.width + window.start);
                rgb.extend((0..3).map(|colour| mean(&current.rgb, window, first + colour, 3)));
            }
        }
        current = Picture { width, height: current.height, rgb: rgb.into() };
    }
    if height != current.height {
        let step = 3 * current.width;
        let mut rgb = Vec::with_capacity(step * height);
        for window in &windows(current.height, height, filter) {
            rgb.extend((0..step).map(|column| mean(&current.rgb, window, window.start * step + column, step)));
        }
        current = Picture { width: current.width, height, rgb: rgb.into() };
    }
    current
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_picture_stays_flat_at_every_size() {
        let picture = Picture { width: 7, height: 5, rgb: [9, 120, 255].repeat(35).into() };
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            for (width, height) in [(3, 2), (7, 5), (20, 11), (1, 1)] {
                let resized = resize(&picture, width, height, filter);
                assert_eq!((resized.width, resized.height), (width, height));
                assert_eq!(resized.rgb[..], [9, 120, 255].repeat(width * height)[..]);
            }
        }
    }

    #[test]
    fn halving_averages_what_a_pixel_covers() {
        let rgb: Vec<u8> = [0, 0, 100, 100].iter().flat_map(|v| [*v; 3]).collect();
        let half = resize(&Picture { width: 4, height: 1, rgb: rgb.into() }, 2, 1, Filter::Bilinear);
        // By the triangle of width 4: weights 3, 3, 1 over 7 around each centre.
        assert_eq!([half.rgb[0], half.rgb[3]], [14, 86]);
    }
}
