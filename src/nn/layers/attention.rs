//! Causal attention over grouped heads.
//!
//! B batch, T new tokens, S tokens attended to (S ≥ T; the last T of them are the new ones), H heads, G key-value heads,
//! K head width.

use crate::nn::hooks::Hooks;
use crate::nn::kernels::{self, Scores};
use crate::nn::layers::activation::softcap;
use crate::nn::layers::linear::on_plain_cpu;
use crate::nn::layers::mask::CausalMask;
use crate::nn::layers::rope::Rotation;
use crate::types::Site;
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;

/// How scores are made of queries and keys.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scoring {
    /// Multiplies q kᵀ; 1/√K when `None`.
    pub scale: Option<f64>,
    /// Scores s become c · tanh(s / c) before the mask, so that none leaves −c..c (Gemma Team 2024).
    pub softcap: Option<f64>,
}

impl Scoring {
    pub(in crate::nn) fn scale(self, width: usize) -> f64 {
        self.scale.unwrap_or_else(|| (width as f64).sqrt().recip())
    }

    fn cap(self, scores: Tensor<4>) -> Tensor<4> {
        match self.softcap {
            Some(cap) => softcap(scores, cap),
            None => scores,
        }
    }
}

/// softmax(q kᵀ / √K + mask) v, heads joined again.
///
/// # Shapes
/// q `[B, H, T, K]`, k and v `[B, G, S, K]` → `[B, T, H·K]`. Query heads h·H/G to (h+1)·H/G − 1 share key-value head h.
#[must_use]
pub fn attend(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    mask: &CausalMask,
    layer: usize,
    hooks: &mut Hooks,
) -> Tensor<3> {
    attend_scored(q, k, v, mask, Scoring::default(), layer, hooks)
}

/// As [`attend`], with scores made in another way.
#[must_use]
pub fn attend_scored(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    mask: &CausalMask,
    scoring: Scoring,
    layer: usize,
    hooks: &mut Hooks,
) -> Tensor<3> {
    let [_, h, t, width] = q.dims();
    // A shortcut gives z alone.
    let is_short = !hooks.needs(Site::Scores(layer)) && !hooks.needs(Site::Pattern(layer));
    // One query needs no kernel: the plain products read the cache where it lies, which ours would lay out anew and Flex copy.
    let z = if t > 1 && is_short && kernels::serve(&q.device()) {
        let scores = Scores { scale: scoring.scale(width) as f32, cap: scoring.softcap.map(|cap| cap as f32) };
        kernels::attend_to_keys([q, k, v], mask.beyond_future(), scores) // [B, H, T, K]
    } else if t > 1 && is_short && on_plain_cpu(&q) {
        let options = AttentionModuleOptions { is_causal: true, scale: scoring.scale, softcap: scoring.softcap };
        attention(q, k, v, None, mask.beyond_future(), options) // [B, H, T, K]
    } else if is_short && k.dims()[2] == t && t > BLOCK {
        attend_in_blocks(q, k, &v, mask, scoring) // [B, H, T, K]
    } else {
        attend_step_by_step(q, k, v, mask, scoring, layer, hooks)
    };
    let z = hooks.at(Site::Z(layer), z); // [B, H, T, K]
    let [b, ..] = z.dims(); // sequences may part here
    z.swap_dims(1, 2).reshape([b, t, h * width]) // [B, T, H·K]
}

/// Everything between the projection to queries, keys and values, which lie in it as `heads` says, and that of the output,
/// in one kernel: `[B, T, (H + 2·G)·K]` → `[B, T, H·K]`. `None` where that cannot be: somebody wants a value on the way (the
/// pattern can be read, but not changed), sequences are rotated differently, or the mask hides more than the future. The
/// caller must have neither a cache nor scores of another kind.
pub(in crate::nn) fn attend_at_once(
    qkv: &Tensor<3>,
    rotation: Option<&Rotation>,
    heads: kernels::Heads,
    mask: &CausalMask,
    layer: usize,
    hooks: &mut Hooks,
) -> Option<Tensor<3>> {
    let is_wanted = [Site::Q, Site::K, Site::V, Site::Scores, Site::Z].iter().any(|site| hooks.needs(site(layer)));
    let is_plain = mask.beyond_future().is_none() && rotation.is_none_or(Rotation::is_shared);
    if is_wanted || !is_plain || !kernels::serve_learning(&qkv.device()) {
        return None;
    }
    let rotation = rotation.map(Rotation::cosines_and_sines);
    let site = Site::Pattern(layer);
    if !hooks.needs(site) {
        return Some(kernels::attend(qkv.clone(), rotation, heads));
    }
    if !hooks.only_reads(site) || !kernels::serve(&qkv.device()) {
        return None;
    }
    let (z, pattern) = kernels::attend_with_pattern(qkv.clone(), rotation, heads);
    let _read = hooks.at(site, pattern);
    Some(z)
}

/// Queries of one block in [`attend_in_blocks`].
const BLOCK: usize = 64;

/// The same values for a whole sequence without a past, differentiable: a block of queries looks only at the keys up to its
/// own end, so that most of the scores a mask would hide are never computed. With 256 tokens that leaves 62 % of them.
fn attend_in_blocks(q: Tensor<4>, k: Tensor<4>, v: &Tensor<4>, mask: &CausalMask, scoring: Scoring) -> Tensor<4> {
    let [b, h, t, width] = q.dims();
    let g = k.dims()[1];
    let q = q.mul_scalar(scoring.scale(width)); // fewer values to scale than scores
    let k = k.swap_dims(2, 3); // [B, G, K, T]
    let mut parts = Vec::with_capacity(t.div_ceil(BLOCK));
    for start in (0..t).step_by(BLOCK) {
        let (block, end) = (BLOCK.min(t - start), (start + BLOCK).min(t));
        let rows = h / g * block; // the queries that share a key-value head, stacked
        let queries = q.clone().narrow(2, start, block).reshape([b, g, rows, width]);
        let scores = queries.matmul(k.clone().narrow(3, 0, end)).reshape([b, h, block, end]);
        let pattern = softmax(mask.hide_block(scoring.cap(scores), start), 3); // [B, H, block, end]
        let z = pattern.reshape([b, g, rows, end]).matmul(v.clone().narrow(2, 0, end)); // [B, G, H/G·block, K]
        parts.push(z.reshape([b, h, block, width]));
    }
    Tensor::cat(parts, 2) // [B, H, T, K]
}

/// Scores and pattern one after the other, as hooks want them. `[B, H, T, K]`.
fn attend_step_by_step(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    mask: &CausalMask,
    scoring: Scoring,
    layer: usize,
    hooks: &mut Hooks,
) -> Tensor<4> {
    let [b, h, t, width] = q.dims();
    let [_, g, s, _] = k.dims();
    assert!(h.is_multiple_of(g), "{h} heads cannot share {g} key-value heads evenly");
    let rows = h / g * t; // the queries that share a key-value head, stacked

    let scale = scoring.scale(width);
    let is_plain = t > 1 && scoring.softcap.is_none() && mask.beyond_future().is_none();
    let pattern = if is_plain && !hooks.needs(Site::Scores(layer)) && kernels::serve(&q.device()) {
        kernels::causal_pattern(q, k, scale)
    } else {
        let q = q.reshape([b, g, rows, width]);
        let scores = q.matmul(k.swap_dims(2, 3)).mul_scalar(scale); // [B, G, H/G·T, S]
        let scores = scoring.cap(scores).reshape([b, h, t, s]); // [B, H, T, S]
        let scores = hooks.at_mended(Site::Scores(layer), mask.hide(scores), |changed| mask.hide_again(changed));
        softmax(scores, 3)
    };
    let pattern = hooks.at(Site::Pattern(layer), pattern); // [B, H, T, S]
    let z = pattern.reshape([b, g, rows, s]).matmul(v); // [B, G, H/G·T, K]
    z.reshape([b, h, t, width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::batch::padding::Padding;
    use crate::nn::layers::rope::RopeFrequencies;
    use burn::tensor::{Device, Distribution};

    /// Masks and ways of scoring for two sequences: plain, a window, capped scores with a scale, padding.
    fn every_way(t: usize, past: usize, device: &Device) -> Vec<(CausalMask, Scoring)> {
        let capped = Scoring { scale: Some(0.7), softcap: Some(1.5) };
        let window = || CausalMask::new(t, past, Some(4), None, device);
        let mut ways = vec![
            (CausalMask::new(t, past, None, None, device), Scoring::default()),
            (window(), Scoring::default()),
            (window(), capped),
        ];
        if past == 0 {
            // Every query of these sees a key.
            let padding = Padding::right(&[t, t - 2], t);
            ways.push((CausalMask::new(t, 0, Some(4), Some(&padding), device), capped));
        }
        ways
    }

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
        for (mask, scoring) in every_way(t, 0, &device) {
            let blocks = attend_in_blocks(q.clone(), k.clone(), &v, &mask, scoring);
            let plain = attend_step_by_step(q.clone(), k.clone(), v.clone(), &mask, scoring, 0, &mut Hooks::off());
            let difference: f32 = (blocks - plain).abs().max().into_scalar();
            assert!(difference < 1e-5, "{scoring:?} differs by {difference}");
        }
    }

    #[test]
    fn the_pattern_kernel_equals_scores_mask_and_softmax() {
        let device = Device::flex();
        device.seed(6);
        let pattern = crate::types::SiteSet::from_iter([Site::Pattern(0)]);
        let both = crate::types::SiteSet::from_iter([Site::Pattern(0), Site::Scores(0)]);
        let mut with_scores = Hooks::off().recording(both, None);
        let mut pattern_alone = Hooks::off().recording(pattern, None);
        for (h, g, t, past, width) in [(4, 2, 37, 0, 8), (2, 2, 5, 70, 6), (3, 1, 64, 32, 16)] {
            let random = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Normal(0.0, 2.0), &device);
            let (q, k, v) =
                (random([1, h, t, width]), random([1, g, past + t, width]), random([1, g, past + t, width]));
            let (mask, scoring) = (CausalMask::new(t, past, None, None, &device), Scoring::default());
            let plain = attend_step_by_step(q.clone(), k.clone(), v.clone(), &mask, scoring, 0, &mut with_scores);
            let fused = attend_step_by_step(q, k, v, &mask, scoring, 0, &mut pattern_alone);
            let difference: f32 = (fused - plain).abs().max().into_scalar();
            assert!(difference < 1e-5, "{h} heads, {t} queries: differs by {difference}");
        }
        let patterns = |hooks: Hooks| hooks.into_captures().0.into_iter().filter(|c| c.site == Site::Pattern(0));
        for (fused, plain) in patterns(pattern_alone).zip(patterns(with_scores)) {
            assert_eq!(fused.shape, plain.shape);
            let worst = fused.values.iter().zip(plain.values.iter()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-6, "a pattern of shape {:?} differs by {worst}", plain.shape);
        }
    }

    #[test]
    fn all_at_once_equals_step_by_step_and_gives_the_pattern_it_went_through() {
        let device = Device::flex();
        device.seed(7);
        let sites = || [Site::Pattern(0)].into_iter().collect::<crate::types::SiteSet>();
        let rope = RopeFrequencies::new(6, 1e4, None);
        for (b, h, g, t, width) in [(1, 4, 2, 37, 8), (2, 2, 2, 64, 16), (1, 3, 1, 1, 8)] {
            let qkv = Tensor::<3>::random([b, t, (h + 2 * g) * width], Distribution::Normal(0.0, 2.0), &device);
            let mask = CausalMask::new(t, 0, None, None, &device);
            let heads = qkv.clone().reshape([b, t, h + 2 * g, width]).swap_dims(1, 2);
            let rotation = rope.rotation(0, t, &device);
            for rotation in [None, Some(&rotation)] {
                let rotated = heads.clone().narrow(1, 0, h + g);
                let rotated = rotation.map_or(rotated.clone(), |rotation| rotation.apply(rotated));
                let (q, k) = (rotated.clone().narrow(1, 0, h), rotated.narrow(1, h, g));
                let v = heads.clone().narrow(1, h + g, g);
                let [mut plain, mut fused] = [(); 2].map(|()| Hooks::off().keeping(sites()));
                let expected = attend_step_by_step(q, k, v, &mask, Scoring::default(), 0, &mut plain);
                let expected = expected.swap_dims(1, 2).reshape([b, t, h * width]);
                let layout = kernels::Heads::packed(h, g, width);
                let Some(z) = attend_at_once(&qkv, rotation, layout, &mask, 0, &mut fused) else {
                    assert!(!kernels::serve(&device));
                    continue;
                };
                let difference: f32 = (z - expected).abs().max().into_scalar();
                assert!(difference < 1e-5, "{h} heads, {t} tokens: z differs by {difference}");
                let [plain, fused] =
                    [plain, fused].map(|mut hooks| hooks.take_kept(Site::Pattern(0)).unwrap().tensor::<4>());
                let difference: f32 = (fused - plain).abs().max().into_scalar();
                assert!(difference < 1e-6, "{h} heads, {t} tokens: the pattern differs by {difference}");
            }
        }
    }

    #[test]
    fn what_is_changed_on_the_way_is_not_passed_over() {
        use crate::nn::{Change, SiteEdit};
        let device = Device::flex();
        let qkv = Tensor::<3>::ones([1, 5, 3 * 8], &device);
        let mask = CausalMask::new(5, 0, None, None, &device);
        let at_once = |mut hooks: Hooks| {
            attend_at_once(&qkv, None, kernels::Heads::packed(1, 1, 8), &mask, 0, &mut hooks).is_some()
        };
        let pattern: crate::types::SiteSet = [Site::Pattern(0)].into_iter().collect();
        assert_eq!(at_once(Hooks::off().recording(pattern.clone(), None)), kernels::serve(&device));
        let change = |site| Hooks::off().editing(vec![SiteEdit::whole(site, Change::Zero)]);
        assert!(!at_once(change(Site::Pattern(0)).recording(pattern, None)));
        assert!(!at_once(change(Site::V(0))));
        assert_eq!(at_once(change(Site::V(1))), kernels::serve(&device), "of another block");
    }

    #[test]
    fn fused_equals_step_by_step_with_groups_and_a_past() {
        let device = Device::flex();
        device.seed(5);
        let (b, h, g) = (2, 6, 2);
        let random = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), &device);
        // The last ones are long enough for the kernels to go tile by tile.
        for (t, past, width) in [(5, 3, 8), (9, 0, 6), (2, 255, 8), (70, 300, 40), (530, 0, 8)] {
            // A cache has room behind what it holds.
            let room = |heads: usize| random([b, heads, past + t + 3, width]).narrow(2, 0, past + t);
            let (q, k, v) = (random([b, h, t, width]), room(g), room(g));
            for (mask, scoring) in every_way(t, past, &device) {
                let fused = attend_scored(q.clone(), k.clone(), v.clone(), &mask, scoring, 0, &mut Hooks::off());
                let plain = attend_step_by_step(q.clone(), k.clone(), v.clone(), &mask, scoring, 0, &mut Hooks::off());
                let plain = plain.swap_dims(1, 2).reshape([b, t, h * width]);
                let difference: f32 = (fused - plain).abs().max().into_scalar();
                assert!(difference < 1e-5, "{t} queries, {scoring:?}: differs by {difference}");
            }
        }
    }

    #[test]
    fn one_far_above_the_others_is_seen_alone() {
        let device = Device::flex();
        let (t, past, width) = (4, 700, 16);
        let q = Tensor::<4>::ones([1, 1, t, width], &device);
        // Later keys are ever better, so that every block lowers what came before it to nothing.
        let rows: Vec<f32> = (0..past + t).flat_map(|key| [key as f32 * 40.0; 16]).collect();
        let k = Tensor::<4>::from_data(burn::tensor::TensorData::new(rows, [1, 1, past + t, width]), &device);
        let mask = CausalMask::new(t, past, None, None, &device);
        let z = attend_scored(q, k.clone(), k.clone(), &mask, Scoring::default(), 0, &mut Hooks::off());
        let own = k.narrow(2, past, t).squeeze_dim::<3>(1);
        let difference: f32 = (z - own).abs().max().into_scalar();
        assert_eq!(difference, 0.0);
    }
}
