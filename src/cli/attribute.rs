//! `fovea attribute`.

use super::CliError;
use super::args::{EditArgs, ModelArgs};
use super::lens::place;
use super::output::{print, print_json, tell, tell_edits};
use super::session::{Session, unexpected};
use crate::engine::{AttributeSpec, Command, Outcome, PromptInput, Work};
use crate::types::{AttributionReport, Edit, JobId, TokenizeReport};
use clap::Args;
use serde::Serialize;
use std::sync::Arc;

/// `fovea attribute`.
#[derive(Debug, Args)]
pub(super) struct AttributeArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub edits: EditArgs,
    /// The text to read
    #[arg(long, value_name = "TEXT")]
    pub prompt: String,
    /// Take apart the score of the first token of this text [default: the likeliest]
    #[arg(long, value_name = "TEXT")]
    pub target: Option<String>,
    /// Compare with the score of the first token of this text [default: the mean over the vocabulary]
    #[arg(long, value_name = "TEXT")]
    pub against: Option<String>,
    /// The token behind which scores are told, counted from 0, or from -1 at the end
    #[arg(long, value_name = "N", default_value_t = -1, allow_negative_numbers = true)]
    pub position: i64,
    /// Parts to list, largest first
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub top: usize,
    /// All parts as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Told<'a> {
    model: &'a str,
    tokens: Vec<&'a str>,
    target: Token<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Token<'a>>,
    score: f64,
    parts: Vec<Part>,
    remainder: f64,
    is_whole: bool,
    #[serde(skip_serializing_if = "<[Edit]>::is_empty")]
    edits: &'a [Edit],
}

#[derive(Serialize)]
struct Token<'a> {
    id: u32,
    text: &'a str,
    score: f64,
}

#[derive(Serialize)]
struct Part {
    part: String,
    value: f64,
}

/// Tells what the score of a token is made of.
pub(super) fn run(args: &AttributeArgs) -> Result<(), CliError> {
    let edits = args.edits.edits()?;
    let (session, info) = Session::with_model(&args.model)?;
    let prompt = PromptInput::Text(args.prompt.clone());
    let job = JobId::next();
    let tokenize = Command::start(job, info.id, Work::Tokenize(prompt.clone()));
    let Outcome::Tokenized(tokens) = session.run(job, tokenize, |_| Ok(()))? else { return Err(unexpected()) };
    let spec = AttributeSpec {
        prompt,
        position: position(args.position, &tokens)?,
        target: args.target.clone(),
        against: args.against.clone(),
        edits: edits.clone(),
    };
    let job = JobId::next();
    let command = Command::start(job, info.id, Work::Attribute(spec));
    let Outcome::Attributed(report) = session.run(job, command, |_| Ok(()))? else { return Err(unexpected()) };
    tell_left_out(&report);
    if args.json {
        print_json(&told(&info.name, &report, &edits))?;
    } else {
        print(&describe(&report, args.top))?;
    }
    if !report.is_whole() {
        tell(format_args!("the parts do not make the score: {:.2e} is missing", report.remainder()));
    }
    tell_edits(&edits);
    Ok(())
}

/// The place among the tokens; nothing of an empty text, which is refused with words of its own.
fn position(position: i64, tokens: &Arc<TokenizeReport>) -> Result<Option<usize>, CliError> {
    Ok(if tokens.tokens.is_empty() { None } else { Some(place(position, tokens.tokens.len())?) })
}

fn tell_left_out(report: &AttributionReport) {
    let against = report.against.as_ref().map_or("", |(_, text)| text.as_str());
    for (name, text, count) in
        [("target", report.target.1.as_str(), report.left_out[0]), ("--against", against, report.left_out[1])]
    {
        if count > 0 {
            tell(format_args!("of the {} tokens of the {name}, {text:?}, the first, is meant", count + 1));
        }
    }
}

fn told<'a>(model: &'a str, report: &'a AttributionReport, edits: &'a [Edit]) -> Told<'a> {
    let token = |(id, text): &'a (u32, String), score| Token { id: *id, text, score };
    Told {
        model,
        tokens: report.tokens.iter().map(|token| token.text.as_str()).collect(),
        target: token(&report.target, report.scores[0]),
        against: report.against.as_ref().map(|against| token(against, report.scores[1])),
        score: report.score,
        parts: report.parts.iter().map(|(part, value)| Part { part: part.to_string(), value: *value }).collect(),
        remainder: report.remainder(),
        is_whole: report.is_whole(),
        edits,
    }
}

/// A part a line, largest first.
fn describe(report: &AttributionReport, top: usize) -> String {
    let against = match &report.against {
        Some((_, text)) => format!("above {text:?}"),
        None => "above the mean of all tokens".to_owned(),
    };
    let after = report.tokens.last().map_or("", |token| token.text.as_str());
    let mut lines = format!("{:?} after {after:?}, {against}: {:+.4}\n", report.target.1, report.score);
    let mut parts: Vec<_> = report.parts.iter().collect();
    parts.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    for (part, value) in parts.iter().take(top) {
        lines += &format!("{value:>+10.4}  {part}\n");
    }
    let rest: f64 = parts.iter().skip(top).map(|(_, value)| value).sum();
    if parts.len() > top {
        lines += &format!("{rest:>+10.4}  {} smaller parts together\n", parts.len() - top);
    }
    lines + &format!("{:>+10.1e}  missing to the score\n", report.remainder())
}
