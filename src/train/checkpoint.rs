//! A run on disk, exact enough that resuming it equals never having stopped.
//!
//! `checkpoint/run.json` holds the spec, the step and the best validation; `checkpoint/state.safetensors` the trained weights and
//! the optimiser's moments, `checkpoint/best.safetensors` the trained weights of the best validation. Frozen weights are in
//! neither: they are those the run starts from. Weights that are the best ones are written once, to the second file, and while
//! none are better that file is taken over from one checkpoint to the next. Random numbers and the place in the data follow from
//! seed and step. Tensors are named by the path of their parameter; checkpoints from before that numbered them by their position
//! in the module, and kept the best weights among the others, and are read too.

use super::exact;
use super::optimiser::Moments;
use super::trainable::Parameter;
use crate::disk;
use crate::types::{TrainPoint, TrainSpec, UserError};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Folder inside a run's output folder.
const FOLDER: &str = "checkpoint";
/// Written first, then put in the other's place, so that a crash leaves a whole checkpoint behind.
const UNFINISHED: &str = "checkpoint.unfinished";
const RUN_FILE: &str = "run.json";
const STATE_FILE: &str = "state.safetensors";
const BEST_FILE: &str = "best.safetensors";

/// The best validation so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct BestScore {
    /// Step it was measured at.
    pub step: usize,
    /// Mean cross-entropy in nats.
    #[serde(with = "exact")]
    pub loss: f64,
}

/// What follows an optimiser step before the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Due {
    /// Nothing.
    #[default]
    Nothing,
    /// The validation of a point.
    Validation(DuePoint),
    /// A sample.
    Sample,
}

/// What is known of a point before its validation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct DuePoint {
    #[serde(with = "exact")]
    elapsed_s: f64,
    #[serde(with = "exact")]
    loss: f64,
    #[serde(with = "exact")]
    learning_rate: f64,
    #[serde(with = "exact::optional", default)]
    gradient_norm: Option<f64>,
}

impl DuePoint {
    pub(super) fn of(point: &TrainPoint) -> Self {
        let &TrainPoint { elapsed_s, loss, learning_rate, gradient_norm, .. } = point;
        Self { elapsed_s, loss, learning_rate, gradient_norm }
    }

    pub(super) fn point(self, step: usize) -> TrainPoint {
        let Self { elapsed_s, loss, learning_rate, gradient_norm } = self;
        TrainPoint { step, elapsed_s, loss, learning_rate, gradient_norm, ..TrainPoint::default() }
    }
}

/// What is known of a run between two steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RunState {
    /// The run's spec, to refuse resuming another one.
    pub spec: TrainSpec,
    /// Optimiser steps done.
    pub step: usize,
    /// Seconds of training, pauses not counted.
    pub elapsed_s: f64,
    /// Best validation so far.
    pub best: Option<BestScore>,
    /// What was begun at this step and is still to be done.
    #[serde(default)]
    pub due: Due,
    /// How often each parameter was updated, by its path.
    #[serde(default)]
    updates: BTreeMap<String, usize>,
    /// The same by position, in checkpoints from before paths.
    #[serde(default, skip_serializing)]
    times: Vec<Option<usize>>,
}

/// Weights by the path of their parameter.
pub(super) type Weights = BTreeMap<String, Vec<f32>>;

/// Everything a run needs to go on.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    /// Step, time and best score.
    pub(super) run: RunState,
    /// Current weights.
    pub(super) weights: Weights,
    /// Weights of the best validation.
    pub(super) best_weights: Option<Weights>,
    /// The optimiser's state.
    pub(super) moments: BTreeMap<String, Moments>,
    /// The folder it was read from.
    pub(crate) folder: PathBuf,
}

/// What of a run is written.
pub(super) struct Snapshot<'a> {
    /// The run's spec.
    pub spec: &'a TrainSpec,
    /// Optimiser steps done.
    pub step: usize,
    /// Seconds of training.
    pub elapsed_s: f64,
    /// Best validation so far.
    pub best: Option<BestScore>,
    /// What is still to be done at this step.
    pub due: Due,
    /// The network's parameters, in visiting order.
    pub parameters: &'a [Parameter],
    /// The optimiser's state, in visiting order.
    pub moments: Vec<Option<Moments>>,
}

impl Checkpoint {
    /// The checkpoint in `out`, if there is one. A program that was ended while it replaced one has left an older and a newer
    /// copy, of which one may have lost files: the newest that is whole counts, and gets its usual name back.
    ///
    /// # Errors
    /// When there is one, and no copy of it can be read.
    pub(crate) fn find(out: &Path) -> Result<Option<Self>, UserError> {
        let place = out.join(FOLDER);
        let copies = [place.clone(), out.join(UNFINISHED), disk::set_aside(&place)];
        let (mut newest, mut failed): (Option<Self>, Option<UserError>) = (None, None);
        for copy in copies.iter().filter(|copy| copy.is_dir()) {
            match Self::read(copy) {
                Ok(read) if newest.as_ref().is_none_or(|newest| newest.run.step < read.run.step) => newest = Some(read),
                Ok(_) => {}
                // What was never finished is no checkpoint that was lost.
                Err(error) if !copy.ends_with(UNFINISHED) => failed = failed.or(Some(error)),
                Err(_) => {}
            }
        }
        let Some(mut found) = newest else { return failed.map_or(Ok(None), Err) };
        if found.folder != place {
            let moved = disk::put_folder(&found.folder, &place);
            moved.map_err(|error| cannot_write(out, &error))?;
            found.folder = place;
        }
        Ok(Some(found))
    }

    /// Writes a checkpoint of a run whose network is `net` into `out`; `extra` adds files of its own to the folder it is given.
    /// `best_net` is the network of the best validation, if there was one before this step's weights.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn write<N: Module>(
        out: &Path,
        snapshot: Snapshot<'_>,
        net: &N,
        best_net: Option<&N>,
        extra: impl FnOnce(&Path) -> Result<(), UserError>,
    ) -> Result<(), UserError> {
        let Snapshot { spec, step, elapsed_s, best, due, parameters, moments } = snapshot;
        let (unfinished, finished) = (out.join(UNFINISHED), out.join(FOLDER));
        let failed = |error: &dyn std::fmt::Display| cannot_write(out, error);
        let file = |name: &str, tensors: Vec<(String, Flat)>| {
            disk::write_with(&unfinished.join(name), |aside| {
                safetensors::serialize_to_file(tensors, None, aside).map_err(std::io::Error::other)
            })
        };
        disk::remove_folder(&unfinished).map_err(|e| failed(&e))?;
        std::fs::create_dir_all(&unfinished).map_err(|e| failed(&e))?;
        extra(&unfinished)?;

        // While the validation is due, the best is that of an earlier step.
        let is_best = best.is_some_and(|best| best.step == step);
        if is_best {
            file(BEST_FILE, flat("", weights_of(net, parameters))).map_err(|e| failed(&e))?;
        } else if let (Some(best), Some(best_net)) = (best, best_net) {
            // The same step of the same run: a checkpoint of another run was refused at the beginning.
            let taken_over = finished_best(&finished).is_some_and(|kept| kept.step == best.step)
                && std::fs::hard_link(finished.join(BEST_FILE), unfinished.join(BEST_FILE)).is_ok();
            if !taken_over {
                file(BEST_FILE, flat("", weights_of(best_net, parameters))).map_err(|e| failed(&e))?;
            }
        }
        let mut tensors = if is_best { Vec::new() } else { flat("weights.", weights_of(net, parameters)) };
        let mut updates = BTreeMap::new();
        for (parameter, moments) in parameters.iter().zip(moments) {
            if let Some(Moments { time, first, second }) = moments {
                updates.insert(parameter.path.clone(), time);
                tensors.push((format!("first.{}", parameter.path), Flat::new(first)));
                tensors.push((format!("second.{}", parameter.path), Flat::new(second)));
            }
        }
        file(STATE_FILE, tensors).map_err(|e| failed(&e))?;
        let run = RunState { spec: spec.clone(), step, elapsed_s, best, due, updates, times: Vec::new() };
        let run = serde_json::to_vec_pretty(&run).map_err(|e| failed(&e))?;
        // Last: a folder that has it has everything.
        disk::write(&unfinished.join(RUN_FILE), &run).map_err(|e| failed(&e))?;
        disk::put_folder(&unfinished, &finished).map_err(|e| failed(&e))
    }

    /// The step of the checkpoint in `out`, if there is one, without reading its weights.
    pub(super) fn step_in(out: &Path) -> Option<usize> {
        let place = out.join(FOLDER);
        let copies = [out.join(UNFINISHED), disk::set_aside(&place), place];
        let step = |copy: &PathBuf| {
            let run: RunState = serde_json::from_slice(&std::fs::read(copy.join(RUN_FILE)).ok()?).ok()?;
            Some(run.step)
        };
        copies.iter().filter_map(step).max()
    }

    /// Reads the checkpoint in `folder`.
    ///
    /// # Errors
    /// When a file is missing or is not what it should be.
    pub(super) fn read(folder: &Path) -> Result<Self, UserError> {
        let failed = |error: &dyn std::fmt::Display| {
            UserError::new(
                format!("The checkpoint in {} cannot be used.", folder.display()),
                error.to_string(),
                "Delete that folder to train from the beginning.",
            )
        };
        let run = std::fs::read(folder.join(RUN_FILE)).map_err(|e| failed(&e))?;
        let mut run: RunState = serde_json::from_slice(&run).map_err(|e| failed(&e))?;
        let bytes = std::fs::read(folder.join(STATE_FILE)).map_err(|e| failed(&e))?;
        let mut state = tensors_in(&bytes).map_err(|e| failed(&e))?;
        let mut taken = |kind: &str| -> Weights {
            let names: Vec<String> = state.keys().filter(|name| name.starts_with(kind)).cloned().collect();
            let values = names.into_iter().filter_map(|name| {
                let values = state.remove(&name)?;
                Some((name[kind.len()..].to_owned(), values))
            });
            values.collect()
        };
        let (mut weights, best_of_before) = (taken("weights."), taken("best."));
        let (mut first, mut second) = (taken("first."), taken("second."));
        let best = folder.join(BEST_FILE);
        let best_weights = match best.is_file() {
            true => {
                let bytes = std::fs::read(&best).map_err(|e| failed(&e))?;
                Some(tensors_in(&bytes).map_err(|e| failed(&e))?)
            }
            false => Some(best_of_before).filter(|weights| !weights.is_empty()),
        };
        if weights.is_empty()
            && let Some(best) = &best_weights
        {
            weights = best.clone();
        }
        for (position, time) in std::mem::take(&mut run.times).into_iter().enumerate() {
            run.updates.extend(time.map(|time| (position.to_string(), time)));
        }
        let moments = (run.updates.iter())
            .filter_map(|(path, &time)| {
                let (first, second) = (first.remove(path)?, second.remove(path)?);
                Some((path.clone(), Moments { time, first, second }))
            })
            .collect();
        Ok(Self { run, weights, best_weights, moments, folder: folder.to_owned() })
    }

    /// Removes the checkpoint of a run that ended. Where that fails it stays: a run that is begun again then ends at once.
    pub(crate) fn remove(out: &Path) {
        let place = out.join(FOLDER);
        // The one that counts comes last.
        for copy in [out.join(UNFINISHED), disk::set_aside(&place), place] {
            if let Err(error) = disk::remove_folder(&copy) {
                log::warn!("{} was not removed: {error}", copy.display());
                return;
            }
        }
    }
}

/// What is kept of each parameter, in visiting order: by path, or by position as checkpoints from before paths have it.
pub(super) fn in_order<T>(parameters: &[Parameter], mut kept: BTreeMap<String, T>) -> Vec<Option<T>> {
    let parameters = parameters.iter().enumerate();
    parameters.map(|(at, p)| kept.remove(&p.path).or_else(|| kept.remove(&at.to_string()))).collect()
}

/// The best validation of the checkpoint in a folder, if there is one whose weights have a file of their own.
fn finished_best(folder: &Path) -> Option<BestScore> {
    let run: RunState = serde_json::from_slice(&std::fs::read(folder.join(RUN_FILE)).ok()?).ok()?;
    run.best.filter(|_| folder.join(BEST_FILE).is_file())
}

fn tensors_in(bytes: &[u8]) -> Result<Weights, safetensors::SafeTensorError> {
    let values = |view: safetensors::tensor::TensorView<'_>| {
        view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    };
    let tensors = SafeTensors::deserialize(bytes)?;
    Ok(tensors.iter().map(|(name, view)| (name.to_owned(), values(view))).collect())
}

/// The error for an output folder that cannot be written.
pub(super) fn cannot_write(out: &Path, error: &dyn std::fmt::Display) -> UserError {
    UserError::new(
        format!("Nothing can be written to {}.", out.display()),
        error.to_string(),
        "Choose a folder you may write to, on a disk with room. A checkpoint from before is whole: the same run goes on from it.",
    )
}

/// One-dimensional values on their way into a file.
struct Flat {
    shape: [usize; 1],
    values: Vec<f32>,
}

impl Flat {
    fn new(values: Vec<f32>) -> Self {
        Self { shape: [values.len()], values }
    }
}

impl View for Flat {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>().into()
    }

    fn data_len(&self) -> usize {
        size_of_val(self.values.as_slice())
    }
}

fn flat(kind: &str, weights: Weights) -> Vec<(String, Flat)> {
    weights.into_iter().map(|(path, values)| (format!("{kind}{path}"), Flat::new(values))).collect()
}

/// Row-major values of a tensor. A device that cannot be read is lost; the guard turns the panic into an error.
pub(super) fn read_back<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.try_to_vec_as::<f32>().expect("the device gives back what it holds")
}

/// The weights of a module's parameters that are not frozen.
pub(super) fn weights_of<N: Module>(net: &N, parameters: &[Parameter]) -> Weights {
    struct Reading<'a> {
        parameters: std::slice::Iter<'a, Parameter>,
        weights: Weights,
    }
    impl ModuleVisitor for Reading<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(parameter) = self.parameters.next().filter(|parameter| !parameter.frozen) {
                self.weights.insert(parameter.path.clone(), read_back(&param.val()));
            }
        }
    }
    let mut reading = Reading { parameters: parameters.iter(), weights: Weights::new() };
    net.visit(&mut reading);
    reading.weights
}

/// The module with other weights for all its parameters that are not frozen. `net` is on a device without autodiff, and so is
/// the result. `None` when the weights are of another network.
pub(super) fn with_weights<N: Module>(net: N, weights: Weights, parameters: &[Parameter]) -> Option<N> {
    struct Writing<'a> {
        weights: std::vec::IntoIter<Option<Vec<f32>>>,
        parameters: std::slice::Iter<'a, Parameter>,
        fits: bool,
    }
    impl ModuleMapper for Writing<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (id, tensor, mapper) = param.consume();
            let shape = tensor.shape();
            let frozen = self.parameters.next().is_some_and(|parameter| parameter.frozen);
            let tensor = match self.weights.next().flatten() {
                Some(values) if values.len() == shape.num_elements() => {
                    Tensor::from_data(TensorData::new(values, shape), &tensor.device())
                }
                weights => {
                    self.fits &= frozen && weights.is_none();
                    tensor
                }
            };
            Param::from_mapped_value(id, tensor, mapper)
        }
    }
    let given = weights.len();
    let weights = in_order(parameters, weights);
    let all_used = weights.iter().flatten().count() == given;
    let mut writing = Writing { weights: weights.into_iter(), parameters: parameters.iter(), fits: all_used };
    let net = net.map(&mut writing);
    writing.fits.then_some(net)
}

#[cfg(test)]
mod tests {
    use super::super::trainable::parameters;
    use super::*;
    use crate::nn::{DigitConfig, DigitNet};
    use crate::types::{DigitNetwork, ParameterGroup};
    use burn::tensor::Device;

    fn net(seed: u64) -> DigitNet {
        DigitConfig::of(DigitNetwork::Mlp).init(seed, &Device::flex())
    }

    fn spec() -> TrainSpec {
        let spec = "learning_rate = 0.1\nbatch_size = 1\nsteps = 5\n\
                    [task]\nkind = \"digits\"\ndata = \"none\"\nnetwork = \"mlp\"\n";
        toml::from_str(spec).unwrap()
    }

    /// A checkpoint of `step`, whose network's weights are those of the seed `step`; the best is that of step 2.
    fn write(out: &Path, step: usize, parameters: &[Parameter]) {
        let moments = Moments { time: 3, first: vec![0.1, f32::MIN_POSITIVE], second: vec![0.3, -0.0] };
        let mut all = vec![None; parameters.len()];
        all[1] = Some(moments);
        let best = Some(BestScore { step: 2, loss: 0.1 });
        let due = Due::Nothing;
        let snapshot = Snapshot { spec: &spec(), step, elapsed_s: 1.5, best, due, parameters, moments: all };
        let extra = |folder: &Path| std::fs::write(folder.join("more"), "x").map_err(|e| cannot_write(folder, &e));
        Checkpoint::write(out, snapshot, &net(step as u64), Some(&net(2)), extra).unwrap();
    }

    fn read(out: &Path) -> Checkpoint {
        Checkpoint::find(out).unwrap().unwrap()
    }

    #[test]
    fn what_was_written_is_read_bit_for_bit() {
        let out = tempfile::tempdir().unwrap();
        let parameters = parameters(&net(1), &[]).unwrap();
        assert!(Checkpoint::find(out.path()).unwrap().is_none());
        for step in [1, 3] {
            write(out.path(), step, &parameters);
            let read = read(out.path());
            assert_eq!((read.run.step, read.run.best.unwrap().step, &read.run.spec), (step, 2, &spec()));
            assert_eq!(read.weights, weights_of(&net(step as u64), &parameters));
            assert_eq!(read.best_weights, Some(weights_of(&net(2), &parameters)));
            assert_eq!(read.moments.keys().collect::<Vec<_>>(), [&parameters[1].path]);
            let moments = &read.moments[&parameters[1].path];
            assert_eq!((moments.time, &moments.first), (3, &vec![0.1, f32::MIN_POSITIVE]));
            assert_eq!(moments.second[1].to_bits(), (-0.0_f32).to_bits());
        }
        assert!(read(out.path()).folder.join("more").is_file());
        Checkpoint::remove(out.path());
        assert!(Checkpoint::find(out.path()).unwrap().is_none());
    }

    #[test]
    fn the_best_weights_are_written_once() {
        let out = tempfile::tempdir().unwrap();
        let parameters = parameters(&net(1), &[]).unwrap();
        let size = |file: &str| std::fs::metadata(out.path().join(FOLDER).join(file)).unwrap().len();
        write(out.path(), 2, &parameters);
        assert_eq!(read(out.path()).weights, weights_of(&net(2), &parameters));
        let (state, best) = (size(STATE_FILE), std::fs::File::open(out.path().join(FOLDER).join(BEST_FILE)).unwrap());
        assert!(state * 10 < size(BEST_FILE), "at the best step the state holds moments alone");
        // Not better: the same file goes on, and the network's weights stand in the state.
        write(out.path(), 4, &parameters);
        assert!(size(STATE_FILE) > size(BEST_FILE));
        let kept = std::fs::File::open(out.path().join(FOLDER).join(BEST_FILE)).unwrap();
        assert_eq!(kept.metadata().unwrap().modified().unwrap(), best.metadata().unwrap().modified().unwrap());
        assert_eq!(read(out.path()).best_weights, Some(weights_of(&net(2), &parameters)));
    }

    #[test]
    fn frozen_weights_are_left_out_and_stay_those_of_the_start() {
        let out = tempfile::tempdir().unwrap();
        let groups = [ParameterGroup { frozen: true, ..ParameterGroup::of("layers.0") }];
        let parameters = parameters(&net(1), &groups).unwrap();
        write(out.path(), 3, &parameters);
        let read = read(out.path());
        assert!(!read.weights.is_empty() && read.weights.keys().all(|path| !path.starts_with("layers.0.")));
        let resumed = with_weights(net(1), read.weights, &parameters).unwrap();
        let (resumed, first, third) = (resumed.layer_weights(), net(1).layer_weights(), net(3).layer_weights());
        assert_eq!((&resumed[0], &resumed[1..]), (&first[0], &third[1..]));
    }

    #[test]
    fn a_checkpoint_that_was_not_renamed_any_more_is_whole() {
        let out = tempfile::tempdir().unwrap();
        let parameters = parameters(&net(1), &[]).unwrap();
        write(out.path(), 2, &parameters);
        std::fs::rename(out.path().join(FOLDER), out.path().join(UNFINISHED)).unwrap();
        assert_eq!(read(out.path()).run.step, 2);
        write(out.path(), 3, &parameters);
        assert_eq!(read(out.path()).best_weights, Some(weights_of(&net(2), &parameters)));
    }

    #[test]
    fn a_damaged_checkpoint_is_named() {
        let out = tempfile::tempdir().unwrap();
        write(out.path(), 3, &parameters(&net(1), &[]).unwrap());
        let folder = read(out.path()).folder;
        for file in [STATE_FILE, BEST_FILE] {
            let whole = std::fs::read(folder.join(file)).unwrap();
            std::fs::write(folder.join(file), &whole[..whole.len() / 2]).unwrap();
            let error = Checkpoint::find(out.path()).err().unwrap();
            assert!(error.what.contains("checkpoint") && error.next.contains("Delete"), "{error}");
            std::fs::write(folder.join(file), whole).unwrap();
        }
    }

    #[test]
    fn weights_of_another_network_do_not_fit() {
        let cnn = DigitConfig::of(DigitNetwork::Cnn).init(1, &Device::flex());
        let of_mlp = parameters(&net(1), &[]).unwrap();
        let weights = weights_of(&net(1), &of_mlp);
        assert_eq!(weights_of(&with_weights(net(2), weights.clone(), &of_mlp).unwrap(), &of_mlp), weights);
        assert!(with_weights(cnn.clone(), weights.clone(), &parameters(&cnn, &[]).unwrap()).is_none());
        let mut fewer = weights;
        fewer.pop_first();
        assert!(with_weights(net(1), fewer, &of_mlp).is_none());
    }
}
