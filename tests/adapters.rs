//! Adapters of PEFT do here what they do there, and what does not fit is refused by name.
//!
//! `tests/golden/make_adapters.py` wrote the adapters and what transformers computes with them.

#[path = "support/adapter_copy.rs"]
mod adapter_copy;
#[path = "parity/reference.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod reference;
mod support;

use adapter_copy::{Copy, folder};
use burn::tensor::{Device, Tensor};
use fovea::engine::{AdapterSpec, Command, Outcome, SaveSpec, Work};
use fovea::load::{Attached, open_encoder_model, open_text_model, read_adapter};
use fovea::nn::{CausalLm, EncoderBatch, Hooks};
use fovea::types::{AdapterSetting, DeviceChoice, JobId, Precision, UserError};
use reference::{Reference, golden_dir};
use std::path::Path;
use std::sync::Arc;
use support::script::Script;

/// Adapters, and the folder of the base of each.
const DECODERS: [(&str, &str); 7] = [
    ("gpt2-stabilised", "gpt2"),
    ("llama-varied", "llama"),
    ("gpt-neox-head", "gpt-neox"),
    ("gemma2", "gemma2"),
    ("llama-tied-table", "llama-tied"),
    ("llama-identity", "llama"),
    ("llama-tied-whole", "llama-tied"),
];
const ENCODERS: [(&str, &str); 3] = [("bert", "bert"), ("roberta", "roberta"), ("distilbert", "distilbert")];

/// Both sides round sums of some dozens of products, and the merged matrix once more. Logits are up to 10 here.
const TOLERANCE: f32 = 1e-5;

fn expected(name: &str) -> Reference {
    Reference::open(&folder(name).join("expected.safetensors"))
}

fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().iter::<f32>().collect()
}

/// Scores of every token, by the pass that can be looked into and by the one that is fast.
fn logits(lm: &CausalLm, ids: &[u32]) -> [Vec<f32>; 2] {
    let mut looked = Hooks::off().recording(lm.sites().into_iter().collect(), None);
    let slow = values(lm.forward(lm.ids(ids), &mut looked));
    [slow, values(lm.forward(lm.ids(ids), &mut Hooks::off()))]
}

/// The largest difference in proportion to the largest of the expected numbers, or to 1.
fn off(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(1.0f32, |most, x| most.max(x.abs()));
    ours.iter().zip(theirs).fold(0.0f32, |most, (a, b)| most.max((a - b).abs())) / largest
}

#[test]
fn decoders_with_adapters_of_peft_score_as_in_peft() {
    for (name, base) in DECODERS {
        let (golden, model) =
            (expected(name), open_text_model(&golden_dir(base), &Device::flex(), &mut |_, _| {}).unwrap());
        let ids = golden.ids("ids");
        let adapter = Arc::new(read_adapter(&folder(name)).unwrap());
        let before = logits(&model.lm, &ids);
        assert!(off(&before[0], golden.values("base")) < TOLERANCE, "{name}: the base");
        let attached = Attached { adapter: Arc::clone(&adapter), base: model.lm.clone() };
        let adapted = attached.network(AdapterSetting::default()).unwrap();
        for ours in logits(&adapted, &ids) {
            let off = off(&ours, golden.values("adapted"));
            assert!(off < TOLERANCE, "{name}: with the adapter off by {off}");
        }
        // Of embeddings that are the head as well, PEFT's merged model changes both, and is another than the one with the adapter.
        if name != "llama-tied-table" {
            let off = off(&logits(&adapted, &ids)[0], golden.values("merged"));
            assert!(off < TOLERANCE, "{name}: merged off by {off}");
        }
        // Off is the base to the last bit; so is a factor of zero, where no module is replaced as a whole.
        let off = attached.network(AdapterSetting { on: false, factor: 1.0 }).unwrap();
        assert_eq!(logits(&off, &ids), before, "{name}");
        if !["gpt-neox-head", "llama-tied-table", "llama-tied-whole"].contains(&name) {
            let zero = attached.network(AdapterSetting { on: true, factor: 0.0 }).unwrap();
            assert_eq!(logits(&zero, &ids), before, "{name}");
        }
        assert_eq!(adapter.info.is_identity, name == "llama-identity");
        assert_eq!(adapter.info.base.as_deref(), Some(format!("golden/{base}").as_str()));
    }
}

#[test]
fn the_head_of_gpt_neox_has_two_names() {
    let model = open_text_model(&golden_dir("gpt-neox"), &Device::flex(), &mut |_, _| {}).unwrap();
    let golden = expected("gpt-neox-head");
    let mut copy = Copy::of("gpt-neox-head");
    let head = copy.tensors.remove("base_model.model.lm_head.weight").unwrap();
    copy.tensors.insert("base_model.model.embed_out.weight".to_owned(), head);
    copy.settings["modules_to_save"] = serde_json::json!(["embed_out"]);
    let adapter = Arc::new(read_adapter(copy.write()).unwrap());
    let adapted = Attached { adapter, base: model.lm.clone() }.network(AdapterSetting::default()).unwrap();
    assert!(off(&logits(&adapted, &golden.ids("ids"))[0], golden.values("adapted")) < TOLERANCE);
    // What is named as a whole is there, or it is told.
    copy.tensors.remove("base_model.model.embed_out.weight");
    let error = refused(&copy, "gpt-neox");
    assert!(error.what.contains("embed_out.weight") && error.why.contains("modules_to_save"), "{error}");
}

#[test]
fn encoders_with_adapters_of_peft_read_as_in_peft() {
    for (name, base) in ENCODERS {
        let golden = expected(name);
        let model = open_encoder_model(&golden_dir(base), &Device::flex(), &mut |_, _| {}).unwrap();
        let ids = golden.ids("ids");
        let batch = EncoderBatch::padded(&[&ids], model.padding_id);
        let hidden = |encoder: &fovea::nn::TextEncoder| values(encoder.forward(&batch, &mut Hooks::off()).hidden);
        let attached =
            Attached { adapter: Arc::new(read_adapter(&folder(name)).unwrap()), base: model.encoder.clone() };
        let adapted = attached.network(AdapterSetting::default()).unwrap();
        for (what, ours) in [("base", hidden(&model.encoder)), ("adapted", hidden(&adapted))] {
            let off = off(&ours, golden.values(what));
            assert!(off < TOLERANCE, "{name}: {what} off by {off}");
        }
        let off = attached.network(AdapterSetting { on: false, factor: 1.0 }).unwrap();
        assert_eq!(hidden(&off), hidden(&model.encoder), "{name}");
    }
}

/// What is said when a copy is opened on a model.
fn refused(copy: &Copy, base: &str) -> UserError {
    let model = open_text_model(&golden_dir(base), &Device::flex(), &mut |_, _| {}).unwrap();
    let opened = read_adapter(copy.write()).and_then(|adapter| {
        Attached { adapter: Arc::new(adapter), base: model.lm.clone() }.network(AdapterSetting::default())
    });
    UserError::from(opened.map(|_| ()).unwrap_err())
}

const Q: &str = "base_model.model.model.layers.0.self_attn.q_proj";

#[test]
fn a_tensor_left_over_missing_or_misshapen_is_an_error_with_its_key() {
    let (a, b) = (format!("{Q}.lora_A.weight"), format!("{Q}.lora_B.weight"));
    // No place in the model: one of GPT-2's, and a layer that is not there.
    let mut copy = Copy::of("llama-identity");
    for other in ["transformer.h.0.attn.c_attn", "model.layers.7.self_attn.q_proj"] {
        let key = format!("base_model.model.{other}.lora_A.weight");
        copy.tensors.insert(key.clone(), copy.tensors[&a].clone());
        copy.tensors.insert(key.replace("lora_A", "lora_B"), copy.tensors[&b].clone());
        let error = refused(&copy, "llama");
        assert!(error.what.contains(&key) && error.why.contains("Every one of its 6 tensors"), "{error}");
        copy = Copy::of("llama-identity");
    }
    // A tensor that is no part of a change.
    copy.tensors.insert("base_model.model.score.weight".to_owned(), (vec![2, 16], vec![0.0; 32]));
    let error = refused(&copy, "llama");
    assert!(error.what.contains("base_model.model.score.weight") && error.why.contains("modules_to_save"), "{error}");
    // A normalisation as a whole: it is not among what is replaced here.
    let key = "base_model.model.model.norm.weight";
    let mut copy = Copy::of("llama-identity");
    copy.tensors.insert(key.to_owned(), (vec![32], vec![1.0; 32]));
    copy.settings["modules_to_save"] = serde_json::json!(["norm"]);
    assert!(refused(&copy, "llama").what.contains(key));
    // One half alone.
    for (gone, left) in [(&a, &b), (&b, &a)] {
        let mut copy = Copy::of("llama-identity");
        copy.tensors.remove(gone);
        let error = refused(&copy, "llama");
        assert!(error.what.contains(gone.as_str()) && error.why.contains(left.as_str()), "{error}");
    }
    // Both halves of a module that target_modules names.
    let mut copy = Copy::of("llama-identity");
    copy.tensors.retain(|name, _| *name != a && *name != b);
    let error = refused(&copy, "llama");
    assert!(error.what.contains(&a) && error.why.contains("target_modules"), "{error}");
    // Another shape, and another rank than the settings name.
    let mut copy = Copy::of("llama-identity");
    let (rows, values) = copy.tensors[&b].clone();
    copy.tensors.insert(b.clone(), (vec![rows[0] / 2, rows[1]], values[..values.len() / 2].to_vec()));
    let error = refused(&copy, "llama");
    let shapes = [format!("{:?}", [rows[0] / 2, rows[1]]), format!("{rows:?}")];
    assert!(error.what.contains(&b) && shapes.iter().all(|shape| error.what.contains(shape)), "{error}");
    let mut copy = Copy::of("llama-identity");
    copy.settings["r"] = 3.into();
    let error = refused(&copy, "llama");
    assert!(error.what.contains(&a) && error.what.contains("[2, ") && error.what.contains("[3, "), "{error}");
    // A number that is none.
    let mut copy = Copy::of("llama-identity");
    copy.tensors.get_mut(&b).unwrap().1[3] = f32::NAN;
    assert!(refused(&copy, "llama").what.contains("NaN at position 3"));
}

#[test]
fn what_is_not_computed_is_refused_by_the_name_of_its_field() {
    let said = |field: &str, value: serde_json::Value| {
        let mut copy = Copy::of("llama-identity");
        copy.settings[field] = value;
        refused(&copy, "llama")
    };
    for (field, value) in [
        ("peft_type", "LOKR".into()),
        ("use_dora", true.into()),
        ("bias", "all".into()),
        ("layer_replication", serde_json::json!([[0, 1], [0, 2]])),
        ("trainable_token_indices", serde_json::json!([1, 2])),
        ("init_lora_weights", "pissa".into()),
        ("lora_bias", true.into()),
    ] {
        let error = said(field, value);
        assert!(error.what.contains(field), "{error}");
    }
    assert!(said("r", 0.into()).what.contains('r'));
    assert!(said("rank_pattern", serde_json::json!({"(": 2})).what.contains("rank_pattern.("));
    let error = UserError::from(read_adapter(&golden_dir("llama")).unwrap_err());
    assert!(error.what.contains("adapter_config.json"), "{error}");
    assert!(error.why.contains("adapter"), "{error}");
}

#[test]
fn a_factor_multiplies_the_change() {
    let model = open_text_model(&golden_dir("llama"), &Device::flex(), &mut |_, _| {}).unwrap();
    let ids = expected("llama-varied").ids("ids");
    // Twice as much is what twice the alphas are.
    let mut copy = Copy::of("llama-varied");
    copy.settings["lora_alpha"] = 8.into();
    copy.settings["alpha_pattern"] = serde_json::json!({"layers.0.mlp.down_proj": 14, "o_proj": 2});
    let with = |dir: &Path, factor| {
        let attached = Attached { adapter: Arc::new(read_adapter(dir).unwrap()), base: model.lm.clone() };
        logits(&attached.network(AdapterSetting { on: true, factor }).unwrap(), &ids)[0].clone()
    };
    let (twice, doubled) = (with(&folder("llama-varied"), 2.0), with(copy.write(), 1.0));
    assert!(off(&twice, &doubled) < 1e-6);
    assert!(off(&twice, expected("llama-varied").values("adapted")) > 0.01);
}

#[test]
fn an_engine_switches_scales_merges_and_takes_off() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&golden_dir("llama"));
    let mut work = |work: Work| {
        let job = JobId::next();
        script.send(Command::start(job, model.id, work));
        let mut info = None;
        let outcome = script.until("an end", |event| match event {
            fovea::engine::Event::Model { info: told, .. } => {
                info = Some(told.clone());
                None
            }
            fovea::engine::Event::Done { job: done, outcome } if *done == job => Some(Ok(outcome.clone())),
            fovea::engine::Event::Failed { job: Some(done), error } if *done == job => Some(Err(error.clone())),
            _ => None,
        });
        outcome.map(|outcome| (outcome, info))
    };
    let spec = |name: &str| AdapterSpec { path: folder(name), setting: AdapterSetting::default() };
    let hash = |outcome: Result<(Outcome, _), UserError>| match outcome.unwrap().0 {
        Outcome::Fingerprinted(hash) => hash,
        other => panic!("{other:?}"),
    };
    let before = hash(work(Work::Fingerprint));
    // One of another model leaves everything as it is.
    let error = work(Work::OpenAdapter(spec("gpt2-stabilised"))).unwrap_err();
    assert!(error.what.contains("c_attn") && error.why.contains("golden/gpt2"), "{error}");
    assert_eq!(hash(work(Work::Fingerprint)), before);
    let (_, info) = work(Work::OpenAdapter(spec("llama-varied"))).unwrap();
    let told = info.unwrap().adapter.unwrap();
    assert_eq!(
        (told.rank, told.alpha, told.tensors, told.applied().as_str()),
        (2, 4.0, 28, "applied 28 of 28 tensors")
    );
    assert!(told.is_varied && !told.rank_stabilised && told.matrices == 14);
    let with = hash(work(Work::Fingerprint));
    assert_ne!(with, before);
    let setting = |on, factor| Work::SetAdapter(Some(AdapterSetting { on, factor }));
    let (_, info) = work(setting(true, 0.5)).unwrap();
    assert_eq!(info.unwrap().adapter_in_use().as_deref(), Some("llama-varied × 0.5"));
    assert!(![&before, &with].contains(&&hash(work(Work::Fingerprint))));
    work(setting(false, 0.5)).unwrap();
    assert_eq!(hash(work(Work::Fingerprint)), before);
    work(setting(true, 1.0)).unwrap();
    assert_eq!(hash(work(Work::Fingerprint)), with);
    assert!(work(setting(true, 2.5)).unwrap_err().why.contains("from 0 to 2"));
    // Saved, the adapter is in the weights.
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("merged");
    let (_, info) = work(Work::Save(SaveSpec { path: path.clone(), precision: Precision::F32 })).unwrap();
    assert_eq!(info.unwrap().adapter, None);
    let merged = open_text_model(&path, &Device::flex(), &mut |_, _| {}).unwrap();
    let golden = expected("llama-varied");
    for ours in logits(&merged.lm, &golden.ids("ids")) {
        assert!(off(&ours, golden.values("merged")) < TOLERANCE);
    }
    assert!(work(Work::SetAdapter(None)).unwrap_err().what.contains("has no adapter"));
}
