//! The models compute what PyTorch computes.
//!
//! `tests/golden/make_golden.py` wrote tiny random models and what transformers makes of them, `make_recurrent.py` networks without
//! attention and what PyTorch's own layers make of them. A failure names the first site, in the order of the forward pass, where the two
//! part.

#[path = "parity/gradients.rs"]
mod gradients;
#[path = "parity/reference.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod reference;

use burn::tensor::{Device, DeviceKind, Int, Tensor, TensorData};
use fovea::load::{TextModel, open_text_model};
use fovea::nn::output::adjust::Adjustments;
use fovea::nn::output::sample;
use fovea::nn::{CausalLm, Hooks, Padding, Scores, TokenTree};
use fovea::types::{BiasHit, Capture, Sampling, Site};
use reference::{Difference, Reference, golden_dir};

/// Folder and what it stands for. Sequences are longer than windows (5) and original contexts (8).
const MODELS: [(&str, &str); 17] = [
    ("gpt2", "GPT-2"),
    ("gpt-neox", "GPT-NeoX, parallel"),
    ("gpt-neox-sequential", "GPT-NeoX, sequential, linear RoPE scaling"),
    ("llama", "Llama"),
    ("llama-tied", "Llama, tied, biases"),
    ("llama3", "Llama 3 RoPE scaling"),
    ("mistral", "Mistral, sliding window"),
    ("qwen2", "Qwen 2, sliding window in one block"),
    ("qwen3", "Qwen 3"),
    ("gemma2", "Gemma 2"),
    ("lstm", "LSTM, two layers"),
    ("lstm-tied", "LSTM, tied"),
    ("rnn", "RNN, two layers"),
    ("feed-forward", "feed-forward, direct connections"),
    ("feed-forward-tied", "feed-forward, tied"),
    ("feed-forward-deep", "feed-forward, relu, normalised, residual"),
    ("feed-forward-sigmoid", "feed-forward, sigmoid, two layers"),
];

/// True for those that have attention.
fn attends(lm: &CausalLm) -> bool {
    lm.sites().contains(&Site::Pattern(0))
}

/// Both sides round to 24 bits after every operation, in a different order of summation. Over sums of 48 terms and two
/// blocks that leaves about 10⁻⁶ of the largest value in a tensor; a wrong formula is off by 10⁻³ or more.
const FORWARD: f32 = 1e-5;
/// GPU drivers may use an approximate tanh, exponential and inverse square root (Vulkan asks for 3 + 2|x| units in the
/// last place of an exponential).
const FORWARD_GPU: f32 = 2e-4;

fn open(name: &str, device: &Device) -> TextModel {
    open_text_model(&golden_dir(name), device, &mut |_, _| {}).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn captures(lm: &CausalLm, ids: &[u32]) -> Vec<Capture> {
    let mut hooks = Hooks::off().recording(lm.sites().into_iter().collect(), None);
    let _ = lm.forward(lm.ids(ids), &mut hooks);
    let (captures, left_out) = hooks.into_captures();
    assert_eq!(left_out, None);
    let sites: Vec<_> = captures.iter().map(|capture| capture.site).collect();
    assert_eq!(sites, lm.sites(), "a pass meets the sites the architecture names, in its order");
    captures
}

/// The largest relative difference over all sites, and their number.
fn check_every_site(name: &str, lm: &CausalLm, tolerance: f32) -> (f32, usize) {
    let mut largest = 0.0f32;
    let reference = Reference::read(name);
    let mut captures = captures(lm, &reference.sequence(0));
    // transformers rotates by positions it has no place for; what they do shows in queries and keys.
    if let Some(place) = captures.iter().position(|capture| capture.site == Site::Rotary) {
        let positions = captures.remove(place).values;
        assert!(positions.iter().enumerate().all(|(i, position)| *position == i as f32), "{name}: {positions:?}");
    }
    let expected = Site::all(lm.layers()).filter(|site| reference.has_site(*site));
    for (site, capture) in expected.zip(&captures) {
        assert_eq!(capture.site, site, "{name}: the forward pass meets its sites in another order");
        let (shape, values) = reference.site(site);
        assert_eq!(capture.shape, shape, "{name}: shape of {site}");
        if let Some(difference) = Difference::beyond(&capture.values, values, tolerance) {
            panic!("{name}: the first diverging site is {site}: {difference}");
        }
        largest = largest.max(Difference::relative(&capture.values, values));
    }
    assert_eq!(captures.len(), reference.site_count(), "{name}: number of sites");
    (largest, captures.len())
}

#[test]
fn every_site_equals_transformers() {
    for (name, family) in MODELS {
        let (largest, sites) = check_every_site(name, &open(name, &Device::flex()).lm, FORWARD);
        println!("support: {family}: max relative difference {largest:.1e} over {sites} sites");
    }
}

/// Without the scores, patterns are made in another way.
#[test]
fn patterns_alone_equal_transformers() {
    for (name, _) in MODELS {
        let (lm, reference) = (open(name, &Device::flex()).lm, Reference::read(name));
        if !attends(&lm) {
            continue;
        }
        let mut hooks = Hooks::off().recording((0..lm.layers()).map(Site::Pattern).collect(), None);
        lm.trace(lm.ids(&reference.sequence(0)), &mut hooks);
        let (captures, _) = hooks.into_captures();
        assert_eq!(captures.len(), lm.layers());
        for (layer, capture) in captures.iter().enumerate() {
            if let Some(difference) =
                Difference::beyond(&capture.values, reference.site(Site::Pattern(layer)).1, FORWARD)
            {
                panic!("{name}: {}: {difference}", capture.site);
            }
        }
    }
}

/// Logits `[V]` after the last token.
fn last_logits(logits: Tensor<2>) -> Vec<f32> {
    logits.into_data().iter().collect()
}

#[test]
fn cached_and_chunked_reading_equal_one_pass() {
    for (name, _) in MODELS {
        let lm = open(name, &Device::flex()).lm;
        let reference = Reference::read(name);
        let ids = reference.sequence(0);
        let (_, whole) = reference.site(Site::Logits);
        for chunk in [1, 5, ids.len()] {
            let mut state = lm.new_state();
            let mut read = 0;
            for part in ids.chunks(chunk) {
                read += part.len();
                let logits = last_logits(lm.forward_cached(lm.ids(part), &mut state, &mut Hooks::off()));
                let expected = &whole[(read - 1) * logits.len()..read * logits.len()];
                if let Some(difference) = Difference::beyond(&logits, expected, FORWARD) {
                    panic!("{name}: {read} tokens read in chunks of {chunk}: {difference}");
                }
            }
            assert_eq!(state.len(), ids.len());
        }
    }
}

#[test]
fn a_long_continuation_is_the_same_in_one_pass_token_by_token_and_for_training() {
    for (name, _) in MODELS {
        let lm = open(name, &Device::flex()).lm;
        let ids = Reference::read(name).ids("greedy");
        let whole: Vec<f32> = lm.forward(lm.ids(&ids), &mut Hooks::off()).into_data().iter().collect();
        let mut state = lm.new_state();
        let steps =
            ids.iter().flat_map(|id| last_logits(lm.forward_cached(lm.ids(&[*id]), &mut state, &mut Hooks::off())));
        if let Some(difference) = Difference::beyond(&whole, &steps.collect::<Vec<_>>(), FORWARD) {
            panic!("{name}: one pass and one token at a time: {difference}");
        }
        let lm = open(name, &Device::flex().autodiff()).lm;
        let trained: Vec<f32> = lm.forward(lm.ids(&ids), &mut Hooks::off()).into_data().iter().collect();
        if let Some(difference) = Difference::beyond(&whole, &trained, FORWARD) {
            panic!("{name}: with and without gradients: {difference}");
        }
    }
}

#[test]
fn padded_batches_equal_transformers_on_either_side() {
    for (name, _) in MODELS {
        let reference = Reference::read(name);
        let lm = open(name, &Device::flex()).lm;
        for side in ["left", "right"] {
            let real: Vec<bool> = reference.values(&format!("padded.{side}.mask")).iter().map(|x| *x != 0.0).collect();
            let padding = Padding::new(real.clone(), 2);
            let ids: Vec<i32> = reference.ids(&format!("padded.{side}.ids")).into_iter().map(|id| id as i32).collect();
            let step_by_step = Hooks::off().recording((0..lm.layers()).map(Site::Scores).collect(), None);
            for mut hooks in [Hooks::off(), step_by_step] {
                let ids = Tensor::<2, Int>::from_data(TensorData::new(ids.clone(), padding.shape()), &lm.device());
                let logits: Vec<f32> = lm.forward_padded(ids, &padding, &mut hooks).into_data().iter().collect();
                let v = lm.vocabulary();
                let ours: Vec<f32> =
                    logits.chunks(v).zip(&real).filter(|(_, real)| **real).flat_map(|(row, _)| row.to_vec()).collect();
                let theirs = reference.values(&format!("padded.{side}.logits"));
                if let Some(difference) = Difference::beyond(&ours, theirs, FORWARD) {
                    panic!("{name}: padded on the {side}: {difference}");
                }
            }
        }
    }
}

/// Sequences that share their first tokens: those in a cache, the rest as a tree that branches twice.
#[test]
fn a_tree_after_a_cache_equals_one_pass_a_sequence() {
    for (name, _) in MODELS {
        let lm = open(name, &Device::flex()).lm;
        let reference = Reference::read(name);
        let (first, second) = (reference.sequence(0), reference.sequence(1));
        // Nothing, and more than the windows.
        for read in [0, 7] {
            let (mut tree, mut ids, mut ways) = (TokenTree::new(), Vec::new(), Vec::new());
            let mut grow = |parent: Option<usize>, way: &[u32], more: &[u32]| {
                let (mut parent, mut way) = (parent, way.to_vec());
                for id in more {
                    parent = Some(tree.push(parent));
                    ids.push(*id);
                    way.push(*id);
                    ways.push(way.clone());
                }
                (parent, way)
            };
            let (trunk, way) = grow(None, &[], &first[read..read + 2]);
            grow(trunk, &way, &second[..3]);
            let (branch, longer) = grow(trunk, &way, &first[2..4]);
            grow(branch, &longer, &second[3..4]);
            grow(branch, &longer, &second[4..6]);
            grow(None, &[], &second[6..8]);
            let mut state = lm.new_state();
            if read > 0 {
                let _ = lm.forward_cached(lm.ids(&first[..read]), &mut state, &mut Hooks::off());
            }
            let wanted: Vec<usize> = (0..ids.len()).rev().collect();
            let logits: Vec<f32> =
                lm.forward_tree(&ids, &tree, &wanted, &mut state, &mut Hooks::off()).into_data().iter().collect();
            assert_eq!((state.len(), logits.len()), (read, ids.len() * lm.vocabulary()));
            for (token, ours) in wanted.iter().zip(logits.chunks_exact(lm.vocabulary())) {
                let whole = [&first[..read], &ways[*token]].concat();
                let expected = last_logits(lm.forward_cached(lm.ids(&whole), &mut lm.new_state(), &mut Hooks::off()));
                if let Some(difference) = Difference::beyond(ours, &expected, FORWARD) {
                    panic!("{name}: token {token} of a tree after {read}: {difference}");
                }
            }
            let next = last_logits(lm.forward_cached(lm.ids(&first[read..]), &mut state, &mut Hooks::off()));
            let expected = last_logits(lm.forward_cached(lm.ids(&first), &mut lm.new_state(), &mut Hooks::off()));
            assert!(Difference::beyond(&next, &expected, FORWARD).is_none(), "{name}: the cache goes on as if unused");
        }
    }
}

#[test]
fn a_tree_may_have_more_tokens_than_the_context() {
    let lm = open("llama", &Device::flex()).lm;
    let mut state = lm.new_state();
    let beginning: Vec<u32> = (0..lm.context() as u32 - 1).collect();
    let _ = lm.forward_cached(lm.ids(&beginning), &mut state, &mut Hooks::off());
    let (mut tree, ids): (_, Vec<u32>) = (TokenTree::new(), (0..50).collect());
    for _ in &ids {
        tree.push(None);
    }
    let logits: Vec<f32> =
        lm.forward_tree(&ids, &tree, &[49], &mut state, &mut Hooks::off()).into_data().iter().collect();
    let whole = [beginning, vec![49]].concat();
    let expected = last_logits(lm.forward_cached(lm.ids(&whole), &mut lm.new_state(), &mut Hooks::off()));
    assert!(Difference::beyond(&logits, &expected, FORWARD).is_none());
}

#[test]
fn a_truncated_cache_continues_as_if_new() {
    for name in ["llama", "lstm", "rnn", "feed-forward"] {
        let lm = open(name, &Device::flex()).lm;
        let ids = Reference::read(name).sequence(0).to_vec();
        let mut state = lm.new_state();
        let _ = lm.forward_cached(lm.ids(&ids), &mut state, &mut Hooks::off());
        state.truncate(4);
        let again = last_logits(lm.forward_cached(lm.ids(&ids[4..7]), &mut state, &mut Hooks::off()));
        let fresh = last_logits(lm.forward_cached(lm.ids(&ids[..7]), &mut lm.new_state(), &mut Hooks::off()));
        assert!(Difference::beyond(&again, &fresh, FORWARD).is_none(), "{name}");
    }
}

/// h and c behind every token, which PyTorch gives a token at a time.
#[test]
fn states_of_recurrent_layers_equal_pytorch() {
    for name in ["lstm", "lstm-tied", "rnn"] {
        let reference = Reference::read(name);
        let CausalLm::Recurrent(net) = open(name, &Device::flex()).lm else { panic!("{name} is recurrent") };
        let ids: Vec<i32> = reference.sequence(0).iter().map(|id| *id as i32).collect();
        let ids = Tensor::from_data(TensorData::new(ids.clone(), [1, ids.len()]), &Device::flex());
        for (layer, values) in net.layer_values(ids).into_iter().enumerate() {
            let kept = [("h", Some(values.hidden)), ("c", values.cells)];
            for (what, ours) in kept.into_iter().filter_map(|(what, ours)| Some((what, ours?))) {
                let ours: Vec<f32> = ours.into_data().iter().collect();
                let theirs = reference.values(&format!("state.{layer}.{what}"));
                if let Some(difference) = Difference::beyond(&ours, theirs, FORWARD) {
                    panic!("{name}: {what} of layer {layer}: {difference}");
                }
            }
            assert_eq!(reference.has(&format!("state.{layer}.c")), name != "rnn");
        }
    }
}

/// The most likely continuation, token by token through the cache.
fn greedy(lm: &CausalLm, prompt: &[u32], new_tokens: usize) -> Vec<u32> {
    let mut sampler = sample::Sampler::new(&Sampling::default());
    let mut state = lm.new_state();
    let mut ids = prompt.to_vec();
    let mut logits = last_logits(lm.forward_cached(lm.ids(prompt), &mut state, &mut Hooks::off()));
    for i in 0..new_tokens {
        let next = sampler.draw(&logits);
        ids.push(next);
        if i + 1 < new_tokens {
            logits = last_logits(lm.forward_cached(lm.ids(&[next]), &mut state, &mut Hooks::off()));
        }
    }
    ids
}

#[test]
fn greedy_continuation_equals_transformers() {
    for (name, _) in MODELS {
        let expected = Reference::read(name).ids("greedy");
        // One of them serves tests of a full context, too.
        assert_eq!(expected.len(), if name == "llama" { 32 } else { 68 }, "{name}");
        assert_eq!(greedy(&open(name, &Device::flex()).lm, &expected[..4], expected.len() - 4), expected, "{name}");
    }
}

/// The first adapter wgpu finds, if it computes at all.
fn wgpu_device() -> Option<Device> {
    let attempt = || {
        let device = Device::wgpu(DeviceKind::DefaultDevice);
        let sum: f32 = Tensor::<1>::ones([8], &device).sum().into_scalar();
        (sum == 8.0).then_some(device)
    };
    std::panic::catch_unwind(attempt).ok().flatten()
}

/// Bias and penalties change scores on a GPU before the likeliest are chosen, and the rank is counted there.
fn check_adjusted_draws(device: &Device) {
    let logits: Vec<f32> = (0..5003u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 20) as f32 / 400.0).collect();
    let least = (0..5003).min_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap() as u32;
    let hit = |id, bias| BiasHit { id, text: String::new(), bias };
    let sampling = Sampling { repetition_penalty: 1.3, presence_penalty: 0.2, ..Sampling::default() };
    let likeliest = sample::most_likely(&logits);
    let mut by = Adjustments::new(&sampling, &[hit(least, 20.0), hit(likeliest, -3.0)], &[7, 9]).unwrap();
    by.note(11);
    let on_device = Tensor::<2>::from_data(TensorData::new(logits.clone(), [1, logits.len()]), device);
    let mut scores = Scores::read_adjusted(on_device, &sampling, Some(&by)).unwrap();
    let drawn = scores.draw(&mut sample::Sampler::new(&sampling)).unwrap();
    assert_eq!((drawn, drawn), (least, sample::most_likely(&by.all(&logits))));
    assert_eq!(scores.rank(drawn).unwrap(), sample::rank_of(&logits, drawn));
    assert!((scores.log_probability(drawn) - sample::log_softmax(&logits)[drawn as usize]).abs() < 1e-3);
    assert_eq!(scores.read_count(), 16);
}

/// Tokens drawn from a GPU's scores are those drawn on the CPU, and few scores are read for them.
fn check_draws(device: &Device) {
    // A vocabulary too large to be read whole, with many equal scores.
    let logits: Vec<f32> = (0..5003u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 20) as f32 / 400.0).collect();
    for (temperature, top_k, top_p, length) in [(0.0, 0, 1.0, 16), (0.8, 40, 1.0, 64), (0.02, 0, 0.9, 64)] {
        let sampling = Sampling { temperature, top_k, top_p, ..Sampling::default() };
        let (mut here, mut there) = (sample::Sampler::new(&sampling), sample::Sampler::new(&sampling));
        let all = sample::log_softmax(&logits);
        for _ in 0..5 {
            let on_device = Tensor::<2>::from_data(TensorData::new(logits.clone(), [1, logits.len()]), device);
            let mut scores = Scores::read(on_device, &sampling).unwrap();
            assert!(scores.are_numbers() && scores.read_count() <= length);
            for (ours, theirs) in scores.top(10).iter().zip(sample::top_candidates(&all, 10)) {
                assert!(ours.0 == theirs.0 && (ours.1 - theirs.1).abs() < 1e-4, "{ours:?} and {theirs:?}");
            }
            let drawn = scores.draw(&mut there).unwrap();
            assert_eq!(drawn, here.draw(&logits), "at temperature {temperature}");
            assert!(scores.read_count() <= length, "{} scores read at temperature {temperature}", scores.read_count());
            assert_eq!(scores.rank(drawn).unwrap(), sample::rank_of(&logits, drawn));
        }
    }
}

// One test for everything on the GPU, and no more than needed: a software adapter takes most of a minute to compile the
// kernels of a first product, and many seconds for each further shape of one.
#[test]
fn a_gpu_computes_the_same() {
    let Some(device) = wgpu_device() else {
        println!("skipped: no wgpu adapter");
        return;
    };
    check_every_site("llama-tied", &open("llama-tied", &device).lm, FORWARD_GPU);
    // Windows, bounds of scores, a norm behind each half of a block; heads that turn in part, exact GELU.
    check_every_site("gemma2", &open("gemma2", &device).lm, FORWARD_GPU);
    check_every_site("gpt-neox", &open("gpt-neox", &device).lm, FORWARD_GPU);
    check_every_site("lstm", &open("lstm", &device).lm, FORWARD_GPU);
    let gpt2 = open("gpt2", &device).lm;
    check_every_site("gpt2", &gpt2, FORWARD_GPU);
    let expected = Reference::read("gpt2").ids("greedy");
    assert_eq!(greedy(&gpt2, &expected[..4], 3), expected[..7], "greedy continuation through the cache");
    check_draws(&device);
    check_adjusted_draws(&device);
}

#[test]
fn a_real_model_continues_as_its_reference_does() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/models/tinystories-656k");
    let Ok(text) = std::fs::read(dir.join("numpy-reference.json")) else {
        println!("skipped: ../shared/models/tinystories-656k is not here");
        return;
    };
    let reference: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let ids = |key: &str| -> Vec<u32> { serde_json::from_value(reference[key].clone()).unwrap() };
    let model = open_text_model(&dir, &Device::flex(), &mut |_, _| {}).unwrap();

    let prompt = model.tokenizer.ids(reference["prompt"].as_str().unwrap()).unwrap();
    assert_eq!(prompt, ids("prompt_ids"));
    let logits =
        last_logits(model.lm.forward_cached(model.lm.ids(&prompt), &mut model.lm.new_state(), &mut Hooks::off()));
    let expected: Vec<f32> = serde_json::from_value(reference["last_prompt_position_logits"].clone()).unwrap();
    assert_eq!(logits.len(), expected.len());
    let worst = logits.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-4, "logits differ by up to {worst}");

    let continuation = ids("greedy_ids");
    assert_eq!(continuation.len(), 120);
    assert_eq!(greedy(&model.lm, &prompt, continuation.len() - prompt.len()), continuation);
    assert_eq!(model.tokenizer.decode(&continuation), reference["greedy_text"].as_str().unwrap());
}
