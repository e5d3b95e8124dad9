//! Adapters for classes, as PEFT writes them with their heads: read, scored, learned further, taken off, merged and refused.
//!
//! `tests/golden/make_adapters.py` wrote the adapters, what transformers computes with them, and the gradient of all that learns.

#[path = "support/adapter_copy.rs"]
mod adapter_copy;
#[path = "parity/reference.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod reference;
mod support;

use adapter_copy::{Copy, folder};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use fovea::engine::{AdapterSpec, Command, Event, Outcome, SaveSpec, Work};
use fovea::load::{
    Adapter, Attached, ClassifierBody, ClassifierModel, Named, open_classifier, open_encoder_model, open_vision_model,
    read_adapter, with_lora, write_adapter,
};
use fovea::nn::{EncoderBatch, Hooks, cross_entropy, in_full_precision};
use fovea::types::{
    AdapterSetting, Architecture, DeviceChoice, JobId, LoraSpec, ModelId, ModelInfo, ModelKind, Precision, UserError,
};
use reference::{Difference, Reference, golden_dir};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use support::script::Script;

/// Adapters on classifiers of texts, by family; the folder of each base is `classifiers/FAMILY`.
const CLASSIFIERS: [&str; 5] = ["bert", "roberta", "distilbert", "gpt2", "llama"];
/// As in `classifiers.rs`; the merged matrix is rounded once more.
const TOLERANCE: f32 = 1e-5;

fn expected(name: &str) -> Reference {
    Reference::open(&folder(name).join("expected.safetensors"))
}

fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().iter::<f32>().collect()
}

/// The largest difference in proportion to the largest of the expected numbers, or to 1.
fn off(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(1.0f32, |most, x| most.max(x.abs()));
    ours.iter().zip(theirs).fold(0.0f32, |most, (a, b)| most.max((a - b).abs())) / largest
}

fn close(name: &str, what: &str, ours: &[f32], theirs: &[f32]) {
    let off = off(ours, theirs);
    assert!(off < TOLERANCE, "{name}: {what} off by {off}");
}

fn ids(golden: &Reference) -> Vec<Vec<u32>> {
    (0..3).map(|row| golden.ids(&format!("ids.{row}"))).collect()
}

#[test]
fn classifiers_with_adapters_of_peft_score_as_in_peft() {
    for family in CLASSIFIERS {
        let (name, base) = (format!("classes-{family}"), golden_dir("classifiers").join(family));
        let golden = expected(&name);
        let texts = ids(&golden);
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let mut model = open_classifier(&base, &Device::flex(), &mut |_, _| {}).unwrap();
        close(&name, "the base", &values(model.scores(&texts)), golden.values("base"));
        let adapter = Arc::new(read_adapter(&folder(&name)).unwrap());
        let attached = Attached { adapter, base: model.net() };
        let adapted = attached.network(AdapterSetting::default()).unwrap();
        let scores = values(adapted.forward(&texts, model.padding_id));
        close(&name, "with the adapter", &scores, golden.values("adapted"));
        close(&name, "merged", &scores, golden.values("merged"));
        let before = values(model.scores(&texts));
        model.put(attached.network(AdapterSetting { on: false, factor: 1.0 }).unwrap());
        assert_eq!(values(model.scores(&texts)), before, "{name}: switched off");
    }
}

/// The names that transformers had for the modules of vision transformers before version 5, which most adapters on the hub have.
fn names_of_before(copy: &mut Copy) {
    let renamed = |name: &str| {
        let name = name.replace("vit.layers.", "vit.encoder.layer.");
        name.replace("attention.q_proj", "attention.attention.query")
            .replace("attention.v_proj", "attention.attention.value")
    };
    copy.tensors = copy.tensors.iter().map(|(name, tensor)| (renamed(name), tensor.clone())).collect();
    copy.settings["target_modules"] = serde_json::json!(["query", "value"]);
}

#[test]
fn a_vision_transformer_with_an_adapter_of_peft_sees_as_in_peft_under_both_spellings() {
    let (name, base) = ("classes-vit", golden_dir("classifiers").join("vit"));
    let golden = expected(name);
    let model = open_vision_model(&base, &Device::flex(), &mut |_, _| {}).unwrap();
    let pixels = golden.values("pixels").to_vec();
    let scores = |vit: &fovea::nn::Vit| {
        let pixels = Tensor::<4>::from_data(TensorData::new(pixels.clone(), [3, 3, 12, 12]), &Device::flex());
        values(vit.forward(pixels, &mut Hooks::off()).unwrap())
    };
    close(name, "the base", &scores(&model.vit), golden.values("base"));
    let mut copy = Copy::of(name);
    names_of_before(&mut copy);
    for dir in [folder(name), copy.write().to_owned()] {
        let adapter = Arc::new(read_adapter(&dir).unwrap());
        let adapted = Attached { adapter, base: model.vit.clone() }.network(AdapterSetting::default()).unwrap();
        close(name, "with the adapter", &scores(&adapted), golden.values("adapted"));
    }
    // A module that is named and lacks its tensors is told by its name.
    copy.tensors.retain(|name, _| !name.contains("layer.1.attention.attention.value"));
    let adapter = Arc::new(read_adapter(copy.write()).unwrap());
    let attached = Attached { adapter, base: model.vit.clone() };
    let error = UserError::from(attached.network(AdapterSetting::default()).unwrap_err());
    assert!(error.what.contains("encoder.layer.1.attention.attention.value.lora_A"), "{error}");
}

/// Runs work on a model of an engine: its end, and what was told of the model last.
fn work(script: &mut Script, model: ModelId, work: Work) -> Result<(Outcome, Option<ModelInfo>), UserError> {
    let job = JobId::next();
    script.send(Command::start(job, model, work));
    let mut info = None;
    let outcome = script.until("an end", |event| match event {
        Event::Model { info: told, .. } => {
            info = Some(told.clone());
            None
        }
        Event::Done { job: done, outcome } if *done == job => Some(Ok(outcome.clone())),
        Event::Failed { job: Some(done), error } if *done == job => Some(Err(error.clone())),
        _ => None,
    });
    outcome.map(|outcome| (outcome, info))
}

fn put(script: &mut Script, model: ModelId, dir: &Path) -> Result<ModelInfo, UserError> {
    let spec = AdapterSpec { path: dir.to_owned(), setting: AdapterSetting::default() };
    work(script, model, Work::OpenAdapter(spec)).map(|(_, info)| info.expect("the model was told of"))
}

/// The scores of texts that are one token's name each.
fn scores(script: &mut Script, model: ModelId, texts: &[&str]) -> Vec<f32> {
    let texts = texts.iter().map(|text| (*text).to_owned()).collect();
    let (outcome, _) = work(script, model, Work::ClassifyTexts(texts)).unwrap();
    let Outcome::TextsClassified(report) = outcome else { panic!("{outcome:?}") };
    report.texts.iter().flat_map(|text| text.scores.clone()).collect()
}

#[test]
fn an_adapter_with_a_head_makes_a_classifier_of_a_body_and_taken_off_the_body_is_back() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for (name, base) in [("classes-on-llama", "llama"), ("classes-on-bert", "bert-bare")] {
        let before = script.open(&golden_dir(base));
        let info = put(&mut script, before.id, &folder(name)).unwrap();
        assert_eq!(info.kind(), ModelKind::TextClassifier, "{name}");
        let adapter = info.adapter.as_ref().unwrap();
        assert!(adapter.holds_head && adapter.applied().starts_with("applied "), "{name}: {adapter:?}");
        // Nobody names its classes.
        assert!(adapter.numbers_classes, "{name}");
        // Its own labels, where they stand beside it.
        let copy = Copy::of(name);
        let named = copy.write();
        std::fs::write(named.join("labels.json"), r#"{"id2label": {"0": "dull", "1": "fine"}}"#).unwrap();
        let info = put(&mut script, before.id, named).unwrap();
        assert!(!info.adapter.as_ref().unwrap().numbers_classes, "{name}");
        let on = scores(&mut script, before.id, &["abc", "xyz"]);
        // Switched off, the head stays on the body as it was.
        work(&mut script, before.id, Work::SetAdapter(Some(AdapterSetting { on: false, factor: 1.0 }))).unwrap();
        assert_ne!(scores(&mut script, before.id, &["abc", "xyz"]), on, "{name}");
        let (_, info) = work(&mut script, before.id, Work::SetAdapter(None)).unwrap();
        assert_eq!(info.unwrap(), before, "{name}: the body is back");
    }
}

#[test]
fn an_adapter_with_classes_of_its_own_replaces_the_head_for_as_long_as_it_is_on_the_model() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let before = script.open(&golden_dir("classifiers").join("llama"));
    let own = scores(&mut script, before.id, &["abc"]);
    let copy = Copy::of("classes-llama");
    // By name, and by order.
    for labels in [["bad", "fine", "good"], ["fine", "dull", "charming"]] {
        let dir = copy.write();
        let [a, b, c] = labels;
        let told = serde_json::json!({ "id2label": { "0": a, "1": b, "2": c } });
        std::fs::write(dir.join("labels.json"), told.to_string()).unwrap();
        let info = put(&mut script, before.id, dir).unwrap();
        assert_eq!(info.labels().unwrap(), labels);
        assert!(info.adapter.unwrap().holds_head);
        work(&mut script, before.id, Work::SetAdapter(None)).unwrap();
        assert_eq!(scores(&mut script, before.id, &["abc"]), own);
    }
}

#[test]
fn scores_of_a_body_with_an_adapters_head_are_those_of_peft() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for (name, base) in [("classes-on-llama", "llama"), ("classes-on-bert", "bert-bare")] {
        let id = script.open(&golden_dir(base)).id;
        put(&mut script, id, &folder(name)).unwrap();
        let out = tempfile::tempdir().unwrap();
        let path = out.path().join("merged");
        work(&mut script, id, Work::Save(SaveSpec { path: path.clone(), precision: Precision::F32 })).unwrap();
        let merged = open_classifier(&path, &Device::flex(), &mut |_, _| {}).unwrap();
        let golden = expected(name);
        let texts = ids(&golden);
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        close(name, "merged", &values(merged.net().forward(&texts, None)), golden.values("merged"));
        assert_eq!(merged.tells.labels, ["0", "1"]);
    }
}

#[test]
fn encoders_and_classifiers_are_merged_into_one_folder() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let out = tempfile::tempdir().unwrap();
    let mut merge = |base: &Path, name: &str| -> PathBuf {
        let id = script.open(base).id;
        put(&mut script, id, &folder(name)).unwrap();
        let path = out.path().join(name);
        let spec = SaveSpec { path: path.clone(), precision: Precision::F32 };
        let (_, info) = work(&mut script, id, Work::Save(spec)).unwrap();
        assert_eq!(info.unwrap().adapter, None, "{name}");
        path
    };
    for name in ["bert", "roberta", "distilbert"] {
        let merged = open_encoder_model(&merge(&golden_dir(name), name), &Device::flex(), &mut |_, _| {}).unwrap();
        let golden = expected(name);
        let batch = EncoderBatch::padded(&[&golden.ids("ids")], merged.padding_id);
        let hidden = values(merged.encoder.forward(&batch, &mut Hooks::off()).hidden);
        close(name, "merged", &hidden, golden.values("merged"));
        // What stands on it stays.
        let base = open_encoder_model(&golden_dir(name), &Device::flex(), &mut |_, _| {}).unwrap();
        assert_eq!((merged.mask_id, merged.reads.clone()), (base.mask_id, base.reads.clone()), "{name}");
    }
    for family in CLASSIFIERS {
        let name = format!("classes-{family}");
        let path = merge(&golden_dir("classifiers").join(family), &name);
        let merged = open_classifier(&path, &Device::flex(), &mut |_, _| {}).unwrap();
        let golden = expected(&name);
        let texts = ids(&golden);
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        close(&name, "merged", &values(merged.scores(&texts)), golden.values("merged"));
        assert_eq!(merged.tells.labels, ["dull", "fine", "charming"]);
    }
    let path = merge(&golden_dir("classifiers").join("vit"), "classes-vit");
    let merged = open_vision_model(&path, &Device::flex(), &mut |_, _| {}).unwrap();
    let golden = expected("classes-vit");
    let pixels = TensorData::new(golden.values("pixels").to_vec(), [3, 3, 12, 12]);
    let pixels = Tensor::<4>::from_data(pixels, &Device::flex());
    let scores = values(merged.vit.forward(pixels, &mut Hooks::off()).unwrap());
    close("classes-vit", "merged", &scores, golden.values("merged"));
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_the_model_as_it_was() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let classifier = script.open(&golden_dir("classifiers").join("llama"));
    let body = script.open(&golden_dir("llama"));
    let bare = script.open(&golden_dir("bert"));
    let mut fails = |model: &ModelInfo, dir: &Path, words: &[&str]| {
        let error = put(&mut script, model.id, dir).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error} does not say {words:?}");
    };
    // Of another base, and of another number of labels.
    fails(&classifier, &folder("classes-gpt2"), &["transformer.h.0.attn.c_attn.lora_A", "golden/classifiers/gpt2"]);
    let mut copy = Copy::of("classes-llama");
    let key = "base_model.model.score.weight";
    let (_, numbers) = copy.tensors[key].clone();
    copy.tensors.insert(key.to_owned(), (vec![2, 16], numbers[..32].to_vec()));
    fails(&classifier, copy.write(), &[key, "[2, 16]", "[3, 16]"]);
    // Without a head, on a classifier and on a body.
    copy.tensors.remove(key);
    fails(&classifier, copy.write(), &[key, "modules_to_save"]);
    let mut copy = Copy::of("classes-on-llama");
    copy.tensors.remove(key);
    fails(&body, copy.write(), &[key, "neither in it nor in the model"]);
    // Labels of another number than the head has.
    let copy = Copy::of("classes-on-llama");
    let dir = copy.write();
    std::fs::write(dir.join("labels.json"), r#"{"id2label": {"0": "a", "1": "b", "2": "c"}}"#).unwrap();
    fails(&body, dir, &["labels.json", "2 classes"]);
    // For what is not computed here, whatever its head is called.
    let mut copy = Copy::of("classes-on-llama");
    copy.settings["task_type"] = "TOKEN_CLS".into();
    fails(&body, copy.write(), &["task_type", "TOKEN_CLS"]);
    // A head on a pooler that nobody has.
    let mut copy = Copy::of("classes-on-bert");
    copy.tensors.retain(|name, _| !name.contains("pooler"));
    copy.settings["modules_to_save"] = serde_json::json!(["classifier"]);
    fails(&bare, copy.write(), &["bert.pooler.dense.weight", "neither the adapter nor the model"]);
    for info in [classifier, body] {
        let error = work(&mut script, info.id, Work::SetAdapter(None)).unwrap_err();
        assert!(error.what.contains("has no adapter"), "{error}");
    }
}

/// Gives every parameter its number, by which names in a file are found.
struct Numbered(usize);

impl ModuleMapper for Numbered {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.0 += 1;
        Param::from_tensor(param.val() * 0.0 + (self.0 - 1) as f32)
    }
}

/// Gives the parameters with these numbers these values.
struct Filled {
    next: usize,
    known: BTreeMap<usize, (Vec<usize>, Vec<f32>)>,
}

impl ModuleMapper for Filled {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.next += 1;
        let Some((shape, values)) = self.known.remove(&(self.next - 1)) else { return param };
        Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), &param.device()))
    }
}

struct GradientsAsWeights(Gradients);

impl ModuleMapper for GradientsAsWeights {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let value = param.val();
        let gradient = value.grad_remove(&mut self.0);
        Param::from_tensor(gradient.unwrap_or_else(|| value.inner() * 0.0))
    }
}

/// What a network has learned, by the names of PEFT's file.
fn learned<N: Named + Clone>(net: &N, spec: &LoraSpec, architecture: Architecture) -> Reference {
    let dir = tempfile::tempdir().unwrap();
    let (adapter, _) = Adapter::learned_by(net, spec, None);
    write_adapter(&adapter, spec, architecture, Precision::F32, dir.path()).unwrap();
    Reference::open(&dir.path().join("adapter_model.safetensors"))
}

/// A network that learns what PEFT's adapter has: A, B and the head with the numbers of its file.
fn learning<N: Named + Module>(net: &N, spec: &LoraSpec, architecture: Architecture, name: &str) -> N {
    let drawn = with_lora(net, spec, 0, |_, count| vec![0.5; count]).unwrap();
    let drawn = in_full_precision(drawn);
    let numbers = learned(&drawn.clone().map(&mut Numbered(0)), spec, architecture);
    let stored = Reference::open(&folder(name).join("adapter_model.safetensors"));
    assert_eq!(numbers.names(), stored.names(), "{name}: what learns");
    let known = numbers.names().into_iter().map(|key| {
        let (shape, values) = stored.tensor(&key);
        (numbers.values(&key)[0] as usize, (shape.to_vec(), values.to_vec()))
    });
    drawn.map(&mut Filled { next: 0, known: known.collect() })
}

fn spec(targets: &[&str], alpha: f64, rank_stabilised: bool) -> LoraSpec {
    LoraSpec { rank: 2, alpha, rank_stabilised, targets: targets.iter().map(|&target| target.to_owned()).collect() }
}

fn check_gradients(name: &str, gradients: &Reference, golden: &Reference) {
    for key in gradients.names() {
        let (ours, theirs) = (gradients.values(&key), golden.values(&format!("grad.{key}")));
        if let Some(difference) = Difference::beyond(ours, theirs, 2e-5) {
            panic!("{name}: gradient of {key}: {difference}");
        }
    }
}

#[test]
fn loss_and_every_gradient_of_an_adapter_and_its_head_equal_peft() {
    let cases = [
        ("classes-roberta", spec(&["query", "dense"], 4.0, false)),
        ("classes-distilbert", spec(&["q_lin", "v_lin"], 4.0, false)),
        ("classes-gpt2", spec(&["c_attn", "c_proj"], 6.0, true)),
        ("classes-llama", spec(&["all-linear"], 4.0, false)),
        ("classes-on-bert", spec(&["query", "value"], 4.0, false)),
    ];
    for (name, spec) in cases {
        let golden = expected(name);
        let (model, classes): (_, [i32; 3]) = if name == "classes-on-bert" {
            let body = open_encoder_model(&golden_dir("bert-bare"), &Device::flex(), &mut |_, _| {}).unwrap();
            let adapter = read_adapter(&folder(name)).unwrap();
            let body = ClassifierBody::Encoder(body);
            (ClassifierModel::with_head_of(&adapter, body, &Device::flex()).unwrap().0, [1, 0, 1])
        } else {
            let base = golden_dir("classifiers").join(name.trim_start_matches("classes-"));
            (open_classifier(&base, &Device::flex(), &mut |_, _| {}).unwrap(), [2, 1, 0])
        };
        let architecture = model.info().architecture;
        let net = learning(&model.net(), &spec, architecture, name).train();
        let texts = ids(&golden);
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let scores = net.forward(&texts, model.padding_id);
        close(name, "scores", &values(scores.clone().inner()), golden.values("adapted"));
        let loss = cross_entropy(scores, Tensor::from_ints(classes, &Device::flex().autodiff()));
        let gradients = loss.backward();
        close(name, "loss", &[loss.into_scalar()], golden.values("loss"));
        let gradients = learned(&net.map(&mut GradientsAsWeights(gradients)), &spec, architecture);
        check_gradients(name, &gradients, &golden);
    }
    let (name, spec) = ("classes-vit", spec(&["q_proj", "v_proj"], 4.0, false));
    let model = open_vision_model(&golden_dir("classifiers").join("vit"), &Device::flex(), &mut |_, _| {}).unwrap();
    let (golden, architecture) = (expected(name), model.info.architecture);
    let net = learning(&model.vit, &spec, architecture, name).train();
    let pixels = TensorData::new(golden.values("pixels").to_vec(), [3, 3, 12, 12]);
    let device = Device::flex().autodiff();
    let scores = net.forward(Tensor::from_data(pixels, &device), &mut Hooks::off()).unwrap();
    close(name, "scores", &values(scores.clone().inner()), golden.values("adapted"));
    let loss = cross_entropy(scores, Tensor::from_ints([2, 1, 0], &device));
    let gradients = loss.backward();
    let gradients = learned(&net.map(&mut GradientsAsWeights(gradients)), &spec, architecture);
    check_gradients(name, &gradients, &golden);
}
