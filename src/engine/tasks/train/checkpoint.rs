//! A run on disk, exact enough that resuming it equals never having stopped.
//!
//! `checkpoint/run.json` holds the spec, the step and the best validation; `checkpoint/state.safetensors` the weights, the
//! best weights and the optimiser's moments. Random numbers and the place in the data follow from seed and step.
//! Parameters are numbered by their position in the module.

use super::optimiser::Moments;
use crate::types::{TrainSpec, UserError};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Folder inside a run's output folder.
const FOLDER: &str = "checkpoint";
/// Written first, then renamed, so that a crash leaves a whole checkpoint behind.
const UNFINISHED: &str = "checkpoint.unfinished";
const RUN_FILE: &str = "run.json";
const STATE_FILE: &str = "state.safetensors";

/// The best validation so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct BestScore {
    /// Step it was measured at.
    pub step: usize,
    /// Mean cross-entropy in nats.
    pub loss: f64,
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
    /// How often each parameter was updated.
    times: Vec<Option<usize>>,
}

/// Everything a run needs to go on.
pub(super) struct Checkpoint {
    /// Step, time and best score.
    pub run: RunState,
    /// Current weights in visiting order.
    pub weights: Vec<Vec<f32>>,
    /// Weights of the best validation.
    pub best_weights: Option<Vec<Vec<f32>>>,
    /// The optimiser's state in visiting order.
    pub moments: Vec<Option<Moments>>,
}

impl RunState {
    /// The state of a run at `step`.
    pub(super) fn new(spec: TrainSpec, step: usize, elapsed_s: f64, best: Option<BestScore>) -> Self {
        Self { spec, step, elapsed_s, best, times: Vec::new() }
    }
}

impl Checkpoint {
    /// The folder of the checkpoint in `out`, when there is one.
    pub(super) fn folder(out: &Path) -> Option<PathBuf> {
        [FOLDER, UNFINISHED].iter().map(|name| out.join(name)).find(|folder| folder.join(RUN_FILE).is_file())
    }

    /// Writes the checkpoint into `out`; `extra` adds files of its own to the folder it is given.
    pub(super) fn write(
        mut self,
        out: &Path,
        extra: impl FnOnce(&Path) -> Result<(), UserError>,
    ) -> Result<(), UserError> {
        let unfinished = out.join(UNFINISHED);
        let failed = |error: &dyn std::fmt::Display| cannot_write(out, error);
        let _ = std::fs::remove_dir_all(&unfinished);
        std::fs::create_dir_all(&unfinished).map_err(|e| failed(&e))?;
        extra(&unfinished)?;

        self.run.times = self.moments.iter().map(|m| m.as_ref().map(|m| m.time)).collect();
        let mut tensors = named("weights", self.weights);
        tensors.extend(named("best", self.best_weights.unwrap_or_default()));
        for (i, moments) in self.moments.into_iter().enumerate() {
            if let Some(moments) = moments {
                tensors.push((format!("first.{i}"), Flat::new(moments.first)));
                tensors.push((format!("second.{i}"), Flat::new(moments.second)));
            }
        }
        safetensors::serialize_to_file(tensors, None, &unfinished.join(STATE_FILE)).map_err(|e| failed(&e))?;
        let run = serde_json::to_vec_pretty(&self.run).map_err(|e| failed(&e))?;
        std::fs::write(unfinished.join(RUN_FILE), run).map_err(|e| failed(&e))?;

        let finished = out.join(FOLDER);
        let _ = std::fs::remove_dir_all(&finished);
        std::fs::rename(&unfinished, &finished).map_err(|e| failed(&e))
    }

    /// Reads the checkpoint in `folder`.
    pub(super) fn read(folder: &Path) -> Result<Self, UserError> {
        let failed = |error: &dyn std::fmt::Display| {
            UserError::new(
                format!("The checkpoint in {} cannot be used.", folder.display()),
                error.to_string(),
                "Delete that folder to train from the beginning.",
            )
        };
        let run = std::fs::read(folder.join(RUN_FILE)).map_err(|e| failed(&e))?;
        let run: RunState = serde_json::from_slice(&run).map_err(|e| failed(&e))?;
        let bytes = std::fs::read(folder.join(STATE_FILE)).map_err(|e| failed(&e))?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| failed(&e))?;
        let values = |name: String| -> Option<Vec<f32>> {
            let tensor = tensors.tensor(&name).ok()?;
            Some(tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
        };
        let numbered = |kind: &str| -> Vec<Vec<f32>> { (0..).map_while(|i| values(format!("{kind}.{i}"))).collect() };
        let moments = (run.times.iter().enumerate())
            .map(|(i, time)| {
                let (first, second) = (values(format!("first.{i}")), values(format!("second.{i}")));
                time.and_then(|time| Some(Moments { time, first: first?, second: second? }))
            })
            .collect();
        let best_weights = Some(numbered("best")).filter(|weights| !weights.is_empty());
        Ok(Self { weights: numbered("weights"), best_weights, moments, run })
    }

    /// Removes the checkpoint of a run that ended.
    pub(super) fn remove(out: &Path) {
        for name in [FOLDER, UNFINISHED] {
            let _ = std::fs::remove_dir_all(out.join(name));
        }
    }
}

/// The error for an output folder that cannot be written.
pub(super) fn cannot_write(out: &Path, error: &dyn std::fmt::Display) -> UserError {
    UserError::new(
        format!("Nothing can be written to {}.", out.display()),
        error.to_string(),
        "Choose a folder you may write to, on a disk with room. The training itself is not lost: the model stays open.",
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

fn named(kind: &str, values: Vec<Vec<f32>>) -> Vec<(String, Flat)> {
    values.into_iter().enumerate().map(|(i, values)| (format!("{kind}.{i}"), Flat::new(values))).collect()
}

/// Row-major values of a tensor. A device that cannot be read is lost; the guard turns the panic into an error.
pub(super) fn read_back<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.try_to_vec_as::<f32>().expect("the device gives back what it holds")
}

/// All weights of a module in visiting order.
pub(super) fn weights_of<N: Module>(net: &N) -> Vec<Vec<f32>> {
    struct Reading(Vec<Vec<f32>>);
    impl ModuleVisitor for Reading {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(read_back(&param.val()));
        }
    }
    let mut reading = Reading(Vec::new());
    net.visit(&mut reading);
    reading.0
}

/// The module with other weights, given in visiting order. `net` is on a device without autodiff, and so is the result.
/// `None` when the weights are of another network.
pub(super) fn with_weights<N: Module>(net: N, weights: Vec<Vec<f32>>) -> Option<N> {
    struct Writing {
        weights: std::vec::IntoIter<Vec<f32>>,
        fits: bool,
    }
    impl ModuleMapper for Writing {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (id, tensor, mapper) = param.consume();
            let shape = tensor.shape();
            let tensor = match self.weights.next() {
                Some(values) if values.len() == shape.num_elements() => {
                    Tensor::from_data(TensorData::new(values, shape), &tensor.device())
                }
                _ => {
                    self.fits = false;
                    tensor
                }
            };
            Param::from_mapped_value(id, tensor, mapper)
        }
    }
    let mut writing = Writing { weights: weights.into_iter(), fits: true };
    let net = net.map(&mut writing);
    (writing.fits && writing.weights.len() == 0).then_some(net)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::DigitConfig;
    use crate::types::DigitNetwork;
    use burn::tensor::Device;

    fn state() -> RunState {
        let spec = "learning_rate = 0.1\nbatch_size = 1\nsteps = 5\n\
                    [task]\nkind = \"digits\"\ndata = \"none\"\nnetwork = \"mlp\"\n";
        RunState::new(toml::from_str(spec).unwrap(), 3, 1.5, Some(BestScore { step: 2, loss: 0.1 }))
    }

    fn write(out: &Path) {
        let checkpoint = Checkpoint {
            run: state(),
            weights: vec![vec![1.0, f32::MIN_POSITIVE], vec![-0.0]],
            best_weights: Some(vec![vec![3.0, 4.0], vec![5.0]]),
            moments: vec![Some(Moments { time: 3, first: vec![0.1, 0.2], second: vec![0.3, 0.4] }), None],
        };
        checkpoint
            .write(out, |folder| std::fs::write(folder.join("more"), "x").map_err(|e| cannot_write(folder, &e)))
            .unwrap();
    }

    #[test]
    fn what_was_written_is_read_bit_for_bit() {
        let out = tempfile::tempdir().unwrap();
        assert_eq!(Checkpoint::folder(out.path()), None);
        write(out.path());
        write(out.path());
        let folder = Checkpoint::folder(out.path()).unwrap();
        let read = Checkpoint::read(&folder).unwrap();
        assert_eq!((read.run.step, read.run.best, &read.run.spec), (3, state().best, &state().spec));
        assert_eq!(read.weights[0], [1.0, f32::MIN_POSITIVE]);
        assert_eq!(read.weights[1][0].to_bits(), (-0.0_f32).to_bits());
        assert_eq!(read.best_weights, Some(vec![vec![3.0, 4.0], vec![5.0]]));
        let moments = read.moments[0].as_ref().unwrap();
        assert_eq!((moments.time, &moments.second), (3, &vec![0.3, 0.4]));
        assert!(read.moments[1].is_none());
        assert!(folder.join("more").is_file());
        Checkpoint::remove(out.path());
        assert_eq!(Checkpoint::folder(out.path()), None);
    }

    #[test]
    fn a_damaged_checkpoint_is_named() {
        let out = tempfile::tempdir().unwrap();
        write(out.path());
        let folder = Checkpoint::folder(out.path()).unwrap();
        let state = folder.join(STATE_FILE);
        let bytes = std::fs::read(&state).unwrap();
        std::fs::write(&state, &bytes[..bytes.len() / 2]).unwrap();
        let error = Checkpoint::read(&folder).err().unwrap();
        assert!(error.what.contains("checkpoint") && error.next.contains("Delete"), "{error}");
    }

    #[test]
    fn weights_of_another_network_do_not_fit() {
        let net = |network| DigitConfig::of(network).init(1, &Device::flex());
        let (mlp, cnn) = (net(DigitNetwork::Mlp), net(DigitNetwork::Cnn));
        let weights = weights_of(&mlp);
        let again = with_weights(net(DigitNetwork::Mlp), weights.clone()).unwrap();
        assert_eq!(weights_of(&again), weights);
        assert!(with_weights(cnn, weights.clone()).is_none());
        assert!(with_weights(mlp, weights[1..].to_vec()).is_none());
    }
}
