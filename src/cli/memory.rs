//! `fovea memory`.

use super::CliError;
use super::args::{DeviceName, ModelArgs};
use super::output::{print, print_json, tell, write_file};
use super::session::{Session, unexpected};
use super::train::{bar, catch_ctrl_c};
use crate::chart::{Format, MemoryCurve, memory_figure};
use crate::engine::{Command, Event, Outcome, Work};
use crate::types::{JobId, MemoryKind, MemoryReport, MemorySpec, ModelId, UserError, printable};
use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// `fovea memory`.
#[derive(Debug, Args)]
pub(super) struct MemoryArgs {
    /// A model that writes; may be given several times, to stand beside each other
    #[arg(long, value_name = "DIR", required = true)]
    pub model: Vec<PathBuf>,
    /// What is asked for
    #[arg(long, value_enum, default_value_t = KindName::Copy)]
    pub task: KindName,
    /// How many tokens ago it was
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "2,3,4,6,8,12,16,24,32,48,64,96,128")]
    pub distances: Vec<usize>,
    /// Questions at each distance
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub questions: usize,
    /// Of the questions
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    pub device: DeviceName,
    /// A JSON object for each model
    #[arg(long)]
    pub json: bool,
    /// Draw accuracy against distance, or write every point as CSV
    #[arg(long, value_name = "FILE.svg|png|csv")]
    pub out: Option<PathBuf>,
}

/// What is asked for, as it is written on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum KindName {
    /// The letter behind a mark, among others
    Copy,
    /// The value of a key, among other keys
    Recall,
}

/// What `--json` prints of a model.
#[derive(Serialize)]
struct Told<'a> {
    model: &'a str,
    #[serde(flatten)]
    report: &'a MemoryReport,
}

/// Asks each model what it remembers; Ctrl-C ends with what there is.
pub(super) fn run(args: &MemoryArgs) -> Result<(), CliError> {
    let format = args.out.as_deref().map(Format::from_path).transpose().map_err(UserError::from)?;
    let interrupted = catch_ctrl_c("Nothing was asked.")?;
    let session = Session::start(args.device);
    let spec = spec(args)?;
    let progress = bar(0);
    let mut asked = Vec::new();
    for dir in &args.model {
        if interrupted.load(Ordering::Relaxed) {
            break;
        }
        let info = session.open_model(&ModelArgs { model: dir.clone(), adapter: None, device: args.device })?;
        progress.set_message(info.name.clone());
        asked.push((info.name.clone(), ask(&session, info.id, spec.clone(), &interrupted, &progress)?));
    }
    progress.finish_and_clear();
    for (name, report) in &asked {
        if !report.too_far.is_empty() {
            let distances = report.too_far.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            tell(format_args!("note: {name} reads too few tokens to be asked at a distance of {distances}"));
        }
    }
    if args.json {
        asked.iter().try_for_each(|(model, report)| print_json(&Told { model, report }))?;
    } else {
        print(&describe(&asked))?;
    }
    if let (Some(path), Some(format)) = (&args.out, format) {
        let curves: Vec<_> = asked.iter().map(|(name, report)| MemoryCurve { name, report }).collect();
        write_file(path, &memory_figure(&curves, format).map_err(UserError::from)?)?;
    }
    if interrupted.load(Ordering::Relaxed) { Err(CliError::Interrupted) } else { Ok(()) }
}

fn spec(args: &MemoryArgs) -> Result<MemorySpec, UserError> {
    let of = match args.task {
        KindName::Copy => MemoryKind::Copy,
        KindName::Recall => MemoryKind::Recall,
    };
    // The usual distances begin below what keys and values need.
    let usual = args.distances.iter().any(|distance| of.at_most(*distance).is_some());
    let distances = args.distances.iter().copied().filter(|distance| !usual || of.at_most(*distance).is_some());
    Ok(MemorySpec { of, distances: distances.collect(), questions: args.questions, seed: args.seed })
}

fn ask(
    session: &Session,
    model: ModelId,
    spec: MemorySpec,
    interrupted: &AtomicBool,
    progress: &ProgressBar,
) -> Result<Arc<MemoryReport>, CliError> {
    let job = JobId::next();
    session.send(Command::start(job, model, Work::Remember(spec)))?;
    let mut cancelled = false;
    loop {
        let next = session.next(job, &mut |event| {
            if let Event::Progress { done, total, .. } = event {
                progress.set_length(total);
                progress.set_position(done);
            }
            Ok(())
        })?;
        match next {
            Some(Outcome::Remembered(report)) => return Ok(report),
            Some(Outcome::Cancelled) => return Ok(Arc::default()),
            Some(_) => return Err(unexpected()),
            None if interrupted.load(Ordering::Relaxed) && !cancelled => {
                cancelled = true;
                session.send(Command::Cancel { job })?;
            }
            None => {}
        }
    }
}

/// A row a distance, a column a model.
fn describe(asked: &[(String, Arc<MemoryReport>)]) -> String {
    let mut text = String::new();
    if let Some((question, answer)) = asked.iter().find_map(|(_, report)| report.example.clone()) {
        text += &format!("such as {} and then {answer}\n\n", printable(&question));
    }
    let mut distances: Vec<usize> =
        asked.iter().flat_map(|(_, report)| report.points.iter().map(|point| point.distance)).collect();
    distances.sort_unstable();
    distances.dedup();
    text += "distance";
    for (name, _) in asked {
        text += &format!("  {:>12}", printable(name));
    }
    for distance in distances {
        text += &format!("\n{distance:>8}");
        for (name, report) in asked {
            let point = report.points.iter().find(|point| point.distance == distance);
            let words = point.map_or_else(|| "–".to_owned(), |point| format!("{:.1} %", point.accuracy() * 100.0));
            text += &format!("  {words:>width$}", width = printable(name).chars().count().max(12));
        }
    }
    text + &format!("\n  chance  {:>12}\n", format!("{:.1} %", MemoryKind::chance() * 100.0))
}
