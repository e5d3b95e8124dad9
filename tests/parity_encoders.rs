//! Encoders and image classifiers compute what transformers computes.
//!
//! `tests/golden/make_golden_encoders.py` wrote tiny random models and what transformers makes of them. A failure names the
//! first site, in the order of the forward pass, where the two part.

#[path = "parity/reference.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod reference;
mod support;

use burn::tensor::{Device, Tensor};
use fovea::load::{EncoderModel, open_encoder_model, open_vision_model, read_picture};
use fovea::nn::{EncoderBatch, Hooks, TextEncoder, in_full_precision, kernels};
use fovea::types::{Capture, Site};
use reference::{Reference, golden_dir};
use support::{script, shared};

const ENCODERS: [&str; 4] = ["bert", "bert-bare", "roberta", "distilbert"];

/// Both sides round to 24 bits after every operation, in a different order of summation. Over sums of 32 terms and two
/// blocks that leaves about 10⁻⁶ of the largest value in a tensor; a wrong formula is off by 10⁻³ or more.
const FORWARD: f32 = 1e-5;

/// The largest difference, as a share of the largest expected magnitude. Masked scores are the lowest finite number on both
/// sides and must agree exactly. NaN is as far off as can be.
fn distance(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len(), "number of values");
    let scale = theirs.iter().filter(|x| **x > f32::MIN).fold(f32::MIN_POSITIVE, |most, x| most.max(x.abs()));
    let share = |(a, b): (&f32, &f32)| if a == b { 0.0 } else { (a - b).abs() / scale };
    ours.iter().zip(theirs).map(share).fold(0.0, |most, d| if d.is_nan() { f32::INFINITY } else { most.max(d) })
}

fn open(name: &str) -> EncoderModel {
    open_encoder_model(&golden_dir(name), &Device::flex(), &mut |_, _| {}).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// Compares what was noted with every golden site, in order; gives the largest difference.
fn check_sites(name: &str, reference: &Reference, captures: &[Capture], layers: usize) -> f32 {
    let expected: Vec<Site> = Site::all(layers).filter(|site| reference.has_site(*site)).collect();
    let mut worst = 0.0f32;
    for site in &expected {
        let capture = captures.iter().find(|c| c.site == *site);
        let capture = capture.unwrap_or_else(|| panic!("{name}: {site} was not noted"));
        let (shape, theirs) = reference.site(*site);
        assert_eq!(capture.shape, shape, "{name}: shape of {site}");
        let off = distance(&capture.values, theirs);
        assert!(off <= FORWARD, "{name}: the first diverging site is {site}, off by {off} of its largest value");
        worst = worst.max(off);
    }
    assert_eq!(captures.len(), reference.site_count(), "{name}: number of sites");
    worst
}

fn run(encoder: &TextEncoder, batch: &EncoderBatch) -> Vec<Capture> {
    let mut hooks = Hooks::off().recording(encoder.sites().into_iter().collect(), None);
    let hidden = encoder.forward(batch, &mut hooks).hidden;
    let _ = encoder.logits(hidden, &mut hooks);
    let (captures, left_out) = hooks.into_captures();
    assert_eq!(left_out, None);
    let sites: Vec<_> = captures.iter().map(|capture| capture.site).collect();
    assert_eq!(sites.len(), encoder.sites().len(), "a pass meets the sites the architecture names");
    captures
}

fn rows(reference: &Reference, name: &str, count: usize) -> Vec<Vec<u32>> {
    let all = reference.ids(name);
    all.chunks_exact(all.len() / count).map(<[u32]>::to_vec).collect()
}

/// Hidden vectors and logits of a padded batch, at the places that are no padding.
fn check_padded(name: &str, reference: &Reference, model: &EncoderModel, end: &str) -> f32 {
    let of = |what: &str| format!("padded.{end}.{what}");
    let (ids, mask) = (rows(reference, &of("ids"), 3), rows(reference, &of("mask"), 3));
    let is_token: Vec<Vec<bool>> = mask.iter().map(|row| row.iter().map(|&m| m == 1).collect()).collect();
    let batch = EncoderBatch::with_mask(ids, is_token.clone());
    let mut hooks = Hooks::off();
    let hidden = model.encoder.forward(&batch, &mut hooks).hidden;
    let mut worst = 0.0f32;
    let mut compare = |what: &str, ours: Vec<f32>| {
        let theirs = reference.values(&of(what));
        let width = theirs.len() / is_token.concat().len();
        let real = |all: &[f32]| -> Vec<f32> {
            let rows = all.chunks_exact(width).zip(is_token.iter().flatten());
            rows.filter(|(_, is_token)| **is_token).flat_map(|(row, _)| row.to_vec()).collect()
        };
        let off = distance(&real(&ours), &real(theirs));
        assert!(off <= FORWARD, "{name}: {what} padded at the {end} is off by {off}");
        worst = worst.max(off);
    };
    if let Some(logits) = model.encoder.logits(hidden.clone(), &mut hooks) {
        compare("logits", values(logits));
    }
    compare("hidden", values(hidden));
    worst
}

/// Hidden vectors of texts that are read together, which nothing is filled up with: those of the batch padded at its end.
fn check_together(name: &str, reference: &Reference, model: &EncoderModel) -> f32 {
    let (ids, mask) = (rows(reference, "padded.right.ids", 3), rows(reference, "padded.right.mask", 3));
    let tokens = |mask: &Vec<u32>| mask.iter().filter(|m| **m == 1).count();
    let texts: Vec<&[u32]> = ids.iter().zip(&mask).map(|(ids, mask)| &ids[..tokens(mask)]).collect();
    let theirs = reference.values("padded.right.hidden");
    let width = theirs.len() / ids.concat().len();
    let rows = theirs.chunks_exact(width).zip(mask.concat());
    let theirs: Vec<f32> = rows.filter(|(_, m)| *m == 1).flat_map(|(row, _)| row.to_vec()).collect();
    let read = |encoder: &TextEncoder| values(encoder.read(&texts, model.padding_id));
    let full = in_full_precision(model.encoder.clone());
    let off = [read(&model.encoder), kernels::without(|| read(&full))].map(|ours| distance(&ours, &theirs));
    let worst = off[0].max(off[1]);
    assert!(worst <= FORWARD, "{name}: hidden of texts read together is off by {off:?}, with our kernels and without");
    worst
}

#[test]
fn every_site_pooler_and_masked_lm_logits_equal_transformers() {
    for name in ENCODERS {
        let (model, reference) = (open(name), Reference::read(name));
        let mut batch = EncoderBatch::one(&reference.ids("ids"));
        if reference.names().contains(&"types".to_owned()) {
            batch = batch.with_types(vec![reference.ids("types")]);
        }
        let mut worst = check_sites(name, &reference, &run(&model.encoder, &batch), model.info.shape.layers());
        for end in ["left", "right"] {
            worst = worst.max(check_padded(name, &reference, &model, end));
        }
        worst = worst.max(check_together(name, &reference, &model));
        println!(
            "support: {name}: sites, pooler, logits, padding left and right: largest relative difference {worst:.1e}"
        );
    }
}

/// Pillow's bytes are met exactly; the division by the standard deviation rounds once more or less.
const PIXELS: f32 = 1e-6;

#[test]
fn pictures_are_prepared_and_classified_as_transformers_does() {
    for name in ["vit", "vit-gray", "deit"] {
        let reference = Reference::read(name);
        let model = open_vision_model(&golden_dir(name), &Device::flex(), &mut |_, _| {}).unwrap();
        let (mut worst_pixel, mut worst) = (0.0f32, 0.0f32);
        for place in 0..2 {
            let picture = read_picture(&golden_dir(name).join(format!("picture-{place}.png"))).unwrap();
            let pixels = model.preprocessor.pixels(&model.preprocessor.seen(&picture));
            let off = distance(&pixels, reference.values(&format!("pixels.{place}")));
            assert!(off <= PIXELS, "{name}: pixels of picture {place} are off by {off}");
            worst_pixel = worst_pixel.max(off);
            let mut hooks = Hooks::off().recording(model.vit.sites().into_iter().collect(), None);
            let logits = values(model.vit.forward(model.input(pixels), &mut hooks).expect("a head"));
            worst = worst.max(distance(&logits, reference.values(&format!("logits.{place}"))));
            assert!(worst <= FORWARD, "{name}: logits of picture {place} are off by {worst}");
            let (captures, _) = hooks.into_captures();
            if place == 0 {
                worst = worst.max(check_sites(name, &reference, &captures, model.info.shape.layers()));
            }
        }
        println!(
            "support: {name}: sites and logits: largest relative difference {worst:.1e}; prepared pixels: {worst_pixel:.1e}"
        );
    }
}

#[test]
fn patterns_look_both_ways() {
    let captures = run(&open("bert").encoder, &EncoderBatch::one(&[2, 9, 10, 3]));
    let pattern = captures.iter().find(|c| c.site == Site::Pattern(0)).unwrap();
    assert_eq!(pattern.shape, [4, 4, 4]);
    assert!(pattern.values.iter().all(|&weight| weight > 0.0), "every token is looked at by every other");
    assert!(pattern.values.chunks_exact(4).all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-5));
}

/// Awkward texts and the ids that transformers gives them.
fn check_texts(name: &str, folder: &std::path::Path, tokenizer: &fovea::load::Tokenizer) {
    let text = std::fs::read(folder.join("texts.json")).unwrap();
    let golden: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let texts: Vec<String> = serde_json::from_value(golden["texts"].clone()).unwrap();
    let ids: Vec<Vec<u32>> = serde_json::from_value(golden["ids"].clone()).unwrap();
    assert!(texts.len() > 20 && texts.len() == ids.len());
    for (text, ids) in texts.iter().zip(ids) {
        assert_eq!(tokenizer.ids(text).unwrap(), ids, "{name}: {text:?}");
    }
}

#[test]
fn older_tokenizer_files_give_the_ids_of_transformers() {
    for name in ENCODERS {
        check_texts(name, &golden_dir(name), &open(name).tokenizer);
        println!("support: {name}: ids of awkward texts from its older tokenizer files: equal");
    }
}

#[test]
fn streamed_word_pieces_join_to_the_decoded_text() {
    let tokenizer = open("bert").tokenizer;
    for text in ["unaffable players, playing!", "don't 'quote' is blue.", "the [MASK] is  blue ?"] {
        let ids = tokenizer.ids(text).unwrap();
        let mut stream = tokenizer.stream(&[]);
        let streamed: String = ids.iter().map(|&id| stream.push(id)).collect();
        assert_eq!(streamed + &stream.finish(), tokenizer.decode(&ids), "{text:?}");
    }
}

#[test]
fn sentence_embeddings_of_a_real_model_equal_transformers() {
    use fovea::engine::{Command, Outcome, Work};
    use fovea::types::{DeviceChoice, JobId};
    let test = "sentence_embeddings_of_a_real_model_equal_transformers";
    let Some(folder) = shared(test, "models/all-minilm-l6-v2") else { return };
    let golden = golden_dir("minilm");
    let texts: serde_json::Value = serde_json::from_slice(&std::fs::read(golden.join("texts.json")).unwrap()).unwrap();
    let sentences: Vec<String> = serde_json::from_value(texts["sentences"].clone()).unwrap();
    let tokens: Vec<usize> = serde_json::from_value(texts["tokens"].clone()).unwrap();

    let mut engine = script::Script::start(DeviceChoice::Cpu);
    let info = engine.open(&folder);
    let job = JobId::next();
    engine.send(Command::start(job, info.id, Work::Embed(sentences)));
    let outcome = engine.end(job).unwrap();
    let Outcome::Embedded(report) = outcome else { panic!("{outcome:?}") };
    let read: Vec<usize> = report.embeddings.iter().map(|e| e.tokens).collect();
    assert_eq!(read, tokens);
    let left_out: Vec<usize> = report.embeddings.iter().map(|e| e.left_out).collect();
    assert_eq!(left_out, [0, 0, 0, 0, 0, 146], "400 words and two special tokens do not fit into 256");

    let reference = Reference::open(&golden.join("reference.safetensors"));
    let ours: Vec<f32> = report.embeddings.iter().flat_map(|e| e.vector.clone()).collect();
    let theirs = reference.values("embeddings");
    assert_eq!(ours.len(), theirs.len());
    let worst = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-5, "embeddings differ by up to {worst}");
    println!("support: all-minilm-l6-v2: embeddings differ from transformers' by at most {worst:.1e}");

    check_texts("all-minilm-l6-v2", &golden, &open_shared(&folder).tokenizer);
    // The same vocabulary from vocab.txt alone.
    let copy = tempfile::tempdir().unwrap();
    for file in ["config.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json", "model.safetensors"] {
        std::fs::copy(folder.join(file), copy.path().join(file)).unwrap();
    }
    check_texts("vocab.txt of all-minilm-l6-v2", &golden, &open_shared(copy.path()).tokenizer);
}

fn open_shared(folder: &std::path::Path) -> EncoderModel {
    open_encoder_model(folder, &Device::flex(), &mut |_, _| {}).unwrap()
}
