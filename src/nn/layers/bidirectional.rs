//! Attention that looks both ways, over a batch whose shorter sequences are filled up with padding.
//!
//! B batch, T tokens, H heads, K head width.

use crate::nn::hooks::Hooks;
use crate::nn::layers::linear::on_plain_cpu;
use crate::nn::layers::mask::hide_again;
use crate::types::Site;
use burn::tensor::activation::softmax;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Device, Tensor, TensorData};

/// Which tokens of a batch are padding, to be looked at by no token.
#[derive(Debug)]
pub struct PaddingMask {
    /// `[B, 1, 1, T]`: 0 for a token, the lowest finite number for padding. `None` when there is no padding.
    bias: Option<Tensor<4>>,
}

impl PaddingMask {
    /// Every token may be looked at.
    #[must_use]
    pub fn none() -> Self {
        Self { bias: None }
    }

    /// From rows of flags that are true for tokens and false for padding, all of one length.
    ///
    /// # Panics
    /// When the rows differ in length.
    #[must_use]
    pub fn new(is_token: &[Vec<bool>], device: &Device) -> Self {
        if is_token.iter().flatten().all(|&token| token) {
            return Self::none();
        }
        let (b, t) = (is_token.len(), is_token[0].len());
        assert!(is_token.iter().all(|row| row.len() == t), "the rows of a batch have one length");
        let bias: Vec<f32> = is_token.iter().flatten().map(|&token| if token { 0.0 } else { f32::MIN }).collect();
        Self { bias: Some(Tensor::from_data(TensorData::new(bias, [b, 1, 1, t]), device)) }
    }
}

/// softmax(q kᵀ / √K + mask) v, heads joined again.
///
/// # Shapes
/// q, k and v `[B, H, T, K]` → `[B, T, H·K]`.
#[must_use]
pub fn attend_both_ways(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    padding: &PaddingMask,
    layer: usize,
    hooks: &mut Hooks,
) -> Tensor<3> {
    let [_, h, t, width] = q.dims();
    let is_short = !hooks.needs(Site::Scores(layer)) && !hooks.needs(Site::Pattern(layer));
    let z = if is_short && padding.bias.is_none() && on_plain_cpu(&q) {
        attention(q, k, v, None, None, AttentionModuleOptions::default()) // [B, H, T, K]
    } else {
        step_by_step(q, k, v, padding, layer, hooks)
    };
    let z = hooks.at(Site::Z(layer), z); // [B, H, T, K]
    let [b, ..] = z.dims(); // sequences may part here
    z.swap_dims(1, 2).reshape([b, t, h * width]) // [B, T, H·K]
}

/// Scores and pattern one after the other, as hooks want them. `[B, H, T, K]`.
fn step_by_step(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    padding: &PaddingMask,
    layer: usize,
    hooks: &mut Hooks,
) -> Tensor<4> {
    let [_, _, _, width] = q.dims();
    let mut scores = q.matmul(k.swap_dims(2, 3)).mul_scalar((width as f64).sqrt().recip()); // [B, H, T, T]
    if let Some(bias) = &padding.bias {
        // Adding the lowest finite number to any sane score gives that number, so this masks exactly.
        scores = scores + bias.clone();
    }
    let scores = hooks.at_mended(Site::Scores(layer), scores, |changed| match &padding.bias {
        Some(bias) => hide_again(changed, bias),
        None => changed,
    });
    let pattern = hooks.at(Site::Pattern(layer), softmax(scores, 3)); // [B, H, T, T]
    pattern.matmul(v)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(shape: [usize; 4], stream: u64) -> Tensor<4> {
        let mut random = crate::nn::Random::new(3, stream);
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| random.normal()).collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    #[test]
    fn fused_equals_step_by_step() {
        let [q, k, v] = [0, 1, 2].map(|stream| random([2, 3, 9, 8], stream));
        let none = PaddingMask::none();
        let fused = attend_both_ways(q.clone(), k.clone(), v.clone(), &none, 0, &mut Hooks::off());
        let plain = step_by_step(q, k, v, &none, 0, &mut Hooks::off()).swap_dims(1, 2).reshape([2, 9, 24]);
        let difference: f32 = (fused - plain).abs().max().into_scalar();
        assert!(difference < 1e-5, "differs by {difference}");
    }

    #[test]
    fn padding_is_as_if_it_were_not_there() {
        let [q, k, v] = [0, 1, 2].map(|stream| random([1, 2, 6, 4], stream));
        let mask = PaddingMask::new(&[vec![false, false, true, true, true, true]], &Device::flex());
        let padded = step_by_step(q.clone(), k.clone(), v.clone(), &mask, 0, &mut Hooks::off()).narrow(2, 2, 4);
        let [q, k, v] = [q, k, v].map(|x| x.narrow(2, 2, 4));
        let alone = step_by_step(q, k, v, &PaddingMask::none(), 0, &mut Hooks::off());
        let difference: f32 = (padded - alone).abs().max().into_scalar();
        assert!(difference < 1e-6, "differs by {difference}");
    }
}
