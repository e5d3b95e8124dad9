//! Causal attention over grouped heads.
//!
//! B batch, T new tokens, S tokens attended to (S ≥ T; the last T of them are the new ones), H heads, G key-value heads,
//! K head width.

use super::kernels;
use super::linear::on_plain_cpu;
use super::tape::Tape;
use crate::types::Site;
use burn::tensor::activation::softmax;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Device, Tensor};

/// Which keys each query may see, made once a forward pass.
pub struct CausalMask {
    /// `[T, S]`: 0 where a query may look, the lowest finite number where not. `None` when every key may be seen.
    bias: Option<Tensor<2>>,
}

impl CausalMask {
    /// For T new tokens after `past` older ones.
    #[must_use]
    pub fn new(new_tokens: usize, past: usize, device: &Device) -> Self {
        if new_tokens == 1 {
            return Self { bias: None };
        }
        let shape = [new_tokens, past + new_tokens];
        let hidden = Tensor::<2, Bool>::tril_mask(shape, past as i64, device);
        Self { bias: Some(Tensor::zeros(shape, device).mask_fill(hidden, f32::MIN)) }
    }

    /// As [`Self::hide`] for the queries from `start` on and the keys up to their end, `[B, H, block, end]`.
    fn hide_block(&self, scores: Tensor<4>, start: usize) -> Tensor<4> {
        let [_, _, block, end] = scores.dims();
        match &self.bias {
            Some(bias) => scores + bias.clone().narrow(0, start, block).narrow(1, 0, end).unsqueeze(),
            None => scores,
        }
    }

    /// Adding the lowest finite number to any sane score gives that number, so this masks exactly. `[B, H, T, S]`.
    fn hide(&self, scores: Tensor<4>) -> Tensor<4> {
        match &self.bias {
            Some(bias) => scores + bias.clone().unsqueeze(),
            None => scores,
        }
    }
}

/// softmax(q kᵀ / √K + mask) v, heads joined again.
///
/// # Shapes
/// q `[B, H, T, K]`, k and v `[B, G, S, K]` → `[B, T, H·K]`. Query heads h·H/G to (h+1)·H/G − 1 share key-value head h.
#[must_use]
pub fn attend(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, mask: &CausalMask, layer: usize, tape: &mut Tape) -> Tensor<3> {
    let [b, h, t, width] = q.dims();
    // One query needs no fused kernel: the plain products read the cache where it lies, the kernel would copy it.
    let z = if t > 1 && !tape.is_on() && on_plain_cpu(&q) {
        let options = AttentionModuleOptions { is_causal: true, ..Default::default() };
        attention(q, k, v, None, None, options) // [B, H, T, K]
    } else if !tape.is_on() && k.dims()[2] == t && t > BLOCK {
        attend_in_blocks(q, k, &v, mask) // [B, H, T, K]
    } else {
        attend_step_by_step(q, k, v, mask, layer, tape)
    };
    z.swap_dims(1, 2).reshape([b, t, h * width]) // [B, T, H·K]
}

/// Queries of one block in [`attend_in_blocks`].
const BLOCK: usize = 64;

/// The same values for a whole sequence without a past, differentiable: a block of queries looks only at the keys up to its
/// own end, so that most of the scores a mask would hide are never computed. With 256 tokens that leaves 62 % of them.
fn attend_in_blocks(q: Tensor<4>, k: Tensor<4>, v: &Tensor<4>, mask: &CausalMask) -> Tensor<4> {
    let [b, h, t, width] = q.dims();
    let g = k.dims()[1];
    let q = q.mul_scalar((width as f64).sqrt().recip()); // fewer values to scale than scores
    let k = k.swap_dims(2, 3); // [B, G, K, T]
    let mut parts = Vec::with_capacity(t.div_ceil(BLOCK));
    for start in (0..t).step_by(BLOCK) {
        let (block, end) = (BLOCK.min(t - start), (start + BLOCK).min(t));
        let rows = h / g * block; // the queries that share a key-value head, stacked
        let queries = q.clone().narrow(2, start, block).reshape([b, g, rows, width]);
        let scores = queries.matmul(k.clone().narrow(3, 0, end)).reshape([b, h, block, end]);
        let pattern = softmax(mask.hide_block(scores, start), 3); // [B, H, block, end]
        let z = pattern.reshape([b, g, rows, end]).matmul(v.clone().narrow(2, 0, end)); // [B, G, H/G·block, K]
        parts.push(z.reshape([b, h, block, width]));
    }
    Tensor::cat(parts, 2) // [B, H, T, K]
}

/// Every intermediate value named on the tape. `[B, H, T, K]`.
fn attend_step_by_step(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    mask: &CausalMask,
    layer: usize,
    tape: &mut Tape,
) -> Tensor<4> {
    let [b, h, t, width] = q.dims();
    let [_, g, s, _] = k.dims();
    assert!(h.is_multiple_of(g), "{h} heads cannot share {g} key-value heads evenly");
    let rows = h / g * t; // the queries that share a key-value head, stacked

    let scale = (width as f64).sqrt().recip();
    let pattern = if t > 1 && !tape.asks_for(Site::Scores(layer)) && kernels::serve(&q.device()) {
        kernels::causal_pattern(q, k, scale)
    } else {
        let q = q.reshape([b, g, rows, width]);
        let scores = q.matmul(k.swap_dims(2, 3)).mul_scalar(scale); // [B, G, H/G·T, S]
        let scores = tape.at(Site::Scores(layer), mask.hide(scores.reshape([b, h, t, s]))); // [B, H, T, S]
        softmax(scores, 3)
    };
    let pattern = tape.at(Site::Pattern(layer), pattern); // [B, H, T, S]
    let z = pattern.reshape([b, g, rows, s]).matmul(v); // [B, G, H/G·T, K]
    tape.at(Site::Z(layer), z.reshape([b, h, t, width]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    #[test]
    fn blocks_equal_step_by_step() {
        let device = Device::flex();
        let mut random = crate::nn::Random::new(5, 0);
        let (b, h, g, t, width) = (2, 4, 2, 150, 8);
        let mut draw = |heads: usize| {
            let values: Vec<f32> = (0..b * heads * t * width).map(|_| random.normal()).collect();
            Tensor::<4>::from_data(burn::tensor::TensorData::new(values, [b, heads, t, width]), &device)
        };
        let (q, k, v) = (draw(h), draw(g), draw(g));
        let mask = CausalMask::new(t, 0, &device);
        let blocks = attend_in_blocks(q.clone(), k.clone(), &v, &mask);
        let plain = attend_step_by_step(q, k, v, &mask, 0, &mut Tape::off());
        let difference: f32 = (blocks - plain).abs().max().into_scalar();
        assert!(difference < 1e-5, "differs by {difference}");
    }

    #[test]
    fn the_pattern_kernel_equals_scores_mask_and_softmax() {
        let device = Device::flex();
        device.seed(6);
        let mut with_scores = Tape::capture("blocks.0.attn.*".parse().unwrap(), None);
        let mut pattern_alone = Tape::capture("blocks.0.attn.pattern".parse().unwrap(), None);
        for (h, g, t, past, width) in [(4, 2, 37, 0, 8), (2, 2, 5, 70, 6), (3, 1, 64, 32, 16)] {
            let random = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Normal(0.0, 2.0), &device);
            let (q, k, v) =
                (random([1, h, t, width]), random([1, g, past + t, width]), random([1, g, past + t, width]));
            let mask = CausalMask::new(t, past, &device);
            let plain = attend_step_by_step(q.clone(), k.clone(), v.clone(), &mask, 0, &mut with_scores);
            let fused = attend_step_by_step(q, k, v, &mask, 0, &mut pattern_alone);
            let difference: f32 = (fused - plain).abs().max().into_scalar();
            assert!(difference < 1e-5, "{h} heads, {t} queries: differs by {difference}");
        }
        let patterns = |tape: Tape| tape.into_captures().0.into_iter().filter(|c| c.site.ends_with("pattern"));
        for (fused, plain) in patterns(pattern_alone).zip(patterns(with_scores)) {
            assert_eq!(fused.shape, plain.shape);
            let worst = fused.values.iter().zip(plain.values.iter()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-6, "a pattern of shape {:?} differs by {worst}", plain.shape);
        }
    }

    #[test]
    fn fused_equals_step_by_step_with_groups_and_a_past() {
        let device = Device::flex();
        device.seed(5);
        let (b, h, g, t, past, width) = (2, 4, 2, 5, 3, 8);
        let random = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), &device);
        let (q, k, v) = (random([b, h, t, width]), random([b, g, past + t, width]), random([b, g, past + t, width]));
        let mask = CausalMask::new(t, past, &device);
        let fused = attend(q.clone(), k.clone(), v.clone(), &mask, 0, &mut Tape::off());
        let plain = attend_step_by_step(q, k, v, &mask, 0, &mut Tape::off());
        let plain = plain.swap_dims(1, 2).reshape([b, t, h * width]);
        let difference: f32 = (fused - plain).abs().max().into_scalar();
        assert!(difference < 1e-5, "differs by {difference}");
    }
}
