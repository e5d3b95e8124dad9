//! The one computation against the pass by hooks, for every kind of block.

use crate::nn::{
    Activation, CausalLm, Gemma2Config, Gpt2Config, GptNeoxConfig, Hooks, LlamaConfig, LlamaFamily, SlidingWindow,
    kernels,
};
use crate::types::{Site, SiteSet};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};

/// Makes weights large enough that no part of a block could be left out unnoticed, and gains and biases all different.
struct Lively;

impl ModuleMapper for Lively {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|x| {
            let noise =
                Tensor::random(x.dims(), Distribution::Normal(0.0, if D == 1 { 0.3 } else { 0.15 }), &x.device());
            x + noise
        })
    }
}

fn models(device: &Device) -> Vec<(&'static str, CausalLm)> {
    device.seed(11);
    let window = SlidingWindow { width: 9, blocks: vec![true, false, true] };
    let llama = LlamaConfig {
        family: LlamaFamily::Llama,
        vocabulary: 75,
        context: 120,
        hidden: 40,
        layers: 3,
        heads: 6,
        kv_heads: 2,
        head_dim: 12,
        intermediate: 50,
        epsilon: 1e-5,
        rope_theta: 1e4,
        rope_scaling: None,
        qkv_bias: false,
        attn_out_bias: false,
        head_norm: false,
        sliding: None,
        mlp_bias: false,
        tied: true,
    };
    let with_all = LlamaConfig {
        qkv_bias: true,
        attn_out_bias: true,
        head_norm: true,
        sliding: Some(window.clone()),
        mlp_bias: true,
        tied: false,
        ..llama.clone()
    };
    let gemma = Gemma2Config {
        vocabulary: 75,
        context: 120,
        hidden: 40,
        layers: 3,
        heads: 4,
        kv_heads: 2,
        head_dim: 16,
        intermediate: 64,
        epsilon: 1e-6,
        rope_theta: 1e4,
        rope_scaling: None,
        query_pre_attn_scalar: 10.0,
        attention_softcap: Some(3.0),
        logit_softcap: Some(5.0),
        sliding: Some(window),
        attention_bias: false,
        tied: true,
    };
    let neox = |parallel_residual, activation| GptNeoxConfig {
        vocabulary: 75,
        context: 120,
        hidden: 40,
        layers: 2,
        heads: 5,
        intermediate: 70,
        epsilon: 1e-5,
        rotary_width: 4,
        rope_theta: 1e4,
        rope_scaling: None,
        parallel_residual,
        attention_bias: true,
        activation,
        tied: false,
    };
    let gpt2 = Gpt2Config {
        vocabulary: 75,
        context: 120,
        hidden: 40,
        layers: 2,
        heads: 4,
        intermediate: 160,
        epsilon: 1e-5,
        tied: true,
    };
    let models = vec![
        ("llama", CausalLm::Llama(llama.init(device))),
        ("llama with all options", CausalLm::Llama(with_all.init(device))),
        ("gemma 2", CausalLm::Gemma2(gemma.init(device))),
        ("neox, parallel", CausalLm::GptNeox(neox(true, Activation::Gelu).init(device))),
        ("neox, one after the other", CausalLm::GptNeox(neox(false, Activation::GeluTanh).init(device))),
        ("gpt 2", CausalLm::Gpt2(gpt2.init(device))),
    ];
    models.into_iter().map(|(name, lm)| (name, lm.map(&mut Lively))).collect()
}

fn ids(count: usize) -> Vec<i32> {
    (0..count).map(|i| ((i * i * 7 + 3 * i) % 75) as i32).collect()
}

fn tensor(ids: &[i32], device: &Device) -> Tensor<2, Int> {
    Tensor::from_data(TensorData::new(ids.to_vec(), [1, ids.len()]), device)
}

/// Wants something, so that the pass goes through its hooks.
fn watching() -> Hooks {
    Hooks::off().recording(SiteSet::from_iter([Site::LnFinal]), None)
}

fn check(what: &str, ours: Tensor<3>, expected: Tensor<3>) {
    assert_eq!(ours.dims(), expected.dims(), "{what}");
    let largest: f32 = expected.clone().abs().max().into_scalar();
    let difference: f32 = (ours - expected).abs().max().into_scalar();
    assert!(largest > 0.5 && difference < 2e-5 * largest, "{what} differs by {difference} of {largest}");
}

#[test]
fn costs_are_added_up_over_all_parts_of_a_vocabulary() {
    let device = Device::flex();
    if !kernels::serve(&device) {
        return;
    }
    device.seed(13);
    let config = Gpt2Config {
        vocabulary: 700,
        context: 40,
        hidden: 24,
        layers: 1,
        heads: 2,
        intermediate: 32,
        epsilon: 1e-5,
        tied: false,
    };
    let lm = CausalLm::Gpt2(config.init(&device)).map(&mut Lively);
    let ids: Vec<u32> = (0..20).map(|i| i * 37 % 700).collect();
    let (places, targets) = ([0, 5, 6, 19], [255, 256, 511, 699]);
    let costs = lm.costs_at(&ids, &places, &targets).unwrap();
    let logits = lm.logits_at(lm.ids(&ids), &places, &mut watching()).try_to_vec_as::<f32>().unwrap();
    for ((cost, logits), target) in costs.iter().zip(logits.chunks(700)).zip(targets) {
        let expected = -crate::nn::output::sample::log_softmax(logits)[target as usize];
        assert!((f64::from(*cost) - expected).abs() < 1e-4, "{target}: {cost} is not {expected}");
    }
}

#[test]
fn costs_are_those_of_the_scores_that_are_not_kept() {
    let device = Device::flex();
    if !kernels::serve(&device) {
        return;
    }
    let ids: Vec<u32> = ids(90).into_iter().map(|id| id as u32).collect();
    for (name, lm) in models(&device) {
        let (places, targets) = ([0, 7, 8, 40, 88], [74, 3, 0, 31, 64]);
        let costs = lm.costs_at(&ids[..89], &places, &targets).unwrap();
        let logits = lm.logits_at(lm.ids(&ids[..89]), &places, &mut watching());
        let logits = logits.try_to_vec_as::<f32>().unwrap();
        for ((cost, logits), target) in costs.iter().zip(logits.chunks(75)).zip(&targets) {
            let expected = -crate::nn::output::sample::log_softmax(logits)[*target as usize];
            assert!((f64::from(*cost) - expected).abs() < 1e-4, "{name}: {cost} is not {expected}");
        }
    }
}

#[test]
fn scores_are_those_of_the_pass_by_hooks_whole_and_in_pieces() {
    let device = Device::flex();
    if !kernels::serve(&device) {
        return;
    }
    let ids = ids(101);
    for (name, lm) in models(&device) {
        let expected = lm.forward(tensor(&ids, &device), &mut watching());
        check(name, lm.forward(tensor(&ids, &device), &mut Hooks::off()), expected.clone());
        let places = [0, 3, 50, 77];
        let some = lm.logits_at(tensor(&ids, &device), &places, &mut Hooks::off()).unsqueeze();
        let rows = places.map(|place| expected.clone().narrow(1, place, 1));
        check(name, some, Tensor::cat(rows.to_vec(), 1));
        // One token, many, a few, and one again, behind each other.
        let mut state = lm.new_state();
        let mut start = 0;
        for piece in [1, 1, 40, 3, 1, 31, 1, 23] {
            let new = tensor(&ids[start..start + piece], &device);
            let expected = expected.clone().narrow(1, start, piece);
            let what = format!("{name}, {piece} tokens behind {start}");
            check(&what, lm.forward_cached_whole(new.clone(), &mut state, &mut Hooks::off()), expected.clone());
            // The same by the other way, behind what this one remembers, and back.
            state.truncate(start);
            check(&what, lm.forward_cached_whole(new.clone(), &mut state, &mut watching()), expected.clone());
            state.truncate(start);
            let last = lm.forward_cached(new, &mut state, &mut Hooks::off()).unsqueeze();
            check(&what, last, expected.narrow(1, piece - 1, 1));
            start += piece;
        }
        assert_eq!((start, state.len()), (101, 101));
    }
}
