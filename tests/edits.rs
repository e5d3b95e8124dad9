//! Changes inside a pass do what PyTorch hooks do, in every family, at every site and in every kind of pass.
//!
//! `tests/golden/make_edits.py` wrote what transformers computes when its values are changed on the way.

#[path = "edits/alone.rs"]
mod alone;
#[path = "edits/every_site.rs"]
mod every_site;
#[path = "edits/others.rs"]
mod others;
#[path = "parity/reference.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod reference;
mod support;

use burn::tensor::{Device, Tensor};
use fovea::engine::{Command, GenerateSpec, Outcome, PromptInput, Work};
use fovea::load::{
    EncoderModel, TextModel, VisionModel, open_encoder_model, open_text_model, open_vision_model, read_picture,
};
use fovea::nn::output::sample;
use fovea::nn::{Change, EncoderBatch, Hooks, SiteEdit, SiteValue};
use fovea::types::{DeviceChoice, Edit, JobId, Sampling, ScoreRequest, Site, SiteSet};
use reference::{Difference, Reference, golden_dir};
use support::script::Script;

const DECODERS: [&str; 10] =
    ["gpt2", "gpt-neox", "gpt-neox-sequential", "llama", "llama-tied", "llama3", "mistral", "qwen2", "qwen3", "gemma2"];
const ENCODERS: [&str; 4] = ["bert", "bert-bare", "roberta", "distilbert"];
const PICTURES: [&str; 2] = ["vit", "deit"];

/// What the edits are called in the golden files, and how they are written. `patch` names another prompt.
const WRITTEN: [(&str, &str); 4] = [
    ("head", "blocks.0.attn.z[1] = zero"),
    ("mlp", "blocks.1.mlp_out = scale -1.5"),
    ("ends", "blocks.1.resid_pre@0,-1 = scale 0.5"),
    ("mean", "blocks.0.attn.z[1] = mean"),
];
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345.,!? ";
/// The token that ends a generation.
const END: u32 = 63;
const ANSWERS: [&str; 3] = [" b", " Fox", " 3z"];
/// The position whose residual stream `patch` replaces.
const POSITION: usize = 3;

/// As in tests/parity.rs; an edit makes some values larger than those it was set for.
const FORWARD: f32 = 2e-5;
const BACKWARD: f32 = 2e-5;
/// Logarithms of probabilities are compared absolutely.
const LOG_PROB: f64 = 2e-4;

fn text(name: &str, device: &Device) -> TextModel {
    open_text_model(&golden_dir(name), device, &mut |_, _| {}).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn encoder(name: &str, device: &Device) -> EncoderModel {
    open_encoder_model(&golden_dir(name), device, &mut |_, _| {}).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn vision(name: &str, device: &Device) -> VisionModel {
    open_vision_model(&golden_dir(name), device, &mut |_, _| {}).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn edits_of(name: &str) -> Reference {
    Reference::open(&golden_dir(name).join("edits.safetensors"))
}

fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().iter::<f32>().collect()
}

fn assert_close(ours: &[f32], theirs: &[f32], tolerance: f32, of: &str) {
    if let Some(difference) = Difference::beyond(ours, theirs, tolerance) {
        panic!("{of}: {difference}");
    }
}

/// The edit of a golden file for a prompt of so many tokens; `donor` is another prompt's residual stream.
fn golden_edit(name: &str, tokens: usize, donor: SiteValue) -> SiteEdit {
    let head = |change| SiteEdit { heads: Some(vec![1]), ..SiteEdit::whole(Site::Z(0), change) };
    let at = |positions, change| SiteEdit { positions: Some(positions), ..SiteEdit::whole(Site::ResidPre(1), change) };
    match name {
        "head" => head(Change::Zero),
        "mean" => head(Change::Mean),
        "mlp" => SiteEdit::whole(Site::MlpOut(1), Change::Scale(-1.5)),
        "ends" => at(vec![0, tokens - 1], Change::Scale(0.5)),
        "patch" => at(vec![POSITION], Change::Set(Box::new(donor))),
        _ => panic!("no edit {name}"),
    }
}

const EDITS: [&str; 5] = ["head", "mlp", "ends", "mean", "patch"];

fn keeping_residual() -> Hooks {
    Hooks::off().keeping(SiteSet::from_iter([Site::ResidPre(1)]))
}

#[test]
fn edited_decoders_equal_pytorch_in_one_pass_and_through_the_cache() {
    for name in DECODERS {
        let (lm, reference, edits) = (text(name, &Device::flex()).lm, Reference::read(name), edits_of(name));
        let prompt = reference.sequence(0);
        let mut other = keeping_residual();
        lm.trace(lm.ids(&reference.sequence(1)), &mut other);
        let donor = other.take_kept(Site::ResidPre(1)).unwrap();
        for edit in EDITS {
            let of = format!("{name}, {edit}");
            let mut hooks = Hooks::off().editing(vec![golden_edit(edit, prompt.len(), donor.clone())]);
            let logits = values(lm.forward(lm.ids(&prompt), &mut hooks));
            assert_close(&logits, edits.values(&format!("{edit}.logits")), FORWARD, &of);
            let clean = values(lm.forward(lm.ids(&prompt), &mut Hooks::off()));
            assert!(Difference::beyond(&clean, &logits, 1e-3).is_some(), "{of} changes nothing");

            // The prompt in pieces, then what was generated, token by token.
            let ids = edits.ids(&format!("{edit}.next.ids"));
            let expected = edits.values(&format!("{edit}.next.logits"));
            for piece in [prompt.len(), 5] {
                let mut hooks = Hooks::off().editing(hooks.fixed_edits());
                let mut state = lm.new_state();
                let mut scores = Vec::new();
                for piece in prompt.chunks(piece) {
                    scores = values(lm.forward_cached(lm.ids(piece), &mut state, &mut hooks));
                }
                for (step, id) in ids.iter().enumerate() {
                    let theirs = &expected[step * scores.len()..(step + 1) * scores.len()];
                    assert_close(&scores, theirs, FORWARD, &format!("{of}, token {step} of pieces of {piece}"));
                    assert_eq!(sample::most_likely(&scores), *id, "{of}, token {step}");
                    scores = values(lm.forward_cached(lm.ids(&[*id]), &mut state, &mut hooks));
                }
            }
        }
    }
}

#[test]
fn the_engine_generates_and_scores_under_edits_as_pytorch_does() {
    let letters: Vec<char> = LETTERS.chars().collect();
    let written = |ids: &[u32]| ids.iter().map(|id| letters[*id as usize]).collect::<String>();
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in DECODERS {
        let (reference, golden) = (Reference::read(name), edits_of(name));
        let model = script.open(&golden_dir(name)).id;
        let prompt = written(&reference.sequence(0));
        let patch = format!("blocks.1.resid_pre@{POSITION} = from {:?}", written(&reference.sequence(1)));
        for (edit, line) in WRITTEN.into_iter().chain([("patch", patch.as_str())]) {
            let edits: Vec<Edit> = vec![line.parse().unwrap()];
            let job = JobId::next();
            let sampling = Box::new(Sampling { max_new_tokens: 16, ..Sampling::default() });
            let input = PromptInput::Text(prompt.clone());
            script.send(Command::start(
                job,
                model,
                Work::Generate(GenerateSpec { prompt: input, sampling: *sampling, edits: edits.clone() }),
            ));
            let Outcome::Generated(_) = script.end(job).unwrap() else { panic!("not generated") };
            let mut expected = golden.ids(&format!("{edit}.next.ids"));
            let end = expected.iter().position(|id| *id == END).map_or(expected.len(), |place| place + 1);
            expected.truncate(end);
            assert_eq!(script.ids_of(job), expected, "{name}, {line}");

            let candidates = ANSWERS.map(str::to_owned).to_vec();
            let request = ScoreRequest { prompt: prompt.clone(), candidates, edits, ..ScoreRequest::default() };
            let job = JobId::next();
            script.send(Command::start(job, model, Work::Score(request)));
            let Outcome::Scored(report) = script.end(job).unwrap() else { panic!("not scored") };
            for (i, candidate) in report.candidates.iter().enumerate() {
                let expected = golden.values(&format!("{edit}.answer.{i}"));
                assert_eq!(candidate.tokens.len(), expected.len(), "{name}: tokens of {:?}", candidate.text);
                for (token, expected) in candidate.tokens.iter().zip(expected) {
                    let off = (token.log_prob - f64::from(*expected)).abs();
                    assert!(
                        off < LOG_PROB,
                        "{name}, {line}, {:?}: {} is not {expected}",
                        candidate.text,
                        token.log_prob
                    );
                }
            }
        }
        script.send(Command::Close { model });
    }
}

#[test]
fn edited_encoders_equal_pytorch() {
    for name in ENCODERS {
        let (model, reference, edits) = (encoder(name, &Device::flex()), Reference::read(name), edits_of(name));
        let types = reference.has("types").then(|| reference.ids("types"));
        let batch = |ids: Vec<u32>| match &types {
            Some(types) => EncoderBatch::one(&ids).with_types(vec![types.clone()]),
            None => EncoderBatch::one(&ids),
        };
        let (ids, other) = (batch(reference.sequence(0)), batch(edits.ids("other")));
        let out = |batch: &EncoderBatch, hooks: &mut Hooks| {
            let hidden = model.encoder.forward(batch, hooks).hidden;
            values(model.encoder.logits(hidden.clone(), hooks).unwrap_or(hidden))
        };
        let mut watched = keeping_residual();
        let _ = out(&other, &mut watched);
        let donor = watched.take_kept(Site::ResidPre(1)).unwrap();
        for edit in EDITS {
            let tokens = reference.sequence(0).len();
            let mut hooks = Hooks::off().editing(vec![golden_edit(edit, tokens, donor.clone())]);
            let of = format!("{name}, {edit}");
            assert_close(&out(&ids, &mut hooks), edits.values(&format!("{edit}.out")), FORWARD, &of);
        }
    }
}

#[test]
fn edited_vision_transformers_equal_pytorch() {
    for name in PICTURES {
        let (model, edits) = (vision(name, &Device::flex()), edits_of(name));
        let pixels = |place: usize| {
            let picture = read_picture(&golden_dir(name).join(format!("picture-{place}.png"))).unwrap();
            model.input(model.preprocessor.pixels(&model.preprocessor.seen(&picture)))
        };
        let mut watched = keeping_residual();
        let _ = model.vit.forward(pixels(1), &mut watched);
        let donor = watched.take_kept(Site::ResidPre(1)).unwrap();
        for edit in EDITS {
            let mut hooks = Hooks::off().editing(vec![golden_edit(edit, model.config.tokens(), donor.clone())]);
            let logits = values(model.vit.forward(pixels(0), &mut hooks).unwrap());
            assert_close(&logits, edits.values(&format!("{edit}.out")), FORWARD, &format!("{name}, {edit}"));
        }
    }
}

/// The sites whose gradients the golden files hold.
const GRADIENTS: [Site; 2] = [Site::Z(0), Site::ResidPre(1)];

fn check_gradients(name: &str, mut hooks: Hooks, loss: &Tensor<1>) {
    let (gradients, golden) = (hooks.gradients(loss), edits_of(name));
    for site in GRADIENTS {
        let (shape, ours) = gradients.of(site).unwrap_or_else(|| panic!("{name}: no gradient at {site}"));
        let (expected, theirs) = golden.tensor(&format!("gradient.{site}"));
        assert_eq!(shape, expected, "{name}: shape of the gradient at {site}");
        assert_close(&values(ours), theirs, BACKWARD, &format!("{name}: gradient at {site}"));
    }
}

#[test]
fn gradients_at_sites_equal_pytorch_and_need_none_of_weights() {
    use burn::module::Module;
    let hooks = || Hooks::off().with_gradients(GRADIENTS.into_iter().collect());
    for name in DECODERS {
        let (lm, ids) = (text(name, &Device::flex()).lm, Reference::read(name).sequence(0));
        let lm = lm.no_grad().train();
        let mut hooks = hooks();
        let logits = lm.forward(lm.ids(&ids), &mut hooks).squeeze_dim::<2>(0).narrow(0, 0, ids.len() - 1);
        let targets: Vec<i32> = ids[1..].iter().map(|&id| id as i32).collect();
        let targets = Tensor::from_data(targets.as_slice(), &logits.device());
        let loss = fovea::nn::cross_entropy(logits, targets);
        check_gradients(name, hooks, &loss);
    }
    for name in ENCODERS {
        let (model, reference) = (encoder(name, &Device::flex()), Reference::read(name));
        let net = model.encoder.no_grad().train();
        let mut batch = EncoderBatch::one(&reference.sequence(0));
        if reference.has("types") {
            batch = batch.with_types(vec![reference.ids("types")]);
        }
        let mut hooks = hooks();
        let hidden = net.forward(&batch, &mut hooks).hidden;
        let out = net.logits(hidden.clone(), &mut hooks).unwrap_or(hidden);
        check_gradients(name, hooks, &out.square().mean());
    }
    for name in PICTURES {
        let mut model = vision(name, &Device::flex());
        let picture = read_picture(&golden_dir(name).join("picture-0.png")).unwrap();
        let pixels = model.preprocessor.pixels(&model.preprocessor.seen(&picture));
        model.vit = model.vit.no_grad().train();
        let mut hooks = hooks();
        let logits = model.vit.forward(model.input(pixels), &mut hooks).unwrap();
        check_gradients(name, hooks, &logits.square().mean());
    }
}

#[test]
fn the_shares_of_the_heads_are_what_attention_adds() {
    for name in DECODERS {
        let (lm, ids) = (text(name, &Device::flex()).lm, Reference::read(name).sequence(0));
        for layer in 0..lm.layers() {
            let after = if lm.sites().contains(&Site::AttnProj(layer)) { Site::AttnProj } else { Site::AttnOut };
            let mut hooks = Hooks::off().keeping(SiteSet::from_iter([Site::Z(layer), after(layer)]));
            lm.trace(lm.ids(&ids), &mut hooks);
            let out = hooks.take_kept(after(layer)).unwrap().tensor::<3>();
            let shares = lm.head_output(layer, hooks.take_kept(Site::Z(layer)).unwrap().tensor::<4>());
            // The bias that all heads share is what attention adds when every head is silent.
            let silent = SiteEdit::whole(Site::Z(layer), Change::Zero);
            let mut hooks = Hooks::off().keeping(SiteSet::from_iter([after(layer)])).editing(vec![silent]);
            lm.trace(lm.ids(&ids), &mut hooks);
            let bias = hooks.take_kept(after(layer)).unwrap().tensor::<3>();
            let sum = shares.sum_dim(1).squeeze_dim::<3>(1) + bias;
            assert_close(&values(sum), &values(out), FORWARD, &format!("{name}, block {layer}"));
        }
    }
}

#[test]
fn unembedding_the_last_residual_gives_the_scores() {
    for name in DECODERS {
        let (lm, ids) = (text(name, &Device::flex()).lm, Reference::read(name).sequence(0));
        let last = Site::ResidPost(lm.layers() - 1);
        let mut hooks = Hooks::off().keeping(SiteSet::from_iter([last]));
        let logits = lm.forward(lm.ids(&ids), &mut hooks);
        let again = lm.unembed(hooks.take_kept(last).unwrap().tensor(), &mut Hooks::off());
        assert_eq!(values(again), values(logits), "{name}");
    }
}

#[test]
fn positions_can_be_switched_off_and_change_places() {
    // Without positions, a model that looks both ways cannot tell where a token stands: when two tokens change places, so
    // do their vectors. The same is seen where only the positions change places.
    let model = encoder("distilbert", &Device::flex());
    let hidden = |ids: &[u32], change: Option<Change>| {
        let edits = change.map(|change| SiteEdit::whole(Site::PosEmbed, change)).into_iter().collect();
        let hidden = model.encoder.forward(&EncoderBatch::one(ids), &mut Hooks::off().editing(edits)).hidden;
        let width = hidden.dims()[2];
        values(hidden).chunks_exact(width).map(<[f32]>::to_vec).collect::<Vec<_>>()
    };
    let swapped = |mut rows: Vec<Vec<f32>>| {
        rows.swap(1, 3);
        rows.concat()
    };
    let (ids, other) = ([5, 9, 17, 30, 8], [5, 30, 17, 9, 8]);
    let off = hidden(&other, Some(Change::Zero)).concat();
    assert_close(&swapped(hidden(&ids, Some(Change::Zero))), &off, FORWARD, "without positions");
    let moved = swapped(hidden(&other, Some(Change::Swap(1, 3))));
    assert_close(&moved, &hidden(&ids, None).concat(), FORWARD, "with positions swapped");
    assert!(Difference::beyond(&swapped(hidden(&other, None)), &hidden(&ids, None).concat(), 1e-3).is_some());

    // Rotations depend on how far apart tokens are: moving all of them changes nothing, stretching them does.
    let (lm, ids) = (text("llama", &Device::flex()).lm, Reference::read("llama").sequence(0));
    let logits = |positions: Vec<f32>| {
        let positions = SiteValue::new(positions, &[ids.len()], &Device::flex());
        let edit = SiteEdit::whole(Site::Rotary, Change::Set(Box::new(positions)));
        values(lm.forward(lm.ids(&ids), &mut Hooks::off().editing(vec![edit])))
    };
    let counted = |first: usize, step: f32| (0..ids.len()).map(|i| (first + i) as f32 * step).collect::<Vec<_>>();
    let clean = values(lm.forward(lm.ids(&ids), &mut Hooks::off()));
    assert_close(&logits(counted(5, 1.0)), &clean, FORWARD, "all positions moved");
    assert!(Difference::beyond(&logits(counted(0, 0.5)), &clean, 1e-3).is_some(), "stretched");
    let scaled = SiteEdit::whole(Site::Rotary, Change::Scale(0.5));
    let scaled = values(lm.forward(lm.ids(&ids), &mut Hooks::off().editing(vec![scaled])));
    assert_eq!(scaled, logits(counted(0, 0.5)));
    let mut two = counted(0, 1.0);
    two.swap(2, 6);
    let swapped = SiteEdit::whole(Site::Rotary, Change::Swap(2, 6));
    assert_eq!(values(lm.forward(lm.ids(&ids), &mut Hooks::off().editing(vec![swapped]))), logits(two));
    let off = SiteEdit::whole(Site::Rotary, Change::Zero);
    assert_eq!(values(lm.forward(lm.ids(&ids), &mut Hooks::off().editing(vec![off]))), logits(vec![0.0; ids.len()]));
}

#[test]
fn swapped_positions_reach_the_cache_in_pieces() {
    for (name, site) in [("gpt2", Site::PosEmbed), ("llama", Site::Rotary), ("gemma2", Site::Rotary)] {
        let (lm, ids) = (text(name, &Device::flex()).lm, Reference::read(name).sequence(0));
        let hooks = || Hooks::off().editing(vec![SiteEdit::whole(site, Change::Swap(1, 9))]);
        let whole = values(lm.forward(lm.ids(&ids), &mut hooks()));
        let (mut state, mut hooks) = (lm.new_state(), hooks());
        let mut last = Vec::new();
        for piece in ids.chunks(5) {
            last = values(lm.forward_cached(lm.ids(piece), &mut state, &mut hooks));
        }
        assert_close(&last, &whole[whole.len() - last.len()..], FORWARD, name);
        let clean = values(lm.forward(lm.ids(&ids), &mut Hooks::off()));
        assert!(Difference::beyond(&clean, &whole, 1e-3).is_some(), "{name}");
    }
}

#[test]
fn a_hidden_token_is_as_if_it_were_not_there() {
    // Hidden from every later token, the second one leaves no trace but the place it takes.
    for (name, sites) in [("gpt2", 2), ("gemma2", 2)] {
        let (lm, ids) = (text(name, &Device::flex()).lm, Reference::read(name).sequence(0));
        let later: Vec<usize> = (2..ids.len()).collect();
        let hide = |layer| SiteEdit {
            positions: Some(later.clone()),
            keys: Some(vec![1]),
            ..SiteEdit::whole(Site::Scores(layer), Change::Lowest)
        };
        let logits = |ids: &[u32]| {
            let mut hooks = Hooks::off().editing((0..sites).map(hide).collect());
            let logits = lm.forward(lm.ids(ids), &mut hooks);
            let later = ids.len() - 2;
            values(logits.narrow(1, 2, later))
        };
        let mut other = ids.clone();
        other[1] = (ids[1] + 7) % 60;
        assert_eq!(logits(&ids), logits(&other), "{name}");
    }
}

#[test]
fn no_change_of_scores_lets_a_token_see_the_future() {
    for name in DECODERS {
        let (lm, reference) = (text(name, &Device::flex()).lm, Reference::read(name));
        let (ids, t) = (reference.sequence(0), reference.sequence(0).len());
        for change in [Change::Scale(-1.0), Change::Scale(0.0), Change::Zero, Change::Scale(2.0)] {
            let edits = (0..lm.layers()).map(|layer| SiteEdit::whole(Site::Scores(layer), change.clone())).collect();
            let patterns = (0..lm.layers()).map(Site::Pattern).collect();
            let mut hooks = Hooks::off().editing(edits).recording(patterns, None);
            lm.trace(lm.ids(&ids), &mut hooks);
            for capture in hooks.into_captures().0 {
                for (place, weight) in capture.values.iter().enumerate() {
                    let (query, key) = (place / t % t, place % t);
                    assert!(key <= query || *weight == 0.0, "{name}, {change:?}: {query} sees {key}");
                }
            }
        }
    }
}

#[test]
fn an_edit_in_a_batch_is_the_edit_of_that_sequence_alone() {
    for name in ["gpt2", "gpt-neox", "llama", "qwen3", "gemma2"] {
        let (lm, reference) = (text(name, &Device::flex()).lm, Reference::read(name));
        let (first, second) = (reference.sequence(0), reference.sequence(1));
        let both: Vec<i32> = [first.clone(), second.clone()].concat().iter().map(|&id| id as i32).collect();
        let both = burn::tensor::TensorData::new(both, [2, first.len()]);
        let ids = || Tensor::<2, burn::tensor::Int>::from_data(both.clone(), &Device::flex());
        for site in lm.sites() {
            let edit = SiteEdit { sequence: Some(1), ..SiteEdit::whole(site, Change::Scale(0.25)) };
            let logits = values(lm.forward(ids(), &mut Hooks::off().editing(vec![edit])));
            let alone = |ids: &[u32], edits| values(lm.forward(lm.ids(ids), &mut Hooks::off().editing(edits)));
            let edit = SiteEdit::whole(site, Change::Scale(0.25));
            let expected = [alone(&first, Vec::new()), alone(&second, vec![edit])].concat();
            assert_close(&logits, &expected, FORWARD, &format!("{name}, {site}"));
        }
    }
}
