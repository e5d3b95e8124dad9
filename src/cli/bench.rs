//! `fovea bench`.

use super::CliError;
use super::args::BenchArgs;
use super::output::{print, print_json};
use super::session::{Session, model_dir, unexpected};
use crate::engine::{Command, Outcome, PromptInput};
use crate::types::{GenerationStats, JobId, ModelInfo, Sampling, UserError};
use serde::Serialize;
use std::time::Instant;

/// What was measured. Times are medians over the repeats.
#[derive(Serialize)]
struct Report {
    prefill_ms: f64,
    decode_tokens_per_s: f64,
    load_ms: f64,
    peak_rss_mb: Option<f64>,
    prompt_tokens: usize,
    new_tokens: usize,
    repeats: usize,
    parameters: u64,
    device: String,
    threads: usize,
}

/// Measures loading, reading a prompt and generating, through the same engine as everything else.
pub(super) fn run(args: &BenchArgs) -> Result<(), CliError> {
    check(args)?;
    let session = Session::start(args.model.device);
    let path = model_dir(&args.model.model);
    let device = session.settle()?;
    let begun = Instant::now();
    let info = session.open(|job, model| match args.random_weights {
        true => Command::OpenRandom { job, model, path, seed: 1 },
        false => Command::Open { job, model, path },
    })?;
    let load_ms = begun.elapsed().as_secs_f64() * 1e3;
    generate(&session, &info, args)?; // warms up caches, and kernels on a GPU
    let runs = (0..args.repeats).map(|_| generate(&session, &info, args)).collect::<Result<Vec<_>, _>>()?;
    let report = Report {
        prefill_ms: median(runs.iter().map(|run| run.ttft_ms)),
        decode_tokens_per_s: median(runs.iter().map(|run| run.tokens_per_s)),
        load_ms,
        peak_rss_mb: peak_rss_mb(),
        prompt_tokens: args.prompt_tokens,
        new_tokens: runs.iter().map(|run| run.new_tokens).min().unwrap_or(0),
        repeats: args.repeats,
        parameters: info.parameters,
        device: device.name,
        threads: device.threads,
    };
    if args.json { print_json(&report) } else { print(&describe(&report)) }
}

fn check(args: &BenchArgs) -> Result<(), UserError> {
    if args.prompt_tokens == 0 || args.new_tokens < 2 || args.repeats == 0 {
        return Err(UserError::new(
            "There is nothing to measure.",
            "A measurement needs at least one prompt token, two new tokens (the rate counts from the first to the last) \
             and one repeat.",
            "Raise --prompt-tokens, --new-tokens or --repeats.",
        ));
    }
    Ok(())
}

fn generate(session: &Session, info: &ModelInfo, args: &BenchArgs) -> Result<GenerationStats, CliError> {
    let job = JobId::next();
    // Spread over the vocabulary, so that embedding rows do not sit in the cache.
    let ids = (0..args.prompt_tokens).map(|i| ((i * 7919 + 11) % info.vocabulary.max(1)) as u32).collect();
    let sampling = Sampling { max_new_tokens: args.new_tokens, ..Sampling::default() };
    let command = Command::Generate { job, model: info.id, prompt: PromptInput::Ids(ids), sampling };
    let Outcome::Generated(stats) = session.run(job, command, |_| Ok(()))? else { return Err(unexpected()) };
    if stats.new_tokens < 2 {
        let why = format!("The model ended after {} tokens: {}.", stats.new_tokens, stats.stop);
        let next = "Use another --prompt-tokens, or --random-weights.";
        return Err(UserError::new("The decoding rate could not be measured.", why, next).into());
    }
    Ok(stats)
}

fn describe(report: &Report) -> String {
    let memory = report.peak_rss_mb.map_or_else(|| "not known on this system".to_owned(), |mb| format!("{mb:.0} MB"));
    format!(
        "prefill      {:9.1} ms for {} tokens\ndecode       {:9.1} tokens/s over {} tokens\nload         {:9.1} ms\n\
         peak memory  {memory:>12}\non {}, {} threads\n",
        report.prefill_ms,
        report.prompt_tokens,
        report.decode_tokens_per_s,
        report.new_tokens,
        report.load_ms,
        report.device,
        report.threads
    )
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[middle - 1], sorted[middle]) } else { sorted[middle] }
}

/// The most memory this process has had, where the system tells.
fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
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
