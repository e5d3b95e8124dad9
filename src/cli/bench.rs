//! `fovea bench`.

mod reading;
mod search;
mod training;

pub use reading::ReadingArgs;
pub use training::TrainingArgs;

use super::CliError;
use super::args::{ModelArgs, WeightType};
use super::output::{print, print_json};
use super::session::{Session, model_dir, unexpected};
use crate::engine::{Command, GenerateSpec, InspectSpec, Outcome, PromptInput, RandomModel, Work};
use crate::types::{
    GenerationStats, JobId, MemoryTraffic, ModelInfo, Precision, Sampling, SiteFilter, UserError, bytes_in_words,
};
use clap::Args;
use serde::Serialize;
use std::time::Instant;

/// `fovea bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Build the model that config.json describes with random weights; nothing else of the folder is needed
    #[arg(long)]
    pub random_weights: bool,
    /// Element type in which random weights are kept
    #[arg(long, value_enum, default_value_t, requires = "random_weights")]
    pub weights: WeightType,
    /// Tokens of the prompt
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub prompt_tokens: usize,
    /// Tokens to generate
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub new_tokens: usize,
    /// Also measure one pass that captures every attention pattern over this many tokens
    #[arg(long, value_name = "N")]
    pub capture_tokens: Option<usize>,
    /// Also measure the lens, a sweep and an edited pass over this many tokens
    #[arg(long, value_name = "N")]
    pub search_tokens: Option<usize>,
    #[command(flatten)]
    pub reading: ReadingArgs,
    #[command(flatten)]
    pub training: TrainingArgs,
    /// Measured runs, after one that warms up; the median counts
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub repeats: usize,
    /// The figures as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// What was measured. Times are medians over the repeats.
#[derive(Serialize)]
struct Report {
    prefill_ms: f64,
    decode_tokens_per_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    capture_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search: Option<search::Search>,
    #[serde(skip_serializing_if = "Option::is_none")]
    train_tokens_per_s: Option<f64>,
    /// What a generated token reads: the weights, and the keys and values of the positions it sees, on average.
    bytes_per_token: f64,
    /// How fast the device reads memory, measured in this run, and how much of that decoding uses.
    bandwidth_bytes_per_s: Option<f64>,
    bandwidth_share: Option<f64>,
    load_ms: f64,
    weights: String,
    /// What the weights take as they are kept.
    weights_mb: f64,
    /// What the process took after loading and one run, and before.
    resident_mb: Option<f64>,
    resident_before_mb: Option<f64>,
    peak_rss_mb: Option<f64>,
    prompt_tokens: usize,
    new_tokens: usize,
    repeats: usize,
    parameters: u64,
    device: String,
    is_gpu: bool,
    threads: usize,
}

/// Measures loading, reading a prompt and generating, through the same engine as everything else.
pub(super) fn run(args: &BenchArgs) -> Result<(), CliError> {
    if let Some(figures) = reading::measure(args)? {
        return if args.json { print_json(&figures) } else { print(&figures.describe()) };
    }
    check(args)?;
    let session = Session::start(args.model.device);
    let device = session.settle()?;
    let resident_before_mb = memory_mb("VmRSS:");
    let begun = Instant::now();
    let info = if args.random_weights {
        let path = model_dir(&args.model.model)?;
        let spec = RandomModel { path, seed: 1, precision: args.weights.into() };
        session.open(|job, model| Command::start(job, model, Work::OpenRandom(spec)))?
    } else {
        session.open_model(&args.model)?
    };
    let load_ms = begun.elapsed().as_secs_f64() * 1e3;
    generate(&session, &info, args)?; // warms up caches, and kernels on a GPU
    let resident_mb = memory_mb("VmRSS:");
    let runs = (0..args.repeats).map(|_| generate(&session, &info, args)).collect::<Result<Vec<_>, _>>()?;
    let captures = match args.capture_tokens {
        Some(tokens) => {
            capture(&session, &info, tokens)?; // warms up, too
            (0..args.repeats).map(|_| capture(&session, &info, tokens)).collect::<Result<Vec<_>, _>>()?
        }
        None => Vec::new(),
    };
    let search = args.search_tokens.map(|tokens| search::measure(&session, &info, tokens, args.repeats)).transpose()?;
    let training =
        args.training.train_batch.map(|batch| training::measure(&session, &info, &args.training, batch)).transpose()?;
    let peak_rss_mb = memory_mb("VmHWM:"); // before a measurement that takes memory of its own
    let traffic = measure_memory(&session, &info)?;
    let new_tokens = runs.iter().map(|run| run.new_tokens).min().unwrap_or(0);
    let decode_tokens_per_s = median(runs.iter().map(|run| run.tokens_per_s));
    // The rate counts from the first token to the last; the one after the first sees the prompt and the first.
    let positions = args.prompt_tokens as f64 + new_tokens as f64 / 2.0;
    // Only the CPU multiplies half precision and blocks.
    let weights = if device.is_gpu { Precision::F32.to_string() } else { info.element_type() };
    let in_blocks = info.quantised.as_ref().filter(|_| !device.is_gpu).map(|quantised| quantised.bytes);
    let of_each = if device.is_gpu { Precision::F32 } else { info.precision }.bytes();
    let report = Report {
        prefill_ms: median(runs.iter().map(|run| run.ttft_ms)),
        decode_tokens_per_s,
        capture_ms: (!captures.is_empty()).then(|| median(captures.into_iter())),
        search,
        train_tokens_per_s: training,
        bytes_per_token: traffic.bytes_per_token(positions),
        bandwidth_bytes_per_s: traffic.bytes_per_s,
        bandwidth_share: traffic.share(decode_tokens_per_s, positions),
        load_ms,
        weights,
        weights_mb: in_blocks.unwrap_or(info.parameters * of_each) as f64 / MEBIBYTE,
        resident_mb,
        resident_before_mb,
        peak_rss_mb,
        prompt_tokens: args.prompt_tokens,
        new_tokens,
        repeats: args.repeats,
        parameters: info.parameters,
        device: device.name,
        is_gpu: device.is_gpu,
        threads: device.threads,
    };
    if args.json { print_json(&report) } else { print(&describe(&report)) }
}

fn check(args: &BenchArgs) -> Result<(), UserError> {
    if args.prompt_tokens == 0 || args.new_tokens < 2 || args.repeats == 0 || args.training.train_steps == 0 {
        return Err(UserError::new(
            "There is nothing to measure.",
            "A measurement needs at least one prompt token, two new tokens (the rate counts from the first to the last), \
             one repeat and one training step.",
            "Raise --prompt-tokens, --new-tokens, --repeats or --train-steps.",
        ));
    }
    Ok(())
}

fn generate(session: &Session, info: &ModelInfo, args: &BenchArgs) -> Result<GenerationStats, CliError> {
    let job = JobId::next();
    let ids = spread_ids(args.prompt_tokens, info.shape.vocabulary().unwrap_or(1));
    let sampling = Sampling { max_new_tokens: args.new_tokens, ..Sampling::default() };
    let command = Command::start(
        job,
        info.id,
        Work::Generate(GenerateSpec { prompt: PromptInput::Ids(ids), sampling, edits: Vec::new() }),
    );
    let Outcome::Generated(stats) = session.run(job, command, |_| Ok(()))? else { return Err(unexpected()) };
    if stats.new_tokens < 2 {
        let why = format!("The model ended after {} tokens: {}.", stats.new_tokens, stats.stop);
        let next = "Use another --prompt-tokens, or --random-weights.";
        return Err(UserError::new("The decoding rate could not be measured.", why, next).into());
    }
    Ok(stats)
}

fn measure_memory(session: &Session, info: &ModelInfo) -> Result<MemoryTraffic, CliError> {
    let job = JobId::next();
    let command = Command::start(job, info.id, Work::MeasureMemory);
    let Outcome::MemoryMeasured(traffic) = session.run(job, command, |_| Ok(()))? else { return Err(unexpected()) };
    Ok(traffic)
}

/// Milliseconds of one pass that keeps every attention pattern.
fn capture(session: &Session, info: &ModelInfo, tokens: usize) -> Result<f64, CliError> {
    let job = JobId::next();
    let prompt = PromptInput::Ids(spread_ids(tokens, info.shape.vocabulary().unwrap_or(1)));
    let begun = Instant::now();
    let command = Command::start(
        job,
        info.id,
        Work::Inspect(InspectSpec { prompt, sites: SiteFilter::patterns(), edits: Vec::new() }),
    );
    let Outcome::Inspected(report) = session.run(job, command, |_| Ok(()))? else { return Err(unexpected()) };
    let ms = begun.elapsed().as_secs_f64() * 1e3;
    if let Some(left_out) = &report.left_out {
        return Err(UserError::new("Not every pattern was captured.", left_out, "Lower --capture-tokens.").into());
    }
    Ok(ms)
}

/// Spread over the vocabulary, so that embedding rows do not sit in the cache.
fn spread_ids(count: usize, vocabulary: usize) -> Vec<u32> {
    (0..count).map(|i| ((i * 7919 + 11) % vocabulary.max(1)) as u32).collect()
}

fn describe(report: &Report) -> String {
    let size = |mebibytes: f64| bytes_in_words((mebibytes * MEBIBYTE) as u64);
    let memory = |mb: Option<f64>| mb.map_or_else(|| "not known on this system".to_owned(), size);
    let capture =
        report.capture_ms.map_or_else(String::new, |ms| format!("capture      {ms:9.1} ms for every pattern\n"));
    let search = report.search.as_ref().map_or_else(String::new, search::describe);
    let training =
        report.train_tokens_per_s.map_or_else(String::new, |rate| format!("training     {rate:9.1} tokens/s\n"));
    let bandwidth = match report.bandwidth_bytes_per_s.zip(report.bandwidth_share) {
        Some((limit, share)) => format!("{:9.0} % of the {:.1} GB/s that the device reads", 100.0 * share, limit / 1e9),
        None => format!("{:>9}   on this device", "unknown"),
    };
    let threads = if report.is_gpu { String::new() } else { format!(", {} threads", report.threads) };
    format!(
        "prefill      {:9.1} ms for {} tokens\ndecode       {:9.1} tokens/s over {} tokens\n{capture}{search}{training}\
         one token    {:>12} to read\nbandwidth    {bandwidth}\n\
         load         {:9.1} ms\nweights      {:>12} in {}\nmemory       {:>12} with them, {} before\n\
         peak memory  {:>12}\non {}{threads}\n",
        report.prefill_ms,
        report.prompt_tokens,
        report.decode_tokens_per_s,
        report.new_tokens,
        bytes_in_words(report.bytes_per_token as u64),
        report.load_ms,
        size(report.weights_mb),
        report.weights,
        memory(report.resident_mb),
        memory(report.resident_before_mb),
        memory(report.peak_rss_mb),
        report.device,
    )
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[middle - 1], sorted[middle]) } else { sorted[middle] }
}

const MEBIBYTE: f64 = (1 << 20) as f64;

/// A line of what the system says of this process's memory, where it tells: `VmRSS:` now, `VmHWM:` at most.
fn memory_mb(line: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|l| l.strip_prefix(line))?;
    let kilobytes: f64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
    }
}
