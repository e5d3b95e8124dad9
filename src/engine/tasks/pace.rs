//! How many tokens a second networks read and learn, on one core, on all of them, and on a GPU where one is in use.
//!
//! One core is one thread: the pass is made inside a pool of one, which is what Burn's loops, the products of its Flex backend and our team
//! of threads count by.

use super::{Step, Task, TaskContext};
use crate::engine::guard::THREAD_PREFIX;
use crate::engine::{Event, Outcome};
use crate::load::merged;
use crate::nn::{CausalLm, Hooks, Random, in_full_precision};
use crate::train::{drawn_network, text_loss::text_loss};
use crate::types::{PaceNetwork, PacePass, PacePoint, PaceProcessor, PaceReport, PaceSpec, PacedNetwork, UserError};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::Arc;
use std::time::Instant;

/// Seconds of passes in one step of the engine, unless a single one takes longer.
const STEP_S: f64 = 0.03;
/// Passes that a median is of at least.
const LEAST: usize = 3;
/// Most tokens of a pass: the logits of more would fill the memory of a usual computer.
const MOST_TOKENS: usize = 1 << 16;

/// Measures networks.
pub(crate) struct Pace {
    spec: PaceSpec,
    measuring: Option<Measuring>,
}

struct Measuring {
    /// Its only thread is the one core.
    alone: ThreadPool,
    /// Of each network those on the CPU and on the GPU.
    networks: Vec<Vec<Placed>>,
    report: PaceReport,
    /// What is still to be measured, the next last.
    left: Vec<Point>,
    /// Seconds of the passes of the next point so far; empty before the first, which is not counted.
    seconds: Vec<f64>,
    is_warm: bool,
}

/// A network on a device.
struct Placed {
    is_gpu: bool,
    reading: CausalLm,
    /// In F32, with gradients.
    learning: CausalLm,
}

/// What one point measures.
#[derive(Clone, Copy)]
struct Point {
    network: usize,
    pass: PacePass,
    processor: PaceProcessor,
    batch: usize,
    length: usize,
}

impl Pace {
    /// To measure what `spec` says.
    pub(crate) fn new(spec: PaceSpec) -> Self {
        Self { spec, measuring: None }
    }

    fn begin(&self, cx: &TaskContext<'_>) -> Result<Measuring, UserError> {
        check(&self.spec)?;
        let alone = ThreadPoolBuilder::new().num_threads(1).thread_name(|_| format!("{THREAD_PREFIX}alone")).build();
        let alone = alone.map_err(|error| {
            UserError::new(
                "Nothing can be measured on one core.",
                error.to_string(),
                "End other programs and try again.",
            )
        })?;
        let cpu = Device::flex();
        let is_gpu = *cx.device != cpu;
        let (mut networks, mut paced) = (Vec::new(), Vec::new());
        for network in &self.spec.networks {
            let (name, architecture, net) = match network {
                PaceNetwork::Open(id) => {
                    let model = cx.models.text(*id)?;
                    (model.info.name.clone(), model.info.architecture, model.lm.clone())
                }
                PaceNetwork::Drawn { name, shape } => {
                    let (config, net) = drawn_network(shape, self.spec.seed, &cpu)?;
                    (name.clone(), config.architecture(), net)
                }
            };
            let mut placed = vec![Placed::new(net.clone().to_device(&cpu), false)];
            if is_gpu {
                placed.push(Placed::new(in_full_precision(merged(&net)).to_device(cx.device), true));
            }
            paced.push(PacedNetwork {
                name,
                architecture: architecture.family().to_owned(),
                parameters: net.num_params() as u64,
                context: net.context(),
            });
            networks.push(placed);
        }
        let threads = rayon::current_num_threads();
        let mut left = points(&self.spec, &paced, &processors(threads, is_gpu));
        if left.is_empty() {
            return Err(nothing("The networks read fewer tokens at once than the shortest sequence has."));
        }
        let planned = left.len();
        left.reverse();
        let batch_length = self.spec.batch_length;
        let report = PaceReport { networks: paced, points: Vec::new(), threads, batch_length, planned };
        Ok(Measuring { alone, networks, report, left, seconds: Vec::new(), is_warm: false })
    }
}

/// On what it is measured: with a single thread, one core is all.
fn processors(threads: usize, is_gpu: bool) -> Vec<PaceProcessor> {
    let there_is = |processor: &PaceProcessor| match processor {
        PaceProcessor::OneCore => true,
        PaceProcessor::AllCores => threads > 1,
        PaceProcessor::Gpu => is_gpu,
    };
    PaceProcessor::ALL.into_iter().filter(there_is).collect()
}

/// Every point, networks in turns, so that what else the computer does strikes all of them alike.
fn points(spec: &PaceSpec, networks: &[PacedNetwork], processors: &[PaceProcessor]) -> Vec<Point> {
    let mut lengths: Vec<(usize, usize)> = spec.lengths.iter().map(|length| (1, *length)).collect();
    let mut batches: Vec<(usize, usize)> = spec.batches.iter().map(|batch| (*batch, spec.batch_length)).collect();
    lengths.sort_unstable();
    batches.sort_unstable();
    batches.retain(|size| !lengths.contains(size));
    let mut sizes = lengths;
    sizes.extend(batches);
    sizes.dedup();
    let mut found = Vec::new();
    for (batch, length) in sizes {
        for pass in PacePass::ALL {
            for processor in processors {
                let fits = (0..networks.len()).filter(|network| length <= networks[*network].context);
                found.extend(fits.map(|network| Point { network, pass, processor: *processor, batch, length }));
            }
        }
    }
    found
}

fn check(spec: &PaceSpec) -> Result<(), UserError> {
    if spec.networks.is_empty() {
        return Err(nothing("No network is named."));
    }
    if spec.lengths.is_empty() && spec.batches.is_empty() {
        return Err(nothing("There is neither a length nor a batch."));
    }
    let mut numbers = spec.lengths.iter().chain(&spec.batches);
    if spec.batch_length == 0 || numbers.any(|number| *number == 0) {
        return Err(nothing("Lengths and batches are at least 1."));
    }
    let widest = spec.batches.iter().max().map_or(0, |batch| batch.saturating_mul(spec.batch_length));
    let most = spec.lengths.iter().copied().max().unwrap_or(0).max(widest);
    if most > MOST_TOKENS {
        return Err(nothing(format!("{most} tokens at once are more than {MOST_TOKENS}.")));
    }
    if !(spec.seconds > 0.0 && spec.seconds <= 60.0) {
        return Err(nothing(format!(
            "A point is repeated for more than 0 and at most 60 seconds, not {}.",
            spec.seconds
        )));
    }
    Ok(())
}

fn nothing(why: impl Into<String>) -> UserError {
    UserError::new("No pace can be measured.", why, "Name networks, and lengths that they can read.")
}

impl Placed {
    fn new(reading: CausalLm, is_gpu: bool) -> Self {
        let learning = in_full_precision(merged(&reading)).train();
        Self { is_gpu, reading, learning }
    }

    /// Makes one pass over these sequences of T + 1 tokens, of which the last is only predicted, and waits for the device.
    fn pass(&self, pass: PacePass, sequences: &[Vec<u32>]) -> Result<(), UserError> {
        let length = sequences[0].len() - 1;
        let device = match pass {
            PacePass::Read => {
                let device = self.reading.device();
                let ids = sequences.iter().flat_map(|ids| ids[..length].iter().map(|id| *id as i32)).collect();
                let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [sequences.len(), length]), &device);
                // [B, T, V]
                let _ = self.reading.forward(ids, &mut Hooks::off());
                device
            }
            PacePass::Learn => {
                let device = self.learning.device();
                let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
                let _ = text_loss(&self.learning, &borrowed, length, &device).backward();
                device
            }
        };
        device.sync().map_err(|error| {
            UserError::new("The device did not finish a pass.", format!("{error:?}"), "Measure on the CPU.")
        })
    }
}

impl Measuring {
    /// Repeats a point for a moment; true when it is measured.
    fn advance(&mut self, spec: &PaceSpec, point: Point) -> Result<bool, UserError> {
        let is_gpu = point.processor == PaceProcessor::Gpu;
        let Some(placed) = self.networks[point.network].iter().find(|placed| placed.is_gpu == is_gpu) else {
            return Err(nothing("The graphics processor is not in use any more."));
        };
        let sequences = sequences(point, placed.reading.vocabulary(), spec.seed);
        let (is_warm, begun) = (self.is_warm, Instant::now());
        let repeat = || -> Result<Vec<f64>, UserError> {
            let mut seconds = Vec::new();
            if !is_warm {
                placed.pass(point.pass, &sequences)?;
            }
            while seconds.is_empty() || begun.elapsed().as_secs_f64() < STEP_S {
                let pass = Instant::now();
                placed.pass(point.pass, &sequences)?;
                seconds.push(pass.elapsed().as_secs_f64());
            }
            Ok(seconds)
        };
        let seconds = match point.processor {
            PaceProcessor::OneCore => self.alone.install(repeat),
            PaceProcessor::AllCores | PaceProcessor::Gpu => repeat(),
        }?;
        self.is_warm = true;
        self.seconds.extend(seconds);
        let is_enough = self.seconds.iter().sum::<f64>() >= spec.seconds && self.seconds.len() >= LEAST;
        if is_enough {
            let passes = self.seconds.len();
            let seconds = median(std::mem::take(&mut self.seconds));
            let Point { network, pass, processor, batch, length } = point;
            self.report.points.push(PacePoint { network, pass, processor, batch, length, seconds, passes });
            self.is_warm = false;
        }
        Ok(is_enough)
    }
}

/// B sequences of T + 1 tokens drawn from the seed, the same for every network that has as many tokens.
fn sequences(point: Point, vocabulary: usize, seed: u64) -> Vec<Vec<u32>> {
    let mut random = Random::new(seed, point.length as u64);
    (0..point.batch).map(|_| (0..=point.length).map(|_| random.below(vocabulary) as u32).collect()).collect()
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_unstable_by(f64::total_cmp);
    let half = seconds.len() / 2;
    if seconds.len().is_multiple_of(2) { f64::midpoint(seconds[half - 1], seconds[half]) } else { seconds[half] }
}

impl Task for Pace {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        if self.measuring.is_none() {
            self.measuring = Some(self.begin(cx)?);
        }
        let (spec, Some(measuring)) = (&self.spec, &mut self.measuring) else { return Ok(Step::More) };
        let Some(point) = measuring.left.last().copied() else {
            return Ok(Step::Done(Outcome::Paced(Arc::new(measuring.report.clone()))));
        };
        if measuring.advance(spec, point)? {
            measuring.left.pop();
            let (done, total) = (measuring.report.points.len() as u64, measuring.report.planned as u64);
            (cx.emit)(Event::SoFar { job: cx.job, outcome: Outcome::Paced(Arc::new(measuring.report.clone())) });
            (cx.emit)(Event::Progress { job: cx.job, label: "Measuring".to_owned(), done, total, unit: "points" });
        }
        Ok(Step::More)
    }

    fn cancel(&mut self, _: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        Ok(match self.measuring.take() {
            Some(measuring) => Outcome::Paced(Arc::new(measuring.report)),
            None => Outcome::Cancelled,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_counts() {
        assert_eq!([median(vec![3.0, 1.0, 2.0]), median(vec![4.0, 1.0, 2.0, 3.0])], [2.0, 2.5]);
    }
}
