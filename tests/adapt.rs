//! Ways to adapt a model, side by side: by the engine and by the real binary.

mod support;

use fovea::engine::{AdaptWork, Command, Event, Outcome, PromptInput, Work};
use fovea::types::{
    AdaptPoint, AdaptPrompt, AdaptReport, AdaptSpec, AdaptTraining, BatchSpec, DeviceChoice, FeaturePooling,
    FewShotPrompt, JobId, LabelNoise, LabelledSource, ModelId, Shot, UserError, Way,
};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use support::root;
use support::script::Script;

const POSITIVE: [&str; 12] = [
    "The ride was smooth and pleasant.",
    "We laughed all the way home.",
    "The baby has a beautiful smile.",
    "He gave us a warm welcome.",
    "We had a nice long rest.",
    "Our picnic was a great success.",
    "Tom was kind to the new boy.",
    "The new playground is fantastic.",
    "The cake was sweet and good.",
    "She was happy with her gift.",
    "The garden is lovely in spring.",
    "My friend told a funny joke.",
];
const NEGATIVE: [&str; 12] = [
    "The movie was slow and silly.",
    "The bad news made her cry.",
    "Your room is a horrible mess.",
    "What a terrible day this is!",
    "The apples were rotten inside.",
    "The story was sad and ugly.",
    "His joke was cruel and unkind.",
    "Our picnic was ruined by the rain.",
    "I hate this ugly old hat.",
    "The shopkeeper was grumpy and slow.",
    "We had an awful, sleepless night.",
    "The soup was cold and horrible.",
];

/// Twelve rows a label.
fn data(folder: &Path) -> PathBuf {
    let path = folder.join("films.csv");
    let mut text = "text,label\n".to_owned();
    for (good, bad) in POSITIVE.iter().zip(NEGATIVE) {
        text += &format!("\"{good}\",good\n\"{bad}\",bad\n");
    }
    std::fs::write(&path, text).unwrap();
    path
}

fn spec(data: &Path, ways: &[Way]) -> AdaptSpec {
    AdaptSpec {
        data: LabelledSource {
            data: data.to_owned(),
            validation: None,
            test: None,
            text: None,
            label: None,
            validation_share: 0.0,
            test_share: 0.35,
            seed: 3,
        },
        ways: ways.to_vec(),
        sizes: vec![2, 8],
        seeds: vec![1, 2],
        noises: vec![LabelNoise::True],
        test: 100,
        pooling: FeaturePooling::Mean,
        prompt: AdaptPrompt { calibrate: true, ..AdaptPrompt::default() },
        training: AdaptTraining { least_steps: 5, most_steps: 8, ..AdaptTraining::default() },
    }
}

fn compare(
    script: &mut Script,
    model: ModelId,
    spec: AdaptSpec,
    known: Vec<AdaptPoint>,
) -> Result<Arc<AdaptReport>, UserError> {
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Adapt(Box::new(AdaptWork { spec, known }))));
    match script.end(job)? {
        Outcome::WaysCompared(report) => Ok(report),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_way_is_measured_on_the_same_texts_and_again_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("models/seedling")).id;
    let asked = spec(&data, &[Way::Examples, Way::Embeddings, Way::Prototypes, Way::Head, Way::Full, Way::Scratch]);
    let report = compare(&mut script, model, asked.clone(), Vec::new()).unwrap();
    assert_eq!(report.points.len(), 6 * 2 * 2);
    assert_eq!((report.examples, report.test.len(), report.base_rate), (16, 8, 0.5));
    assert!(report.bits_per_byte.is_some_and(|bits| (0.5..8.0).contains(&bits)), "{:?}", report.bits_per_byte);
    for point in &report.points {
        let right = point.said.iter().zip(&report.test).filter(|(said, (_, class))| **said == *class).count();
        assert_eq!((right, point.said.len()), (point.correct, 8));
        assert!(point.log_prob < 0.0 && point.log_prob.is_finite() && point.query_ms > 0.0, "{point:?}");
        assert_eq!(point.used, point.size);
        let [learned, adapts] = [point.learned > 0, point.adapt_s > 0.0];
        assert_eq!((learned, adapts), (point.way != Way::Examples, point.way != Way::Examples), "{point:?}");
    }
    let of = |way: Way| report.points.iter().find(|point| point.way == way).unwrap();
    // Of 192 numbers: one row and its intercept, two means, two rows of a head without intercepts, all weights and that head.
    assert_eq!([Way::Embeddings, Way::Prototypes, Way::Head].map(|way| of(way).learned), [193, 384, 384]);
    assert_eq!(of(Way::Full).learned, of(Way::Scratch).learned);
    assert!(of(Way::Full).learned > 3_000_000);

    // The same question again has the same answers; what was measured before is not measured again.
    let mut known = report.points[..20].to_vec();
    known[3].seed = 77;
    known[4].log_prob = -123.0;
    let again = compare(&mut script, model, asked, known).unwrap();
    assert_eq!(again.points.len(), 24, "a seed that was not asked for is no part of it");
    for point in &again.points {
        let first = report
            .points
            .iter()
            .find(|first| (first.way, first.size, first.seed) == (point.way, point.size, point.seed));
        let first = first.unwrap();
        assert_eq!(point.said, first.said, "{:?}", point.way);
        let is_given = point.log_prob == -123.0;
        assert!(is_given || (point.log_prob - first.log_prob).abs() < 1e-9, "{:?}", point.way);
    }
    assert_eq!(again.points.iter().filter(|point| point.log_prob == -123.0).count(), 1);
}

#[test]
fn examples_in_the_prompt_are_asked_as_the_lab_asks_them() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("models/seedling")).id;
    let report = compare(&mut script, model, spec(&data, &[Way::Examples]), Vec::new()).unwrap();
    let job = JobId::next();
    script.send(Command::start(job, None, Work::ReadLabelled(report.spec.data.clone())));
    assert!(matches!(script.end(job), Ok(Outcome::LabelledRead(_))));
    for point in &report.points {
        assert_eq!(said(&report, point), asked_in_the_lab(&mut script, model, &report, point));
    }
}

#[test]
fn a_prompt_that_is_full_shows_what_was_drawn_first() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    // Many more of one class: drawn in turns, the other one is soon used up.
    let more: String = (0..150).map(|day| format!("\"Day {day} by the lake was lovely.\",good\n")).collect();
    let text = std::fs::read_to_string(&data).unwrap();
    std::fs::write(&data, text + &more).unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("models/seedling")).id;
    let asked = AdaptSpec { sizes: vec![2, 60, usize::MAX], seeds: vec![1], ..spec(&data, &[Way::Examples]) };
    let report = compare(&mut script, model, asked, Vec::new()).unwrap();
    let [two, many, all] = &report.points[..] else { panic!("{:?}", report.points) };
    assert!(two.used == 2 && many.used > 4 && many.used < 60 && many.size == 60 && all.size > 100, "{report:?}");
    assert_eq!((many.used, &many.said, many.log_prob), (all.used, &all.said, all.log_prob));
    assert!(report.notes.iter().any(|note| note.contains("of more, the first drawn are shown")), "{:?}", report.notes);
    for point in &report.points {
        assert_eq!(said(&report, point), asked_in_the_lab(&mut script, model, &report, point));
    }
}

/// The labels said of the test.
fn said(report: &AdaptReport, point: &AdaptPoint) -> Vec<String> {
    point.said.iter().map(|class| report.labels[*class as usize].clone()).collect()
}

/// The labels that the lab's batch says behind the first examples of the same draw, as many as the point had.
fn asked_in_the_lab(script: &mut Script, model: ModelId, report: &AdaptReport, point: &AdaptPoint) -> Vec<String> {
    let (_, all) = fovea::load::read_labelled(&report.spec.data).unwrap();
    let labels = &report.labels;
    let drawn = fovea::types::draw_examples(&all, point.used, point.seed, LabelNoise::True);
    let shot = |(place, class): &(usize, usize)| Shot {
        input: all.examples[*place].0.clone(),
        output: labels[*class].clone(),
        on: true,
    };
    let prompt = FewShotPrompt { shots: drawn.iter().map(shot).collect(), ..FewShotPrompt::default() };
    let queries = report.test.iter().map(|(text, class)| [text.clone(), labels[*class as usize].clone()]);
    let batch =
        BatchSpec { prompt, queries: queries.collect(), labels: labels.clone(), calibrate: true, edits: Vec::new() };
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Batch(batch)));
    let Ok(Outcome::Batched(batch)) = script.end(job) else { panic!("no answers") };
    batch.answers.iter().map(|answer| answer.predicted.clone()).collect()
}

#[test]
fn an_encoder_is_told_by_its_own_vectors_and_reads_no_prompt() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("tests/golden/bert")).id;
    let asked = AdaptSpec { noises: vec![LabelNoise::True, LabelNoise::Shuffled], ..spec(&data, &Way::ALL[..4]) };
    let report = compare(&mut script, model, asked, Vec::new()).unwrap();
    assert!(report.points.iter().all(|point| point.way != Way::Examples));
    assert_eq!(report.points.len(), 3 * 2 * 2 * 2);
    assert!(report.notes.iter().any(|note| note.contains("continues no text")), "{:?}", report.notes);
    assert_eq!(report.bits_per_byte, None);
    // The nearest mean, by hand, of the vectors that `Work::Embed` gives.
    let (_, all) = fovea::load::read_labelled(&report.spec.data).unwrap();
    let texts: Vec<String> = all.examples.iter().map(|(text, _)| text.clone()).collect();
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Embed(texts)));
    let Ok(Outcome::Embedded(vectors)) = script.end(job) else { panic!() };
    let found = report.points.iter().filter(|point| point.way == Way::Prototypes && point.noise == LabelNoise::True);
    for point in found {
        let drawn = fovea::types::draw_examples(&all, point.size, point.seed, LabelNoise::True);
        let mean = |class: usize| -> Vec<f32> {
            let of: Vec<_> = drawn
                .iter()
                .filter(|(_, of)| *of == class)
                .map(|(place, _)| &vectors.embeddings[*place].vector)
                .collect();
            (0..of[0].len()).map(|i| of.iter().map(|vector| vector[i]).sum::<f32>() / of.len() as f32).collect()
        };
        let means = [mean(0), mean(1)];
        for (said, (text, _)) in point.said.iter().zip(&report.test) {
            let place = all.examples.iter().position(|(of, _)| of == text).unwrap();
            let [a, b] =
                [0, 1].map(|class: usize| fovea::types::cosine(&means[class], &vectors.embeddings[place].vector));
            assert!((a - b).abs() < 1e-5 || (*said == 1) == (b > a), "{text}: {a} and {b}");
        }
    }
}

#[test]
fn a_comparison_that_is_stopped_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("models/seedling")).id;
    let job = JobId::next();
    let asked = AdaptSpec { seeds: (1..60).collect(), ..spec(&data, &[Way::Embeddings, Way::Full]) };
    script.send(Command::start(job, model, Work::Adapt(Box::new(AdaptWork { spec: asked, known: Vec::new() }))));
    script.until("two points", |event| match event {
        Event::SoFar { outcome: Outcome::WaysCompared(report), .. } => (report.points.len() >= 2).then_some(()),
        _ => None,
    });
    script.send(Command::Cancel { job });
    let Ok(Outcome::WaysCompared(report)) = script.end(job) else { panic!() };
    assert!((2..100).contains(&report.points.len()), "{}", report.points.len());
    // The model is as it was.
    let tokenize = JobId::next();
    script.send(Command::start(tokenize, model, Work::Tokenize(PromptInput::Text("Once".into()))));
    assert!(script.end(tokenize).is_ok());
}

#[test]
fn what_cannot_be_compared_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let mut script = Script::start(DeviceChoice::Cpu);
    let seedling = script.open(&root().join("models/seedling")).id;
    let digits = script.open(&root().join("models/digits-mlp")).id;
    let ok = spec(&data, &[Way::Embeddings]);
    let mut refused = |model, spec: AdaptSpec| compare(&mut script, model, spec, Vec::new()).unwrap_err().to_string();
    assert!(refused(digits, ok.clone()).contains("reads no text"));
    let mut none = ok.clone();
    none.data.test_share = 0.0;
    assert!(refused(seedling, none).contains("nothing to measure on"));
    let mut words = ok.clone();
    words.prompt.words = vec!["good".into()];
    assert!(refused(seedling, words).contains("1 label words for 2 classes"));
    let mut missing = ok.clone();
    missing.data.data = folder.path().join("none.csv");
    assert!(refused(seedling, missing).contains("none.csv"));
    let mut ways = ok;
    ways.ways.clear();
    assert!(refused(seedling, ways).contains("no way to compare"));
}

fn fovea(arguments: &[&str]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fovea"));
    command.current_dir(root()).env_remove("RUST_LOG").env_remove("FOVEA_MODELS");
    command.arg("adapt").args(arguments).args(["--device", "cpu"]).output().unwrap()
}

fn failure(arguments: &[&str]) -> String {
    let output = fovea(arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    assert!(output.stdout.is_empty() && message.contains("error: "), "{arguments:?}: {message}");
    message
}

#[test]
fn the_command_compares_draws_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let [figure, table, kept] =
        ["ways.svg", "ways.csv", "ways.json"].map(|name| folder.path().join(name).display().to_string());
    let common = ["--model", "seedling", "--data", "sentiment", "--test-rows", "10", "--resume", &kept];
    let ways = ["--ways", "embeddings,prototypes", "--sizes", "2,all", "--seeds", "2"];
    let output = fovea(&[&common[..], &ways, &["--out", &figure]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    for words in
        ["2 classes", "right answers", "Embeddings, nearest mean", "what it costs", "of a hosted model", "With "]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    let svg = std::fs::read_to_string(&figure).unwrap();
    for words in ["seedling on sentiment.tsv", "labelled examples (log scale)", "most common class", "95 % intervals"] {
        assert!(svg.contains(words), "{words}");
    }

    // More sizes beside those that are there.
    let more = ["--ways", "embeddings,prototypes", "--sizes", "2,4,all", "--seeds", "2", "--json", "--out", &table];
    let output = fovea(&[&common[..], &more].concat());
    assert!(String::from_utf8_lossy(&output.stderr).contains("8 points were measured before"));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["points"].as_array().unwrap().len(), 12);
    assert_eq!(told["prices"].as_array().unwrap().len(), 2);
    assert_eq!(std::fs::read_to_string(&table).unwrap().lines().count(), 13);

    let other = failure(&[&common[..], &ways, &["--pooling", "last"]].concat());
    assert!(other.contains("holds another comparison") && other.contains("other data or settings"), "{other}");
    assert!(failure(&["--model", "seedling", "--data", "sentiment", "--ways", "magic"]).contains("no way to adapt"));
    assert!(
        failure(&["--model", "seedling", "--data", "sentiment", "--sizes", "many"]).contains("no number of examples")
    );
    assert!(failure(&["--model", "seedling", "--data", "nothing.csv"]).contains("nothing.csv"));
}
