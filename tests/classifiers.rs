//! Classifiers of texts and pictures compute what transformers computes, and are written so that it opens them.
//!
//! `tests/golden/make_classifiers.py` wrote tiny random models, their scores, their losses and every gradient.

#[path = "parity/reference.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod reference;
mod support;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use fovea::engine::{Command, InspectSpec, Outcome, PromptInput, SaveSpec, StepsSpec, Work};
use fovea::load::{ClassifierModel, open_classifier, open_vision_model, save_classifier, save_vision_model};
use fovea::nn::{Hooks, cross_entropy, in_full_precision, kernels};
use fovea::types::{Ability, DeviceChoice, JobId, ModelId, ModelKind, Precision, Problem, Site, UserError};
use reference::{Difference, Reference, golden_dir};
use support::script::Script;

const MODELS: [&str; 8] = ["bert", "roberta", "distilbert", "gpt2", "llama", "gpt-neox", "qwen3", "gemma2"];
const TEXTS: [&str; 3] = ["A charming film, well acted!", "No.", "Dull from end to end</s>"];
const CLASSES: [i64; 3] = [2, 1, 0];
/// As in `parity_encoders.rs`.
const FORWARD: f32 = 1e-5;
/// Gradients go through twice as many operations as values.
const BACKWARD: f32 = 2e-5;

fn folder(name: &str) -> std::path::PathBuf {
    golden_dir("classifiers").join(name)
}

fn open(name: &str, device: &Device) -> (ClassifierModel, Reference) {
    let model = open_classifier(&folder(name), device, &mut |_, _| {}).unwrap_or_else(|e| panic!("{name}: {e}"));
    (model, Reference::open(&folder(name).join("reference.safetensors")))
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn check(name: &str, what: &str, ours: &[f32], theirs: &[f32], most: f32) {
    if let Some(difference) = Difference::beyond(ours, theirs, most) {
        panic!("{name}: {what}: {difference}");
    }
}

#[test]
fn scores_of_texts_of_any_length_equal_transformers() {
    for name in MODELS {
        let (model, reference) = open(name, &Device::flex());
        let texts: Vec<Vec<u32>> = TEXTS.iter().map(|text| model.ids(text).unwrap().0).collect();
        for (row, ids) in texts.iter().enumerate() {
            assert_eq!(*ids, reference.ids(&format!("ids.{row}")), "{name}: tokens of {:?}", TEXTS[row]);
        }
        let ids: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let expected = reference.values("logits");
        check(name, "together", &floats(model.scores(&ids)), expected, FORWARD);
        let alone: Vec<f32> = ids.iter().flat_map(|ids| floats(model.scores(&[ids]))).collect();
        check(name, "one by one", &alone, expected, FORWARD);
        // Among many short texts a long one is read by itself.
        let long: Vec<u32> = ids.concat().into_iter().cycle().take(model.tells.longest.min(40)).collect();
        let mixed: Vec<&[u32]> = ids.iter().chain([&&long[..]]).chain(&ids).chain(&ids).copied().collect();
        let alone: Vec<f32> = mixed.iter().flat_map(|ids| floats(model.scores(&[ids]))).collect();
        check(name, "of any length", &floats(model.scores(&mixed)), &alone, FORWARD);
        let net = in_full_precision(model.net());
        let elsewhere = kernels::without(|| floats(net.forward(&ids, model.padding_id)));
        check(name, "without our kernels", &elsewhere, expected, FORWARD);
        assert_eq!(model.tells.labels, ["dull", "fine", "charming"]);
        assert_eq!(model.info().kind(), ModelKind::TextClassifier);
    }
}

fn check_gradient(name: &str, parameter: &str, gradients: &Reference, reference: &Reference) {
    let (ours, theirs) = (gradients.values(parameter), reference.values(&format!("grad.{parameter}")));
    // What is added to all keys changes no attention: its gradient is nothing but rounding.
    let is_nothing = |values: &[f32]| values.iter().all(|value| value.abs() < 1e-7);
    if !(is_nothing(theirs) && is_nothing(ours)) {
        check(name, &format!("gradient of {parameter}"), ours, theirs, BACKWARD);
    }
}

/// Puts each parameter's gradient in its place, so that the file format's own key map names the gradients.
struct GradientsAsWeights(Gradients);

impl ModuleMapper for GradientsAsWeights {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let gradient = param.val().grad_remove(&mut self.0).expect("every parameter takes part in the loss");
        Param::from_tensor(gradient)
    }
}

#[test]
fn loss_and_every_gradient_equal_pytorch() {
    let device = Device::flex().autodiff();
    for name in MODELS {
        let (mut model, reference) = open(name, &device);
        let texts: Vec<Vec<u32>> = (0..3).map(|row| reference.ids(&format!("ids.{row}"))).collect();
        let ids: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let classes = Tensor::from_ints(CLASSES, &device);
        let net = model.net();
        let loss = cross_entropy(net.forward(&ids, model.padding_id), classes);
        let gradients = loss.backward();
        check(name, "loss", &[loss.into_scalar()], reference.values("loss"), FORWARD);
        model.put(net.map(&mut GradientsAsWeights(gradients)));
        let dir = tempfile::tempdir().unwrap();
        save_classifier(&model, dir.path(), Precision::F32).unwrap();
        let gradients = Reference::open(&dir.path().join("model.safetensors"));
        let names = reference.gradient_names();
        assert_eq!(gradients.names(), names, "{name}: parameters");
        for parameter in names {
            check_gradient(name, &parameter, &gradients, &reference);
        }
    }
}

#[test]
fn a_vision_transformer_learns_and_is_saved_as_pytorch_does() {
    let folder = folder("vit");
    let reference = Reference::open(&folder.join("reference.safetensors"));
    let device = Device::flex().autodiff();
    let mut model = open_vision_model(&folder, &device, &mut |_, _| {}).unwrap();
    let pixels = Tensor::from_data(TensorData::new(reference.values("pixels").to_vec(), [3, 3, 12, 12]), &device);
    let logits = model.vit.forward(pixels, &mut Hooks::off()).unwrap();
    check("vit", "scores", &floats(logits.clone()), reference.values("logits"), FORWARD);
    let loss = cross_entropy(logits, Tensor::from_ints(CLASSES, &device));
    let gradients = loss.backward();
    check("vit", "loss", &[loss.into_scalar()], reference.values("loss"), FORWARD);
    let saved = tempfile::tempdir().unwrap();
    save_vision_model(&model, saved.path(), Precision::F32).unwrap();
    let [ours, theirs] = [saved.path(), &folder].map(|dir| Reference::open(&dir.join("model.safetensors")));
    assert_eq!(ours.names(), theirs.names());
    assert!(ours.names().iter().all(|name| ours.tensor(name) == theirs.tensor(name)));
    let again = open_vision_model(saved.path(), &Device::flex(), &mut |_, _| {}).unwrap();
    assert_eq!(
        (&again.labels, &again.config, &again.preprocessor),
        (&model.labels, &model.config, &model.preprocessor)
    );

    model.vit = model.vit.map(&mut GradientsAsWeights(gradients));
    save_vision_model(&model, saved.path(), Precision::F32).unwrap();
    let gradients = Reference::open(&saved.path().join("model.safetensors"));
    assert_eq!(gradients.names(), reference.gradient_names());
    for parameter in gradients.names() {
        check_gradient("vit", &parameter, &gradients, &reference);
    }
}

#[test]
fn what_is_saved_is_the_same_model() {
    for name in MODELS {
        let (model, reference) = open(name, &Device::flex());
        let dir = tempfile::tempdir().unwrap();
        save_classifier(&model, dir.path(), Precision::F32).unwrap();
        let again = open_classifier(dir.path(), &Device::flex(), &mut |_, _| {}).unwrap();
        let ids: Vec<Vec<u32>> = TEXTS.iter().map(|text| again.ids(text).unwrap().0).collect();
        let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
        check(name, "scores", &floats(again.scores(&ids)), reference.values("logits"), FORWARD);
        assert_eq!((&again.tells, again.padding_id), (&model.tells, model.padding_id), "{name}");
        let read = |dir: &std::path::Path| -> serde_json::Value {
            serde_json::from_slice(&std::fs::read(dir.join("config.json")).unwrap()).unwrap()
        };
        let (ours, theirs) = (read(dir.path()), read(&folder(name)));
        // What is written is what transformers wrote, wherever both say something.
        for (field, value) in ours.as_object().unwrap().iter().filter(|(field, _)| theirs.get(field).is_some()) {
            let same = match (value.as_f64(), theirs[field].as_f64()) {
                (Some(a), Some(b)) => (a - b).abs() <= 1e-12,
                _ => *value == theirs[field],
            };
            // What is not computed with may differ: no head is tied here, and no layer has a window of its own.
            let is_idle = ["tie_word_embeddings", "max_window_layers"].contains(&field.as_str());
            assert!(same || is_idle, "{name}: {field} is {value}, was {}", theirs[field]);
        }
    }
}

fn ask(script: &mut Script, model: ModelId, work: Work) -> Result<Outcome, UserError> {
    let job = JobId::next();
    script.send(Command::start(job, model, work));
    script.end(job)
}

#[test]
fn the_engine_classifies_looks_inside_and_saves() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in ["roberta", "llama"] {
        let id = script.open(&folder(name)).id;
        let texts: Vec<String> = TEXTS.iter().map(|text| (*text).to_owned()).collect();
        let answer = ask(&mut script, id, Work::ClassifyTexts(texts.clone())).unwrap();
        let Outcome::TextsClassified(report) = answer else { panic!("{name}: {answer:?}") };
        let reference = Reference::open(&folder(name).join("reference.safetensors"));
        assert_eq!(report.problem, Problem::OneClass);
        assert!(report.texts.iter().map(|text| &text.text).eq(&texts), "{name}: the order of the texts");
        let scores: Vec<f32> = report.texts.iter().flat_map(|text| text.scores.clone()).collect();
        check(name, "scores", &scores, reference.values("logits"), FORWARD);

        let looking = |sites: &str| {
            let prompt = PromptInput::Text(TEXTS[0].to_owned());
            Work::Inspect(InspectSpec { prompt, sites: sites.parse().unwrap(), edits: Vec::new() })
        };
        let Outcome::Inspected(inside) = ask(&mut script, id, looking("blocks.*.attn.pattern")).unwrap() else {
            panic!("{name}")
        };
        assert_eq!(inside.captures.iter().map(|c| c.site).collect::<Vec<_>>(), [Site::Pattern(0), Site::Pattern(1)]);
        // Steps end in the stream of an encoder, as without a head; of a decoder they would end in scores of tokens.
        let prompt = PromptInput::Text(TEXTS[0].to_owned());
        let steps = Work::Steps(StepsSpec { prompt, layer: 1, head: 0, query: 2, key: 1 });
        assert_eq!(ask(&mut script, id, steps).is_ok(), name == "roberta", "{name}");
        // A head for classes gives no scores of tokens.
        assert!(ask(&mut script, id, looking("logits")).is_err(), "{name}");
        for work in [Work::Embed(texts.clone()), Work::MeasureMemory, Work::ClassifyTexts(Vec::new())] {
            let error = ask(&mut script, id, work).unwrap_err().to_string();
            assert!(error.contains("tells classes") || error.contains("no text to classify"), "{name}: {error}");
        }

        let dir = tempfile::tempdir().unwrap();
        let spec = SaveSpec { path: dir.path().join("saved"), precision: Precision::F32 };
        assert!(matches!(ask(&mut script, id, Work::Save(spec)).unwrap(), Outcome::Saved { .. }));
        let again = open_classifier(&dir.path().join("saved"), &Device::flex(), &mut |_, _| {}).unwrap();
        assert!(again.info().can(Ability::ClassifyTexts));
    }
    for (model, words) in [("bert", "has no head"), ("gpt2", "has no head"), ("vit", "cannot read text")] {
        let id = script.open(&golden_dir(model)).id;
        let error = ask(&mut script, id, Work::ClassifyTexts(vec!["a".into()])).unwrap_err().to_string();
        assert!(error.contains(words), "{model}: {error}");
    }
}

#[test]
fn the_command_line_classifies_texts_and_files() {
    let model = folder("distilbert").display().to_string();
    let out =
        fovea(&["classify", "--device", "cpu", "--model", &model, "--text", TEXTS[0], "--text", TEXTS[1], "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["problem"], "one_class");
    let second = &answer["texts"][1];
    assert_eq!((&second["text"], &second["label"]), (&serde_json::json!("No."), &serde_json::json!("fine")));
    assert_eq!(second["classes"].as_array().unwrap().len(), 3);

    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("films.csv");
    std::fs::write(&data, "id,text\n1,\"A charming film, well acted!\"\n2,No.\n").unwrap();
    let out = fovea(&["classify", "--device", "cpu", "--model", &model, "--data", &data.display().to_string()]);
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(
        lines.iter().map(|cells| (cells[0], cells[2])).collect::<Vec<_>>(),
        [("fine", TEXTS[0]), ("fine", TEXTS[1])]
    );
}

fn fovea(args: &[&str]) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_fovea")).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
