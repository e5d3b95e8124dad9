//! Whatever ends a run, and whenever: begun again, it ends with the model and the log of a run that was never ended.

use super::train::task;
use super::train_tests::data;
use super::*;
use crate::disk::stop;
use crate::types::TrainSpec;
use std::path::Path;

fn spec(data: &Path, out: &Path) -> TrainSpec {
    let text = format!(
        "learning_rate = 0.02\nbatch_size = 8\nsteps = 8\neval_every = 3\nvalidation_share = 0.25\nseed = 5\nout = {out:?}\n\
         [task]\nkind = \"digits\"\ndata = {data:?}\nnetwork = \"mlp\"\naugment = true"
    );
    toml::from_str(&text).unwrap()
}

/// Runs to the end, or to a stop before the task's turn `turn`. Gives the turns it took.
fn train(spec: &TrainSpec, turn: Option<usize>) -> Result<usize, UserError> {
    let device = Device::flex();
    let (mut task, mut models) = (task(ModelId::next(), spec.clone()), ModelStore::default());
    for taken in 0.. {
        let mut emit = |_| {};
        let mut cx = TaskContext { job: JobId::next(), device: &device, models: &mut models, emit: &mut emit };
        if turn == Some(taken) {
            return task.cancel(&mut cx).map(|_| taken);
        }
        if let Step::Done(_) = task.step(&mut cx)? {
            return Ok(taken);
        }
    }
    unreachable!("a run ends")
}

/// The model's files and the log, but for the times in it.
fn result(out: &Path) -> (Vec<u8>, String, String) {
    let text = |file: &str| std::fs::read_to_string(out.join(file)).unwrap();
    let log = text("training-log.csv");
    let timeless = log.lines().map(|line| {
        let (step, rest) = line.split_once(',').unwrap();
        format!("{step} {}\n", rest.split_once(',').unwrap().1)
    });
    (std::fs::read(out.join("model.safetensors")).unwrap(), text("config.json"), timeless.collect())
}

/// What a run leaves in its folder, by name.
fn names(out: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(out).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// All that runs end with is compared in one folder, whose path is part of the spec.
fn begun_again_equals(begin: impl Fn(&TrainSpec, usize) -> bool) -> usize {
    let (data, home) = (data(), tempfile::tempdir().unwrap());
    let out = home.path().join("run");
    let spec = spec(data.path(), &out);
    train(&spec, None).unwrap();
    let (wanted, files) = (result(&out), names(&out));
    for ended_at in 0.. {
        std::fs::remove_dir_all(&out).unwrap();
        let was_ended = begin(&spec, ended_at);
        train(&spec, None).unwrap_or_else(|error| panic!("ended at {ended_at}: {error}"));
        assert!(result(&out) == wanted, "ended at {ended_at}, the result is another one");
        assert_eq!(names(&out), files, "ended at {ended_at}");
        if !was_ended {
            return ended_at;
        }
    }
    unreachable!("a run ends")
}

#[test]
fn a_run_killed_at_any_change_on_disk_goes_on_as_if_it_had_not_been() {
    let steps = begun_again_equals(|spec, steps| stop::after(steps, || train(spec, None)).1);
    assert!(steps > 60, "only {steps} changes were ended");
}

#[test]
fn a_run_stopped_at_any_turn_goes_on_as_if_it_had_not_been() {
    let turns = begun_again_equals(|spec, turn| {
        std::fs::create_dir_all(spec.out.as_ref().unwrap()).unwrap();
        train(spec, Some(turn)).unwrap() == turn
    });
    assert!(turns > 10, "only {turns} turns were stopped at");
}
