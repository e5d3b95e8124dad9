//! Training with an objective that goes wrong at a chosen step.

use super::train::{task, trainer};
use super::{LoadedModel, ModelStore, Step, Task, TaskContext};
use crate::engine::{Event, Outcome};
use crate::load::{self, DigitModel};
use crate::nn::{DigitConfig, DigitNet};
use crate::train::objective::{Loss, Tally};
use crate::train::objectives::Digits;
use crate::train::{Objective, Preparation, Progress, Setup};
use crate::types::{DigitNetwork, DigitTask, JobId, ModelId, TrainPoint, TrainSpec, TrainTask, UserError};
use burn::tensor::Device;
use std::path::Path;

/// Learns digits, but from one step on the loss is no number.
struct Spoiled {
    digits: Digits,
    from: usize,
}

impl Objective for Spoiled {
    type Model = DigitModel;
    type Net = DigitNet;

    fn beta_2(&self) -> f32 {
        self.digits.beta_2()
    }

    fn prepare(
        &mut self,
        setup: &Setup<'_, DigitModel>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Preparation<DigitModel>, UserError> {
        self.digits.prepare(setup, tell)
    }

    fn net(model: &DigitModel) -> DigitNet {
        Digits::net(model)
    }

    fn loss(&mut self, spec: &TrainSpec, net: &DigitNet, step: usize, device: &Device) -> Loss {
        let loss = self.digits.loss(spec, net, step, device);
        if step >= self.from { Loss { mean: loss.mean * f32::NAN, ..loss } } else { loss }
    }

    fn examples_per_step(&self, spec: &TrainSpec) -> u64 {
        self.digits.examples_per_step(spec)
    }

    fn validation_slices(&self) -> usize {
        self.digits.validation_slices()
    }

    fn validate(&self, net: &DigitNet, slice: usize, device: &Device) -> Tally {
        self.digits.validate(net, slice, device)
    }
}

/// 40 images, a bright row each.
pub(super) fn data() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let idx = |axes: &[u32], elements: Vec<u8>| {
        let mut bytes = vec![0, 0, 8, axes.len() as u8];
        bytes.extend(axes.iter().flat_map(|n| n.to_be_bytes()));
        bytes.extend(elements);
        bytes
    };
    let pixels = (0..40 * 784).map(|i| if i % 784 / 28 == i / 784 % 10 * 2 { 250 } else { 0 }).collect();
    std::fs::write(dir.path().join("train-images-idx3-ubyte"), idx(&[40, 28, 28], pixels)).unwrap();
    let labels = (0..40).map(|i| i % 10).collect();
    std::fs::write(dir.path().join("train-labels-idx1-ubyte"), idx(&[40], labels)).unwrap();
    dir
}

/// Trains until the loss fails at step `from`; gives the error, the store and every point that was reported.
fn spoiled(from: usize, out: &Path) -> (UserError, ModelStore, ModelId, Vec<TrainPoint>) {
    let data = data();
    let task = DigitTask { data: data.path().to_owned(), network: DigitNetwork::Mlp, layers: None, augment: false };
    let spec = TrainSpec {
        task: TrainTask::Digits(task.clone()),
        out: Some(out.to_owned()),
        validation_share: 0.25,
        learn_from: 1.0,
        seed: 2,
        ..toml::from_str(
            "learning_rate = 0.01\nbatch_size = 8\nsteps = 50\neval_every = 3\n\
             [task]\nkind = \"digits\"\ndata = \"none\"\nnetwork = \"mlp\"",
        )
        .unwrap()
    };
    let (model, device) = (ModelId::next(), Device::flex());
    let mut trainer = trainer(Spoiled { digits: Digits::new(task), from }, model, spec);
    let (mut models, mut points) = (ModelStore::default(), Vec::new());
    loop {
        let mut emit = |event| {
            if let Event::Trained { points: new, .. } = event {
                points.extend(new);
            }
        };
        let mut cx = TaskContext { job: JobId::next(), device: &device, models: &mut models, emit: &mut emit };
        if let Err(error) = trainer.step(&mut cx) {
            return (error, models, model, points);
        }
    }
}

#[test]
fn a_loss_that_is_no_number_leaves_the_best_weights_in_memory_and_on_disk() {
    let out = tempfile::tempdir().unwrap();
    let (error, models, model, points) = spoiled(11, out.path());
    assert!(error.what.contains("step 11") && error.what.contains("NaN"), "{error}");
    // The step that went wrong is there, too, so that the curve shows where it was.
    assert!(points.len() == 11 && points[10].loss.is_nan() && points[9].gradient_norm.is_some_and(|norm| norm > 0.0));
    let measured = points.iter().filter_map(|p| p.validation_loss.map(|loss| (loss, p.step)));
    let best = measured.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
    assert!(error.next.contains(&format!("step {}", best.1)), "{error} should name step {}", best.1);
    let LoadedModel::Digits(kept) = models.get(model).unwrap() else { panic!("not a digit network") };
    let saved = load::open_digit_model(out.path(), &Device::flex()).unwrap();
    assert_eq!(saved.net.layer_weights(), kept.net.layer_weights());
    let log = std::fs::read_to_string(out.path().join("training-log.csv")).unwrap();
    assert_eq!(log.lines().count(), 12);
}

#[test]
fn before_any_validation_the_weights_go_back_to_the_start() {
    let out = tempfile::tempdir().unwrap();
    let (error, models, model, _) = spoiled(2, out.path());
    assert!(error.next.contains("back where the run began"), "{error}");
    let LoadedModel::Digits(kept) = models.get(model).unwrap() else { panic!("not a digit network") };
    assert_eq!(kept.net.layer_weights(), kept.config.init(2, &Device::flex()).layer_weights());
    assert!(!out.path().join("model.safetensors").exists(), "untrained weights are not worth a file");
}

/// A run of 12 steps whose folder became a file after its first validation.
fn unwritable(out: &Path, data: &Path) -> (Box<dyn Task>, ModelStore, ModelId) {
    let text = format!(
        "learning_rate = 0.01\nbatch_size = 8\nsteps = 12\neval_every = 3\nvalidation_share = 0.25\nout = {out:?}\n\
         [task]\nkind = \"digits\"\ndata = {data:?}\nnetwork = \"mlp\""
    );
    let (model, mut models) = (ModelId::next(), ModelStore::default());
    let mut run = task(model, toml::from_str(&text).unwrap());
    while !out.join("checkpoint/run.json").exists() {
        assert!(matches!(step(&mut run, &mut models), Step::More));
    }
    std::fs::remove_dir_all(out).unwrap();
    std::fs::write(out, "").unwrap();
    let error = loop {
        match step(&mut run, &mut models) {
            Step::More => {}
            Step::Held(error) => break error,
            Step::Done(_) => panic!("nothing could be written"),
        }
    };
    assert!(error.what.contains("Nothing can be written") && !error.next.is_empty(), "{error}");
    assert!(matches!(step(&mut run, &mut models), Step::Held(_)), "it is held as long as nothing changes");
    (run, models, model)
}

fn step(run: &mut Box<dyn Task>, models: &mut ModelStore) -> Step {
    let device = Device::flex();
    run.step(&mut TaskContext { job: JobId::next(), device: &device, models, emit: &mut |_| {} }).unwrap()
}

fn end(run: &mut Box<dyn Task>, models: &mut ModelStore) {
    while let Step::More = step(run, models) {}
}

#[test]
fn a_run_held_by_a_full_disk_goes_on_where_it_was_once_there_is_room() {
    let (home, data) = (tempfile::tempdir().unwrap(), data());
    let (out, never) = (home.path().join("run"), home.path().join("never held"));
    let (mut run, mut models, _) = unwritable(&out, data.path());
    std::fs::remove_file(&out).unwrap();
    std::fs::create_dir(&out).unwrap();
    end(&mut run, &mut models);
    let mut spec = crate::train::read_record(&out).unwrap().spec;
    spec.out = Some(never.clone());
    let (mut run, mut models) = (task(ModelId::next(), spec), ModelStore::default());
    end(&mut run, &mut models);
    let weights = |out: &Path| std::fs::read(out.join("model.safetensors")).unwrap();
    assert!(weights(&out) == weights(&never), "what held it changed nothing");
}

#[test]
fn a_run_that_is_to_go_on_without_its_files_ends_in_memory() {
    let (home, data) = (tempfile::tempdir().unwrap(), data());
    let out = home.path().join("run");
    let (mut run, mut models, model) = unwritable(&out, data.path());
    run.let_go();
    end(&mut run, &mut models);
    let info = models.get(model).unwrap().info();
    assert!(info.modified && info.trained_steps > 0, "{info:?}");
    assert!(out.is_file(), "nothing was written");
}

#[test]
fn a_trial_tells_what_a_run_costs_and_changes_nothing() {
    let data = data();
    let config = DigitConfig::of(DigitNetwork::Mlp);
    let mut drawn = DigitModel::new("drawn", config.clone(), config.init(7, &Device::flex()));
    let (model, mut models) = (ModelId::next(), ModelStore::default());
    drawn.info.id = model;
    models.insert(model, LoadedModel::Digits(drawn));
    let text = format!(
        "learning_rate = 0.5\nbatch_size = 8\nsteps = 100\neval_every = 10\nvalidation_share = 0.25\n\
         start = {{ from = \"open_model\" }}\n[task]\nkind = \"digits\"\ndata = {:?}\nnetwork = \"mlp\"",
        data.path()
    );
    let spec: TrainSpec = toml::from_str(&text).unwrap();
    let mut trial = super::train_trial::task(model, spec.clone());
    let cost = loop {
        match step(&mut trial, &mut models) {
            Step::More => {}
            Step::Done(Outcome::Tried(cost)) => break cost,
            _ => panic!("another end"),
        }
    };
    assert!(cost.step_s > 0.0 && cost.validation_s > 0.0 && cost.parameters == 13_002, "{cost:?}");
    assert!((cost.seconds(&spec) - (100.0 * cost.step_s + 10.0 * cost.validation_s)).abs() < 1e-9);
    let LoadedModel::Digits(after) = models.get(model).unwrap() else { panic!("not a digit network") };
    assert_eq!(after.net.layer_weights(), config.init(7, &Device::flex()).layer_weights());
    assert!(!after.info.modified && after.info.trained_steps == 0);
}

/// Runs to the end; gives the points of the curve and how it ended.
fn run(spec: &TrainSpec) -> (Vec<TrainPoint>, crate::types::TrainSummary) {
    let (device, mut models, mut points) = (Device::flex(), ModelStore::default(), Vec::new());
    let mut run = task(ModelId::next(), spec.clone());
    loop {
        let mut emit = |event| {
            if let Event::Trained { points: new, .. } = event {
                points.extend(new);
            }
        };
        let mut cx = TaskContext { job: JobId::next(), device: &device, models: &mut models, emit: &mut emit };
        match run.step(&mut cx).unwrap() {
            Step::More => {}
            Step::Done(Outcome::Trained(summary)) => return (points, summary),
            _ => panic!("another end"),
        }
    }
}

#[test]
fn batches_whose_gradients_are_added_up_are_one_large_batch() {
    let data = data();
    let text = |batch: usize, accumulate: usize| {
        format!(
            "learning_rate = 0.01\nbatch_size = {batch}\naccumulate = {accumulate}\nsteps = 6\neval_every = 3\n\
             validation_share = 0.2\nclip_norm = 0.5\nseed = 4\n\
             [task]\nkind = \"digits\"\ndata = {:?}\nnetwork = \"mlp\"",
            data.path()
        )
    };
    let points = |batch, accumulate| run(&toml::from_str(&text(batch, accumulate)).unwrap());
    let (small, small_end) = points(4, 4);
    let (large, large_end) = points(16, 1);
    assert_eq!((small_end.examples, large_end.examples), (96, 96));
    for (small, large) in small.iter().zip(&large) {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-4 * b.abs().max(1e-3);
        assert!(near(small.loss, large.loss), "{small:?} {large:?}");
        assert!(near(small.gradient_norm.unwrap(), large.gradient_norm.unwrap()), "{small:?} {large:?}");
    }
    let wrong = crate::train::check(&toml::from_str(&text(4, 0)).unwrap()).unwrap_err();
    assert!(wrong.what.contains("accumulate"), "{wrong}");
}

#[test]
fn a_run_ends_early_once_validations_are_not_the_best_any_more() {
    let data = data();
    let text = |patience: usize, share: f64| {
        format!(
            // So large a rate that what is not seen is soon guessed worse and worse.
            "learning_rate = 0.5\nbatch_size = 8\nsteps = 400\neval_every = 2\npatience = {patience}\n\
             validation_share = {share}\nseed = 4\n[task]\nkind = \"digits\"\ndata = {:?}\nnetwork = \"mlp\"",
            data.path()
        )
    };
    let (points, end) = run(&toml::from_str(&text(3, 0.25)).unwrap());
    let (best, _) = end.best.unwrap();
    assert_eq!(end.settled, Some(3), "{end:?}");
    assert!(end.steps == best + 6 && points.len() == end.steps && end.steps < 400 && !end.stopped_early, "{end:?}");
    let wrong = crate::train::check(&toml::from_str(&text(3, 0.0)).unwrap()).unwrap_err();
    assert!(wrong.what.contains("patience"), "{wrong}");
}

#[test]
fn weights_that_cannot_be_kept_are_told_and_the_run_goes_on() {
    let (home, data) = (tempfile::tempdir().unwrap(), data());
    let out = home.path().join("run");
    std::fs::create_dir(&out).unwrap();
    // No folder can be made where a file is.
    std::fs::write(out.join("snapshots"), "").unwrap();
    let text = format!(
        "learning_rate = 0.01\nbatch_size = 8\nsteps = 6\neval_every = 3\nvalidation_share = 0.25\nout = {out:?}\nsnapshots = [2]\n\
         [task]\nkind = \"digits\"\ndata = {:?}\nnetwork = \"mlp\"",
        data.path()
    );
    let (device, mut models, mut told) = (Device::flex(), ModelStore::default(), Vec::new());
    let mut run = task(ModelId::next(), toml::from_str(&text).unwrap());
    loop {
        let mut emit = |event| {
            if let Event::Snapshot { snapshot, .. } = event {
                told.push(*snapshot);
            }
        };
        let mut cx = TaskContext { job: JobId::next(), device: &device, models: &mut models, emit: &mut emit };
        match run.step(&mut cx).unwrap() {
            Step::More => {}
            Step::Done(Outcome::Trained(summary)) => break assert_eq!(summary.steps, 6),
            _ => panic!("another end"),
        }
    }
    assert_eq!(told.iter().map(|snapshot| snapshot.step).collect::<Vec<_>>(), [0, 2]);
    assert!(told.iter().all(|snapshot| snapshot.weights.is_none() && snapshot.not_kept.is_some()), "{told:?}");
    assert!(out.join("model.safetensors").exists());
    let read = crate::train::read_snapshots(&out);
    assert_eq!((read.len(), &read[1].not_kept), (2, &told[1].not_kept), "what was noted is there");
    let confusion = read[1].confusion.as_ref().unwrap();
    assert_eq!(confusion.counts.iter().flatten().sum::<usize>(), 10, "each held-out image once");
}
