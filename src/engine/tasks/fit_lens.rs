//! Fits the Jacobian lens of a model, and reads one from a file.

use super::embed::unreadable;
use super::fingerprint::Hashing;
use super::fit_passages::of_file;
use super::writing::Writing;
use super::{Step, Task, TaskContext};
use crate::engine::{Event, Outcome};
use crate::load::{TextModel, read_lens, write_lens};
use crate::nn::{Hooks, Jacobian};
use crate::types::{FitSpec, JacobianLens, LensPassages, ModelId, ModelInfo, Site, SiteSet, UserError};
use burn::tensor::Tensor;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Passages that are written side by side.
const BESIDE: usize = 25;

/// Tokens of all sequences of one step: more do not make the products any faster.
const ROWS: usize = 4096;
/// What a backward pass may keep.
const PASS_BYTES: u64 = 512 << 20;
/// What the sums of all layers may take, of both halves.
const SUMS_BYTES: usize = 4 << 30;

/// Fits a lens, some numbers of the end of one passage a step.
pub(crate) struct FitLens {
    model: ModelId,
    spec: FitSpec,
    stage: Stage,
}

enum Stage {
    Hashing(Hashing),
    Reading(String),
    /// With the seconds that the fit will take, as a first step tells.
    Writing(String, Writing, f64),
    Fitting(Box<Fitting>),
}

struct Fitting {
    sha256: String,
    passages: Vec<Vec<u32>>,
    net: Jacobian,
    width: usize,
    chunk: usize,
    /// Passages that are done.
    done: usize,
    /// The passage under way: the stream that leaves the first block, and numbers of the end that are done.
    under_way: Option<(Tensor<3>, usize)>,
    /// By layer, of the passage under way and of both halves.
    current: Vec<Vec<f64>>,
    halves: [Vec<Vec<f64>>; 2],
}

impl FitLens {
    /// To fit the lens of `model`.
    pub(crate) fn new(model: ModelId, spec: FitSpec) -> Self {
        Self { model, spec, stage: Stage::Hashing(Hashing::new(model)) }
    }
}

impl Task for FitLens {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let model = cx.models.text(self.model)?;
        let mut progress = |label: &str, (done, total): (u64, u64), unit| {
            (cx.emit)(Event::Progress { job: cx.job, label: label.to_owned(), done, total, unit });
        };
        match &mut self.stage {
            Stage::Hashing(hashing) => {
                check(model, &self.spec)?;
                if let Some(sha256) = hashing.step(cx.models)? {
                    self.stage = Stage::Reading(sha256);
                }
            }
            Stage::Reading(sha256) => {
                let sha256 = std::mem::take(sha256);
                self.stage = match &self.spec.passages {
                    LensPassages::Written => {
                        let seconds = Fitting::takes(model, &self.spec)?;
                        Stage::Writing(
                            sha256,
                            Writing::new(model, [self.spec.count, BESIDE], self.spec.tokens, self.spec.seed),
                            seconds,
                        )
                    }
                    LensPassages::File(path) => {
                        let passages = of_file(model, path, &self.spec)?;
                        Stage::Fitting(Box::new(Fitting::new(model, sha256, passages)))
                    }
                };
            }
            Stage::Writing(sha256, writing, seconds) => {
                if let Some(passages) = writing.step(model)? {
                    self.stage = Stage::Fitting(Box::new(Fitting::new(model, std::mem::take(sha256), passages)));
                } else {
                    let label = format!("Writing passages; the fit then takes about {}", in_words(*seconds));
                    progress(&label, writing.progress(), "tokens");
                }
            }
            Stage::Fitting(fitting) => {
                fitting.step(model)?;
                if fitting.done == fitting.passages.len() {
                    return Ok(Step::Done(done(fitting.lens(&model.info, &self.spec), &self.spec)?));
                }
                progress("Fitting", fitting.progress(), "rows");
            }
        }
        Ok(Step::More)
    }

    fn cancel(&mut self, cx: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        let model = cx.models.text(self.model);
        match (&self.stage, model) {
            (Stage::Fitting(fitting), Ok(model)) if fitting.done >= FitSpec::LEAST_PASSAGES => {
                done(fitting.lens(&model.info, &self.spec), &self.spec)
            }
            _ => Ok(Outcome::Cancelled),
        }
    }
}

/// Keeps a lens where it is to be kept.
fn done(lens: JacobianLens, spec: &FitSpec) -> Result<Outcome, UserError> {
    if let Some(path) = &spec.out {
        write_lens(path, &lens)?;
    }
    Ok(Outcome::LensFitted(Arc::new(lens)))
}

impl Fitting {
    fn new(model: &TextModel, sha256: String, passages: Vec<Vec<u32>>) -> Self {
        let (layers, width) = model.info.shape.blocks().map_or((0, 0), |blocks| (blocks.layers, blocks.hidden));
        let sums = || vec![vec![0.0; width * width]; layers.saturating_sub(1)];
        let tokens = passages.first().map_or(1, Vec::len);
        // About what the blocks keep of a token for its gradient: as many numbers as they have columns of weights, twice.
        let vocabulary = model.info.shape.vocabulary().unwrap_or(0) * width;
        let of_token = 8 * model.info.parameters.saturating_sub(vocabulary as u64) / (width.max(1) as u64);
        let affordable = usize::try_from(PASS_BYTES / (of_token * tokens as u64).max(1)).unwrap_or(usize::MAX);
        Self {
            sha256,
            passages,
            net: Jacobian::new(&model.lm),
            width,
            chunk: affordable.min(ROWS / tokens).clamp(1, width.max(1)),
            done: 0,
            under_way: None,
            current: sums(),
            halves: [sums(), sums()],
        }
    }

    /// Seconds that a fit takes: one step of it is made on a passage of one token, and its time told for all.
    fn takes(model: &TextModel, spec: &FitSpec) -> Result<f64, UserError> {
        let passage = vec![model.bos.or(model.eos.first().copied()).unwrap_or(0); spec.tokens];
        let mut trial = Self::new(model, String::new(), vec![passage]);
        trial.step(model)?;
        let begun = Instant::now();
        trial.step(model)?;
        let steps = trial.width.div_ceil(trial.chunk) * spec.count;
        Ok(begun.elapsed().as_secs_f64() * steps as f64)
    }

    /// Numbers of the end that are done, over all passages, and all.
    fn progress(&self) -> (u64, u64) {
        let done = self.done * self.width + self.under_way.as_ref().map_or(0, |(_, done)| *done);
        (done as u64, (self.passages.len() * self.width) as u64)
    }

    fn step(&mut self, model: &TextModel) -> Result<(), UserError> {
        let Some(passage) = self.passages.get(self.done) else { return Ok(()) };
        let Some((first, begun)) = &mut self.under_way else {
            let mut hooks = Hooks::off().keeping(SiteSet::from_iter([Site::ResidPost(0)]));
            model.lm.trace(model.lm.ids(passage), &mut hooks);
            let kept = hooks.take_kept(Site::ResidPost(0)).map(|value| value.tensor::<3>());
            let first = kept.ok_or_else(|| unreadable("the stream was not kept".to_owned()))?;
            self.under_way = Some((first, 0));
            return Ok(());
        };
        let numbers = *begun..(*begun + self.chunk).min(self.width);
        let positions = positions(passage.len());
        let rows = self.net.rows(first, numbers.clone(), &positions);
        for (sum, rows) in self.current.iter_mut().zip(rows) {
            let rows = rows.try_to_vec_as::<f32>().map_err(unreadable)?;
            let into = &mut sum[numbers.start * self.width..numbers.end * self.width];
            into.iter_mut().zip(rows).for_each(|(sum, row)| *sum = f64::from(row) / positions.len() as f64);
        }
        *begun = numbers.end;
        if *begun == self.width {
            let half = &mut self.halves[self.done % 2];
            for (sum, current) in half.iter_mut().zip(&self.current) {
                sum.iter_mut().zip(current).for_each(|(sum, current)| *sum += current);
            }
            (self.under_way, self.done) = (None, self.done + 1);
        }
        Ok(())
    }

    /// The lens of the passages that are done.
    fn lens(&self, info: &ModelInfo, spec: &FitSpec) -> JacobianLens {
        let counts = [self.done.div_ceil(2) as f64, (self.done / 2) as f64];
        let layers = self.halves[0].iter().zip(&self.halves[1]);
        let matrix = |(a, b): (&Vec<f64>, &Vec<f64>)| {
            let mean: Vec<f64> = a.iter().zip(b).map(|(a, b)| (a + b) / (counts[0] + counts[1])).collect();
            let apart = a.iter().zip(b).map(|(a, b)| (a / counts[0] - b / counts[1]).powi(2)).sum::<f64>().sqrt();
            let length = mean.iter().map(|value| value * value).sum::<f64>().sqrt();
            (mean.into_iter().map(|value| value as f32).collect::<Vec<f32>>(), (apart / length) as f32)
        };
        let (matrices, halves) = layers.map(matrix).unzip();
        JacobianLens {
            model: info.name.clone(),
            sha256: self.sha256.clone(),
            width: self.width,
            matrices,
            passages: self.done,
            tokens: self.passages.first().map_or(0, Vec::len),
            source: match &spec.passages {
                LensPassages::Written => format!("written by the model, seed {}", spec.seed),
                LensPassages::File(path) => {
                    format!("from {}", path.file_name().unwrap_or_default().to_string_lossy())
                }
            },
            halves,
        }
    }
}

/// A time that was estimated, no more exact than it is.
fn in_words(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{:.0} s", s.max(1.0)),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// The positions that count.
fn positions(tokens: usize) -> Range<usize> {
    FitSpec::SKIPPED..tokens - 1
}

fn check(model: &TextModel, spec: &FitSpec) -> Result<(), UserError> {
    let info = &model.info;
    let blocks = info.shape.blocks();
    let (layers, width) = blocks.map_or((0, 0), |blocks| (blocks.layers, blocks.hidden));
    if layers < 2 {
        return Err(UserError::new(
            format!("{} needs no lens.", info.name),
            "It has one block, and the lens of the last block is the identity.",
            "Use the plain lens.",
        ));
    }
    let context = model.lm.context();
    if !(FitSpec::LEAST_TOKENS..=context).contains(&spec.tokens) {
        return Err(UserError::new(
            format!("Passages of {} tokens cannot be used.", spec.tokens),
            format!("The first {} are left out, and {} reads at most {context}.", FitSpec::SKIPPED, info.name),
            format!("Choose {} to {context} tokens.", FitSpec::LEAST_TOKENS),
        ));
    }
    if spec.count < FitSpec::LEAST_PASSAGES {
        return Err(UserError::new(
            format!("A lens cannot be fitted on {} passage.", spec.count),
            "Its two halves are compared, which tells how certain it is.",
            format!("Choose at least {} passages; a hundred are customary.", FitSpec::LEAST_PASSAGES),
        ));
    }
    // Minutes of work are not to end in a folder that is not there.
    if let Some(folder) = spec.out.as_deref().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty())
        && !folder.is_dir()
    {
        return Err(UserError::new(
            format!("The lens cannot be kept in {}.", folder.display()),
            "There is no such folder.",
            "Choose a folder that is there.",
        ));
    }
    let bytes = (layers - 1).saturating_mul(width * width).saturating_mul(3 * size_of::<f64>());
    if bytes > SUMS_BYTES {
        return Err(UserError::new(
            format!("The lens of {} is too large: its sums take {} MiB.", info.name, bytes >> 20),
            format!("It has {} matrices of {width} × {width}; at most {} MiB are taken.", layers - 1, SUMS_BYTES >> 20),
            "Use the plain lens, or a smaller model.",
        ));
    }
    Ok(())
}

/// Reads a lens from a file and holds it against the open model.
pub(crate) struct OpenLens {
    model: ModelId,
    path: PathBuf,
    hashing: Hashing,
}

impl OpenLens {
    /// To read a lens of `model`.
    pub(crate) fn new(model: ModelId, path: PathBuf) -> Self {
        Self { model, path, hashing: Hashing::new(model) }
    }
}

impl Task for OpenLens {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let info = &cx.models.text(self.model)?.info;
        let Some(sha256) = self.hashing.step(cx.models)? else { return Ok(Step::More) };
        let lens = read_lens(&self.path)?;
        check_fits(&lens, info)?;
        if lens.sha256 != sha256 {
            return Err(UserError::new(
                format!("{} was fitted on other weights.", self.path.display()),
                format!(
                    "It belongs to {}, whose weights have the hash {}…, not {}….",
                    lens.model,
                    short(&lens.sha256),
                    short(&sha256)
                ),
                "Open the model it was fitted on, or fit a lens anew.",
            ));
        }
        Ok(Step::Done(Outcome::LensFitted(Arc::new(lens))))
    }
}

fn short(sha256: &str) -> String {
    sha256.chars().take(12).collect()
}

/// A lens of other sizes than the model fits nowhere.
pub(super) fn check_fits(lens: &JacobianLens, info: &ModelInfo) -> Result<(), UserError> {
    let (layers, width) = info.shape.blocks().map_or((0, 0), |blocks| (blocks.layers, blocks.hidden));
    if lens.width == width && lens.matrices.len() + 1 == layers {
        return Ok(());
    }
    Err(UserError::new(
        format!("The lens of {} does not fit {}.", lens.model, info.name),
        format!(
            "It has {} matrices of {} × {}, and this model needs {} of {width} × {width}.",
            lens.matrices.len(),
            lens.width,
            lens.width,
            layers.saturating_sub(1)
        ),
        "Open the model it was fitted on, or fit a lens anew.",
    ))
}
