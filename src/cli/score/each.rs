//! `fovea score --data`: the answers after each prompt of a file, a portion of prompts at a time.

use super::ScoreArgs;
use crate::cli::CliError;
use crate::cli::output::{json_line, print, tell, tell_edits};
use crate::cli::session::{Session, unexpected};
use crate::cli::texts::{Portion, no_text, progress_over};
use crate::cli::train::catch_ctrl_c;
use crate::engine::{Command, Event, ListedText, Outcome, Work};
use crate::types::{CandidateScore, JobId, ScoreEachRequest, ScoreReport, UserError, printable};
use serde::Serialize;
use std::path::Path;
use std::sync::atomic::Ordering;

/// Characters of a prompt's end that are shown beside its answer.
const SHOWN: usize = 40;

/// What `--json` prints of a prompt.
#[derive(Serialize)]
struct Line<'a> {
    line: usize,
    prompt: &'a str,
    prompt_tokens: usize,
    /// The likeliest answer.
    answer: &'a str,
    candidates: &'a [CandidateScore],
}

/// Scores the candidates after each prompt; Ctrl-C ends with those that are done.
pub(super) fn run(args: &ScoreArgs, data: &Path) -> Result<(), CliError> {
    let edits = args.edits.edits()?;
    let interrupted = catch_ctrl_c("Nothing was scored.")?;
    let portions = args.texts.read()?;
    let (session, info) = Session::with_model(&args.model)?;
    tell_edits(&edits);
    let progress = progress_over(data);
    let mut done = 0;
    let ended = loop {
        let Portion { texts, taken } = match portions.next(&interrupted) {
            Ok(Some(portion)) => portion,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        let job = JobId::next();
        let request = ScoreEachRequest {
            prompts: texts.iter().map(|text| text.text.clone()).collect(),
            candidates: args.candidate.clone(),
            ending: args.ending.clone(),
            edits: edits.clone(),
        };
        session.send(Command::start(job, info.id, Work::ScoreEach(request)))?;
        let mut cancelled = false;
        let scored = loop {
            let next = session.next(job, &mut |event| {
                if let Event::Progress { done: more, .. } = event {
                    progress.set_message(format!("{} prompts", done as u64 + more));
                }
                Ok(())
            });
            match next {
                Ok(Some(outcome)) => break Ok(outcome),
                Ok(None) if !cancelled && interrupted.load(Ordering::Relaxed) => {
                    cancelled = true;
                    session.send(Command::Cancel { job })?;
                }
                Ok(None) => {}
                Err(error) => break Err(error),
            }
        };
        let report = match scored {
            Ok(Outcome::EachScored(report)) => report,
            Ok(Outcome::Cancelled) => break Err(CliError::Interrupted),
            Ok(_) => break Err(unexpected()),
            Err(error) => break Err(error),
        };
        let lines = texts.iter().zip(&report.prompts).map(|(text, report)| match args.json {
            true => json(text, report),
            false => Ok(describe(text, report)),
        });
        let lines: Result<String, UserError> = lines.collect();
        progress.suspend(|| print(&lines?))?;
        done += report.prompts.len();
        progress.set_position(taken);
    };
    progress.finish_and_clear();
    match &ended {
        Err(CliError::User(_) | CliError::Interrupted) if done > 0 => {
            tell(format_args!("note: {done} prompts were scored before that"));
        }
        Ok(()) if done == 0 => return Err(no_text(data).into()),
        _ => {}
    }
    ended
}

fn likeliest(report: &ScoreReport) -> Option<&CandidateScore> {
    report.best().and_then(|best| report.candidates.get(best))
}

fn json(text: &ListedText, report: &ScoreReport) -> Result<String, UserError> {
    let answer = likeliest(report).map_or("", |candidate| &candidate.text);
    json_line(&Line {
        line: text.line,
        prompt: &text.text,
        prompt_tokens: report.prompt_tokens,
        answer,
        candidates: &report.candidates,
    })
}

/// The likeliest answer with its share, and the end of the prompt.
fn describe(text: &ListedText, report: &ScoreReport) -> String {
    let Some(best) = likeliest(report) else { return String::new() };
    let skipped = text.text.chars().count().saturating_sub(SHOWN);
    let end: String = text.text.chars().skip(skipped).collect();
    let dots = if skipped > 0 { "…" } else { "" };
    format!(
        "{:>6}  {:>6.1} %  {:>10.4}  {}  after {dots}{}\n",
        text.line,
        best.share * 100.0,
        best.log_prob,
        printable(&best.text),
        printable(&end)
    )
}
