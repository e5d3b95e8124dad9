//! Whatever ends a run, and whenever: begun again, it ends with the model and the log of a run that was never ended.

use super::train::task;
use super::train_tests::data;
use super::*;
use crate::disk::stop;
use crate::load::{self, DigitModel};
use crate::nn::DigitConfig;
use crate::train::{kept_runs, read_record, read_snapshots};
use crate::types::{DigitNetwork, Precision, RunState, TrainSpec};
use std::path::Path;

fn spec(data: &Path, out: &Path, more: &str) -> TrainSpec {
    let text = format!(
        "learning_rate = 0.02\nbatch_size = 8\nsteps = 8\neval_every = 3\nseed = 5\nout = {out:?}\n{more}\n\
         [task]\nkind = \"digits\"\ndata = {data:?}\nnetwork = \"mlp\"\naugment = true"
    );
    toml::from_str(&text).unwrap()
}

/// Runs to the end, or to a stop before the task's turn `turn`. Gives the turns it took.
fn train(spec: &TrainSpec, turn: Option<usize>) -> Result<usize, UserError> {
    train_on(ModelId::next(), &mut ModelStore::default(), spec, turn)
}

fn train_on(
    model: ModelId,
    models: &mut ModelStore,
    spec: &TrainSpec,
    turn: Option<usize>,
) -> Result<usize, UserError> {
    let device = Device::flex();
    let mut task = task(model, spec.clone());
    for taken in 0.. {
        let mut emit = |_| {};
        let mut cx = TaskContext { job: JobId::next(), device: &device, models, emit: &mut emit };
        if turn == Some(taken) {
            return task.cancel(&mut cx).map(|_| taken);
        }
        match task.step(&mut cx)? {
            Step::More => {}
            Step::Held(error) => return Err(error),
            Step::Done(_) => return Ok(taken),
        }
    }
    unreachable!("a run ends")
}

/// What is left of a run.
#[derive(PartialEq)]
struct Left {
    weights: Vec<u8>,
    config: String,
    /// But for the times in it.
    log: String,
    /// What was noted on the way, and the weights of then.
    snapshots: Vec<(String, Vec<u8>)>,
}

fn result(out: &Path) -> Left {
    let text = |file: &str| std::fs::read_to_string(out.join(file)).unwrap();
    let log = text("training-log.csv");
    let timeless = log.lines().map(|line| {
        let (step, rest) = line.split_once(',').unwrap();
        format!("{step} {}\n", rest.split_once(',').unwrap().1)
    });
    let snapshots = read_snapshots(out).into_iter().map(|snapshot| {
        let weights = snapshot.weights.as_ref().expect("they were kept");
        let weights = std::fs::read(weights.join("model.safetensors")).unwrap();
        (serde_json::to_string(&snapshot).unwrap(), weights)
    });
    let weights = std::fs::read(out.join("model.safetensors")).unwrap();
    Left { weights, config: text("config.json"), log: timeless.collect(), snapshots: snapshots.collect() }
}

/// What a run leaves in its folder, by name, but for the times in it.
fn names(out: &Path) -> Vec<String> {
    let timeless = |name: String| name.trim_matches(|c: char| c.is_ascii_digit()).to_owned();
    let name = |entry: std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.split('.').map(|part| timeless(part.to_owned())).collect::<Vec<_>>().join(".")
    };
    let mut names: Vec<String> = std::fs::read_dir(out).unwrap().map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

/// All that runs end with is compared in one folder, whose path is part of the spec. `begin` begins a run, perhaps not to its end,
/// and `again` begins it again.
fn begun_again_equals(
    more: &str,
    begin: impl Fn(&TrainSpec, usize) -> bool,
    again: impl Fn(&TrainSpec) -> Result<usize, UserError>,
) -> usize {
    let (data, home) = (data(), tempfile::tempdir().unwrap());
    let out = home.path().join("run");
    let spec = spec(data.path(), &out, more);
    begin(&spec, usize::MAX);
    let (wanted, files) = (result(&out), names(&out));
    for ended_at in 0.. {
        std::fs::remove_dir_all(&out).unwrap();
        let was_ended = begin(&spec, ended_at);
        again(&spec).unwrap_or_else(|error| panic!("ended at {ended_at}: {error}"));
        assert!(result(&out) == wanted, "ended at {ended_at}, the result is another one");
        assert_eq!(names(&out), files, "ended at {ended_at}");
        if !was_ended {
            return ended_at;
        }
    }
    unreachable!("a run ends")
}

const HELD_OUT: &str = "validation_share = 0.25";
const NOTHING_HELD_OUT: &str = "validation_share = 0.0";
const WATCHED: &str = "validation_share = 0.25\nsnapshots = [2, 3, 7]";

#[test]
fn a_run_killed_at_any_change_on_disk_goes_on_as_if_it_had_not_been() {
    for more in [HELD_OUT, NOTHING_HELD_OUT, WATCHED] {
        let begin = |spec: &TrainSpec, steps| stop::after(steps, || train(spec, None)).1;
        let steps = begun_again_equals(more, begin, |spec| train(spec, None));
        assert!(steps > 60, "only {steps} changes were ended");
    }
}

#[test]
fn a_run_stopped_at_any_turn_goes_on_as_if_it_had_not_been() {
    for more in [HELD_OUT, NOTHING_HELD_OUT, WATCHED] {
        let begin = |spec: &TrainSpec, turn| {
            std::fs::create_dir_all(spec.out.as_ref().unwrap()).unwrap();
            train(spec, Some(turn)).unwrap() == turn
        };
        let turns = begun_again_equals(more, begin, |spec| train(spec, None));
        assert!(turns > 10, "only {turns} turns were stopped at");
    }
}

/// A spec of a run that learns an adapter: on text, or beside a head for classes.
fn lora_spec(data: &Path, out: &Path, task: &str) -> TrainSpec {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(match task {
        "text" => "llama",
        _ => "classifiers/distilbert",
    });
    let (data, more) = match task {
        "text" => (format!("data = [{:?}]\ncontext = 8", data.join("words.txt")), "targets = [\"q_proj\", \"v_proj\"]"),
        _ => (format!("data = {:?}", data.join("labels.csv")), "targets = [\"q_lin\"]"),
    };
    let text = format!(
        "learning_rate = 0.02\nbatch_size = 2\nsteps = 3\neval_every = 2\nseed = 5\nout = {out:?}\nvalidation_share = 0.25\n\
         [start]\nfrom = \"folder\"\npath = {base:?}\n[task]\nkind = {task:?}\n{data}\n[lora]\nrank = 2\n{more}"
    );
    toml::from_str(&text).unwrap()
}

#[test]
fn a_run_that_learns_an_adapter_is_begun_again_like_any_other() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("words.txt"), "abcabcabdabcabd ".repeat(40)).unwrap();
    let row = |i: usize| format!("{},{}\n", ["abab", "xyxy"][i % 2].repeat(1 + i % 3), ["low", "high"][i % 2]);
    let rows: String = (0..24).map(row).collect();
    std::fs::write(data.path().join("labels.csv"), format!("text,label\n{rows}")).unwrap();
    for task in ["text", "classify"] {
        let home = tempfile::tempdir().unwrap();
        let out = home.path().join("run");
        let spec = lora_spec(data.path(), &out, task);
        train(&spec, None).unwrap();
        let result = || {
            let read = |file: &str| std::fs::read(out.join(file)).unwrap();
            (read("adapter_model.safetensors"), read("adapter_config.json"), names(&out))
        };
        let wanted = result();
        // Every other change: those between are of the same files.
        let mut ended_at = usize::from(task == "classify");
        loop {
            std::fs::remove_dir_all(&out).unwrap();
            let (_, was_ended) = stop::after(ended_at, || train(&spec, None));
            train(&spec, None).unwrap_or_else(|error| panic!("{task}, ended at {ended_at}: {error}"));
            assert!(result() == wanted, "{task}: ended at {ended_at}, the result is another one");
            if !was_ended {
                break;
            }
            ended_at += 2;
        }
        assert!(ended_at > 30, "{task}: only {ended_at} changes were ended");
    }
}

/// A store with one digit network that no file holds.
fn open_model() -> (ModelId, ModelStore) {
    let config = DigitConfig::of(DigitNetwork::Mlp);
    let mut model = DigitModel::new("drawn", config.clone(), config.init(77, &Device::flex()));
    let id = ModelId::next();
    (model.info.id, model.info.modified) = (id, true);
    let mut models = ModelStore::default();
    models.insert(id, LoadedModel::Digits(model));
    (id, models)
}

#[test]
fn a_run_of_a_model_in_memory_goes_on_in_a_program_that_has_not_opened_it() {
    let more = "validation_share = 0.25\nstart = { from = \"open_model\" }";
    let begin_open = |spec: &TrainSpec, turn| {
        let (id, mut models) = open_model();
        train_on(id, &mut models, spec, turn)
    };
    let again = |spec: &TrainSpec| {
        // A program that was ended before the run's record was there has no run to go on with.
        match read_record(spec.out.as_ref().unwrap()).map(|record| record.state) {
            None => begin_open(spec, None),
            // One that came to its end and could not take away what it needed: looking at the list does.
            Some(RunState::Done) => Ok(kept_runs(spec.out.as_ref().unwrap().parent().unwrap()).len()),
            Some(_) => train(spec, None),
        }
    };
    let killed = |spec: &TrainSpec, steps| stop::after(steps, || begin_open(spec, None)).1;
    assert!(begun_again_equals(more, killed, again) > 60);
    let stopped = |spec: &TrainSpec, turn| begin_open(spec, Some(turn)).unwrap() == turn;
    assert!(begun_again_equals(more, stopped, again) > 10);
}

#[test]
fn a_run_goes_on_only_from_the_weights_it_began_with() {
    let (data, home) = (data(), tempfile::tempdir().unwrap());
    let (out, folder) = (home.path().join("run"), home.path().join("model"));
    let (id, mut models) = open_model();
    let Some(LoadedModel::Digits(model)) = models.get_mut(id) else { unreachable!("it was put there") };
    load::save_digit_model(model, &folder, Precision::F32).unwrap();
    (model.info.path, model.info.modified) = (folder.clone(), false);
    let spec = spec(data.path(), &out, "validation_share = 0.25\nstart = { from = \"open_model\" }");
    train_on(id, &mut models, &spec, Some(12)).unwrap();
    let record = read_record(&out).unwrap();
    assert_eq!((record.state, record.start.as_ref().unwrap().weights.as_path()), (RunState::Stopped, &*folder));
    assert!(!out.join("start").exists(), "a folder holds the weights already");

    let other = DigitConfig::of(DigitNetwork::Mlp);
    let other = DigitModel::new("other", other.clone(), other.init(78, &Device::flex()));
    load::save_digit_model(&other, &folder, Precision::F32).unwrap();
    let error = train(&spec, None).unwrap_err();
    assert!(error.why.contains("not those it began with"), "{error}");
    assert_eq!(read_record(&out).unwrap().state, RunState::Stopped, "the run is as it was");
}

#[test]
fn a_run_that_fails_before_its_first_step_leaves_no_folder() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("run");
    let error = train(&spec(Path::new("not there"), &out, HELD_OUT), None).unwrap_err();
    assert!(error.what.contains("not there"), "{error}");
    assert!(!out.exists());
}
