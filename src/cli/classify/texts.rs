//! `fovea classify --text` and `--data`: texts with a classifier of texts. Those of a file are read a portion at a time, and what is
//! done is written before the next portion begins.

use super::ClassifyArgs;
use crate::cli::CliError;
use crate::cli::output::{json_line, print, print_json, tell};
use crate::cli::session::{Session, unexpected};
use crate::cli::texts::{Portion, no_text, progress_over};
use crate::cli::train::catch_ctrl_c;
use crate::engine::{Command, Event, ListedText, Outcome, Work};
use crate::types::{ClassProbability, ClassifyReport, JobId, ModelId, Problem, TextClasses, UserError, printable};
use indicatif::ProgressBar;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Classes of a text shown to a person who gave it by itself.
const SHOWN: usize = 10;

#[derive(Serialize)]
struct Answer<'a> {
    model: &'a str,
    problem: Problem,
    texts: Vec<Row<'a>>,
}

/// What is said of a text.
#[derive(Serialize)]
struct Row<'a> {
    /// Where it begins in its file, counted from 1; of texts given by themselves their number.
    line: usize,
    text: &'a str,
    tokens: usize,
    left_out: usize,
    /// The likeliest class; none where scores are numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// Likeliest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    classes: Vec<ClassProbability>,
    scores: &'a [f32],
}

/// Texts of the command line.
pub(super) fn of_command(args: &ClassifyArgs) -> Result<(), CliError> {
    let (session, info) = Session::with_model(&args.model)?;
    let job = JobId::next();
    let command = Command::start(job, info.id, Work::ClassifyTexts(args.text.clone()));
    let Outcome::TextsClassified(report) = session.run(job, command, |_| Ok(()))? else { return Err(unexpected()) };
    let rows: Vec<Row<'_>> =
        report.texts.iter().enumerate().map(|(place, text)| row(&report, text, place + 1)).collect();
    tell_cut(&rows);
    if args.json {
        return print_json(&Answer { model: &info.name, problem: report.problem, texts: rows });
    }
    let mut lines = String::new();
    for row in &rows {
        if rows.len() > 1 {
            lines += &format!("{}  {:?}\n", row.line, row.text);
        }
        for class in row.classes.iter().take(SHOWN) {
            lines += &format!("{:5.1} %  {}\n", class.probability * 100.0, printable(&class.label));
        }
        if row.classes.is_empty() {
            lines += &join(row.scores);
            lines.push('\n');
        }
    }
    print(&lines)
}

/// Texts of a file.
pub(super) fn of_file(args: &ClassifyArgs, data: &Path) -> Result<(), CliError> {
    let interrupted = catch_ctrl_c("Nothing was classified.")?;
    let portions = args.texts.read()?;
    let (session, info) = Session::with_model(&args.model)?;
    let progress = progress_over(data);
    let mut done = 0;
    let mut portion = || -> Result<bool, CliError> {
        let Some(Portion { texts, taken }) = portions.next(&interrupted)? else { return Ok(false) };
        let report = classify(&session, info.id, &texts, (&progress, done), &interrupted)?;
        let rows: Vec<Row<'_>> =
            texts.iter().zip(&report.texts).map(|(listed, text)| row(&report, text, listed.line)).collect();
        let lines = rows.iter().map(|row| if args.json { json_line(row) } else { Ok(line(row)) });
        let lines = lines.collect::<Result<String, UserError>>()?;
        // A terminal shows either the bar or what is printed.
        progress.suspend(|| {
            tell_cut(&rows);
            print(&lines)
        })?;
        done += rows.len();
        progress.set_position(taken);
        Ok(true)
    };
    let ended = loop {
        match portion() {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    progress.finish_and_clear();
    match &ended {
        Err(CliError::User(_) | CliError::Interrupted) if done > 0 => {
            tell(format_args!("note: {done} texts were classified before that"));
        }
        Ok(()) if done == 0 => return Err(no_text(data).into()),
        Ok(()) | Err(_) => {}
    }
    ended
}

fn classify(
    session: &Session,
    model: ModelId,
    texts: &[ListedText],
    (progress, before): (&ProgressBar, usize),
    interrupted: &AtomicBool,
) -> Result<Arc<ClassifyReport>, CliError> {
    let job = JobId::next();
    let given = texts.iter().map(|text| text.text.clone()).collect();
    session.send(Command::start(job, model, Work::ClassifyTexts(given)))?;
    let mut cancelled = false;
    loop {
        let outcome = session.next(job, &mut |event| {
            if let Event::Progress { done, .. } = event {
                progress.set_message(format!("{} texts", before as u64 + done));
            }
            Ok(())
        })?;
        match outcome {
            Some(Outcome::TextsClassified(report)) => return Ok(report),
            Some(Outcome::Cancelled) => return Err(CliError::Interrupted),
            Some(_) => return Err(unexpected()),
            None if !cancelled && interrupted.load(Ordering::Relaxed) => {
                cancelled = true;
                session.send(Command::Cancel { job })?;
            }
            None => {}
        }
    }
}

fn row<'a>(report: &ClassifyReport, text: &'a TextClasses, line: usize) -> Row<'a> {
    let classes = report.ranked(text);
    let label = classes.first().map(|class| class.label.clone());
    let TextClasses { text, tokens, left_out, scores } = text;
    Row { line, text, tokens: *tokens, left_out: *left_out, label, classes, scores }
}

/// The likeliest class of a text of a file with its probability, and the text, with tabs between.
fn line(Row { label, classes, text, scores, .. }: &Row<'_>) -> String {
    let text = text.replace(['\n', '\t'], " ");
    match (label, classes.first()) {
        (Some(label), Some(class)) => format!("{}\t{:.4}\t{text}\n", printable(label), class.probability),
        _ => format!("{}\t{text}\n", join(scores)),
    }
}

fn join(scores: &[f32]) -> String {
    scores.iter().map(|score| format!("{score:.4}")).collect::<Vec<_>>().join("\t")
}

/// Which texts were longer than what is read.
fn tell_cut(rows: &[Row<'_>]) {
    for Row { line, tokens, left_out, .. } in rows.iter().filter(|row| row.left_out > 0) {
        tell(format_args!("note: text {line} was cut off behind {tokens} tokens; {left_out} more were left out."));
    }
}
