//! Opens a model folder.

use super::{LoadedModel, Step, Task, TaskContext};
use crate::engine::{Event, Outcome, RandomModel};
use crate::load::{self, LoadError};
use crate::nn::{Hooks, Scores, in_half_precision, kernels, trim_heap};
use crate::types::{ModelId, ModelKind, Precision, Sampling, UserError};
use burn::tensor::Device;
use std::path::{Path, PathBuf};

/// Reads a folder in one step, with its progress by bytes. On a GPU the model can be used from then on, and further steps
/// build the kernels that its first tokens would otherwise wait for.
pub(crate) struct Open {
    model: ModelId,
    path: PathBuf,
    /// Warming passes done, once the model is there.
    warmed: Option<usize>,
}

/// Lengths of the warming passes in tokens: one token of a generation, a short and a longer prompt. Kernels are tuned for
/// sizes rounded up to powers of two, so these serve most prompts.
const WARMING_PASSES: [usize; 3] = [1, 16, 64];

impl Open {
    /// To open `path` under the name `model`.
    pub(crate) fn new(model: ModelId, path: PathBuf) -> Self {
        Self { model, path, warmed: None }
    }

    /// One pass over a few tokens, whose result nobody needs.
    fn warm(&mut self, done: usize, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let text = cx.models.text(self.model)?;
        if let Some(&length) = WARMING_PASSES.get(done) {
            let ids = vec![0; length.min(text.lm.context())];
            let logits = text.lm.forward_cached(text.lm.ids(&ids), &mut text.lm.new_state(), &mut Hooks::off());
            // Taking the likeliest token and drawing one read different numbers of scores, each with kernels of its own.
            let sampling = Sampling { temperature: if done == 0 { 0.0 } else { 1.0 }, ..Sampling::default() };
            let _ = Scores::read(logits, &sampling);
            self.warmed = Some(done + 1);
            self.tell_warmed(done + 1, &text.info.name.clone(), cx);
            return Ok(Step::More);
        }
        Ok(Step::Done(Outcome::Opened { model: self.model }))
    }

    fn tell_warmed(&self, done: usize, name: &str, cx: &mut TaskContext<'_>) {
        let label = format!("Building GPU kernels for {name}");
        let (done, total) = (done as u64, WARMING_PASSES.len() as u64);
        (cx.emit)(Event::Progress { job: cx.job, label, done, total, unit: "passes" });
    }
}

impl Task for Open {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        if let Some(done) = self.warmed {
            return self.warm(done, cx);
        }
        let label = format!("Opening {}", self.path.display());
        let job = cx.job;
        let loaded = read(self.model, &self.path, cx.device, &mut |done, total| {
            (cx.emit)(Event::Progress { job, label: label.clone(), done, total, unit: "bytes" });
        })?;
        let (name, builds_kernels) = (loaded.info().name.clone(), *cx.device != Device::flex());
        let is_text = matches!(loaded, LoadedModel::Text(_));
        let opened = keep(loaded, cx);
        trim_heap();
        if builds_kernels && is_text {
            self.warmed = Some(0);
            self.tell_warmed(0, &name, cx);
            return Ok(Step::More);
        }
        Ok(opened)
    }

    fn cancel(&mut self, _: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        Ok(match self.warmed {
            Some(_) => Outcome::Opened { model: self.model },
            None => Outcome::Cancelled,
        })
    }

    fn reads_again(&self) -> Option<PathBuf> {
        self.warmed.is_none().then(|| self.path.clone())
    }
}

/// Builds the model of a `config.json` with random weights.
pub(crate) struct OpenRandom {
    model: ModelId,
    spec: RandomModel,
}

impl OpenRandom {
    /// To build the model that `spec` describes under the name `model`.
    pub(crate) fn new(model: ModelId, spec: RandomModel) -> Self {
        Self { model, spec }
    }
}

impl Task for OpenRandom {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let mut text = load::random_text_model(&self.spec.path, cx.device, self.spec.seed)?;
        text.info.id = self.model;
        // No file holds these weights.
        text.info.modified = true;
        match self.spec.precision {
            Precision::F32 => {}
            Precision::F16 if kernels::serve(cx.device) => {
                text.lm = in_half_precision(text.lm);
                text.info.precision = Precision::F16;
            }
            other => return Err(not_kept(other)),
        }
        Ok(keep(LoadedModel::Text(text), cx))
    }
}

fn not_kept(precision: Precision) -> UserError {
    UserError::new(
        format!("Weights in {precision} cannot be made here."),
        "Random weights are made in F32 or F16, and only a CPU with AVX2 multiplies weights of half precision.",
        "Use F32 weights, or --device cpu on such a processor.",
    )
}

fn keep(loaded: LoadedModel, cx: &mut TaskContext<'_>) -> Step {
    let model = loaded.info().id;
    (cx.emit)(loaded.event());
    cx.models.insert(model, loaded);
    Step::Done(Outcome::Opened { model })
}

/// Reads a model of either kind; `progress` is told bytes done and in total.
///
/// # Errors
/// When the folder holds no model Fovea runs, or a file of it is broken.
pub(crate) fn read(
    id: ModelId,
    path: &Path,
    device: &Device,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<LoadedModel, UserError> {
    read_precisely(id, path, device, progress).map_err(UserError::from)
}

fn read_precisely(
    id: ModelId,
    path: &Path,
    device: &Device,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<LoadedModel, LoadError> {
    let mut loaded = match load::peek_kind(path)? {
        ModelKind::CausalLm => LoadedModel::Text(load::open_text_model(path, device, progress)?),
        ModelKind::TextEncoder => LoadedModel::Encoder(load::open_encoder_model(path, device, progress)?),
        ModelKind::TextClassifier => LoadedModel::Classifier(load::open_classifier(path, device, progress)?),
        ModelKind::ImageClassifier => LoadedModel::Vision(load::open_vision_model(path, device, progress)?),
        ModelKind::DigitClassifier => LoadedModel::Digits(load::open_digit_model(path, device)?),
    };
    loaded.info_mut().id = id;
    Ok(loaded)
}
