//! `fovea train`.

use super::args::TrainArgs;
use super::output::{print, tell};
use super::session::{Session, unexpected};
use super::{CliError, INTERRUPTED, spec};
use crate::engine::{Command, Event, Outcome, Work};
use crate::types::{JobId, ModelId, Precision, TrainPoint, TrainSummary, UserError, bytes_in_words};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Trains; Ctrl-C ends after the current step with a checkpoint.
pub(super) fn run(args: &TrainArgs) -> Result<(), CliError> {
    if let Some(name) = args.preset.as_deref().filter(|_| args.show) {
        return print(spec::preset_text(name)?);
    }
    let mut spec = spec::read(args)?;
    let precision = Precision::from(args.precision);
    if precision != Precision::F32 {
        spec.precision = precision;
    }
    let steps = spec.steps;
    let interrupted = catch_ctrl_c("Training was not started.")?;
    let session = Session::start(args.device);
    let (job, model) = (JobId::next(), ModelId::next());
    session.send(Command::start(job, model, Work::Train(spec)))?;
    let progress = bar(steps as u64);
    let (mut cancelled, mut shown_to) = (false, 0);
    let ended = loop {
        let next = session.next(job, &mut |event| {
            shown_to = show(&progress, event, steps, shown_to);
            Ok(())
        });
        match next {
            Ok(None) if !cancelled && interrupted.load(Ordering::Relaxed) => {
                cancelled = true;
                progress.set_message("saving");
                session.send(Command::Cancel { job })?;
            }
            Ok(None) => {}
            Ok(Some(outcome)) => break Ok(outcome),
            Err(error) => break Err(error),
        }
    };
    progress.finish_and_clear();
    match ended? {
        Outcome::Trained(summary) if cancelled => {
            tell(format_args!("stopped after step {} of {steps}; the same command goes on from there", summary.steps));
            Err(CliError::Interrupted)
        }
        Outcome::Trained(summary) => print(&describe(&summary)),
        Outcome::Cancelled => Err(CliError::Interrupted),
        _ => Err(unexpected()),
    }
}

/// True once Ctrl-C was pressed. Pressed again it ends the program at once. `not_started` says what is not done where it
/// cannot be caught.
pub(super) fn catch_ctrl_c(not_started: &str) -> Result<Arc<AtomicBool>, UserError> {
    let pressed = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&pressed);
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
    };
    ctrlc::set_handler(handler).map_err(|error| {
        UserError::new(
            not_started,
            format!("Ctrl-C cannot be caught, so that a stopped run would be lost: {error}."),
            "Run fovea from another terminal.",
        )
    })?;
    Ok(pressed)
}

/// Shows an event; validations up to step `shown_to` were shown by an earlier run. Gives the step shown last.
fn show(progress: &ProgressBar, event: Event, steps: usize, shown_to: usize) -> usize {
    match event {
        Event::Trained { points, .. } => {
            for point in points.iter().filter(|point| point.step > shown_to && point.validation_loss.is_some()) {
                progress.suspend(|| tell(format_args!("{}", validation_line(point, steps))));
            }
            let Some(last) = points.last() else { return shown_to };
            let rate = last.step as f64 / last.elapsed_s.max(f64::EPSILON);
            progress.set_position(last.step as u64);
            progress.set_message(format!("loss {:.4}  {rate:.1} steps/s", last.loss));
            last.step
        }
        Event::Sample { sample, .. } => {
            progress.suspend(|| tell(format_args!("step {}: {}", sample.step, sample.text)));
            shown_to
        }
        Event::Snapshot { snapshot, .. } => {
            if let Some(why) = &snapshot.not_kept {
                let step = snapshot.step;
                progress.suspend(|| tell(format_args!("note: the weights of step {step} were not kept: {why}")));
            }
            shown_to
        }
        Event::Progress { label, done, unit: "steps", .. } => {
            progress.suspend(|| tell(format_args!("{label}: step {done} is done")));
            done as usize
        }
        Event::Progress { label, done, total, unit: "bytes", .. } => {
            progress.set_message(format!("{label}: {} of {}", bytes_in_words(done), bytes_in_words(total)));
            shown_to
        }
        Event::Progress { label, done, total, unit, .. } => {
            progress.set_message(format!("{label}: {done} of {total} {unit}"));
            shown_to
        }
        _ => shown_to,
    }
}

fn validation_line(point: &TrainPoint, steps: usize) -> String {
    let validation = point.validation_loss.unwrap_or(f64::NAN);
    let accuracy = point.validation_accuracy.map_or(String::new(), |a| format!("  accuracy {:.2} %", a * 100.0));
    let sets: Vec<String> = point.validation_sets.iter().map(|s| format!("{} {:.4}", s.set, s.loss)).collect();
    let sets = if sets.is_empty() { String::new() } else { format!(" ({})", sets.join(", ")) };
    let width = steps.to_string().len();
    format!(
        "step {:>width$}  training loss {:.4}  validation loss {validation:.4}{sets}{accuracy}  {:.0} s",
        point.step, point.loss, point.elapsed_s
    )
}

fn describe(summary: &TrainSummary) -> String {
    let best =
        summary.best.map_or(String::new(), |(step, loss)| format!("best validation loss {loss:.4} at step {step}\n"));
    let saved = summary.saved_to.as_ref().map_or(String::new(), |path| format!("saved to {}\n", path.display()));
    let cut = summary.saved_to.as_deref().and_then(cut).unwrap_or_default();
    let rate = summary.examples as f64 / summary.elapsed_s.max(f64::EPSILON);
    let early = summary
        .settled
        .map_or(String::new(), |count| format!("ended early: {count} validations in a row were not below the best\n"));
    format!("{} steps in {:.1} s, {rate:.0} examples/s\n{early}{cut}{best}{saved}", summary.steps, summary.elapsed_s)
}

/// What is told of labelled texts that were longer than what was read of them.
fn cut(out: &Path) -> Option<String> {
    let beside: serde_json::Value = serde_json::from_slice(&std::fs::read(out.join("labelled.json")).ok()?).ok()?;
    let [count, longest] = [0, 1].map(|at| beside["cut"][at].as_u64());
    let (count, longest) = (count.filter(|count| *count > 0)?, longest?);
    Some(format!("{count} texts were longer than {longest} tokens and cut off there\n"))
}

/// A progress bar on standard error; hidden where that is no terminal.
pub(super) fn bar(length: u64) -> ProgressBar {
    let template = "{bar:32} {pos}/{len}  {msg}  {eta}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style.progress_chars("━╸ "))
}
