//! Training from outside: the engine with a real thread, files on disk, and the shipped models.

#[path = "train/adapters.rs"]
mod adapters;
#[path = "train/snapshots.rs"]
mod snapshots;
mod support;
#[path = "train/switches.rs"]
mod switches;

use flate2::Compression;
use flate2::write::GzEncoder;
use fovea::engine::{Command, EngineHandle, EngineOptions, Event, GenerateSpec, Outcome, PromptInput, Work};
use fovea::types::{
    DeviceChoice, DigitImage, Drawing, EvaluateSpec, EvaluationReport, JobId, ModelId, ParameterGroup, Precision,
    Sampling, Stroke, TextTask, TrainPoint, TrainSpec, TrainSummary, TrainTask, UserError,
};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};
use support::{root, shared, skipped};

/// One engine on the CPU.
struct Engine {
    engine: EngineHandle,
}

/// What a training run said.
#[derive(Default)]
struct Run {
    points: Vec<TrainPoint>,
    samples: Vec<String>,
}

impl Engine {
    fn start() -> Self {
        let options = EngineOptions { device: DeviceChoice::Cpu, threads: None };
        Self { engine: EngineHandle::start(options, Box::new(|| {})) }
    }

    fn send(&self, command: Command) {
        self.engine.try_send(command).unwrap_or_else(|command| panic!("no room for {command:?}"));
    }

    /// Everything up to the end of a job.
    fn end(&self, of: JobId, mut each: impl FnMut(&Event)) -> Result<Outcome, UserError> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(600) {
            let Some(event) = self.engine.recv_timeout(Duration::from_millis(50)) else { continue };
            each(&event);
            match event {
                Event::Done { job, outcome } if job == of => return Ok(outcome),
                Event::Failed { job: Some(job), error } if job == of => return Err(error),
                _ => {}
            }
        }
        panic!("the job did not end");
    }

    /// Trains `model` to the end, or until `step` where that is given.
    fn train(
        &self,
        model: ModelId,
        spec: &TrainSpec,
        cancel_at: Option<usize>,
    ) -> (Run, Result<TrainSummary, UserError>) {
        let job = JobId::next();
        let mut run = Run::default();
        self.send(Command::start(job, model, Work::Train(spec.clone())));
        let outcome = self.end(job, |event| match event {
            Event::Trained { job: of, points } if *of == job => {
                let due = |point: &TrainPoint| cancel_at.is_some_and(|step| point.step >= step);
                if points.iter().any(due) && !run.points.iter().any(due) {
                    self.send(Command::Cancel { job });
                }
                run.points.extend(points.iter().cloned());
            }
            Event::Sample { sample, .. } => run.samples.push(sample.text.clone()),
            _ => {}
        });
        let summary = outcome.map(|outcome| match outcome {
            Outcome::Trained(summary) => summary,
            other => panic!("{other:?}"),
        });
        (run, summary)
    }

    fn open(&self, path: &Path) -> ModelId {
        let (job, model) = (JobId::next(), ModelId::next());
        self.send(Command::start(job, model, Work::Open(path.to_owned())));
        self.end(job, |_| {}).unwrap();
        model
    }

    fn classify(&self, model: ModelId, image: DigitImage) -> Vec<f32> {
        let job = JobId::next();
        self.send(Command::start(job, model, Work::Classify(image)));
        match self.end(job, |_| {}).unwrap() {
            Outcome::Classified(result) => result.probabilities.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn evaluate(&self, model: ModelId, data: &Path) -> EvaluationReport {
        let job = JobId::next();
        self.send(Command::start(
            job,
            model,
            Work::Evaluate(EvaluateSpec { data: data.to_owned(), ..EvaluateSpec::default() }),
        ));
        match self.end(job, |_| {}).unwrap() {
            Outcome::Evaluated(report) => (*report).clone(),
            other => panic!("{other:?}"),
        }
    }
}

fn idx(axes: &[usize], elements: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, axes.len() as u8];
    bytes.extend(axes.iter().flat_map(|&n| (n as u32).to_be_bytes()));
    bytes.extend(elements);
    bytes
}

/// A folder of images of which each class has a bar in a row of its own, with a little noise.
fn bars(images: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut pixels = Vec::new();
    let mut labels = Vec::new();
    for i in 0..images {
        let class = i % 10;
        labels.push(class as u8);
        pixels.extend((0..784).map(|p| {
            let bar = (p / 28 + 1) / 3 == class && (4..24).contains(&(p % 28));
            if bar { 230 } else { ((p * 31 + i * 17) % 23) as u8 }
        }));
    }
    std::fs::write(dir.path().join("train-images-idx3-ubyte"), idx(&[images, 28, 28], &pixels)).unwrap();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&idx(&[images], &labels)).unwrap();
    std::fs::write(dir.path().join("train-labels.idx1-ubyte.gz"), packed.finish().unwrap()).unwrap();
    dir
}

fn digits_spec(data: &Path, out: Option<&Path>, more: &str) -> TrainSpec {
    let out = out.map_or(String::new(), |out| format!("out = {:?}", out.to_str().unwrap()));
    toml::from_str(&format!(
        "learning_rate = 0.003\nbatch_size = 20\nsteps = 60\nvalidation_share = 0.2\neval_every = 10\nseed = 4\n{out}\n{more}\n\
         [task]\nkind = \"digits\"\nnetwork = \"cnn\"\naugment = true\ndata = {:?}\n",
        data.to_str().unwrap()
    ))
    .unwrap()
}

/// A text with structure to learn: small sums.
fn sums() -> String {
    (0..400).map(|i| format!("{} and {} are {}.\n", i % 7, i % 5, i % 7 + i % 5)).collect()
}

fn text_spec(data: &Path, out: Option<&Path>, more: &str) -> TrainSpec {
    let out = out.map_or(String::new(), |out| format!("out = {:?}", out.to_str().unwrap()));
    toml::from_str(&format!(
        "learning_rate = 0.01\nbatch_size = 4\nsteps = 60\nvalidation_share = 0.1\neval_every = 20\nseed = 4\nclip_norm = 1.0\n\
         warmup_steps = 5\nschedule = \"cosine\"\nweight_decay = 0.01\n{out}\n{more}\n\
         [task]\nkind = \"text\"\ncontext = 32\ndata = [{:?}]\n\
         [task.shape]\nhidden = 32\nlayers = 2\nheads = 4\nkv_heads = 2\nintermediate = 48\nmax_positions = 64\nvocabulary = 300\n",
        data.to_str().unwrap()
    ))
    .unwrap()
}

/// Tables and a text for few-shot documents.
fn few_shot_data(dir: &Path) {
    std::fs::write(dir.join("sums.txt"), sums()).unwrap();
    let rows = |change: fn(&str) -> String| -> String {
        let words = ["sun", "moon", "tree", "apple", "dog", "cat", "bird", "house"];
        words.map(|word| format!("{word}\t{}\n", change(word))).concat()
    };
    let table = |kind: &str, more: &str, rows: &str| format!("# kind: {kind}\n{more}input\toutput\n{rows}");
    std::fs::create_dir(dir.join("tables")).unwrap();
    let write = |name: &str, text: String| std::fs::write(dir.join("tables").join(name), text).unwrap();
    write("plurals.tsv", table("fact", "", &rows(|word| format!("{word}s"))));
    write("length.tsv", table("label", "# labels: 3, 4, 5\n", &rows(|word| word.len().to_string())));
    write("copy.tsv", table("rule", "", "sun\tsun\nmoon\tmoon\n"));
}

fn few_shot_spec(dir: &Path, out: Option<&Path>, task: &str) -> TrainSpec {
    let out = out.map_or(String::new(), |out| format!("out = {:?}", out.to_str().unwrap()));
    toml::from_str(&format!(
        "learning_rate = 0.01\nbatch_size = 4\nsteps = 60\nvalidation_share = 0.1\neval_every = 20\nseed = 4\nclip_norm = 1.0\n\
         {out}\n[task]\nkind = \"few_shot\"\ncontext = 32\ntasks = [{:?}]\nunseen_rules = [\"copy\"]\n{task}\n\
         [[task.text]]\npath = {:?}\nshare = 1.0\n\
         [task.shape]\nhidden = 32\nlayers = 2\nheads = 2\nkv_heads = 1\nintermediate = 64\nmax_positions = 64\nvocabulary = 400\n",
        dir.join("tables").to_str().unwrap(),
        dir.join("sums.txt").to_str().unwrap()
    ))
    .unwrap()
}

fn losses(run: &Run) -> Vec<(usize, f64, Option<f64>)> {
    run.points.iter().map(|p| (p.step, p.loss, p.validation_loss)).collect()
}

#[test]
fn a_digit_network_learns_and_its_folder_opens_again() {
    let (data, out) = (bars(200), tempfile::tempdir().unwrap());
    let bench = Engine::start();
    let spec = digits_spec(data.path(), Some(out.path()), "");
    let (run, summary) = bench.train(ModelId::next(), &spec, None);
    let summary = summary.unwrap();
    assert_eq!((summary.steps, summary.stopped_early, summary.examples), (60, false, 1200));
    assert_eq!(run.points.len(), 60);
    let last = run.points.iter().rev().find(|p| p.validation_accuracy.is_some()).unwrap();
    assert!(last.validation_accuracy.unwrap() > 0.95, "{last:?}");
    assert!(run.points[59].loss < 0.3 * run.points[0].loss);

    let log = std::fs::read_to_string(out.path().join("training-log.csv")).unwrap();
    assert_eq!(log.lines().count(), 61);
    assert!(!out.path().join("checkpoint").exists(), "a finished run leaves no checkpoint");
    let model = bench.open(out.path());
    let EvaluationReport::Digits { images, accuracy, confusion, .. } = bench.evaluate(model, data.path()) else {
        panic!("not a digit report")
    };
    assert_eq!(images, 200);
    assert!(accuracy > 0.95, "accuracy {accuracy}");
    assert_eq!(confusion.iter().flatten().sum::<usize>(), 200);
}

#[test]
fn a_text_model_learns_from_scratch_and_writes_samples() {
    let dir = tempfile::tempdir().unwrap();
    let (data, out) = (dir.path().join("sums.txt"), dir.path().join("out"));
    std::fs::write(&data, sums()).unwrap();
    let bench = Engine::start();
    let model = ModelId::next();
    let (run, summary) = bench.train(model, &text_spec(&data, Some(&out), ""), None);
    let summary = summary.unwrap();
    let best = summary.best.unwrap().1;
    assert!(best < 1.6 && best < 0.35 * run.points[0].loss, "validation loss {best} from {}", run.points[0].loss);
    assert_eq!(run.samples.len(), 3, "one sample a validation");
    assert!(run.samples[2].starts_with("0 and 0 are") && run.samples[2].len() > 40, "{:?}", run.samples[2]);

    // The weights in the store, the ones on disk and the report agree.
    let job = JobId::next();
    let sampling = Sampling { max_new_tokens: 8, ..Sampling::default() };
    let text_of = |model| {
        let mut text = String::new();
        let prompt = PromptInput::Text("3 and 2".to_owned());
        bench.send(Command::start(
            job,
            model,
            Work::Generate(GenerateSpec { prompt, sampling: sampling.clone(), edits: Vec::new() }),
        ));
        let outcome = bench.end(job, |event| {
            if let Event::Token { token, .. } = event {
                text.push_str(&token.text);
            }
        });
        outcome.unwrap();
        text
    };
    let in_memory = text_of(model);
    assert!(in_memory.starts_with(" are "), "{in_memory:?}");
    let opened = bench.open(&out);
    assert_eq!(text_of(opened), in_memory);
    let EvaluationReport::Text { loss, bits_per_byte, tokens, bytes, .. } = bench.evaluate(opened, &data) else {
        panic!("not a text report")
    };
    assert_eq!(bytes, sums().trim().len());
    let expected = loss * tokens as f64 / std::f64::consts::LN_2 / bytes as f64;
    assert!((bits_per_byte - expected).abs() < 1e-9);
    assert!(loss < 1.6, "loss {loss}");
}

#[test]
fn data_sets_are_validated_each_by_itself_and_their_losses_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (easy, hard, out) = (dir.path().join("easy.txt"), dir.path().join("hard.txt"), dir.path().join("out"));
    std::fs::write(&easy, "a b c d\n".repeat(1000)).unwrap();
    std::fs::write(&hard, sums()).unwrap();
    let mut spec = text_spec(&easy, Some(&out), "");
    let TrainTask::Text(task) = &mut spec.task else { panic!("a text task") };
    task.data.push(hard);
    let (run, summary) = Engine::start().train(ModelId::next(), &spec, None);
    summary.unwrap();
    let validated: Vec<&TrainPoint> = run.points.iter().filter(|point| point.validation_loss.is_some()).collect();
    assert_eq!(validated.len(), 3);
    for point in &validated {
        let [easy, hard] = &point.validation_sets[..] else { panic!("{point:?}") };
        assert_eq!((easy.set.as_str(), hard.set.as_str()), ("easy", "hard"));
        let both = point.validation_loss.unwrap();
        assert!(easy.loss < both && both < hard.loss, "{point:?}");
    }
    assert!(run.points.iter().all(|point| point.validation_loss.is_some() || point.validation_sets.is_empty()));
    let kept = fovea::engine::read_curve(&out);
    let told = |points: &[TrainPoint]| points.iter().map(|p| (p.step, p.validation_sets.clone())).collect::<Vec<_>>();
    assert_eq!(told(&kept), told(&run.points));
    let state = std::fs::read_to_string(out.join("trainer_state.json")).unwrap();
    assert!(state.contains("eval_easy_loss") && state.contains("eval_hard_loss"));
}

/// Trains once without a stop and once with one, and compares curves and weights bit for bit.
fn resumed_equals_uninterrupted(spec_with: impl Fn(&Path) -> TrainSpec) {
    resumed_equals_uninterrupted_in("model.safetensors", spec_with);
}

/// The same for a run that writes its result to this file.
fn resumed_equals_uninterrupted_in(file: &str, spec_with: impl Fn(&Path) -> TrainSpec) {
    let dir = tempfile::tempdir().unwrap();
    let (whole, parted) = (dir.path().join("whole"), dir.path().join("parted"));
    let bench = Engine::start();
    let (expected, summary) = bench.train(ModelId::next(), &spec_with(&whole), None);
    let expected_best = summary.unwrap().best;

    let spec = spec_with(&parted);
    let (before, summary) = bench.train(ModelId::next(), &spec, Some(25));
    let stopped = summary.unwrap();
    assert!(stopped.stopped_early && stopped.steps >= 25 && stopped.steps < 60, "{stopped:?}");
    assert!(parted.join("checkpoint/run.json").is_file());
    assert!(parted.join(file).is_file(), "what there is was saved");
    // Another process: nothing is left in memory.
    drop(bench);
    let bench = Engine::start();
    let (after, summary) = bench.train(ModelId::next(), &spec, None);
    let summary = summary.unwrap();
    assert_eq!((summary.steps, summary.best), (60, expected_best));
    assert_eq!(losses(&after), losses(&expected), "the curve of the resumed run");
    // Stopped before the validation of its last step, the run shows that step as far as it is known.
    let mut known = losses(&expected)[..before.points.len()].to_vec();
    if let (Some(shown), Some(known)) = (before.points.last(), known.last_mut()) {
        known.2 = known.2.filter(|_| shown.validation_loss.is_some());
    }
    assert_eq!(losses(&before), known);
    let bytes = |folder: &Path| std::fs::read(folder.join(file)).unwrap();
    assert!(bytes(&whole) == bytes(&parted), "the weights differ");

    // Other settings must not go on from this run.
    let (_, summary) = bench.train(ModelId::next(), &spec, Some(20));
    summary.unwrap();
    let other = TrainSpec { learning_rate: 0.5, ..spec };
    let error = bench.train(ModelId::next(), &other, None).1.unwrap_err();
    assert!(error.what.contains("checkpoint of another run"), "{error}");
}

#[test]
fn a_resumed_digit_run_equals_an_uninterrupted_one() {
    let data = bars(120);
    resumed_equals_uninterrupted(|out| digits_spec(data.path(), Some(out), "weight_decay = 0.1\nclip_norm = 0.5"));
}

#[test]
fn a_resumed_text_run_equals_an_uninterrupted_one() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("sums.txt");
    std::fs::write(&data, sums()).unwrap();
    resumed_equals_uninterrupted(|out| text_spec(&data, Some(out), ""));
}

/// The same run with a network without attention.
fn shaped(spec: TrainSpec, shape: &str) -> TrainSpec {
    let TrainTask::Text(task) = &spec.task else { panic!("a run on text") };
    let shape = toml::from_str(&format!("{shape}\nmax_positions = 64\nvocabulary = 300\n")).unwrap();
    let task = TrainTask::Text(TextTask { shape: Some(shape), ..task.clone() });
    TrainSpec { task, ..spec }
}

#[test]
fn resumed_runs_of_networks_without_attention_equal_uninterrupted_ones() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("sums.txt");
    std::fs::write(&data, sums()).unwrap();
    for shape in [
        "architecture = \"lstm\"\nlayers = 2\nhidden = 24",
        "architecture = \"rnn\"\nlayers = 1\nhidden = 32\nembedding = 16",
        "architecture = \"feed_forward\"\nwindow = 6\nparameters = 20000\ndirect = true",
        "architecture = \"feed_forward\"\nwindow = 6\nhidden = 24\nlayers = 3\nactivation = \"relu\"\ndropout = 0.3\nnorm = true\n\
         residual = true",
    ] {
        resumed_equals_uninterrupted(|out| shaped(text_spec(&data, Some(out), ""), shape));
    }
}

#[test]
fn a_resumed_run_that_learns_to_remember_equals_an_uninterrupted_one() {
    resumed_equals_uninterrupted(|out| {
        toml::from_str(&format!(
            "learning_rate = 0.01\nbatch_size = 8\nsteps = 60\nvalidation_share = 0.1\neval_every = 20\nseed = 4\nout = {:?}\n\
             [task]\nkind = \"memory\"\nof = \"recall\"\nlongest = 8\ncontext = 32\n\
             [task.shape]\narchitecture = \"lstm\"\nlayers = 1\nhidden = 24\nmax_positions = 64\n",
            out.to_str().unwrap()
        ))
        .unwrap()
    });
}

/// Two stages, every kind of sequence.
const STAGES: &str = "[[task.stages]]\nuntil = 0.5\nrepeats = 1.0\nlookup = 1.0\nrules = 1.0\nchoose = 1.0\n\
                      [[task.stages]]\nuntil = 1.0\nrates = { token_embedding = 0.5 }\ntext = 1.0\nfacts = 1.0\nrenamed = 1.0\nshuffled = 1.0\n";

#[test]
fn a_resumed_few_shot_run_equals_an_uninterrupted_one() {
    let dir = tempfile::tempdir().unwrap();
    few_shot_data(dir.path());
    resumed_equals_uninterrupted(|out| {
        let spec = few_shot_spec(dir.path(), Some(out), &format!("made_up_templates = 0.3\n{STAGES}"));
        let group = ParameterGroup { seen_rows_only: true, fixed_columns: 8, ..ParameterGroup::of("token_embedding") };
        TrainSpec { groups: vec![group], ..spec }
    });
}

#[test]
fn a_few_shot_run_learns_answers_and_says_what_it_held_out() {
    let dir = tempfile::tempdir().unwrap();
    few_shot_data(dir.path());
    let out = dir.path().join("out");
    let stage = "[[task.stages]]\nuntil = 1.0\nfacts = 1.0\n";
    let mut spec = few_shot_spec(dir.path(), Some(&out), &format!("held_out_tasks = [\"length\"]\n{stage}"));
    (spec.steps, spec.eval_every, spec.precision) = (180, 60, Precision::F16);
    spec.learning_rate = 0.005;
    let (run, summary) = Engine::start().train(ModelId::next(), &spec, None);
    summary.unwrap();
    let accuracies: Vec<f64> = run.points.iter().filter_map(|point| point.validation_accuracy).collect();
    assert!(accuracies[2] > 0.8 && accuracies[2] > accuracies[0] + 0.2, "{accuracies:?}");
    let facts: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(out.join("fewshot.json")).unwrap()).unwrap();
    assert_eq!((&facts["held_out_tasks"][0], &facts["unseen_rules"][0]), (&"length".into(), &"copy".into()));
    assert_eq!(fovea::engine::read_card(&out).unwrap().precision, Some(Precision::F16));

    let fails = |task: &str, word: &str| {
        let error = Engine::start().train(ModelId::next(), &few_shot_spec(dir.path(), None, task), None).1.unwrap_err();
        assert!(error.to_string().contains(word), "{error} does not say {word:?}");
    };
    fails("stages = []", "stages");
    fails("[[task.stages]]\nuntil = 1.0\nfacts = -1.0\n", "stages");
    let changed = |from: &str, to: &str, word: &str| {
        let spec = toml::to_string(&few_shot_spec(dir.path(), None, stage)).unwrap();
        assert!(spec.contains(from), "{spec}");
        let spec = toml::from_str(&spec.replace(from, to)).unwrap();
        let error = Engine::start().train(ModelId::next(), &spec, None).1.unwrap_err();
        assert!(error.to_string().contains(word), "{error} does not say {word:?}");
    };
    changed("context = 32", "context = 4", "context");
    changed("share = 1.0", "share = -1.0", "text");
    fails(&format!("held_out_tasks = [\"riddles\"]\n{stage}"), "riddles");
}

#[test]
fn an_open_model_is_as_before_when_training_it_diverges_at_once() {
    let data = bars(100);
    let bench = Engine::start();
    let first = tempfile::tempdir().unwrap();
    bench.train(ModelId::next(), &digits_spec(data.path(), Some(first.path()), ""), None).1.unwrap();
    let model = bench.open(first.path());
    let image = DigitImage((0..784).map(|i| if (i / 28 + 1) / 3 == 4 { 0.9 } else { 0.0 }).collect());
    let before = bench.classify(model, image.clone());
    // It diverges before any validation: the weights go back to where the run began.
    let mut spec = digits_spec(data.path(), None, "start = { from = \"open_model\" }");
    spec.learning_rate = 1e30;
    spec.eval_every = 1000;
    let error = bench.train(model, &spec, None).1.unwrap_err();
    assert!(error.next.contains("back where the run began"), "{error}");
    assert_eq!(bench.classify(model, image), before);
}

#[test]
fn unusable_data_and_settings_are_told_before_anything_is_trained() {
    let bench = Engine::start();
    let dir = tempfile::tempdir().unwrap();
    let fails = |spec: &TrainSpec, word: &str| {
        let (run, result) = bench.train(ModelId::next(), spec, None);
        let error = result.unwrap_err().to_string();
        assert!(run.points.is_empty() && error.contains(word), "{error:?} does not say {word:?}");
    };
    fails(&digits_spec(dir.path(), None, ""), "train-images-idx3-ubyte");
    fails(&digits_spec(&dir.path().join("none"), None, ""), "none");
    let empty = dir.path().join("empty.txt");
    std::fs::write(&empty, "\n  \n").unwrap();
    fails(&text_spec(&empty, None, ""), "empty.txt");
    let short = dir.path().join("short.txt");
    std::fs::write(&short, "a").unwrap();
    fails(&text_spec(&short, None, ""), "too short");
    let images = bars(20);
    fails(&TrainSpec { steps: 0, ..digits_spec(images.path(), None, "") }, "steps");
    fails(&TrainSpec { learning_rate: f64::NAN, ..digits_spec(images.path(), None, "") }, "learning_rate");
    let group = ParameterGroup { rate: -0.1, ..ParameterGroup::of("token_embedding") };
    fails(&TrainSpec { groups: vec![group], ..text_spec(&short, None, "") }, "the rate of token_embedding");
    fails(&TrainSpec { validation_share: 1.0, ..digits_spec(images.path(), None, "") }, "validation_share");
    fails(&digits_spec(images.path(), Some(&empty), ""), "empty.txt");
}

/// Strokes as a hand might draw them, in the upper left corner and small.
fn drawn(points: &[&[[f32; 2]]]) -> DigitImage {
    let stroke = |points: &&[[f32; 2]]| Stroke {
        points: points.iter().map(|[x, y]| [12.0 + 0.5 * x, 20.0 + 0.5 * y]).collect(),
        width: 11.0,
        eraser: false,
    };
    Drawing { strokes: points.iter().map(stroke).collect() }.to_digit_image().unwrap()
}

#[test]
fn shipped_networks_read_digits_drawn_off_centre() {
    let circle: Vec<[f32; 2]> = (0..=24)
        .map(|i| (i as f32 / 24.0 * std::f32::consts::TAU).sin_cos())
        .map(|(s, c)| [70.0 + 45.0 * s, 100.0 - 75.0 * c])
        .collect();
    let three: Vec<[f32; 2]> = vec![
        [35.0, 45.0],
        [60.0, 25.0],
        [95.0, 30.0],
        [105.0, 60.0],
        [90.0, 90.0],
        [60.0, 98.0],
        [95.0, 108.0],
        [112.0, 140.0],
        [95.0, 172.0],
        [60.0, 180.0],
        [30.0, 165.0],
    ];
    let digits: [(usize, Vec<&[[f32; 2]]>); 5] = [
        (0, vec![&circle]),
        (1, vec![&[[75.0, 20.0], [70.0, 100.0], [65.0, 180.0]]]),
        (3, vec![&three]),
        (
            4,
            vec![
                &[[60.0, 20.0], [45.0, 60.0], [30.0, 105.0], [70.0, 108.0], [120.0, 100.0]],
                &[[100.0, 30.0], [95.0, 105.0], [88.0, 185.0]],
            ],
        ),
        (7, vec![&[[25.0, 35.0], [70.0, 32.0], [115.0, 28.0], [90.0, 90.0], [65.0, 180.0]]]),
    ];
    let bench = Engine::start();
    for name in ["digits-mlp", "digits-cnn"] {
        let model = bench.open(&root().join("models").join(name));
        for (digit, strokes) in &digits {
            let probabilities = bench.classify(model, drawn(strokes));
            let best = (0..10).max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b])).unwrap();
            assert_eq!(best, *digit, "{name} reads a drawn {digit} as {probabilities:.2?}");
        }
    }
}

#[test]
fn shipped_networks_reach_their_accuracy() {
    let Some(mnist) = shared("shipped_networks_reach_their_accuracy", "data/mnist") else { return };
    let bench = Engine::start();
    for (name, least) in [("digits-mlp", 0.95), ("digits-cnn", 0.993)] {
        let model = bench.open(&root().join("models").join(name));
        let EvaluationReport::Digits { images, accuracy, .. } = bench.evaluate(model, &mnist) else {
            panic!("not a digit report")
        };
        assert_eq!(images, 10_000, "the test images are measured");
        assert!(accuracy >= least, "{name}: {accuracy}");
    }
}

#[test]
fn the_shipped_text_model_writes_english() {
    let folder = root().join("models/sprout");
    if !folder.is_dir() {
        skipped("the_shipped_text_model_writes_english", "no models/sprout");
        return;
    }
    let bench = Engine::start();
    let model = bench.open(&folder);
    let mut text = String::new();
    let job = JobId::next();
    let prompt = PromptInput::Text("Once upon a time, there was a little girl named".to_owned());
    bench.send(Command::start(
        job,
        model,
        Work::Generate(GenerateSpec {
            prompt,
            sampling: Sampling { max_new_tokens: 40, ..Sampling::default() },
            edits: Vec::new(),
        }),
    ));
    let outcome = bench.end(job, |event| {
        if let Event::Token { token, .. } = event {
            text.push_str(&token.text);
        }
    });
    outcome.unwrap();
    let common = ["she", "the", "a", "was", "to", "and", "her", "in", "with", "day", "loved"];
    let words: Vec<String> =
        text.split_whitespace().map(|w| w.trim_matches(|c: char| !c.is_alphabetic()).to_lowercase()).collect();
    let known = words.iter().filter(|w| common.contains(&w.as_str())).count();
    assert!(words.len() >= 15 && known * 4 >= words.len(), "{text:?}");
}
