//! The few-shot lab from outside, by script: scores, tables of queries, curves, task files and fingerprints.

mod support;

use fovea::engine::{Command, Event, Outcome, SaveSpec, Work};
use fovea::types::{
    BatchReport, BatchSpec, CONTENT_FREE, DeviceChoice, Draw, FewShotPrompt, JobId, KShotPoint, KShotReport, KShotSpec,
    LabelTreatment, ModelId, ScoreReport, ScoreRequest, Shot, TableWarning, TaskTable, TrainSpec, UserError, Variant,
};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;
use support::data::write_lines;
use support::root;
use support::script::Script;

/// A task in letters the golden tokenizers know.
fn table(rows: usize) -> TaskTable {
    let labels = ["yes", "no"].map(str::to_owned);
    let letter = |i: usize| char::from(b'a' + i as u8 % 26);
    let row = |i: usize| [format!("{}{}", letter(i), letter(i / 26)), labels[i % 2].clone()];
    TaskTable {
        title: "Letters".into(),
        template: "{input} is {output}".into(),
        separator: ", ".into(),
        rows: (0..rows).map(row).collect(),
        labels: labels.into(),
        ..TaskTable::default()
    }
}

fn curve(rows: usize) -> KShotSpec {
    KShotSpec {
        table: table(rows),
        ks: vec![4, 0, 1, 4],
        seeds: vec![7, 8],
        queries: 6,
        variant: Variant::default(),
        draw: Draw::Plain,
        edits: Vec::new(),
    }
}

fn score(script: &mut Script, model: ModelId, request: ScoreRequest) -> Result<Arc<ScoreReport>, UserError> {
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Score(request)));
    script.end(job).map(|outcome| match outcome {
        Outcome::Scored(report) => report,
        other => panic!("{other:?}"),
    })
}

fn batch(script: &mut Script, model: ModelId, spec: BatchSpec) -> Result<Arc<BatchReport>, UserError> {
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Batch(spec)));
    script.end(job).map(batched)
}

fn batched(outcome: Outcome) -> Arc<BatchReport> {
    let Outcome::Batched(report) = outcome else { panic!("{outcome:?}") };
    report
}

fn start_curve(script: &Script, model: ModelId, spec: &KShotSpec) -> JobId {
    let job = JobId::next();
    script.send(Command::start(job, model, Work::KShot(spec.clone())));
    job
}

fn measured(outcome: Outcome) -> Arc<KShotReport> {
    let Outcome::KShot(report) = outcome else { panic!("{outcome:?}") };
    report
}

fn told_points(script: &Script, of: JobId) -> Vec<KShotPoint> {
    let points = script.seen.iter().filter_map(|event| match event {
        Event::KShot { job, points } if *job == of => Some(points.clone()),
        _ => None,
    });
    points.flatten().collect()
}

#[test]
fn a_curve_tells_its_points_by_seed_and_k_and_how_far_it_is() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("tests/golden/gpt2")).id;
    let spec = curve(40);
    let job = start_curve(&script, model, &spec);
    let report = measured(script.end(job).unwrap());
    let order: Vec<_> = report.points.iter().map(|point| (point.seed, point.k)).collect();
    assert_eq!(order, [(7, 0), (7, 1), (7, 4), (8, 0), (8, 1), (8, 4)]);
    assert_eq!(told_points(&script, job), report.points);
    assert!(report.points.iter().all(|point| point.queries == 6) && report.notes.is_empty(), "{:?}", report.notes);
    let progress = script.seen.iter().filter_map(|event| match event {
        Event::Progress { job: of, done, total, unit, .. } if *of == job => Some((*done, *total, *unit)),
        _ => None,
    });
    let progress: Vec<_> = progress.collect();
    assert!(progress.is_sorted() && progress.iter().all(|(_, total, unit)| (*total, *unit) == (36, "queries")));
    // Each point is what a batch with the same prompt gives.
    for (point, answers) in report.points.iter().zip(&report.answers) {
        let alone = batch(&mut script, model, spec.batch(point.k, point.seed)).unwrap();
        assert_eq!((&alone.answers, alone.cut), (answers, 0));
        assert_eq!(alone.answers.iter().filter(|answer| answer.correct).count(), point.correct);
        let mean = answers.iter().map(|answer| answer.log_prob).sum::<f64>() / 6.0;
        assert!((mean - point.mean_log_prob).abs() < 1e-9);
    }
}

#[test]
fn a_curve_stops_soon_after_it_is_told_to_and_keeps_its_points() {
    let scratch = tempfile::tempdir().unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open_slow(scratch.path()).id;
    let spec = KShotSpec { seeds: (1..200).collect(), ks: vec![1, 2, 8], queries: 20, ..curve(100) };
    let job = start_curve(&script, model, &spec);
    for _ in 0..2 {
        script.until("a point", |event| matches!(event, Event::KShot { .. }).then_some(()));
    }
    script.send(Command::Cancel { job });
    let report = measured(script.end(job).unwrap());
    assert!((2..100).contains(&report.points.len()), "{} points", report.points.len());
    assert_eq!((told_points(&script, job), report.answers.len()), (report.points.clone(), report.points.len()));
    assert_eq!(report.answers[0].len(), 20);
}

#[test]
fn a_batch_that_is_stopped_keeps_its_first_answers() {
    let scratch = tempfile::tempdir().unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open_slow(scratch.path()).id;
    let queries: Vec<_> = (0..20_000).map(|i| [format!("{i}"), "yes".to_owned()]).collect();
    let spec =
        BatchSpec { prompt: table(4).draw(2, 1, Draw::Plain).0, queries: queries.clone(), ..BatchSpec::default() };
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Batch(spec)));
    script.until("an answer", |event| match event {
        Event::Progress { job: of, done, unit: "queries", .. } if *of == job && *done > 0 => Some(()),
        _ => None,
    });
    script.send(Command::Cancel { job });
    let report = batched(script.end(job).unwrap());
    assert!(!report.answers.is_empty() && report.answers.len() < queries.len(), "{} answers", report.answers.len());
    assert!(report.answers.iter().zip(&queries).all(|(answer, [input, _])| answer.input == *input));
}

#[test]
fn what_should_be_known_of_a_curve_is_noted() {
    let mut script = Script::start(DeviceChoice::Cpu);
    // It reads 32 tokens, one a letter.
    let model = script.open(&root().join("tests/golden/llama")).id;
    let spec = KShotSpec {
        queries: 100,
        variant: Variant { labels: LabelTreatment::Shuffled, ..Variant::default() },
        ..curve(40)
    };
    let job = start_curve(&script, model, &spec);
    let report = measured(script.end(job).unwrap());
    assert_eq!(report.points.iter().map(|point| point.queries).max(), Some(36));
    let notes = report.notes.join("\n");
    for told in ["36 queries a seed instead of 100", "k = 4: up to 2 examples", "32 tokens", "k = 1: a single example"]
    {
        assert!(notes.contains(told), "{told:?} is missing in {notes}");
    }
    let calibrated = Variant { calibrate: true, ..Variant::default() };
    let unlabelled = TaskTable { labels: Vec::new(), ..table(20) };
    let job =
        start_curve(&script, model, &KShotSpec { table: unlabelled, ks: vec![0], variant: calibrated, ..curve(20) });
    let notes = &measured(script.end(job).unwrap()).notes;
    assert!(notes.iter().any(|note| note.contains("Calibration")), "{notes:?}");
    let job = start_curve(&script, model, &KShotSpec { ks: vec![20], ..curve(20) });
    assert!(script.end(job).unwrap_err().what.contains("20 examples leave none"));
}

#[test]
fn scores_are_those_of_a_table_of_labels_and_calibration_divides_by_what_nothing_gives() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("tests/golden/gpt2")).id;
    let prompt = table(12).draw(2, 3, Draw::Plain).0;
    let labels = table(12).labels;
    let asked = |query: &str| FewShotPrompt { query: query.to_owned(), ..prompt.clone() }.render().text;
    let request = |query: &str, content_free: Vec<String>| ScoreRequest {
        prompt: asked(query),
        candidates: labels.clone(),
        ending: prompt.ending(),
        content_free,
        edits: Vec::new(),
    };
    let shares = |report: &ScoreReport| report.candidates.iter().map(|c| c.share).collect::<Vec<_>>();
    let of_nothing: Vec<Vec<f64>> = CONTENT_FREE
        .iter()
        .map(|query| shares(&score(&mut script, model, request(query, Vec::new())).unwrap()))
        .collect();
    let report = score(&mut script, model, request("ab", CONTENT_FREE.map(&asked).to_vec())).unwrap();
    let divided = |i: usize| shares(&report)[i] / (of_nothing.iter().map(|list| list[i]).sum::<f64>() / 3.0);
    let first = divided(0) / (divided(0) + divided(1));
    assert!((report.candidates[0].calibrated.unwrap() - first).abs() < 1e-6, "{report:?}");
    assert!(report.elapsed_ms > 0.0 && report.prompt_tokens == asked("ab").len());
    assert!((report.other_mass() - 1.0).abs() < 0.5);

    for calibrate in [false, true] {
        let queries = vec![["ab".to_owned(), "no".to_owned()]];
        let spec = BatchSpec { prompt: prompt.clone(), queries, labels: labels.clone(), calibrate, edits: Vec::new() };
        let answers = &batch(&mut script, model, spec).unwrap().answers;
        for (share, candidate) in answers[0].shares.iter().zip(&report.candidates) {
            let expected = if calibrate { candidate.calibrated.unwrap() } else { candidate.share };
            assert!((share - expected).abs() < 1e-4, "{share} is not {expected}");
        }
        assert!((answers[0].log_prob - report.candidates[1].log_prob).abs() < 1e-4);
    }
}

#[test]
fn a_space_at_the_end_of_a_prompt_changes_no_share() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("models/sprout")).id;
    let mut asked = |prompt: &str, content_free: &[&str]| {
        let request = ScoreRequest {
            prompt: prompt.to_owned(),
            candidates: ["mat", "hat"].map(str::to_owned).into(),
            content_free: content_free.iter().map(|&text| text.to_owned()).collect(),
            ..ScoreRequest::default()
        };
        let report = score(&mut script, model, request).unwrap();
        for candidate in &report.candidates {
            let sum: f64 = candidate.tokens.iter().map(|token| token.log_prob).sum();
            assert!((candidate.log_prob - sum).abs() < 1e-12, "the tokens add up: {candidate:?}");
        }
        (report.candidates.clone(), report.prompt_tokens)
    };
    let (open, closed) = (asked("The cat sat on the ", &["A "]), asked("The cat sat on the", &["A"]));
    assert!((open.0[0].share - 0.323).abs() < 5e-4 && (open.0[1].share - 0.677).abs() < 5e-4, "{:?}", open.0);
    assert_eq!(open, closed);

    let table = TaskTable { template: "{input}{output}".into(), ..TaskTable::default() };
    let mut answer = |query: &str, template: &str, calibrate: bool| {
        let labels = ["mat", "hat"].map(str::to_owned).to_vec();
        let prompt = FewShotPrompt { template: template.to_owned(), ..table.prompt(Vec::new(), "") };
        let queries = vec![[query.to_owned(), "hat".to_owned()]];
        let spec = BatchSpec { prompt, queries, labels, calibrate, edits: Vec::new() };
        batch(&mut script, model, spec).unwrap().answers[0].log_prob
    };
    let mut both = |calibrate| {
        let inside = answer("The cat sat on the ", "{input}{output}", calibrate);
        (inside, answer("The cat sat on the", "{input} {output}", calibrate))
    };
    let (inside, outside) = both(false);
    assert_eq!(inside, outside);
    // Texts without content, read in the same tree, have other tokens here and there: sums are rounded in another order.
    let (inside, outside) = both(true);
    assert!((inside - outside).abs() < 1e-6, "{inside} and {outside}");
}

#[test]
fn mistakes_in_what_is_asked_are_told() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("tests/golden/llama")).id;
    let encoder = script.open(&root().join("tests/golden/bert")).id;
    let request = |prompt: &str, candidates: &[&str]| ScoreRequest {
        prompt: prompt.to_owned(),
        candidates: candidates.iter().map(|text| (*text).to_owned()).collect(),
        ..ScoreRequest::default()
    };
    let mut error = |model, request| score(&mut script, model, request).unwrap_err();
    assert!(error(model, request("ab", &[])).what.contains("nothing to score"));
    assert!(error(model, request("", &["a"])).what.contains("empty"));
    // A character the tokenizer has no token for.
    assert!(error(model, request("ab", &["a", "="])).what.contains("\"=\""));
    // 30 letters, a space and three: one more than the 32 it reads and the last one, which it need not read.
    let long = error(model, request(&"a".repeat(30), &["b", "abc"]));
    assert!(long.what.contains("\"abc\"") && long.what.contains("1 token too long"), "{long}");
    assert!(error(encoder, request("ab", &["a"])).what.contains("cannot continue a text"));
    assert!(error(ModelId::next(), request("ab", &["a"])).what.contains("not open"));
    let fitting = score(&mut script, model, request(&"a".repeat(30), &["bc"])).unwrap();
    assert_eq!(fitting.candidates[0].tokens.len(), 3);
    let none = batch(&mut script, model, BatchSpec::default()).unwrap_err();
    assert!(none.what.contains("no query"), "{none}");
}

#[test]
fn an_answer_without_labels_is_what_greedy_decoding_writes() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("tests/golden/gpt2")).id;
    let prompt = FewShotPrompt {
        shots: vec![Shot { input: "ab".into(), output: "ba".into(), on: true }],
        template: "{input} is{output}".into(),
        separator: String::new(), // no ending
        ..FewShotPrompt::default()
    };
    let text = FewShotPrompt { query: "cd".into(), ..prompt.clone() }.render().text;
    let job = script.generate(model, text.into(), support::script::many(4));
    script.end(job).unwrap();
    let tokens = script.seen.iter().filter_map(|event| match event {
        Event::Token { job: of, token } if *of == job => Some(token.text.clone()),
        _ => None,
    });
    let written: String = tokens.collect();
    assert!(written.len() == 4 && written.trim() == written, "{written:?} would be shown otherwise");
    let wrong = format!("{}{}", &written[..3], if written.ends_with('Z') { 'Y' } else { 'Z' });
    let queries = [&written, &wrong].map(|answer| ["cd".to_owned(), answer.clone()]).into();
    let spec = BatchSpec { prompt, queries, ..BatchSpec::default() };
    let answers = &batch(&mut script, model, spec).unwrap().answers;
    assert!(answers[0].correct && answers[0].predicted == written, "{answers:?}");
    assert!(!answers[1].correct && answers[1].predicted == written, "the fourth letter leaves the answer: {answers:?}");
}

#[test]
fn a_table_is_read_with_its_oddities_and_a_missing_file_is_told() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("colours.csv");
    std::fs::write(&path, "question,answer\nrot,red\nrot,red\nblau,\n").unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    let mut read = |path: &Path| {
        let job = JobId::next();
        script.send(Command::start(job, None, Work::ReadTable(path.to_owned())));
        script.end(job)
    };
    let Outcome::TableRead(found) = read(&path).unwrap() else { panic!() };
    let (table, warnings) = (&found.table, &found.warnings);
    assert_eq!((table.id.as_str(), table.rows.len()), ("colours", 2));
    assert_eq!(
        warnings[..2],
        [TableWarning::OneSided { rows: 1 }, TableWarning::Duplicate { input: "rot".into(), count: 2 },]
    );
    let error = read(&scratch.path().join("none.csv")).unwrap_err();
    assert!(error.what.contains("none.csv"), "{error}");
}

#[test]
fn a_fingerprint_is_the_hash_of_the_file_until_training_changes_the_weights() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = root().join("tests/golden/llama");
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&folder).id;
    let fingerprint = |script: &mut Script, model| {
        let job = JobId::next();
        script.send(Command::start(job, model, Work::Fingerprint));
        let Outcome::Fingerprinted(sha256) = script.end(job).unwrap() else { panic!() };
        sha256
    };
    let hash = |folder: &Path| {
        let digest = Sha256::digest(std::fs::read(folder.join("model.safetensors")).unwrap());
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let opened = fingerprint(&mut script, model);
    assert_eq!(opened, hash(&folder));
    let text = write_lines(scratch.path());
    let spec = format!(
        "learning_rate = 0.01\nbatch_size = 2\nsteps = 2\nstart = {{ from = \"open_model\" }}\n\
         [task]\nkind = \"text\"\ndata = [{:?}]\ncontext = 16\n",
        text.display().to_string()
    );
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Train(toml::from_str::<TrainSpec>(&spec).unwrap())));
    script.end(job).unwrap();
    let trained = fingerprint(&mut script, model);
    assert!(trained.len() == 64 && trained != opened);
    assert_eq!(fingerprint(&mut script, model), trained);
    let (job, path) = (JobId::next(), scratch.path().join("saved"));
    script.send(Command::start(
        job,
        model,
        Work::Save(SaveSpec { path: path.clone(), precision: fovea::types::Precision::F32 }),
    ));
    script.end(job).unwrap();
    assert_eq!(fingerprint(&mut script, model), hash(&path));
    let digits = script.open(&root().join("models/digits-mlp")).id;
    assert_eq!(fingerprint(&mut script, digits), hash(&root().join("models/digits-mlp")));
    let random = script.open_slow(scratch.path()).id;
    assert_eq!(fingerprint(&mut script, random).len(), 64, "weights that no file holds");
}
