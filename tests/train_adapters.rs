//! Adapters are learned beside heads for classes: what learns and what stays, that a run that is stopped goes on as if it had never
//! been, and that what is written opens as PEFT's adapters do.

#[path = "parity/reference.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod reference;
mod support;

use fovea::engine::{AdapterSpec, Command, Event, Outcome, Work};
use fovea::types::{
    AdapterSetting, ClassifyTask, DataPart, DeviceChoice, EvaluateSpec, EvaluationReport, JobId, LabelWords, Learns,
    LoraSpec, ModelId, StartFrom, TrainSpec, TrainSummary, TrainTask, UserError,
};
use reference::{Reference, golden_dir};
use std::path::{Path, PathBuf};
use support::script::Script;

/// Texts that are easy to tell apart for who reads letters, as the tokenizers of the goldens do.
fn write_data(folder: &Path) -> PathBuf {
    let path = folder.join("letters.csv");
    let row = |i: usize| {
        let (word, label) = [("abab", "low"), ("xyxy", "high"), ("mnmn", "middle")][i % 3];
        let letter = char::from(b'a' + (i / 12) as u8);
        format!("\"{}{letter}\",{label}\n", word.repeat(1 + i % 4))
    };
    std::fs::write(&path, format!("text,label\n{}", (0..120).map(row).collect::<String>())).unwrap();
    path
}

/// Pictures that are mostly red, green or blue, in a folder for each.
fn write_pictures(folder: &Path) -> PathBuf {
    let pictures = folder.join("pictures");
    for (class, name) in ["red", "green", "blue"].into_iter().enumerate() {
        std::fs::create_dir_all(pictures.join(name)).unwrap();
        for i in 0..20 {
            let shade = |x: u32, y: u32| {
                let mut rgb = [(x * 9 + i * 5) as u8 % 60, (y * 7 + i * 3) as u8 % 60, ((x + y) * 5) as u8 % 60];
                rgb[class] += 120;
                image::Rgb(rgb)
            };
            image::RgbImage::from_fn(20 + i, 24, shade).save(pictures.join(name).join(format!("{i}.png"))).unwrap();
        }
    }
    pictures
}

fn spec(data: &Path, start: &Path, out: Option<&Path>, targets: &[&str]) -> TrainSpec {
    let out = out.map_or(String::new(), |out| format!("out = {out:?}"));
    let text = format!(
        "learning_rate = 0.02\nbatch_size = 8\nsteps = 60\neval_every = 4\nseed = 5\nvalidation_share = 0.2\n{out}\n\
         [start]\nfrom = \"folder\"\npath = {start:?}\n[task]\nkind = \"classify\"\ndata = {data:?}\n\
         [lora]\nrank = 4\nalpha = 8\ntargets = {targets:?}\n"
    );
    toml::from_str(&text).unwrap()
}

/// Trains to the end, or until so many steps are done.
fn train(
    script: &mut Script,
    model: ModelId,
    spec: &TrainSpec,
    until: Option<usize>,
) -> Result<TrainSummary, UserError> {
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Train(spec.clone())));
    if let Some(step) = until {
        script.until("some steps", |event| match event {
            Event::Trained { job: of, points } if *of == job => {
                points.iter().any(|point| point.step >= step).then_some(())
            }
            Event::Done { job: of, .. } | Event::Failed { job: Some(of), .. } if *of == job => panic!("{event:?}"),
            _ => None,
        });
        script.send(Command::Cancel { job });
    }
    match script.end(job)? {
        Outcome::Trained(summary) => Ok(summary),
        other => panic!("{other:?}"),
    }
}

fn ask(script: &mut Script, model: ModelId, work: Work) -> Result<Outcome, UserError> {
    let job = JobId::next();
    script.send(Command::start(job, model, work));
    script.end(job)
}

fn accuracy(script: &mut Script, model: ModelId, data: &Path) -> (f64, f64) {
    let asked = EvaluateSpec { data: data.to_owned(), part: Some(DataPart::Test), ..EvaluateSpec::default() };
    match ask(script, model, Work::Evaluate(asked)).unwrap() {
        Outcome::Evaluated(report) => match &*report {
            EvaluationReport::Classes { accuracy, loss, .. } => (*accuracy, *loss),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn open_with(script: &mut Script, base: &Path, adapter: &Path) -> ModelId {
    let id = script.open(base).id;
    let spec = AdapterSpec { path: adapter.to_owned(), setting: AdapterSetting::default() };
    ask(script, id, Work::OpenAdapter(spec)).unwrap();
    id
}

/// Bodies, what is changed in them, and what is saved as a whole.
const BODIES: [(&str, &[&str], &[&str]); 6] = [
    (
        "bert-bare",
        &["query", "value"],
        &["bert.pooler.dense.bias", "bert.pooler.dense.weight", "classifier.bias", "classifier.weight"],
    ),
    (
        "roberta",
        &["all-linear"],
        &["classifier.dense.bias", "classifier.dense.weight", "classifier.out_proj.bias", "classifier.out_proj.weight"],
    ),
    (
        "distilbert",
        &["q_lin", "v_lin"],
        &["classifier.bias", "classifier.weight", "pre_classifier.bias", "pre_classifier.weight"],
    ),
    ("gpt2", &["c_attn"], &["score.weight"]),
    ("llama", &["q_proj", "v_proj", "down_proj"], &["score.weight"]),
    ("gemma2", &["all-linear"], &["score.weight"]),
];

#[test]
fn an_adapter_and_a_head_are_learned_on_a_body_of_every_kind() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let dir = tempfile::tempdir().unwrap();
    let data = write_data(dir.path());
    for (name, targets, whole) in BODIES {
        let (base, out) = (golden_dir(name), dir.path().join(name));
        let model = ModelId::next();
        train(&mut script, model, &spec(&data, &base, Some(&out), targets), None)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        // The run leaves its base with the adapter on it; so does opening both.
        let trained = accuracy(&mut script, model, &data);
        let opened = open_with(&mut script, &base, &out);
        let again = accuracy(&mut script, opened, &data);
        assert!(trained.0 > 0.9, "{name}: {trained:?}");
        assert!(again.0 == trained.0 && (again.1 - trained.1).abs() < 1e-5, "{name}: {trained:?} {again:?}");
        let stored = Reference::open(&out.join("adapter_model.safetensors"));
        let of_head: Vec<String> = stored.names().into_iter().filter(|key| !key.contains(".lora_")).collect();
        let expected: Vec<String> = whole.iter().map(|key| format!("base_model.model.{key}")).collect();
        assert_eq!(of_head, expected, "{name}");
        assert!(!out.join("model.safetensors").exists() && out.join("labels.json").is_file(), "{name}");
        let settings: serde_json::Value =
            serde_json::from_slice(&std::fs::read(out.join("adapter_config.json")).unwrap()).unwrap();
        assert_eq!((&settings["task_type"], &settings["r"]), (&"SEQ_CLS".into(), &4.into()), "{name}");
        assert_eq!(settings["fan_in_fan_out"], serde_json::json!(name == "gpt2"));
        // Taken off, the body is what its folder holds.
        ask(&mut script, opened, Work::SetAdapter(None)).unwrap();
        let error = ask(&mut script, opened, Work::ClassifyTexts(vec!["ab".into()])).unwrap_err();
        assert!(error.to_string().contains("no head"), "{name}: {error}");
    }
}

#[test]
fn a_classifier_goes_on_with_its_head_beside_an_adapter() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("films.jsonl");
    let row = |i: usize| {
        let (text, label) = [("ab ab", "charming"), ("xy xy", "dull"), ("mn mn", "fine")][i % 3];
        format!("{{\"label\": {label:?}, \"text\": \"{text} {i}\"}}\n")
    };
    std::fs::write(&path, (0..60).map(row).collect::<String>()).unwrap();
    let (base, out) = (golden_dir("classifiers/roberta"), dir.path().join("out"));
    let id = script.open(&base).id;
    let scores = |script: &mut Script| match ask(script, id, Work::ClassifyTexts(vec!["ab xy".into()])).unwrap() {
        Outcome::TextsClassified(report) => report.texts[0].scores.clone(),
        other => panic!("{other:?}"),
    };
    let before = scores(&mut script);
    let mut spec = spec(&path, &base, Some(&out), &["query", "value"]);
    spec.start = StartFrom::OpenModel;
    train(&mut script, id, &spec, None).unwrap();
    let learned = scores(&mut script);
    assert_ne!(learned, before);
    // Off, and taken off, the classifier is what it was, to the last bit.
    ask(&mut script, id, Work::SetAdapter(Some(AdapterSetting { on: false, factor: 1.0 }))).unwrap();
    assert_eq!(scores(&mut script), before);
    ask(&mut script, id, Work::SetAdapter(Some(AdapterSetting::default()))).unwrap();
    assert_eq!(scores(&mut script), learned);
    ask(&mut script, id, Work::SetAdapter(None)).unwrap();
    assert_eq!(scores(&mut script), before);
    let again = open_with(&mut script, &base, &out);
    assert!(accuracy(&mut script, again, &path).0 > 0.9);
}

#[test]
fn a_stopped_run_goes_on_to_the_same_bytes() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let dir = tempfile::tempdir().unwrap();
    let (texts, pictures) = (write_data(dir.path()), write_pictures(dir.path()));
    let cases: [(&str, &Path, &[&str], Learns); 4] = [
        ("bert-bare", &texts, &["query", "value"], Learns::All),
        ("llama", &texts, &["all-linear"], Learns::LastLayers(1)),
        ("classifiers/distilbert", &texts, &["q_lin", "lin2"], Learns::All),
        ("vit", &pictures, &["query", "value"], Learns::All),
    ];
    for (name, data, targets, learns) in cases {
        let [whole, parts] =
            ["whole", "parts"].map(|kind| dir.path().join(format!("{kind}-{}", name.replace('/', "-"))));
        let start = golden_dir(name);
        let mut once = spec(data, &start, Some(&whole), targets);
        if let TrainTask::Classify(task) = &mut once.task {
            task.learns = learns;
        }
        let summary = train(&mut script, ModelId::next(), &once, None).unwrap();
        assert_eq!((summary.steps, summary.stopped_early), (60, false), "{name}");
        let halted = TrainSpec { out: Some(parts.clone()), ..once };
        let stopped = train(&mut script, ModelId::next(), &halted, Some(4)).unwrap();
        assert!(stopped.stopped_early, "{name} was done before it could be stopped");
        train(&mut script, ModelId::next(), &halted, None).unwrap();
        for file in ["adapter_model.safetensors", "adapter_config.json", "labels.json"] {
            let read = |folder: &Path| std::fs::read(folder.join(file)).unwrap();
            assert!(read(&whole) == read(&parts), "{name}: {file}");
        }
        let keys = Reference::open(&whole.join("adapter_model.safetensors")).names();
        let is_in = |part: &str| keys.iter().any(|key| key.contains(part));
        // The last block alone, where that is asked for.
        assert_eq!(is_in("layers.0.") || is_in("layer.0."), learns == Learns::All, "{name}");
        if name == "vit" {
            // The names are those of the targets.
            assert!(is_in("vit.encoder.layer.1.attention.attention.query.lora_A"), "{keys:?}");
            let opened = open_with(&mut script, &start, &whole);
            let (accuracy, _) = accuracy(&mut script, opened, data);
            assert!(accuracy > 0.9, "{accuracy}");
        }
    }
}

#[test]
fn what_cannot_be_learned_so_is_told_before_the_first_step() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let dir = tempfile::tempdir().unwrap();
    let data = write_data(dir.path());
    let bert = golden_dir("bert");
    let mut fails = |spec: TrainSpec, words: &str| {
        let error = train(&mut script, ModelId::next(), &spec, None).unwrap_err().to_string();
        assert!(error.contains(words), "{error:?} does not say {words:?}");
    };
    fails(spec(&data, &bert, None, &["c_attn"]), "query, key, value, dense");
    let mut head = spec(&data, &bert, None, &["query"]);
    if let TrainTask::Classify(task) = &mut head.task {
        task.learns = Learns::Head;
    }
    fails(head, "learn alone");
    let lora = LoraSpec { rank: 0, alpha: 1.0, rank_stabilised: false, targets: vec!["query".into()] };
    fails(TrainSpec { lora: Some(lora), ..spec(&data, &bert, None, &["query"]) }, "rank");
}

/// The accuracies of a run's validations, from its log.
fn accuracies(out: &Path) -> Vec<f64> {
    let log = std::fs::read_to_string(out.join("training-log.csv")).unwrap();
    let mut lines = log.lines();
    let column = lines.next().unwrap().split(',').position(|name| name == "validation_accuracy").unwrap();
    lines.filter_map(|line| line.split(',').nth(column)?.parse().ok()).collect()
}

#[test]
fn a_decoder_learns_to_say_labels_with_all_weights_and_with_an_adapter() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let dir = tempfile::tempdir().unwrap();
    let data = write_data(dir.path());
    for lora in [true, false] {
        let folder = |kind: &str| dir.path().join(format!("{kind}-{lora}"));
        let (whole, parts) = (folder("whole"), folder("parts"));
        let mut once = spec(&data, &golden_dir("llama"), Some(&whole), &["all-linear"]);
        (once.steps, once.eval_every) = (80, 8);
        if !lora {
            once.lora = None;
        }
        if let TrainTask::Classify(task) = &mut once.task {
            task.words = Some(LabelWords { template: "{input}, {output}".to_owned(), whole: false });
        }
        train(&mut script, ModelId::next(), &once, None).unwrap();
        let accuracies = accuracies(&whole);
        assert!(accuracies[0] < 0.5 && accuracies.iter().any(|accuracy| *accuracy > 0.9), "{lora}: {accuracies:?}");
        let halted = TrainSpec { out: Some(parts.clone()), ..once };
        assert!(train(&mut script, ModelId::next(), &halted, Some(4)).unwrap().stopped_early);
        train(&mut script, ModelId::next(), &halted, None).unwrap();
        let file = if lora { "adapter_model.safetensors" } else { "model.safetensors" };
        let read = |folder: &Path| std::fs::read(folder.join(file)).unwrap();
        assert!(read(&whole) == read(&parts), "{lora}");
        // It is a decoder that continues texts, as before.
        if lora {
            let settings = std::fs::read_to_string(whole.join("adapter_config.json")).unwrap();
            assert!(settings.contains("CAUSAL_LM"));
            open_with(&mut script, &golden_dir("llama"), &whole);
        }
    }
    let wrong = |change: &dyn Fn(&mut ClassifyTask)| {
        let mut spec = spec(&data, &golden_dir("llama"), None, &["all-linear"]);
        if let TrainTask::Classify(task) = &mut spec.task {
            task.words = Some(LabelWords::default());
            change(task);
        }
        spec
    };
    let mut fails = |spec: TrainSpec, words: &str| {
        let error = train(&mut script, ModelId::next(), &spec, None).unwrap_err().to_string();
        assert!(error.contains(words), "{error:?} does not say {words:?}");
    };
    let template = |task: &mut ClassifyTask| task.words.as_mut().unwrap().template = "{output}".to_owned();
    fails(wrong(&template), "{input}");
    let mut head = wrong(&|task| task.learns = Learns::Head);
    head.lora = None;
    fails(head, "no head for classes");
    fails(wrong(&|task| task.context = Some(6)), "does not fit");
    let mut encoder = wrong(&|_| {});
    encoder.start = StartFrom::Folder { path: golden_dir("bert") };
    fails(encoder, "said as words by a decoder");
}
