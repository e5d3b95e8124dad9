//! First weights of an encoder whose first block's heads look at the words around.
//!
//! A blank is guessed from its neighbours before anything else, and an encoder with random weights takes a good part of a short training
//! to find out where they are: until then it guesses the most frequent word. As in mimetic initialisation (Trockman and Kolter 2023), what
//! every trained encoder has is put there: position vectors that turn (sines and cosines, Vaswani et al. 2017), and heads whose query is the
//! own position turned by as many places as the head looks away.

use crate::nn::{Bert, Random};
use crate::train::stream::Stream;
use burn::module::Param;
use burn::tensor::{Tensor, TensorData};
use std::f64::consts::PI;

/// How far the heads of the first block look, in their order; further heads are drawn like all others.
const AWAY: [i32; 4] = [-1, 1, -2, 2];
/// Standard deviation of the values of position vectors: that of the tokens'.
const DEVIATION: f64 = 0.02;
/// What a query times a key is multiplied with where they meet, so that most of the attention goes there.
const GAIN: f32 = 1.5;

/// Puts the heads into the first block and turning vectors into the table of positions. Which pairs of values a head compares is drawn
/// from the seed.
pub(super) fn look_around(bert: &mut Bert, seed: u64) {
    let [positions, d] = bert.position_embedding.dims();
    let device = bert.position_embedding.device();
    let pairs = d / 2;
    let turn = |pair: usize| PI * (pair as f64 + 0.5) / pairs as f64;
    let mut table = vec![0.0_f32; positions * d];
    for (place, row) in table.chunks_exact_mut(d).enumerate() {
        for pair in 0..pairs {
            let (sin, cos) = (turn(pair) * place as f64).sin_cos();
            let scale = DEVIATION * 2.0_f64.sqrt();
            (row[2 * pair], row[2 * pair + 1]) = ((scale * cos) as f32, (scale * sin) as f32);
        }
    }
    bert.position_embedding = Param::from_tensor(Tensor::from_data(TensorData::new(table, [positions, d]), &device));

    let Some(block) = bert.blocks.first_mut() else { return };
    let (heads, width) = (block.heads, d / block.heads);
    let mut random = Random::new(seed, Stream::LookAround.at(0));
    let read = |matrix: Tensor<2>| matrix.into_data().iter::<f32>().collect::<Vec<f32>>();
    let mut qkv = read(block.qkv.weight.val()); // [3·D, D]
    let mut out = read(block.attn_out.weight.val()); // [D, D]
    for (head, away) in AWAY.into_iter().enumerate().take(heads) {
        let chosen = random.permutation(pairs);
        let row = |part: usize, value: usize| (part * d + head * width + value) * d;
        for (value, pair) in chosen.iter().map(|pair| *pair as usize).enumerate().take(width / 2) {
            let (sin, cos) = (turn(pair) * f64::from(away)).sin_cos();
            let (sin, cos) = (GAIN * sin as f32, GAIN * cos as f32);
            let rows = [row(0, 2 * value), row(0, 2 * value + 1), row(1, 2 * value), row(1, 2 * value + 1)];
            rows.iter().for_each(|row| qkv[*row..row + d].fill(0.0));
            let [query, next_query, key, next_key] = rows;
            // (cos ωt, sin ωt) turned by ω · away.
            (qkv[query + 2 * pair], qkv[query + 2 * pair + 1]) = (cos, -sin);
            (qkv[next_query + 2 * pair], qkv[next_query + 2 * pair + 1]) = (sin, cos);
            (qkv[key + 2 * pair], qkv[next_key + 2 * pair + 1]) = (GAIN, GAIN);
        }
        // Each head hands on the values of its own columns, as they are.
        for value in head * width..(head + 1) * width {
            let from = (2 * d + value) * d;
            qkv[from..from + d].fill(0.0);
            qkv[from + value] = 1.0;
            (0..d).for_each(|to| out[to * d + value] = if to == value { 1.0 } else { 0.0 });
        }
    }
    let tensor = |values, shape: [usize; 2]| Tensor::<2>::from_data(TensorData::new(values, shape), &device);
    *block.qkv.weight.param_mut() = Param::from_tensor(tensor(qkv, [3 * d, d]));
    *block.attn_out.weight.param_mut() = Param::from_tensor(tensor(out, [d, d]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{BertConfig, EncoderBatch, EncoderShape, Hooks, TextEncoder};
    use crate::types::{Site, SiteSet};
    use burn::tensor::Device;

    #[test]
    fn the_heads_of_the_first_block_look_where_they_are_told() {
        let device = Device::flex();
        let shape = EncoderShape {
            vocabulary: 50,
            positions: 64,
            hidden: 128,
            layers: 2,
            heads: 4,
            intermediate: 64,
            epsilon: 1e-12,
            tied: true,
        };
        let mut random = Random::new(1, 1);
        let mut bert = BertConfig { shape, token_types: 2 }.init(&device, |shape| {
            let values: Vec<f32> = (0..shape[0] * shape[1]).map(|_| 0.02 * random.normal()).collect();
            Tensor::from_data(TensorData::new(values, shape), &Device::flex())
        });
        look_around(&mut bert, 3);
        let ids: Vec<u32> = (0..60).map(|i| i * 7 % 50).collect();
        let mut hooks = Hooks::off().recording(SiteSet::from_iter([Site::Pattern(0)]), None);
        let _ = TextEncoder::Bert(bert).forward(&EncoderBatch::one(&ids), &mut hooks);
        let pattern = &hooks.into_captures().0[0].values; // [1, H, T, T]
        for (head, away) in AWAY.into_iter().enumerate() {
            let share = |t: i32, away: i32| pattern[((head as i32 * 60 + t) * 60 + t + away) as usize];
            let mean = |away: i32| (5..55).map(|t| share(t, away)).sum::<f32>() / 50.0;
            let most = (-5..=5).max_by(|a, b| mean(*a).total_cmp(&mean(*b))).unwrap();
            assert_eq!(most, away, "head {head}");
            assert!(mean(away) > 0.25, "head {head} gives {} to what is {away} away", mean(away));
        }
    }
}
