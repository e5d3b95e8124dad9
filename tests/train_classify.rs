//! Heads for classes are trained on bodies of every family: what learns, what stays, and that a run that is stopped goes on as if it
//! had never been.

#[path = "parity/reference.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod reference;
mod support;

use fovea::engine::{Command, Event, Outcome, Work};
use fovea::types::{
    ClassifyTask, DataPart, DeviceChoice, EvaluateSpec, EvaluationReport, JobId, Learns, ModelId, StartFrom, TrainSpec,
    TrainSummary, TrainTask, UserError,
};
use reference::{Reference, golden_dir};
use std::collections::BTreeSet;
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

fn spec(data: &Path, start: &Path, out: Option<&Path>, learns: Learns) -> TrainSpec {
    let out = out.map_or(String::new(), |out| format!("out = {out:?}"));
    let text = format!(
        "learning_rate = 0.01\nbatch_size = 8\nsteps = 60\neval_every = 4\nseed = 5\nvalidation_share = 0.2\n{out}\n\
         [start]\nfrom = \"folder\"\npath = {start:?}\n[task]\nkind = \"classify\"\ndata = {data:?}\n"
    );
    let mut spec: TrainSpec = toml::from_str(&text).unwrap();
    if let TrainTask::Classify(task) = &mut spec.task {
        task.learns = learns;
    }
    spec
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

fn evaluate(script: &mut Script, model: ModelId, spec: EvaluateSpec) -> Result<EvaluationReport, UserError> {
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Evaluate(spec)));
    match script.end(job)? {
        Outcome::Evaluated(report) => Ok((*report).clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stopped_run_goes_on_to_the_same_bytes_whatever_learns() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let dir = tempfile::tempdir().unwrap();
    let data = write_data(dir.path());
    for name in ["classifiers/distilbert", "classifiers/llama", "classifiers/bert"] {
        for learns in [Learns::Head, Learns::LastLayers(1), Learns::All] {
            let folder = |kind: &str| dir.path().join(format!("{}-{kind}-{}", name.replace('/', "-"), learns.words()));
            let (whole, parts) = (folder("whole"), folder("parts"));
            let start = golden_dir(name);
            let summary =
                train(&mut script, ModelId::next(), &spec(&data, &start, Some(&whole), learns), None).unwrap();
            assert_eq!((summary.steps, summary.stopped_early), (60, false));
            let halted = spec(&data, &start, Some(&parts), learns);
            let stopped = train(&mut script, ModelId::next(), &halted, Some(4)).unwrap();
            assert!(stopped.stopped_early, "{name}: {learns:?} was done before it could be stopped");
            train(&mut script, ModelId::next(), &halted, None).unwrap();
            let weights = |folder: &Path| std::fs::read(folder.join("model.safetensors")).unwrap();
            assert!(weights(&whole) == weights(&parts), "{name}: {learns:?}");
        }
    }
}

#[test]
fn what_is_frozen_stays_and_what_learns_changes() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let dir = tempfile::tempdir().unwrap();
    let data = write_data(dir.path());
    for (name, pooler, blocks) in
        [("classifiers/bert", "bert.pooler.", "bert.encoder.layer."), ("classifiers/gpt2", "none", "transformer.h.")]
    {
        for learns in [Learns::Head, Learns::LastLayers(1), Learns::All] {
            let out = dir.path().join(format!("{}-{}", name.replace('/', "-"), learns.words()));
            let start = golden_dir(name);
            train(&mut script, ModelId::next(), &spec(&data, &start, Some(&out), learns), None).unwrap();
            let before = Reference::open(&start.join("model.safetensors"));
            let after = Reference::open(&out.join("model.safetensors"));
            assert_eq!(before.names(), after.names(), "{name}");
            for tensor in after.names() {
                let is_head = tensor.starts_with("classifier") || tensor.starts_with("score");
                let expected = match learns {
                    Learns::All => true,
                    _ if is_head || tensor.starts_with(pooler) => true,
                    Learns::Head => false,
                    Learns::LastLayers(_) => {
                        tensor.starts_with(&format!("{blocks}1.")) || tensor.starts_with("transformer.ln_f")
                    }
                };
                // Another number of classes: a new head.
                let (before, after) = (before.values(&tensor), after.values(&tensor));
                let changed = before.len() != after.len() || before != after;
                assert_eq!(changed, expected, "{name}: {learns:?}: {tensor}");
            }
        }
    }
}

#[test]
fn a_body_of_every_family_learns_what_can_be_learned() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let dir = tempfile::tempdir().unwrap();
    let data = write_data(dir.path());
    // A decoder with a head of its own, encoders with and without heads for masks; a BERT without a pooler is given one.
    for name in ["gpt2", "llama", "gpt-neox", "qwen2", "gemma2", "bert", "roberta", "distilbert"] {
        let start = golden_dir(name);
        let out = dir.path().join(name);
        let mut spec = spec(&data, &start, Some(&out), Learns::All);
        (spec.steps, spec.eval_every, spec.learning_rate) = (60, 20, 5e-3);
        let model = ModelId::next();
        train(&mut script, model, &spec, None).unwrap_or_else(|error| panic!("{name}: {error}"));
        let asked = EvaluateSpec { data: data.clone(), part: Some(DataPart::Test), ..EvaluateSpec::default() };
        // The folder alone tells how its data was split.
        for model in [model, script.open(&out).id] {
            let report = evaluate(&mut script, model, asked.clone()).unwrap();
            let EvaluationReport::Classes { examples, accuracy, macro_f1, labels, .. } = report else {
                panic!("{name}")
            };
            assert_eq!((examples, labels.join(" ")), (12, "high low middle".to_owned()), "{name}");
            assert!(accuracy > 0.9 && macro_f1 > 0.9, "{name}: {accuracy} {macro_f1}");
        }
        let beside: serde_json::Value =
            serde_json::from_slice(&std::fs::read(out.join("labelled.json")).unwrap()).unwrap();
        assert_eq!(beside["counts"].as_array().unwrap().len(), 3, "{name}");
    }
}

#[test]
fn an_open_classifier_goes_on_with_its_head() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("films.jsonl");
    let row = |i: usize| {
        let (text, label) = [("ab ab", "charming"), ("xy xy", "dull"), ("mn mn", "fine")][i % 3];
        format!("{{\"label\": {label:?}, \"text\": \"{text} {i}\"}}\n")
    };
    std::fs::write(&path, (0..60).map(row).collect::<String>()).unwrap();
    let id = script.open(&golden_dir("classifiers/roberta")).id;
    let mut spec = spec(&path, Path::new(""), None, Learns::All);
    spec.start = StartFrom::OpenModel;
    (spec.steps, spec.learning_rate) = (40, 5e-3);
    train(&mut script, id, &spec, None).unwrap();
    let report = evaluate(&mut script, id, EvaluateSpec { data: path.clone(), ..EvaluateSpec::default() }).unwrap();
    let EvaluationReport::Classes { accuracy, labels, .. } = report else { panic!() };
    // The order of its classes stays.
    assert_eq!(labels, ["dull", "fine", "charming"]);
    assert!(accuracy > 0.9, "{accuracy}");

    let other = write_data(dir.path());
    let TrainTask::Classify(task) = spec.task.clone() else { unreachable!() };
    let task = TrainTask::Classify(ClassifyTask { data: other, ..task });
    let error = train(&mut script, id, &TrainSpec { task, ..spec }, None).unwrap_err();
    assert!(error.what.contains("other classes"), "{error}");
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
            let picture = image::RgbImage::from_fn(20 + i, 24, shade);
            picture.save(pictures.join(name).join(format!("{i}.png"))).unwrap();
        }
    }
    pictures
}

#[test]
fn a_vision_transformer_learns_from_folders_and_goes_on_where_it_was_stopped() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let dir = tempfile::tempdir().unwrap();
    let data = write_pictures(dir.path());
    for (name, learns) in
        [("vit", Learns::Head), ("vit", Learns::LastLayers(1)), ("deit", Learns::All), ("vit-gray", Learns::All)]
    {
        let [whole, parts] =
            ["whole", "parts"].map(|kind| dir.path().join(format!("{name}-{kind}-{}", learns.words())));
        let start = golden_dir(name);
        let mut once = spec(&data, &start, Some(&whole), learns);
        once.learning_rate = 0.02;
        train(&mut script, ModelId::next(), &once, None).unwrap();
        let halted = TrainSpec { out: Some(parts.clone()), ..once };
        assert!(train(&mut script, ModelId::next(), &halted, Some(4)).unwrap().stopped_early);
        train(&mut script, ModelId::next(), &halted, None).unwrap();
        let weights = |folder: &Path| std::fs::read(folder.join("model.safetensors")).unwrap();
        assert!(weights(&whole) == weights(&parts), "{name}: {learns:?}");

        let id = script.open(&whole).id;
        let asked = EvaluateSpec { data: data.clone(), part: Some(DataPart::Test), ..EvaluateSpec::default() };
        let report = evaluate(&mut script, id, asked).unwrap();
        let EvaluationReport::Classes { examples, accuracy, labels, .. } = report else { panic!("{name}") };
        assert_eq!((examples, labels.join(" ")), (6, "blue green red".to_owned()), "{name}");
        assert!(accuracy > 0.9, "{name}: {learns:?}: {accuracy}");
        if learns == Learns::Head {
            let [before, after] = [&start, &whole].map(|dir| Reference::open(&dir.join("model.safetensors")));
            let changed = |name: &String| before.has(name) && before.values(name) != after.values(name);
            assert!(after.names().iter().all(|name| name.starts_with("classifier") || !changed(name)));
        }
    }
    // What is no picture is told before anything is learned.
    std::fs::write(data.join("red/broken.png"), "no picture").unwrap();
    let broken = spec(&data, &golden_dir("vit"), None, Learns::Head);
    let error = train(&mut script, ModelId::next(), &broken, None).unwrap_err().to_string();
    assert!(error.contains("broken.png"), "{error}");
    let bert = spec(&data, &golden_dir("bert"), None, Learns::Head);
    let error = train(&mut script, ModelId::next(), &bert, None).unwrap_err().to_string();
    assert!(error.contains("vision transformer"), "{error}");
}

#[test]
fn what_cannot_be_learned_is_told_before_the_first_step() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let good = write_data(dir.path());
    let bert = golden_dir("bert");
    let mut told = BTreeSet::new();
    let mut fails = |spec: TrainSpec, words: &str| {
        let error = train(&mut script, ModelId::next(), &spec, None).unwrap_err().to_string();
        assert!(error.contains(words), "{error:?} does not say {words:?}");
        told.insert(words.to_owned());
    };
    let one = write("one.csv", "text,label\na,x\nb,x\n");
    fails(spec(&one, &bert, None, Learns::All), "one label only");
    let blank = write("blank.csv", "text,label\n,x\n ,y\n");
    fails(spec(&blank, &bert, None, Learns::All), "2 have no text");
    fails(spec(&dir.path().join("none.csv"), &bert, None, Learns::All), "none.csv");
    fails(spec(&good, &golden_dir("vit"), None, Learns::All), "pre-trained body");
    let scratch = TrainSpec { start: StartFrom::Scratch, ..spec(&good, &bert, None, Learns::All) };
    fails(scratch, "pre-trained body");
    let with = |change: &dyn Fn(&mut ClassifyTask)| {
        let mut spec = spec(&good, &bert, None, Learns::Head);
        if let TrainTask::Classify(task) = &mut spec.task {
            change(task);
        }
        spec
    };
    let unseen = write("test.csv", "text,label\nabab,low\nqqqq,sideways\n");
    fails(with(&|task| task.test = Some(unseen.clone())), "\"sideways\" (1 examples)");
    fails(with(&|task| task.context = Some(4096)), "4096 tokens");
    fails(with(&|task| task.text = Some("body".into())), "\"body\"");
    fails(with(&|task| task.test_share = 1.5), "share");
    assert_eq!(told.len(), 8);
}
