//! Attention that looks both ways, over a batch whose shorter sequences are filled up with padding.
//!
//! B batch, T tokens, H heads, K head width.

use crate::nn::hooks::Hooks;
use crate::nn::kernels;
use crate::nn::kernels::Lengths;
use crate::nn::layers::linear::on_plain_cpu;
use crate::nn::layers::mask::hide_again;
use crate::types::Site;
use burn::tensor::activation::softmax;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Device, Tensor, TensorData};

/// Which tokens of a batch a token may not look at.
#[derive(Debug)]
pub struct PaddingMask(Hidden);

#[derive(Debug)]
enum Hidden {
    Nothing,
    /// `[B, 1, 1, T]`: 0 for a token, the lowest finite number for padding.
    Padding(Box<Tensor<4>>),
    /// Those of other texts, which lie behind each other in one row, as long as this says.
    OtherTexts(Lengths),
}

impl PaddingMask {
    /// Every token may be looked at.
    #[must_use]
    pub fn none() -> Self {
        Self(Hidden::Nothing)
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
        let bias = Tensor::from_data(TensorData::new(bias, [b, 1, 1, t]), device);
        Self(Hidden::Padding(Box::new(bias)))
    }

    /// For a batch of one row in which texts of these lengths lie behind each other: each token looks at those of its own.
    pub(in crate::nn) fn between(lengths: Lengths) -> Self {
        Self(Hidden::OtherTexts(lengths))
    }

    /// The lengths of texts that lie behind each other in `[B, T]`, if nothing else is hidden.
    fn texts(&self, [b, t]: [usize; 2]) -> Option<Lengths> {
        match &self.0 {
            Hidden::Nothing => Some(vec![t; b].into()),
            Hidden::Padding(_) => None,
            Hidden::OtherTexts(lengths) => Some(lengths.clone()),
        }
    }

    /// What is added to scores, `[B, 1, 1 or T, T]`: adding the lowest finite number to any sane score gives that number, so this masks
    /// exactly.
    fn bias(&self, device: &Device) -> Option<Tensor<4>> {
        match &self.0 {
            Hidden::Nothing => None,
            Hidden::Padding(bias) => Some(bias.as_ref().clone()),
            Hidden::OtherTexts(lengths) => {
                let text_of: Vec<usize> =
                    lengths.iter().enumerate().flat_map(|(text, length)| std::iter::repeat_n(text, *length)).collect();
                let sees = |query: &usize, key: &usize| if query == key { 0.0 } else { f32::MIN };
                let bias: Vec<f32> =
                    text_of.iter().flat_map(|query| text_of.iter().map(move |key| sees(query, key))).collect();
                let t = text_of.len();
                Some(Tensor::from_data(TensorData::new(bias, [1, 1, t, t]), device))
            }
        }
    }
}

/// softmax(q kᵀ / √K + mask) v, heads joined again, from the projection to all queries, then all keys, then all values. Where hooks
/// want nothing of what lies between, that is one pass.
///
/// # Shapes
/// qkv `[B, T, 3·H·K]` → `[B, T, H·K]`.
#[must_use]
pub fn attend_both_ways(
    qkv: Tensor<3>,
    heads: usize,
    padding: &PaddingMask,
    layer: usize,
    hooks: &mut Hooks,
) -> Tensor<3> {
    let [b, t, _] = qkv.dims();
    let skipped: [fn(usize) -> Site; 6] = [Site::Q, Site::K, Site::V, Site::Scores, Site::Pattern, Site::Z];
    let is_short = kernels::serve_learning(&qkv.device()) && !skipped.iter().any(|site| hooks.needs(site(layer)));
    match padding.texts([b, t]).filter(|_| is_short) {
        Some(texts) => kernels::attend_in_texts(qkv, texts, heads),
        None => step_by_step(qkv, heads, padding, layer, hooks),
    }
}

/// One value after the other, as hooks want them.
fn step_by_step(qkv: Tensor<3>, h: usize, padding: &PaddingMask, layer: usize, hooks: &mut Hooks) -> Tensor<3> {
    let [b, t, parts] = qkv.dims();
    let width = parts / (3 * h);
    let bias = padding.bias(&qkv.device());
    let qkv = qkv.reshape([b, t, 3 * h, width]).swap_dims(1, 2); // [B, 3·H, T, K]
    let q = hooks.at(Site::Q(layer), qkv.clone().narrow(1, 0, h)); // [B, H, T, K]
    let k = hooks.at(Site::K(layer), qkv.clone().narrow(1, h, h));
    let v = hooks.at(Site::V(layer), qkv.narrow(1, 2 * h, h));
    let is_short = !hooks.needs(Site::Scores(layer)) && !hooks.needs(Site::Pattern(layer));
    let z = if is_short && bias.is_none() && on_plain_cpu(&q) {
        attention(q, k, v, None, None, AttentionModuleOptions::default()) // [B, H, T, K]
    } else {
        let mut scores = q.matmul(k.swap_dims(2, 3)).mul_scalar((width as f64).sqrt().recip()); // [B, H, T, T]
        if let Some(bias) = &bias {
            scores = scores + bias.clone();
        }
        let scores = hooks.at_mended(Site::Scores(layer), scores, |changed| match &bias {
            Some(bias) => hide_again(changed, bias),
            None => changed,
        });
        let pattern = hooks.at(Site::Pattern(layer), softmax(scores, 3)); // [B, H, T, T]
        pattern.matmul(v)
    };
    let z = hooks.at(Site::Z(layer), z); // [B, H, T, K]
    let [b, ..] = z.dims(); // sequences may part here
    z.swap_dims(1, 2).reshape([b, t, h * width]) // [B, T, H·K]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(shape: [usize; 3]) -> Tensor<3> {
        let mut random = crate::nn::Random::new(3, 0);
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| random.normal()).collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    fn worst(a: Tensor<3>, b: Tensor<3>) -> f32 {
        (a - b).abs().max().into_scalar()
    }

    #[test]
    fn fused_equals_step_by_step() {
        let qkv = random([2, 9, 3 * 24]);
        for mask in [PaddingMask::none(), PaddingMask::between([9, 4, 0, 5].into())] {
            // Texts that lie behind each other are one row.
            let qkv = if matches!(mask.0, Hidden::Nothing) { qkv.clone() } else { qkv.clone().reshape([1, 18, 72]) };
            let fused = attend_both_ways(qkv.clone(), 3, &mask, 0, &mut Hooks::off());
            let difference = worst(fused, step_by_step(qkv, 3, &mask, 0, &mut Hooks::off()));
            assert!(difference < 1e-5, "differs by {difference}");
        }
    }

    #[test]
    fn padding_is_as_if_it_were_not_there() {
        let qkv = random([1, 6, 3 * 8]);
        let mask = PaddingMask::new(&[vec![false, false, true, true, true, true]], &Device::flex());
        let padded = step_by_step(qkv.clone(), 2, &mask, 0, &mut Hooks::off()).narrow(1, 2, 4);
        let alone = step_by_step(qkv.narrow(1, 2, 4), 2, &PaddingMask::none(), 0, &mut Hooks::off());
        let difference = worst(padded, alone);
        assert!(difference < 1e-6, "differs by {difference}");
    }
}
