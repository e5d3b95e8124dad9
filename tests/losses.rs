//! What single examples cost before and after a run, held against what the same models are measured with elsewhere.

#[path = "parity/reference.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod reference;
mod support;

use fovea::engine::{
    AdapterSpec, Command, Event, GenerateSpec, Outcome, PromptInput, SurpriseSpec, Work, read_run_record,
};
use fovea::types::{
    AdapterSetting, BeforeModel, DataPart, DeviceChoice, EvaluateSpec, EvaluationReport, JobId, LossOrder, LossesData,
    LossesReport, LossesSpec, LossesSummary, ModelId, RunRecord, Sampling, TrainSpec, TrainSummary, UserError,
};
use reference::golden_dir;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use support::data::one_digit_folder;
use support::root;
use support::script::Script;

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-5
}

/// A text of some hundred tokens for tokenizers that read letters.
fn write_text(folder: &Path, count: usize) -> PathBuf {
    let path = folder.join("letters.txt");
    let letters: String = (0..count).map(|i| char::from(b'a' + ((i * i + i / 3) % 26) as u8)).collect();
    std::fs::write(&path, letters).unwrap();
    path
}

fn train(script: &mut Script, model: ModelId, spec: &TrainSpec) -> TrainSummary {
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Train(spec.clone())));
    match script.end(job).unwrap() {
        Outcome::Trained(summary) => summary,
        other => panic!("{other:?}"),
    }
}

fn compare(script: &mut Script, after: ModelId, spec: LossesSpec) -> Result<Arc<LossesReport>, UserError> {
    let job = JobId::next();
    script.send(Command::start(job, after, Work::CompareLosses(spec)));
    match script.end(job)? {
        Outcome::LossesCompared(report) => Ok(report),
        other => panic!("{other:?}"),
    }
}

fn evaluate(script: &mut Script, model: ModelId, data: &Path, part: Option<DataPart>) -> EvaluationReport {
    let job = JobId::next();
    let spec = EvaluateSpec { data: data.to_owned(), beside_full: false, part, columns: [None, None] };
    script.send(Command::start(job, model, Work::Evaluate(spec)));
    match script.end(job).unwrap() {
        Outcome::Evaluated(report) => (*report).clone(),
        other => panic!("{other:?}"),
    }
}

fn file(path: &Path, context: Option<usize>) -> LossesData {
    LossesData::File { path: path.to_owned(), columns: [None, None], context }
}

fn of_run(record: &RunRecord, part: DataPart) -> LossesSpec {
    let data = LossesData::Run(Box::new(record.spec.clone()), part);
    LossesSpec { before: BeforeModel::Run(Box::new(record.clone())), data, most: 1000 }
}

/// The record of a run that is kept.
fn record(out: &Path) -> RunRecord {
    read_run_record(out).unwrap()
}

fn text_spec(data: &Path, start: &Path, out: &Path, more: &str) -> TrainSpec {
    let text = format!(
        "learning_rate = 0.01\nbatch_size = 4\nsteps = 12\neval_every = 3\nseed = 5\nvalidation_share = 0.25\n\
         out = {out:?}\n{more}\n[start]\nfrom = \"folder\"\npath = {start:?}\n[task]\nkind = \"text\"\ncontext = 16\n\
         data = [{data:?}]\n"
    );
    toml::from_str(&text).unwrap()
}

#[test]
fn passages_cost_what_evaluation_surprise_and_the_curve_say() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let (dir, base) = (tempfile::tempdir().unwrap(), golden_dir("gpt2"));
    let (text, out) = (write_text(dir.path(), 400), dir.path().join("run"));
    let tuned = ModelId::next();
    let summary = train(&mut script, tuned, &text_spec(&text, &base, &out, ""));
    let record = record(&out);
    let base = script.open(&base).id;

    // Validation, a passage a row: all together what the curve has of the best weights, which the model has.
    let validation = compare(&mut script, tuned, of_run(&record, DataPart::Validation)).unwrap();
    let (before, best) = (validation.summary().losses[0], summary.best.unwrap().1);
    let windows = &LossesReport { rows: validation.rows[..6].to_vec(), ..(*validation).clone() };
    assert_eq!((validation.rows.len(), validation.of, validation.rows[6].count), (7, 7, 3), "100 tokens, 99 predicted");
    assert!(near(windows.summary().losses[1], best), "{:?} and {best}", windows.summary());
    assert!(best < before, "it learned something");
    assert_eq!(validation.models, ["gpt2".to_owned(), "run".to_owned()]);
    assert_eq!(validation.data, "letters.txt, validation part");

    // Each token of a passage costs what `surprise` says of it, before and after.
    let row = &validation.rows[2];
    for (side, model) in [base, tuned].into_iter().enumerate() {
        let (job, ids) = (JobId::next(), row.tokens.iter().map(|token| token.id).collect());
        let spec = SurpriseSpec { prompt: PromptInput::Ids(ids), edits: Vec::new() };
        script.send(Command::start(job, model, Work::Surprise(spec)));
        let Outcome::Surprised(report) = script.end(job).unwrap() else { panic!() };
        assert!(near(report.nats() / report.count() as f64, row.losses[side]));
        for (told, token) in report.tokens.iter().zip(&row.tokens) {
            let ours = token.losses.map(|losses| f64::from(losses[side]));
            assert!(told.log_prob.zip(ours).is_none_or(|(a, b)| near(-a, b)), "{told:?} {token:?}");
            assert_eq!((told.log_prob.is_some(), &told.text), (ours.is_some(), &token.text));
        }
    }

    // A text that fits into one window: what evaluation says of both.
    let short = dir.path().join("short.txt");
    std::fs::write(&short, "a text in letters").unwrap();
    let spec = |before| LossesSpec { before, data: file(&short, None), most: 1000 };
    let one = compare(&mut script, tuned, spec(BeforeModel::Open(base))).unwrap();
    assert_eq!(one.rows.len(), 1);
    for (side, model) in [base, tuned].into_iter().enumerate() {
        let EvaluationReport::Text { loss, tokens, .. } = evaluate(&mut script, model, &short, None) else { panic!() };
        assert!(near(loss, one.rows[0].losses[side]) && tokens == one.rows[0].count, "{loss} {:?}", one.rows[0]);
    }
    let again = compare(&mut script, tuned, spec(BeforeModel::Run(Box::new(record.clone())))).unwrap();
    assert_eq!(again.rows, one.rows, "what the run began with is the base");

    // Fewer than there are, spread over all.
    let train = LossesSpec { most: 3, ..of_run(&record, DataPart::Train) };
    let train = compare(&mut script, tuned, train).unwrap();
    assert_eq!((train.of, train.rows.iter().map(|row| row.place).collect::<Vec<_>>()), (19, vec![0, 6, 12]));

    // What cannot be compared.
    let mut fails = |spec: LossesSpec| compare(&mut script, tuned, spec).unwrap_err();
    let digits = BeforeModel::Open(ModelId::next());
    assert_eq!(fails(spec(digits)).what, "The model is not open.");
    assert!(fails(of_run(&record, DataPart::Test)).what.contains("nothing in the test part"));
    assert!(fails(spec(BeforeModel::Base)).what.contains("has no adapter"));
    let mut moved = record.clone();
    moved.start.as_mut().unwrap().weights = dir.path().join("gone");
    moved.start.as_mut().unwrap().path = dir.path().join("gone");
    assert!(fails(of_run(&moved, DataPart::Validation)).what.contains("is not there any more"));
    let mut other = record.clone();
    other.start.as_mut().unwrap().sha256 = Some("00".repeat(32));
    assert!(fails(of_run(&other, DataPart::Validation)).what.contains("are not those the run began with"));
    std::fs::write(&short, "").unwrap();
    fails(spec(BeforeModel::Open(base)));
    let llama = script.open(&golden_dir("llama")).id;
    let mlp = script.open(&root().join("models/digits-mlp")).id;
    std::fs::write(&short, "a text").unwrap();
    let mut fails = |spec: LossesSpec| compare(&mut script, tuned, spec).unwrap_err();
    assert!(fails(spec(BeforeModel::Open(mlp))).what.contains("different kinds"));
    let _ = llama;
}

#[test]
fn without_its_adapter_a_model_is_its_base() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let (dir, base) = (tempfile::tempdir().unwrap(), golden_dir("llama"));
    let (text, out) = (write_text(dir.path(), 400), dir.path().join("run"));
    let lora = "[lora]\nrank = 2\nalpha = 8\ntargets = [\"q_proj\", \"v_proj\"]";
    let tuned = ModelId::next();
    train(&mut script, tuned, &text_spec(&text, &base, &out, lora));
    let record = record(&out);
    let spec = of_run(&record, DataPart::Validation);
    let without = compare(&mut script, tuned, LossesSpec { before: BeforeModel::Base, ..spec.clone() }).unwrap();
    let from_file = compare(&mut script, tuned, spec.clone()).unwrap();
    assert_eq!(without.rows, from_file.rows);
    assert_eq!(without.models[0], "llama");
    assert!(without.models[1].starts_with("llama + "), "{:?}", without.models);
    assert!(without.summary().better > 0 && without.rows.iter().any(|row| row.change() != 0.0));

    // What it wrote, on a base that is opened anew, costs the same.
    let (opened, alone) = (script.open(&base).id, script.open(&base).id);
    let job = JobId::next();
    let adapter = AdapterSpec { path: out, setting: AdapterSetting::default() };
    script.send(Command::start(job, opened, Work::OpenAdapter(adapter)));
    script.end(job).unwrap();
    let again = compare(&mut script, opened, LossesSpec { before: BeforeModel::Base, ..spec }).unwrap();
    for (a, b) in again.rows.iter().zip(&without.rows) {
        assert!((0..2).all(|side| near(a.losses[side], b.losses[side])), "{a:?} {b:?}");
    }

    // Two columns are two generations: that of the base says what the base says alone, and leaves the adapter where it is.
    let sampling = Sampling { max_new_tokens: 12, temperature: 1.0, seed: 3, ..Sampling::default() };
    let spec = GenerateSpec { prompt: "abcabc".into(), sampling, edits: Vec::new() };
    let mut says = |model: ModelId, work: Work| -> Vec<(u32, f32)> {
        let job = JobId::next();
        script.send(Command::start(job, model, work));
        let mut tokens = Vec::new();
        script.until("the end of a generation", |event| match event {
            Event::Token { job: of, token } if *of == job => {
                tokens.push((token.id, token.logprob));
                None
            }
            Event::Done { job: of, .. } if *of == job => Some(()),
            Event::Failed { job: Some(of), .. } if *of == job => panic!("{event:?}"),
            _ => None,
        });
        tokens
    };
    let generate = || Work::Generate(spec.clone());
    let tuned_before = says(opened, generate());
    let of_base = says(opened, Work::OnBase(Box::new(generate())));
    assert_eq!(of_base, says(alone, generate()), "to the last bit");
    assert_eq!(tuned_before, says(opened, generate()));
    assert_ne!(tuned_before, of_base, "the adapter changes something");

    // Both at once: the one does not see the other's weights.
    let [both, base] = [generate(), Work::OnBase(Box::new(generate()))].map(|work| (JobId::next(), work));
    for (job, work) in [&both, &base] {
        script.send(Command::start(*job, opened, work.clone()));
    }
    let mut tokens = [Vec::new(), Vec::new()];
    let mut ended = 0;
    script.until("both ends", |event| {
        for (side, (job, _)) in [&both, &base].into_iter().enumerate() {
            match event {
                Event::Token { job: of, token } if of == job => tokens[side].push((token.id, token.logprob)),
                Event::Done { job: of, .. } if of == job => ended += 1,
                Event::Failed { .. } => panic!("{event:?}"),
                _ => {}
            }
        }
        (ended == 2).then_some(())
    });
    assert_eq!(tokens, [tuned_before, of_base]);

    // Without an adapter there is no base.
    let job = JobId::next();
    script.send(Command::start(job, alone, Work::OnBase(Box::new(generate()))));
    assert!(script.end(job).unwrap_err().what.contains("has no adapter"));
}

/// Texts that are easy to tell apart for who reads letters.
fn write_labelled(folder: &Path) -> PathBuf {
    let path = folder.join("letters.csv");
    let row = |i: usize| {
        let (word, label) = [("abab", "low"), ("xyxy", "high"), ("mnmn", "middle")][i % 3];
        format!("\"{}{}\",{label}\n", word.repeat(1 + i % 4), char::from(b'a' + (i / 12) as u8))
    };
    std::fs::write(&path, format!("text,label\n{}", (0..120).map(row).collect::<String>())).unwrap();
    path
}

#[test]
fn labelled_texts_cost_what_evaluation_says_also_with_the_head_the_run_drew() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let dir = tempfile::tempdir().unwrap();
    let (data, out) = (write_labelled(dir.path()), dir.path().join("run"));
    let text = |steps: usize, out: &Path| {
        format!(
            "learning_rate = 0.01\nbatch_size = 8\nsteps = {steps}\neval_every = 5\nseed = 5\nvalidation_share = 0.2\n\
             out = {out:?}\n[start]\nfrom = \"folder\"\npath = {:?}\n[task]\nkind = \"classify\"\ndata = {data:?}\n",
            golden_dir("bert")
        )
    };
    let tuned = ModelId::next();
    train(&mut script, tuned, &toml::from_str(&text(20, &out)).unwrap());
    let record = record(&out);
    for part in [DataPart::Validation, DataPart::Test] {
        let report = compare(&mut script, tuned, of_run(&record, part)).unwrap();
        let summary: LossesSummary = report.summary();
        let EvaluationReport::Classes { examples, accuracy, loss, .. } =
            evaluate(&mut script, tuned, &data, Some(part))
        else {
            panic!()
        };
        assert_eq!((report.rows.len(), summary.told), (examples, examples));
        assert!(near(loss, summary.losses[1]), "{loss} {summary:?}");
        assert_eq!((accuracy * examples as f64).round() as usize, summary.right[1]);
        assert!(summary.losses[0] > summary.losses[1], "{summary:?}");
        assert_eq!(report.models, ["bert with the new head".to_owned(), "run".to_owned()]);
        for row in &report.rows {
            let told = row.told.as_ref().unwrap();
            assert!((0..2).all(|side| near((-row.losses[side]).exp(), told.probabilities[side])));
            assert!(row.text.contains(
                ["ab", "xy", "mn"]
                    [["low", "high", "middle"].iter().position(|label| *label == report.label(told.label)).unwrap()]
            ));
        }
    }
    // The head of step 0 is drawn once more: a run that learns next to nothing begins with the same losses.
    let idle = dir.path().join("idle");
    let mut spec: TrainSpec = toml::from_str(&text(1, &idle)).unwrap();
    spec.learning_rate = 1e-12;
    let unlearned = ModelId::next();
    train(&mut script, unlearned, &spec);
    let begun = compare(&mut script, tuned, of_run(&record, DataPart::Validation)).unwrap();
    let idle = compare(&mut script, unlearned, of_run(&record, DataPart::Validation)).unwrap();
    for (a, b) in begun.rows.iter().zip(&idle.rows) {
        assert!(near(a.losses[0], b.losses[1]), "{a:?} {b:?}");
    }
    // Of a file with one class alone.
    let alone = dir.path().join("alone.csv");
    std::fs::write(&alone, "text,label\nabab,low\n").unwrap();
    let before = BeforeModel::Run(Box::new(record));
    let spec = LossesSpec { before, data: file(&alone, None), most: 10 };
    let report = compare(&mut script, tuned, spec.clone()).unwrap();
    assert_eq!((report.rows.len(), report.label(report.rows[0].told.as_ref().unwrap().label)), (1, "low"));
    std::fs::write(&alone, "text,label\nabab,unheard\n").unwrap();
    assert!(compare(&mut script, tuned, spec).unwrap_err().what.contains("unheard"));
}

#[test]
fn digits_are_compared_with_the_weights_that_were_drawn_and_what_is_there_is_kept() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let dir = tempfile::tempdir().unwrap();
    one_digit_folder(dir.path());
    let out = dir.path().join("run");
    let text = format!(
        "learning_rate = 0.003\nbatch_size = 20\nsteps = 30\neval_every = 10\nseed = 5\nvalidation_share = 0.1\n\
         out = {out:?}\n[start]\nfrom = \"scratch\"\n[task]\nkind = \"digits\"\nnetwork = \"mlp\"\ndata = {:?}\n",
        dir.path()
    );
    let tuned = ModelId::next();
    train(&mut script, tuned, &toml::from_str(&text).unwrap());
    let record = record(&out);
    let report = compare(&mut script, tuned, of_run(&record, DataPart::Test)).unwrap();
    let EvaluationReport::Digits { images, loss, .. } = evaluate(&mut script, tuned, dir.path(), None) else {
        panic!()
    };
    assert!(near(loss, report.summary().losses[1]) && report.rows.len() == images);
    assert_eq!(report.models[0], "random weights");
    assert!(report.summary().losses[0] > report.summary().losses[1]);
    assert!(report.rows.iter().all(|row| row.pixels.len() == 784 && row.told.is_some()));
    let harmed = LossOrder::Harm.sorted(&report.rows);
    assert!(harmed.is_sorted_by(|a, b| report.rows[*a].change() >= report.rows[*b].change()));

    // It is told as it is measured, and stopped it ends with what there is.
    let slow = script.open_slow(dir.path());
    let text = dir.path().join("long.txt");
    std::fs::write(&text, "word ".repeat(4000)).unwrap();
    let job = JobId::next();
    let spec = LossesSpec { before: BeforeModel::Open(slow.id), data: file(&text, Some(64)), most: 1000 };
    script.send(Command::start(job, slow.id, Work::CompareLosses(spec)));
    let first = script.until("what there is so far", |event| match event {
        Event::SoFar { job: of, outcome: Outcome::LossesCompared(report) } if *of == job => Some(report.rows.len()),
        Event::Failed { .. } => panic!("{event:?}"),
        _ => None,
    });
    script.send(Command::Cancel { job });
    let Outcome::LossesCompared(report) = script.end(job).unwrap() else { panic!() };
    assert!(report.rows.len() >= first && report.rows.len() < report.asked, "{} {}", report.rows.len(), report.asked);
    assert!(report.rows.iter().all(|row| row.change() == 0.0), "a model beside itself");
}

fn fovea(arguments: &[&str]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fovea"));
    command.current_dir(root()).env_remove("RUST_LOG").env_remove("FOVEA_MODELS");
    command.args(arguments).args(["--device", "cpu"]).output().unwrap()
}

#[test]
fn the_command_line_finds_model_and_data_of_a_run_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (text, out) = (write_text(dir.path(), 400), dir.path().join("run"));
    {
        let mut script = Script::start(DeviceChoice::Cpu);
        train(&mut script, ModelId::next(), &text_spec(&text, &golden_dir("gpt2"), &out, ""));
    }
    let (model, table) = (out.to_str().unwrap(), dir.path().join("rows.csv"));
    let said = fovea(&["compare", "--model", model, "--top", "2", "--out", table.to_str().unwrap()]);
    assert_eq!(said.status.code(), Some(0), "{}", String::from_utf8_lossy(&said.stderr));
    let words = String::from_utf8(said.stdout).unwrap();
    assert!(words.starts_with("gpt2 → run on letters.txt, validation part\nBetter on "), "{words}");
    assert!(words.contains("\nHelped most, in nats a token:\n"), "{words}");
    let mut reader = csv::Reader::from_path(&table).unwrap();
    assert_eq!(reader.records().count(), 7);

    let said = fovea(&["compare", "--model", model, "--before", "tests/golden/gpt2", "--json", "--split", "train"]);
    let lines: Vec<Value> =
        String::from_utf8(said.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (summary, rows) = lines.split_last().unwrap();
    assert_eq!((summary["examples"].as_u64(), rows.len()), (Some(19), 19));
    assert!(rows[0].get("tokens").is_none() && rows[0]["losses"].as_array().unwrap().len() == 2);

    let failed = |arguments: &[&str]| {
        let said = fovea(arguments);
        assert_eq!(said.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(said.stderr).unwrap()
    };
    let said =
        fovea(&["generate", "--model", "sprout", "--beside", "seedling", "--prompt", "Once", "--max-new-tokens", "4"]);
    let both = String::from_utf8(said.stdout).unwrap();
    let mut alone = String::new();
    for (place, name) in ["sprout", "seedling"].into_iter().enumerate() {
        let said = fovea(&["generate", "--model", name, "--prompt", "Once", "--max-new-tokens", "4"]);
        let between = if place > 0 { "\n" } else { "" };
        alone += &format!("{between}# {name}\n{}", String::from_utf8(said.stdout).unwrap());
    }
    assert_eq!(both, alone, "two answers beside each other are two answers");
    assert!(failed(&["compare", "--model", "tests/golden/gpt2", "--data", "README.md"]).contains("with --before"));
    let other = ["compare", "--model", model, "--before", "tests/golden/bert", "--data", "README.md"];
    assert!(failed(&other).contains("different kinds"));
    let other = ["compare", "--model", "sprout", "--before", "seedling", "--data", "README.md"];
    assert!(failed(&other).contains("split texts into other tokens"));
}

/// Tables and a text that few-shot documents are written from.
fn write_tables(dir: &Path) {
    let words = ["sun", "moon", "tree", "apple", "dog", "cat", "bird", "house"];
    let rows: String = words.iter().map(|word| format!("{word}\t{word}s\n")).collect();
    std::fs::create_dir(dir.join("tables")).unwrap();
    std::fs::write(dir.join("tables/plurals.tsv"), format!("# kind: fact\ninput\toutput\n{rows}")).unwrap();
    let text: String = (0..600).map(|i| format!("the {} and the {}. ", words[i % 8], words[(i * i) % 7])).collect();
    std::fs::write(dir.join("text.txt"), text).unwrap();
}

#[test]
fn documents_of_a_few_shot_run_cost_what_its_curve_says_and_it_began_with_drawn_weights() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let dir = tempfile::tempdir().unwrap();
    write_tables(dir.path());
    let out = dir.path().join("run");
    let spec: TrainSpec = toml::from_str(&format!(
        "learning_rate = 0.01\nbatch_size = 4\nsteps = 30\nvalidation_share = 0.1\neval_every = 10\nseed = 4\nout = {out:?}\n\
         [task]\nkind = \"few_shot\"\ncontext = 32\ntasks = [{:?}]\n[[task.text]]\npath = {:?}\nshare = 1.0\n\
         [[task.stages]]\nuntil = 1.0\ntext = 1.0\nfacts = 1.0\nrepeats = 1.0\n\
         [task.shape]\nhidden = 32\nlayers = 2\nheads = 2\nkv_heads = 1\nintermediate = 64\nmax_positions = 64\nvocabulary = 300\n",
        dir.path().join("tables"),
        dir.path().join("text.txt")
    ))
    .unwrap();
    let tuned = ModelId::next();
    let best = train(&mut script, tuned, &spec).best.unwrap().1;
    let record = record(&out);
    let report = compare(&mut script, tuned, of_run(&record, DataPart::Validation)).unwrap();
    let summary = report.summary();
    assert!(near(summary.losses[1], best), "{summary:?} and {best}");
    // Weights that were drawn know nothing: every token costs as much as all others.
    let vocabulary = script.seen.iter().rev().find_map(|event| match event {
        Event::Model { info, .. } if info.id == tuned => info.shape.vocabulary(),
        _ => None,
    });
    assert!((summary.losses[0] - (vocabulary.unwrap() as f64).ln()).abs() < 0.3, "{summary:?}");
    assert_eq!(report.models[0], "random weights");
    let is_partly_given =
        |row: &Arc<fovea::types::LossRow>| row.tokens.iter().filter(|token| token.losses.is_none()).count() > 1;
    assert!(report.rows.iter().any(is_partly_given), "of a document only what can be known is predicted");
    // Of what was learned from, the sequences that the steps drew.
    let train = LossesSpec { most: 20, ..of_run(&record, DataPart::Train) };
    let train = compare(&mut script, tuned, train).unwrap();
    assert_eq!((train.of, train.rows.len()), (120, 20));
}

#[test]
fn pictures_cost_what_evaluation_says() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("pictures");
    for (class, name) in ["red", "green", "blue"].into_iter().enumerate() {
        std::fs::create_dir_all(data.join(name)).unwrap();
        for i in 0..12 {
            let picture = image::RgbImage::from_fn(20 + i, 24, |x, y| {
                let mut rgb = [(x * 9 + i * 5) as u8 % 60, (y * 7 + i * 3) as u8 % 60, ((x + y) * 5) as u8 % 60];
                rgb[class] += 120;
                image::Rgb(rgb)
            });
            picture.save(data.join(name).join(format!("{i}.png"))).unwrap();
        }
    }
    let out = dir.path().join("run");
    let spec = format!(
        "learning_rate = 0.02\nbatch_size = 8\nsteps = 12\neval_every = 4\nseed = 5\nvalidation_share = 0.2\nout = {out:?}\n\
         [start]\nfrom = \"folder\"\npath = {:?}\n[task]\nkind = \"classify\"\ndata = {data:?}\nlearns = \"head\"\n",
        golden_dir("vit")
    );
    let tuned = ModelId::next();
    let summary = train(&mut script, tuned, &toml::from_str(&spec).unwrap());
    let report = compare(&mut script, tuned, of_run(&record(&out), DataPart::Validation)).unwrap();
    let EvaluationReport::Classes { loss, examples, .. } =
        evaluate(&mut script, tuned, &data, Some(DataPart::Validation))
    else {
        panic!()
    };
    let told = report.summary();
    assert!(near(loss, told.losses[1]) && near(summary.best.unwrap().1, told.losses[1]), "{loss} {told:?}");
    assert!(report.rows.len() == examples && told.losses[0] > told.losses[1]);
    assert!(report.rows.iter().all(|row| Path::new(&row.text).is_file() && row.told.is_some()));
    assert_eq!(report.models[0], "vit with the new head");
}
