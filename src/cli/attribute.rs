//! `fovea attribute`.

use super::CliError;
use super::args::{EditArgs, ModelArgs};
use super::kind::Kind;
use super::lens::place;
use super::output::{print, print_json, tell, tell_edits, write_file};
use super::session::{Session, unexpected};
use crate::chart::{AttributionFigure, attribution_arrays, attribution_figure};
use crate::engine::{AttributeSpec, Command, Outcome, PromptInput, Work, read_picture};
use crate::types::{
    Ability, AddedPart, AttributionReport, Edit, JobId, ScaleCurve, TokenizeReport, UserError, excerpt,
};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

/// `fovea attribute`.
#[derive(Debug, Args)]
pub(super) struct AttributeArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub edits: EditArgs,
    /// The text to read
    #[arg(long, value_name = "TEXT", required_unless_present = "image")]
    pub prompt: Option<String>,
    /// Take apart the score of a class of a PNG, JPEG or WebP, with a vision transformer
    #[arg(long, alias = "picture", value_name = "FILE", conflicts_with_all = ["prompt", "position"])]
    pub image: Option<PathBuf>,
    /// Take apart the score of the first token of this text, or of the class of this name or number [default: the likeliest]
    #[arg(long, value_name = "TEXT")]
    pub target: Option<String>,
    /// Compare with the score of the first token of this text, or of this class [default: the mean over all]
    #[arg(long, value_name = "TEXT")]
    pub against: Option<String>,
    /// The token behind which scores are told, counted from 0, or from -1 at the end
    #[arg(long, value_name = "N", default_value_t = -1, allow_negative_numbers = true)]
    pub position: i64,
    /// Tell the score without this part, too: a head, such as 'head 3.2', or an MLP, such as 'MLP 3'
    #[arg(long, value_name = "PART")]
    pub without: Option<String>,
    /// Parts to list, largest first
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub top: usize,
    /// All parts as a JSON object
    #[arg(long, conflicts_with = "out")]
    pub json: bool,
    /// Write all parts as a picture (svg, png), a table (csv) or arrays (npz, safetensors)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    without: Option<Without>,
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

#[derive(Serialize)]
struct Without {
    part: String,
    score: f64,
    /// By how much it is less than with the part.
    lost: f64,
}

/// Tells what the score of a token or a class is made of.
pub(super) fn run(args: &AttributeArgs) -> Result<(), CliError> {
    let edits = args.edits.edits()?;
    let kind = args.out.as_deref().map(Kind::of).transpose()?;
    let removed = args.without.as_deref().map(str::parse::<AddedPart>).transpose()?;
    let (session, info) = Session::with_model(&args.model)?;
    let (prompt, position) = match &args.image {
        Some(path) => (PromptInput::Picture(read_picture(path)?), None),
        None => {
            let prompt = PromptInput::Text(args.prompt.clone().unwrap_or_default());
            let position = if info.can(Ability::Continue) {
                let job = JobId::next();
                let tokenize = Command::start(job, info.id, Work::Tokenize(prompt.clone()));
                let Outcome::Tokenized(tokens) = session.run(job, tokenize, |_| Ok(()))? else {
                    return Err(unexpected());
                };
                position(args.position, &tokens)?
            } else {
                None
            };
            (prompt, position)
        }
    };
    let (target, against) = (args.target.clone(), args.against.clone());
    let spec = AttributeSpec { prompt, position, target, against, edits: edits.clone(), removed };
    let job = JobId::next();
    let command = Command::start(job, info.id, Work::Attribute(spec));
    let Outcome::Attributed(report) = session.run(job, command, |_| Ok(()))? else { return Err(unexpected()) };
    tell_left_out(&report);
    if args.json {
        print_json(&told(&info.name, &report, &edits))?;
    } else if let (Some(out), Some(kind)) = (&args.out, kind) {
        write_file(out, &make(kind, &report, &info.name, args.image.is_some())?)?;
        tell(format_args!("{} parts in {}", report.parts.len(), out.display()));
    } else {
        print(&describe(&report, args.top, args.image.is_some()))?;
    }
    if !report.is_whole() {
        tell(format_args!("the parts do not make the score: {:.2e} is missing", report.remainder()));
    }
    tell_edits(&edits);
    Ok(())
}

fn make(kind: Kind, report: &Arc<AttributionReport>, model: &str, is_picture: bool) -> Result<Vec<u8>, UserError> {
    let text: String = report.tokens.iter().map(|token| token.text.as_str()).collect();
    let (caption, prompt) =
        if is_picture { ("a picture".to_owned(), "a picture".to_owned()) } else { (excerpt(&report.tokens), text) };
    Ok(match kind {
        Kind::Figure(format) => {
            attribution_figure(&AttributionFigure::new(model, caption, report, ScaleCurve::default()), format)?
        }
        Kind::Arrays(format) => {
            let what = AttributionFigure::what(report);
            let about = [("model", model), ("prompt", &prompt), ("what", &what)];
            let about = about.map(|(key, value)| (key.to_owned(), value.to_owned()));
            attribution_arrays(report, &about, format)?
        }
    })
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
        without: report.removed.map(|removed| Without {
            part: removed.part.to_string(),
            score: removed.score,
            lost: report.score - removed.score,
        }),
        edits,
    }
}

/// A part a line, largest first.
fn describe(report: &AttributionReport, top: usize, is_picture: bool) -> String {
    let against = match (&report.against, is_picture) {
        (Some((_, text)), _) => format!("above {text:?}"),
        (None, false) => "above the mean of all tokens".to_owned(),
        (None, true) => "above the mean of all classes".to_owned(),
    };
    let after = match report.tokens.last() {
        Some(token) if !is_picture => format!(" after {:?}", token.text),
        _ => String::new(),
    };
    let mut lines = format!("{:?}{after}, {against}: {:+.4}\n", report.target.1, report.score);
    let parts = report.sorted();
    for (part, value) in parts.iter().take(top) {
        lines += &format!("{value:>+10.4}  {part}\n");
    }
    let rest: f64 = parts.iter().skip(top).map(|(_, value)| value).sum();
    if parts.len() > top {
        lines += &format!("{rest:>+10.4}  {} smaller parts together\n", parts.len() - top);
    }
    lines += &format!("{:>+10.1e}  missing to the score\n", report.remainder());
    if let Some(removed) = report.removed {
        let (value, lost) = (report.value(removed.part).unwrap_or(f64::NAN), report.score - removed.score);
        lines += &format!(
            "{} adds {value:+.4}; without it the score is {:+.4}, {:.4} {}. What it adds directly is not what is lost without it: \
             later layers build on it or make up for it.\n",
            removed.part,
            removed.score,
            lost.abs(),
            if lost < 0.0 { "more" } else { "less" }
        );
    }
    lines
}
