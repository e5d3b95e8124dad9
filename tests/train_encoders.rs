//! Encoders learn from text without labels: what is written, that a run which is stopped goes on as if it had never been, and what is said
//! where the text is not enough.

mod support;

use fovea::engine::{Command, Event, FillSpec, Outcome, Work};
use fovea::types::{BaselinesReport, BaselinesSpec, DeviceChoice, JobId, ModelId, TrainSpec, TrainSummary, UserError};
use std::path::{Path, PathBuf};
use support::root;
use support::script::Script;

/// Four stories, over and over in many words.
fn write_text(folder: &Path) -> PathBuf {
    let path = folder.join("stories.txt");
    let animals = ["cat", "dog", "bird", "mouse", "horse", "cow", "fox", "frog"];
    let places = ["garden", "house", "river", "tree", "road", "field"];
    let story = |i: usize| {
        let (animal, other, place) = (animals[i % 8], animals[(i / 3 + 1) % 8], places[i / 5 % 6]);
        format!(
            "Once there was a {animal} in the {place}. The {animal} wanted to play with a {other}. \"Come to the {place}!\" said the \
             {other}. They played in the {place} all day. Then the {animal} and the {other} went home.\n<|endoftext|>\n"
        )
    };
    std::fs::write(&path, (0..160).map(story).collect::<String>()).unwrap();
    path
}

fn masked(data: &Path, out: &Path, more: &str) -> TrainSpec {
    let text = format!(
        "learning_rate = 0.003\nbatch_size = 4\nsteps = 24\neval_every = 6\nvalidation_share = 0.1\nseed = 5\nclip_norm = 1.0\nout = {out:?}\n\
         {more}\n[task]\nkind = \"masked\"\ndata = [{data:?}]\ncontext = 24\n[task.shape]\nhidden = 16\nlayers = 2\nheads = 4\nintermediate = 32\n\
         max_positions = 32\nvocabulary = 120\ninit = \"counted\"\n"
    );
    toml::from_str(&text).unwrap()
}

fn contrastive(data: &Path, start: &Path, out: &Path, more: &str) -> TrainSpec {
    let text = format!(
        "learning_rate = 0.003\nbatch_size = 8\nsteps = 24\neval_every = 6\nvalidation_share = 0.1\nseed = 5\nout = {out:?}\n\
         [start]\nfrom = \"folder\"\npath = {start:?}\n[task]\nkind = \"contrastive\"\ndata = [{data:?}]\ncontext = 24\nmasked = 0.2\n\
         masked_sequences = 2\n{more}\n"
    );
    toml::from_str(&text).unwrap()
}

/// Trains to the end, or until so many steps are done; gives what was written on the way, too.
fn train(
    script: &mut Script,
    spec: &TrainSpec,
    until: Option<usize>,
) -> Result<(TrainSummary, Vec<String>), UserError> {
    let (job, mut samples) = (JobId::next(), Vec::new());
    script.send(Command::start(job, ModelId::next(), Work::Train(spec.clone())));
    let mut is_cancelled = false;
    loop {
        let next = script.until("the end of a run", |event| match event {
            Event::Sample { job: of, sample } if *of == job => Some(Next::Sample(sample.text.clone())),
            Event::Trained { job: of, points } if *of == job => {
                Some(Next::Step(points.last().map_or(0, |point| point.step)))
            }
            Event::Done { job: of, outcome } if *of == job => Some(Next::End(Ok(outcome.clone()))),
            Event::Failed { job: Some(of), error } if *of == job => Some(Next::End(Err(error.clone()))),
            _ => None,
        });
        match next {
            Next::Sample(text) => samples.push(text),
            Next::Step(step) if !is_cancelled && until.is_some_and(|until| step >= until) => {
                is_cancelled = true;
                script.send(Command::Cancel { job });
            }
            Next::Step(_) => {}
            Next::End(Ok(Outcome::Trained(summary))) => return Ok((summary, samples)),
            Next::End(Ok(other)) => panic!("{other:?}"),
            Next::End(Err(error)) => return Err(error),
        }
    }
}

enum Next {
    Sample(String),
    Step(usize),
    End(Result<Outcome, UserError>),
}

fn weights(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("model.safetensors")).unwrap()
}

#[test]
fn an_encoder_from_nothing_fills_blanks_and_then_tells_texts_apart() {
    let (mut script, dir) = (Script::start(DeviceChoice::Cpu), tempfile::tempdir().unwrap());
    let data = write_text(dir.path());
    let (blanks, sentences) = (dir.path().join("blanks"), dir.path().join("sentences"));
    let (summary, samples) = train(&mut script, &masked(&data, &blanks, ""), None).unwrap();
    assert_eq!((summary.steps, summary.examples), (24, 24 * 4 * 24));
    assert!(samples.len() >= 8 && samples.iter().all(|text| text.contains('[')), "{samples:?}");
    for file in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "run.json"]
    {
        assert!(blanks.join(file).is_file(), "{file}");
    }
    let words = std::fs::read_to_string(blanks.join("vocab.txt")).unwrap();
    assert!(words.starts_with("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"), "{words}");
    let log = std::fs::read_to_string(blanks.join("training-log.csv")).unwrap();
    let column = |row: &str, place: usize| row.split(',').nth(place).unwrap().parse::<f64>().ok();
    let losses: Vec<f64> = log.lines().skip(1).filter_map(|row| column(row, 4)).collect();
    assert!(losses.len() == 4 && losses[3] < losses[0], "it learns: {losses:?}");

    let info = script.open(&blanks);
    let job = JobId::next();
    let text = "The cat and the [MASK] went home.".to_owned();
    script.send(Command::start(job, info.id, Work::Fill(FillSpec { text, top: 3 })));
    let Outcome::Filled(report) = script.end(job).unwrap() else { panic!("a blank is filled") };
    assert_eq!(report.masks.len(), 1);

    let (_, samples) = train(&mut script, &contrastive(&data, &blanks, &sentences, ""), None).unwrap();
    assert!(samples.iter().all(|text| text.contains('~')), "{samples:?}");
    let info = script.open(&sentences);
    let reads = info.shape.encoder().unwrap();
    assert!(reads.is_sentence_model && reads.longest == 24 && reads.mask.as_deref() == Some("[MASK]"), "{reads:?}");
    let log = std::fs::read_to_string(sentences.join("training-log.csv")).unwrap();
    let accuracies: Vec<f64> = log.lines().skip(1).filter_map(|row| column(row, 5)).collect();
    assert!(accuracies.last() > accuracies.first(), "more texts find their partners: {accuracies:?}");
}

#[test]
fn a_stopped_run_goes_on_to_the_same_bytes() {
    let (mut script, dir) = (Script::start(DeviceChoice::Cpu), tempfile::tempdir().unwrap());
    let data = write_text(dir.path());
    let folder = |name: &str| dir.path().join(name);
    let [whole, parts, pairs, pairs_parts] = ["whole", "parts", "pairs", "pairs-parts"].map(folder);
    let more = "snapshots = [5]\n";
    train(&mut script, &masked(&data, &whole, more), None).unwrap();
    let (stopped, _) = train(&mut script, &masked(&data, &parts, more), Some(7)).unwrap();
    assert!(stopped.stopped_early, "it was done before it could be stopped");
    train(&mut script, &masked(&data, &parts, more), None).unwrap();
    assert!(weights(&whole) == weights(&parts), "blanks");
    for file in ["tokenizer.json", "vocab.txt", "config.json"] {
        let both = [&whole, &parts].map(|folder| std::fs::read(folder.join(file)).unwrap());
        assert!(both[0] == both[1], "{file}");
    }

    train(&mut script, &contrastive(&data, &whole, &pairs, ""), None).unwrap();
    let (stopped, _) = train(&mut script, &contrastive(&data, &whole, &pairs_parts, ""), Some(7)).unwrap();
    assert!(stopped.stopped_early);
    train(&mut script, &contrastive(&data, &whole, &pairs_parts, ""), None).unwrap();
    assert!(weights(&pairs) == weights(&pairs_parts), "pairs");
    assert!(pairs_parts.join("modules.json").is_file() && pairs_parts.join("1_Pooling/config.json").is_file());
}

#[test]
fn an_encoder_that_is_open_learns_on_and_one_without_a_head_is_refused() {
    let (mut script, dir) = (Script::start(DeviceChoice::Cpu), tempfile::tempdir().unwrap());
    let data = write_text(dir.path());
    let golden = |name: &str| root().join("tests/golden").join(name);
    let spec = |start: &Path, out: &str| {
        let mut spec = masked(&data, &dir.path().join(out), "");
        spec.start = fovea::types::StartFrom::Folder { path: start.to_owned() };
        spec.steps = 4;
        spec
    };
    for name in ["bert", "roberta", "distilbert"] {
        let (summary, _) = train(&mut script, &spec(&golden(name), name), None).unwrap();
        assert_eq!(summary.steps, 4, "{name}");
        assert!(script.open(&dir.path().join(name)).shape.encoder().unwrap().mask.is_some());
    }
    let error = train(&mut script, &spec(&golden("bert-bare"), "bare"), None).unwrap_err();
    assert!(error.what.contains("cannot learn to fill blanks") && error.next.contains("ForMaskedLM"), "{error}");
    assert!(!dir.path().join("bare/model.safetensors").exists());
}

#[test]
fn what_a_text_is_not_enough_for_is_said() {
    let (mut script, dir) = (Script::start(DeviceChoice::Cpu), tempfile::tempdir().unwrap());
    let out = dir.path().join("out");
    let text = |name: &str, words: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, words).unwrap();
        path
    };
    let mut error = |spec: TrainSpec| train(&mut script, &spec, None).unwrap_err();
    let short = text("short.txt", "A cat sat on a mat.");
    let told = error(masked(&short, &out, ""));
    assert!(told.what.contains("too short") && told.why.contains("a sequence takes"), "{told}");
    let one = text("one.txt", &"hello ".repeat(400));
    let told = error(masked(&one, &out, ""));
    assert!(told.what.contains("one word"), "{told}");
    let empty = text("empty.txt", "  \n\n ");
    assert!(error(masked(&empty, &out, "")).why.contains("holds no text"));
    let data = write_text(dir.path());
    let mut spec = masked(&data, &out, "");
    spec.batch_size = 0;
    assert!(error(spec).what.contains("batch_size"));
    let mut long = masked(&data, &out, "");
    if let fovea::types::TrainTask::Masked(task) = &mut long.task {
        task.context = 33;
    }
    assert!(error(long).why.contains("max_positions"));
    let golden = root().join("tests/golden/bert");
    for (more, word) in [
        ("temperature = 0.0", "temperature"),
        ("neighbours = 2.0", "neighbours"),
        ("deletion = 0.0", "deletion"),
        ("blanks = 0.0", "blanks"),
    ] {
        let told = error(contrastive(&data, &golden, &out, more));
        assert!(told.what.contains(word), "{told}");
    }
    let told = error(contrastive(&short, &golden, &out, ""));
    assert!(told.what.contains("too short"), "{told}");
    // A vocabulary beyond what the text has is no fault: there are as many tokens as it gives.
    let mut spec = masked(&data, &out, "");
    spec.steps = 2;
    if let fovea::types::TrainTask::Masked(task) = &mut spec.task {
        task.shape.as_mut().unwrap().vocabulary = 5000;
    }
    train(&mut script, &spec, None).unwrap();
    let config = std::fs::read_to_string(out.join("config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert!((60..1000).contains(&config["vocab_size"].as_u64().unwrap()), "{config}");
}

#[test]
fn counting_is_told_beside_what_a_model_reaches() {
    let (mut script, dir) = (Script::start(DeviceChoice::Cpu), tempfile::tempdir().unwrap());
    let data = write_text(dir.path());
    let spec = |share| BaselinesSpec {
        data: vec![data.clone()],
        context: Some(24),
        validation_share: share,
        seed: 5,
        vocabulary: 300,
        of_model: true,
    };
    let mut count = |model: ModelId, spec: BaselinesSpec| -> Result<BaselinesReport, UserError> {
        let job = JobId::next();
        script.send(Command::start(job, model, Work::Baselines(spec)));
        match script.end(job)? {
            Outcome::Counted(report) => Ok((*report).clone()),
            other => panic!("{other:?}"),
        }
    };
    let report = count(ModelId::next(), spec(0.1)).unwrap();
    let (next, blanks) = (report.next.unwrap(), report.blanks.unwrap());
    let bits: Vec<f64> = next.rows.iter().map(|row| row.bits_per_byte).collect();
    assert!(bits.len() == 4 && bits.is_sorted_by(|a, b| a > b), "each knows more than the one before: {bits:?}");
    assert!(next.gzip.bits_per_byte < 3.0 && next.bytes > next.tokens, "{next:?}");
    let right: Vec<f64> = blanks.rows.iter().map(|row| row.right).collect();
    assert!(right[0] < 0.3 && right[1] > right[0] && right[2] >= right[1] && right[2] > 0.5, "{blanks:?}");
    assert!(count(ModelId::next(), spec(0.0)).unwrap_err().what.contains("held out"));
}
