//! The loop: the same for every objective, one optimiser step at a time.

use super::check::other_network;
use super::checkpoint::{BestScore, Checkpoint, Due, DuePoint, Snapshot, in_order, with_weights};
use super::logs::{RunLogs, RunScale};
use super::objective::{Loss, Objective, SampleStep, Tally, Written};
use super::optimiser::{Optimiser, StepRates};
use super::schedule::learning_rate;
use super::trainable::{freeze, parameters_of};
use super::watch::{Taking, Watch};
use crate::nn::{Held, hold};
use crate::types::{Glimpse, RunSample, RunSnapshot, SetLoss, TrainPoint, TrainSpec, TrainSummary, UserError};
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Device;
use std::time::{Duration, Instant};

/// A run between two steps.
pub(crate) struct Run<O: Objective> {
    spec: TrainSpec,
    objective: O,
    /// Carries autodiff.
    net: O::Net,
    optimiser: Optimiser,
    step: usize,
    elapsed: Duration,
    /// Weights before the first step, without autodiff: what is left when the loss is no number before any validation.
    start: O::Net,
    best: Option<(BestScore, O::Net)>,
    next: Next,
    /// A checkpoint is to be written before the next step.
    unwritten: bool,
    logs: Option<RunLogs>,
    watch: Watch,
    /// Of the last step, once the curve has it.
    point: Option<TrainPoint>,
    pending: Vec<TrainPoint>,
    /// Every step makes tensors of the same sizes.
    _held: Held,
}

/// What a run does next.
enum Next {
    Learn,
    /// Measures a slice for a point.
    Validate {
        point: TrainPoint,
        slice: usize,
        sums: Sums,
    },
    Sample,
    /// Makes a snapshot of the step.
    Watch(Box<Taking>),
}

/// What was measured on the slices of a validation so far.
#[derive(Default)]
struct Sums {
    all: Tally,
    /// Of each data set, where they are several.
    sets: Vec<Tally>,
}

/// What a step learns from.
struct Learned {
    gradients: GradientsParams,
    /// What the gradients are to be multiplied with.
    share: f64,
    /// Mean cross-entropy.
    loss: f64,
    /// Tokens of all batches.
    tokens: Vec<u32>,
}

/// What a stretch of a run did.
pub(crate) enum Happened {
    /// Nothing to show.
    Nothing,
    /// The weights changed.
    Learned,
    /// A validation is whole.
    Validated,
    /// A sample is whole.
    Sampled(RunSample),
    /// A snapshot is due and measured; the weights are those of [`Run::net`]. [`Run::note`] takes it, before the next stretch.
    Watched(Box<RunSnapshot>),
    /// The checkpoint that is due could not be written. The next stretch tries it again; [`Run::let_go`] does without.
    Unwritten(UserError),
    /// All steps are done.
    Finished,
    /// The loss became no number, and nothing sensible can follow. [`Run::kept`] are the weights to go back to.
    Diverged {
        /// The step, counted from 1.
        step: usize,
        /// What the loss became.
        loss: f64,
    },
}

impl<O: Objective> Run<O> {
    /// A run that begins with `start`, which is without autodiff, or goes on after the checkpoint.
    ///
    /// # Errors
    /// When the spec's groups or the checkpoint do not fit the network, or the log cannot be written.
    pub(crate) fn begin(
        spec: TrainSpec,
        objective: O,
        start: O::Net,
        checkpoint: Option<Checkpoint>,
        device: &Device,
    ) -> Result<Self, UserError> {
        let parameters =
            parameters_of(&start, &spec, |path| objective.freezes(path), |path| objective.learns_whole(path))?;
        let mut optimiser = Optimiser::new(&spec, objective.beta_2(), parameters.clone());
        let (mut net, mut best) = (start.clone(), None);
        let (mut step, mut elapsed) = (0, Duration::ZERO);
        let mut next = Next::Learn;
        let goes_on = checkpoint.is_some();
        if let Some(Checkpoint { run, weights, best_weights, moments, .. }) = checkpoint {
            let fit = |weights| with_weights(start.clone(), weights, &parameters).ok_or_else(|| other_network(&spec));
            net = fit(weights)?;
            if let (Some(score), Some(weights)) = (run.best, best_weights) {
                best = Some((score, fit(weights)?));
            }
            optimiser.restore(&net, in_order(&parameters, moments), device);
            (step, elapsed) = (run.step, Duration::from_secs_f64(run.elapsed_s));
            next = match run.due {
                Due::Nothing => Next::Learn,
                Due::Validation(point) => {
                    Next::Validate { point: point.point(run.step), slice: 0, sums: Sums::default() }
                }
                Due::Sample => Next::Sample,
            };
        }
        let watch = Watch::begin(&spec, goes_on.then_some(step))?;
        let (mut logs, mut pending) = (None, Vec::new());
        if let Some(out) = &spec.out {
            // The point of a validation that is due is added once it has it.
            let logged = if matches!(next, Next::Validate { .. }) { step - 1 } else { step };
            // Samples of a step that are not all there are written anew.
            let sampled = if matches!(next, Next::Learn) { step } else { step - 1 };
            let examples = objective.examples_per_step(&spec) * spec.accumulate as u64;
            let scale = RunScale {
                steps_per_epoch: objective.examples_per_epoch().map(|all| all as f64 / examples.max(1) as f64),
                tokens_per_step: objective.reads_tokens().then_some(examples),
                // Two for each weight forwards, and four backwards (Kaplan et al. 2020).
                operations_per_step: 6.0 * start.num_params() as f64 * examples as f64,
            };
            let (begun, kept) = RunLogs::begin(out, &spec, scale, [logged, sampled], objective.validation_sets())?;
            (logs, pending) = (Some(begun), kept);
        }
        let net = freeze(net.train(), &parameters);
        let point = pending.last().filter(|point| point.step == step).cloned();
        let unwritten = false;
        Ok(Self {
            spec,
            objective,
            net,
            optimiser,
            step,
            elapsed,
            start,
            best,
            next,
            unwritten,
            logs,
            watch,
            point,
            pending,
            _held: hold(),
        })
    }

    /// The network before the first step, without autodiff.
    pub(crate) fn start(&self) -> &O::Net {
        &self.start
    }

    /// What the network makes of a sequence that the next step learns from; none where there is no further step, or nothing to show.
    pub(crate) fn glimpse(&mut self, device: &Device) -> Option<Glimpse> {
        if self.step >= self.spec.steps {
            return None;
        }
        let net = self.net.valid();
        let batch = self.step * self.spec.accumulate + 1;
        let tokens = self.objective.glimpse(&self.spec, &net, batch, device)?;
        Some(Glimpse { step: self.step, tokens })
    }

    /// One optimiser step, one slice of a validation or one token of a sample. `device` is without autodiff. A checkpoint that is due is a stretch of its own.
    pub(crate) fn advance(&mut self, device: &Device) -> Happened {
        if self.unwritten {
            return match self.write_checkpoint() {
                Ok(()) => Happened::Nothing,
                Err(error) => Happened::Unwritten(error),
            };
        }
        let is_last = self.step == self.spec.steps || self.settled().is_some();
        if matches!(self.next, Next::Learn) && self.watch.wants(self.step, is_last) {
            let examples = self.examples();
            let taking = Taking::new(&self.objective, (self.step, examples), self.point.as_ref());
            self.next = Next::Watch(Box::new(taking));
        }
        if let Next::Watch(taking) = &mut self.next {
            // Looking is no training: its time does not count.
            let net = self.net.valid();
            let Some(found) = taking.advance(&mut self.objective, [&net, &self.start], device) else {
                return Happened::Nothing;
            };
            self.next = Next::Learn;
            return Happened::Watched(Box::new(found));
        }
        let begun = Instant::now();
        let happened = match std::mem::replace(&mut self.next, Next::Learn) {
            Next::Learn if is_last => Happened::Finished,
            Next::Learn => self.learn(begun, device),
            Next::Validate { point, slice, sums } => self.validate(point, slice, sums, device),
            Next::Sample => self.sample(),
            Next::Watch(_) => Happened::Nothing,
        };
        self.elapsed += begun.elapsed();
        happened
    }

    fn learn(&mut self, begun: Instant, device: &Device) -> Happened {
        let step = self.step + 1;
        let Learned { gradients, share, loss, tokens } = self.gradients(step, device);
        let learning_rate = learning_rate(&self.spec, step);
        if !loss.is_finite() {
            let elapsed_s = (self.elapsed + begun.elapsed()).as_secs_f64();
            self.record(TrainPoint { step, elapsed_s, loss, learning_rate, ..TrainPoint::default() });
            return Happened::Diverged { step, loss };
        }
        let rates = StepRates { learning_rate, of_groups: self.objective.rates(&self.spec, step), share };
        self.net = self.optimiser.step(self.net.clone(), gradients, rates, &tokens);
        self.step = step;

        let elapsed_s = (self.elapsed + begun.elapsed()).as_secs_f64();
        let gradient_norm = Some(self.optimiser.gradient_norm());
        let point = TrainPoint { step, elapsed_s, loss, learning_rate, gradient_norm, ..TrainPoint::default() };
        let is_due = step.is_multiple_of(self.spec.eval_every) || step == self.spec.steps;
        if is_due && self.objective.validation_slices() > 0 {
            self.next = Next::Validate { point, slice: 0, sums: Sums::default() };
        } else {
            self.record(point);
            self.unwritten = is_due && self.spec.out.is_some();
        }
        Happened::Learned
    }

    /// The gradients of a step: those of its batches together, weighed by what each predicts, so that they are those of one large
    /// batch.
    fn gradients(&mut self, step: usize, device: &Device) -> Learned {
        let (device, batches) = (device.clone().autodiff(), self.spec.accumulate);
        if batches == 1 {
            let Loss { mean, tokens, .. } = self.objective.loss(&self.spec, &self.net, step, &device);
            let gradients = GradientsParams::from_grads(mean.backward(), &self.net);
            return Learned { gradients, share: 1.0, loss: f64::from(mean.into_scalar::<f32>()), tokens };
        }
        let mut sums = GradientsAccumulator::new();
        let (mut all, mut loss, mut tokens) = (0, 0.0, Vec::new());
        for batch in (step - 1) * batches + 1..=step * batches {
            let part = self.objective.loss(&self.spec, &self.net, batch, &device);
            let sum = part.mean * part.predicted as f32;
            sums.accumulate(&self.net, GradientsParams::from_grads(sum.backward(), &self.net));
            loss += f64::from(sum.into_scalar::<f32>());
            all += part.predicted;
            tokens.extend(part.tokens);
        }
        Learned { gradients: sums.grads(), share: (all as f64).recip(), loss: loss / all as f64, tokens }
    }

    /// Validations since the best, where so many have passed that the run ends.
    fn settled(&self) -> Option<usize> {
        let (best, _) = self.best.as_ref().filter(|_| self.spec.patience > 0)?;
        let validations = |step: usize| step / self.spec.eval_every;
        let since = validations(self.step) - validations(best.step);
        (since >= self.spec.patience).then_some(since)
    }

    /// One slice of a validation; the last one keeps the weights if they are the best, and a checkpoint follows.
    fn validate(&mut self, mut point: TrainPoint, slice: usize, mut sums: Sums, device: &Device) -> Happened {
        let net = self.net.valid();
        let found = self.objective.validate(&net, slice, device);
        let names = self.objective.validation_sets();
        sums.sets.resize(names.len(), Tally::default());
        if let Some(of_set) = sums.sets.get_mut(self.objective.set_of_slice(slice)) {
            *of_set = of_set.plus(found);
        }
        sums.all = sums.all.plus(found);
        if slice + 1 < self.objective.validation_slices() {
            self.next = Next::Validate { point, slice: slice + 1, sums };
            return Happened::Nothing;
        }
        let (step, loss) = (point.step, sums.all.mean_loss());
        point.validation_loss = Some(loss);
        point.validation_accuracy = sums.all.accuracy();
        // A set too short to be measured has no loss.
        let measured = names.into_iter().zip(&sums.sets).filter(|(_, tally)| tally.count > 0);
        point.validation_sets = measured.map(|(set, tally)| SetLoss { set, loss: tally.mean_loss() }).collect();
        self.record(point);
        if loss.is_finite() && self.best.as_ref().is_none_or(|(best, _)| loss < best.loss) {
            self.best = Some((BestScore { step, loss }, net));
        }
        self.next = Next::Sample;
        self.unwritten = self.spec.out.is_some();
        Happened::Validated
    }

    fn sample(&mut self) -> Happened {
        match self.objective.sample(&self.net.valid()) {
            SampleStep::More => {
                self.next = Next::Sample;
                Happened::Nothing
            }
            SampleStep::None => Happened::Nothing,
            SampleStep::Done(Written { prompt, seed, text, is_last }) => {
                if !is_last {
                    self.next = Next::Sample;
                }
                let sample = RunSample { step: self.step, prompt, seed, text };
                if let Some(logs) = &mut self.logs {
                    logs.sample(&sample);
                }
                Happened::Sampled(sample)
            }
        }
    }

    /// Ends before all is done, so that the run can be taken up again where it is: a validation that was under way is then due.
    ///
    /// # Errors
    /// When the checkpoint cannot be written.
    pub(crate) fn stop(&mut self) -> Result<(), UserError> {
        if let Next::Validate { point, .. } = &self.next {
            // Shown as far as it is known; the log waits for the whole of it.
            self.pending.push(point.clone());
        }
        self.write_checkpoint()
    }

    fn record(&mut self, point: TrainPoint) {
        if let Some(logs) = &mut self.logs {
            logs.add(&point);
        }
        self.point = Some(point.clone());
        self.pending.push(point);
    }

    /// Goes on in memory alone: nothing more is written.
    pub(crate) fn let_go(&mut self) {
        (self.spec.out, self.logs, self.unwritten) = (None, None, false);
        self.watch.let_go();
    }

    fn write_checkpoint(&mut self) -> Result<(), UserError> {
        self.flush_logs()?;
        let Some(out) = &self.spec.out else { return Ok(()) };
        let snapshot = Snapshot {
            spec: &self.spec,
            step: self.step,
            elapsed_s: self.elapsed.as_secs_f64(),
            best: self.best.as_ref().map(|(best, _)| *best),
            due: match &self.next {
                // A snapshot of a step is made again where it was not noted.
                Next::Learn | Next::Watch(_) => Due::Nothing,
                Next::Validate { point, .. } => Due::Validation(DuePoint::of(point)),
                Next::Sample => Due::Sample,
            },
            parameters: self.optimiser.parameters(),
            moments: self.optimiser.moments(&self.net),
        };
        let best_net = self.best.as_ref().map(|(_, net)| net);
        Checkpoint::write(out, snapshot, &self.net.valid(), best_net, |folder| self.objective.write_extra(folder))?;
        self.unwritten = false;
        Ok(())
    }

    /// Makes sure that all the run has told of itself is on disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn flush_logs(&mut self) -> Result<(), UserError> {
        self.watch.flush()?;
        let best = self.best.as_ref().map(|(best, _)| (best.step, best.loss));
        self.logs.as_mut().map_or(Ok(()), |logs| logs.write_state(self.step, best))
    }

    /// Takes note of a snapshot, with its weights where they were kept.
    pub(crate) fn note(&mut self, snapshot: &RunSnapshot) {
        self.watch.note(snapshot);
    }

    /// Snapshots of before the run was taken up again.
    pub(crate) fn take_snapshots(&mut self) -> Vec<RunSnapshot> {
        std::mem::take(&mut self.watch.kept)
    }

    /// Tokens, texts or images learned from.
    fn examples(&self) -> u64 {
        self.objective.examples_per_step(&self.spec) * (self.spec.accumulate * self.step) as u64
    }

    /// The spec it follows.
    pub(crate) fn spec(&self) -> &TrainSpec {
        &self.spec
    }

    /// Numbers that learn.
    pub(crate) fn learned(&self) -> u64 {
        let learning = self.optimiser.parameters().iter().filter(|parameter| !parameter.frozen);
        learning.map(|parameter| parameter.count as u64).sum()
    }

    /// Steps done.
    pub(crate) fn step(&self) -> usize {
        self.step
    }

    /// The objective, to write files beside the model.
    pub(crate) fn objective(&self) -> &O {
        &self.objective
    }

    /// The network as it is, without autodiff.
    pub(crate) fn net(&self) -> O::Net {
        self.net.valid()
    }

    /// The network of the best validation and its step; before any, that of the run's beginning.
    pub(crate) fn kept(&self) -> (O::Net, Option<usize>) {
        self.best.as_ref().map_or_else(|| (self.start.clone(), None), |(best, net)| (net.clone(), Some(best.step)))
    }

    /// The network a run ends with and its step: the best, or the last where nothing was held out.
    pub(crate) fn result(&self) -> (O::Net, usize) {
        self.best.as_ref().map_or_else(|| (self.net.valid(), self.step), |(best, net)| (net.clone(), best.step))
    }

    /// Points of the learning curve that were not taken yet; those of before a checkpoint among them.
    pub(crate) fn take_points(&mut self) -> Vec<TrainPoint> {
        std::mem::take(&mut self.pending)
    }

    /// How it ended, all steps done or stopped before.
    pub(crate) fn summary(&self, stopped_early: bool) -> TrainSummary {
        TrainSummary {
            steps: self.step,
            elapsed_s: self.elapsed.as_secs_f64(),
            best: self.best.as_ref().map(|(best, _)| (best.step, best.loss)),
            stopped_early,
            settled: self.settled().filter(|_| !stopped_early && self.step < self.spec.steps),
            examples: self.examples(),
            saved_to: self.spec.out.clone(),
        }
    }
}
