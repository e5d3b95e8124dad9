//! `fovea score`.

mod each;

use super::CliError;
use super::args::ScoreArgs;
use super::output::{print, print_json, tell_edits};
use super::session::{Session, unexpected};
use crate::engine::{Command, Outcome, Work};
use crate::types::{CONTENT_FREE, Edit, JobId, ScoreReport, ScoreRequest, UserError};
use serde::Serialize;

/// What `--json` prints.
#[derive(Serialize)]
struct Scored<'a> {
    #[serde(flatten)]
    report: &'a ScoreReport,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    edits: Vec<Edit>,
}

/// Tells how likely each candidate is.
pub(super) fn run(args: &ScoreArgs) -> Result<(), CliError> {
    if let Some(data) = &args.texts.data {
        return each::run(args, data);
    }
    let prompt = args.prompt.clone().unwrap_or_default();
    let content_free = match &args.calibrate {
        Some(query) => content_free(&prompt, query)?,
        None => Vec::new(),
    };
    let edits = args.edits.edits()?;
    let (session, info) = Session::with_model(&args.model)?;
    let job = JobId::next();
    let request = Box::new(ScoreRequest {
        prompt,
        candidates: args.candidate.clone(),
        ending: args.ending.clone(),
        content_free,
        edits: edits.clone(),
    });
    let command = Command::start(job, info.id, Work::Score(*request));
    let Outcome::Scored(report) = session.run(job, command, |_| Ok(()))? else { return Err(unexpected()) };
    if args.json {
        return print_json(&Scored { report: &report, edits });
    }
    tell_edits(&edits);
    print(&describe(&report))
}

/// The prompt with queries that say nothing in the place of its own, the last time it stands there.
fn content_free(prompt: &str, query: &str) -> Result<Vec<String>, UserError> {
    let Some(at) = prompt.rfind(query).filter(|_| !query.is_empty()) else {
        return Err(UserError::new(
            format!("The query {query:?} does not stand in the prompt."),
            "Calibration asks the same prompt with queries that say nothing in the place of its query.",
            "Give the part of the prompt that is asked, as in --prompt 'big -> small, hot ->' --calibrate hot.",
        ));
    };
    Ok(CONTENT_FREE.map(|nothing| format!("{}{nothing}{}", &prompt[..at], &prompt[at + query.len()..])).to_vec())
}

/// The likeliest first.
fn describe(report: &ScoreReport) -> String {
    let is_calibrated = report.candidates.iter().any(|candidate| candidate.calibrated.is_some());
    let mut ranked: Vec<_> = report.candidates.iter().collect();
    ranked.sort_by(|a, b| b.calibrated.unwrap_or(b.share).total_cmp(&a.calibrated.unwrap_or(a.share)));
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let head = if is_calibrated { "  calibrated" } else { "" };
    let mut text = format!("   share{head}        ln P  per token  answer\n");
    for candidate in ranked {
        let calibrated = candidate.calibrated.map_or_else(String::new, |share| format!("  {:>10}", percent(share)));
        let (sum, mean) = (candidate.log_prob, candidate.mean_log_prob);
        let share = percent(candidate.share);
        text += &format!("{share:>8}{calibrated}  {sum:>10.4}  {mean:>9.4}  {}\n", candidate.text);
    }
    text + &format!("everything else: {} of the probability\n", percent(report.other_mass()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_query_gives_way_to_nothing() {
        let prompts = content_free("hot -> cold\nhot ->", "hot").unwrap();
        assert_eq!(prompts, ["hot -> cold\nN/A ->", "hot -> cold\n[MASK] ->", "hot -> cold\n ->"]);
        assert!(content_free("hot ->", "big").unwrap_err().what.contains("\"big\""));
        assert!(content_free("hot ->", "").is_err());
    }
}
