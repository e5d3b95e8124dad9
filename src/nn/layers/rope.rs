//! Rotary position embedding (Su et al. 2021) in the half-split convention of Hugging Face: value i is rotated with value i + R/2.
//!
//! R is the rotary width: the whole head (R = K), or its first values, the others staying as they are.

use crate::nn::batch::tokens::Tokens;
use crate::nn::hooks::Hooks;
use crate::types::Site;
use burn::tensor::{Device, Tensor, TensorData};
use std::f64::consts::TAU;

/// How the rotary frequencies were stretched to reach longer contexts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// All frequencies divided by a factor (position interpolation, Chen et al. 2023).
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Low frequencies divided by a factor, high ones kept, a ramp between (Llama 3.1).
    Llama3 {
        /// Divides the low frequencies.
        factor: f64,
        /// Wavelengths above `original_context / low` are low frequencies.
        low: f64,
        /// Wavelengths below `original_context / high` are high frequencies.
        high: f64,
        /// Context length in tokens before stretching.
        original_context: f64,
    },
}

impl RopeScaling {
    fn scale(self, frequency: f64) -> f64 {
        match self {
            Self::Linear { factor } => frequency / factor,
            Self::Llama3 { factor, low, high, original_context } => {
                let turns = original_context * frequency / TAU;
                // 1 for high frequencies, 0 for low ones.
                let keep = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                frequency * (keep + (1.0 - keep) / factor)
            }
        }
    }
}

/// Angle per position of each of the R/2 pairs, in radians.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeFrequencies(Vec<f64>);

impl RopeFrequencies {
    /// Frequencies θ^(−2i/R) for i in 0..R/2.
    ///
    /// # Panics
    /// When `rotary_width` R is odd.
    #[must_use]
    pub fn new(rotary_width: usize, theta: f64, scaling: Option<RopeScaling>) -> Self {
        assert!(rotary_width.is_multiple_of(2), "rotary positions need an even width, not {rotary_width}");
        let frequencies = (0..rotary_width / 2).map(|i| {
            let frequency = theta.powf(-2.0 * i as f64 / rotary_width as f64);
            scaling.map_or(frequency, |s| s.scale(frequency))
        });
        Self(frequencies.collect())
    }

    /// Angle per position of each pair, in radians.
    #[must_use]
    pub fn per_position(&self) -> &[f64] {
        &self.0
    }

    /// The rotation of `length` positions from `start` on.
    #[must_use]
    pub fn rotation(&self, start: usize, length: usize, device: &Device) -> Rotation {
        self.rotation_at((start..start + length).map(|position| position as f64), [1, length], device)
    }

    /// Cosines and sines of `length` positions from `start` on, `[length, R/2]` both.
    pub(in crate::nn) fn cosines_and_sines(&self, start: usize, length: usize) -> [Vec<f32>; 2] {
        let angles = (start..start + length).flat_map(|position| self.0.iter().map(move |f| position as f64 * f));
        let (sines, cosines) = angles.map(f64::sin_cos).map(|(s, c)| (s as f32, c as f32)).unzip();
        [cosines, sines]
    }

    /// The rotation of the tokens of a pass, wherever they stand.
    pub(in crate::nn) fn rotation_of(&self, tokens: &Tokens<'_>, hooks: &mut Hooks, device: &Device) -> Rotation {
        if tokens.places().is_none() && !hooks.needs(Site::Rotary) {
            return self.rotation(tokens.past(), tokens.new_tokens(), device);
        }
        let (positions, shape) = tokens.positions();
        if hooks.needs(Site::Rotary) {
            return self.rotation_at(hooks.rotary(&positions, shape, device), shape, device);
        }
        self.rotation_at(positions.into_iter().map(|position| position as f64), shape, device)
    }

    /// The rotation of the given positions, `[B, T]` row-major.
    fn rotation_at(
        &self,
        positions: impl IntoIterator<Item = f64>,
        [batch, length]: [usize; 2],
        device: &Device,
    ) -> Rotation {
        let angles = positions.into_iter().flat_map(|position| self.0.iter().map(move |f| position * f));
        let (sin, cos): (Vec<f32>, Vec<f32>) = angles.map(f64::sin_cos).map(|(s, c)| (s as f32, c as f32)).unzip();
        let tensor = |values| Tensor::from_data(TensorData::new(values, [batch, 1, length, self.0.len()]), device);
        Rotation { cos: tensor(cos), sin: tensor(sin) }
    }
}

/// Cosines and sines of a stretch of positions, made once a forward pass.
pub struct Rotation {
    cos: Tensor<4>, // [1 or B, 1, T, R/2]
    sin: Tensor<4>, // [1 or B, 1, T, R/2]
}

impl Rotation {
    /// Cosines and sines, `[1 or B, 1, T, R/2]` both.
    pub(in crate::nn) fn cosines_and_sines(&self) -> [Tensor<4>; 2] {
        [self.cos.clone(), self.sin.clone()]
    }

    /// True when every sequence of the batch has the same positions.
    pub(in crate::nn) fn is_shared(&self) -> bool {
        self.cos.dims()[0] == 1
    }

    /// Rotates the first R values of every head by its position: `[B, H, T, K]` → `[B, H, T, K]`.
    #[must_use]
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, _, k] = x.dims();
        let half = self.cos.dims()[3];
        let first = x.clone().narrow(3, 0, half);
        let second = x.clone().narrow(3, half, half);
        let rotated_first = first.clone() * self.cos.clone() - second.clone() * self.sin.clone();
        let rotated_second = second * self.cos.clone() + first * self.sin.clone();
        let mut parts = vec![rotated_first, rotated_second];
        if 2 * half < k {
            parts.push(x.narrow(3, 2 * half, k - 2 * half));
        }
        Tensor::cat(parts, 3) // [B, H, T, K]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotates_pairs_by_position_times_frequency() {
        let device = Device::flex();
        let rope = RopeFrequencies::new(4, 100.0, None);
        assert_eq!(rope.0, [1.0, 0.1]);
        let x = Tensor::<4>::from_data([[[[1.0, 0.0, 0.0, 2.0]]]], &device);
        let y: Vec<f32> = rope.rotation(3, 1, &device).apply(x).into_data().iter().collect();
        let expected = [3f32.cos(), -2.0 * 0.3f32.sin(), 3f32.sin(), 2.0 * 0.3f32.cos()];
        for (a, b) in y.iter().zip(expected) {
            assert!((a - b).abs() < 1e-6, "{y:?} is not {expected:?}");
        }
        // A wider head keeps what lies behind.
        let x = Tensor::<4>::from_data([[[[1.0, 0.0, 0.0, 2.0, 5.0, 6.0]]]], &device);
        let wider: Vec<f32> = rope.rotation(3, 1, &device).apply(x).into_data().iter().collect();
        assert_eq!(wider, [&y[..], &[5.0, 6.0]].concat());
    }

    #[test]
    fn llama3_keeps_fast_pairs_and_slows_the_slow_ones() {
        let scaling = RopeScaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original_context: 8192.0 };
        let fast = TAU / 100.0;
        let slow = TAU / 100_000.0;
        assert_eq!(scaling.scale(fast), fast);
        assert_eq!(scaling.scale(slow), slow / 8.0);
        // Two and a half turns lie halfway between one and four.
        let between = TAU * 2.5 / 8192.0;
        assert!((scaling.scale(between) / between - (0.5 + 0.5 / 8.0)).abs() < 1e-12);
    }
}
