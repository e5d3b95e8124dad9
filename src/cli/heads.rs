//! `fovea heads`.

use super::CliError;
use super::args::ModelArgs;
use super::output::{print, print_json, tell};
use super::session::{Session, unexpected};
use crate::analysis::{AtlasHead, AtlasScore, HeadAtlas, Order, Probe, Sequence, Surroundings};
use crate::chart::{HeadScores, head_scores_table};
use crate::engine::{Command, InspectSpec, Outcome, PromptInput, Work, read_picture};
use crate::types::{InspectReport, JobId, ModelInfo, SiteFilter, UserError};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// `fovea heads`.
#[derive(Debug, Args)]
pub(super) struct HeadsArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Score on this text [default: random tokens said twice]
    #[arg(long, value_name = "TEXT", conflicts_with = "image")]
    pub prompt: Option<String>,
    /// Score on a PNG, JPEG or WebP, with a vision transformer
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// Seed of the random tokens
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// List the heads with the largest values of this score first [default: induction where it can be scored]
    #[arg(long, value_name = "SCORE", value_parser = scores_by_id())]
    pub by: Option<String>,
    /// Heads to list
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub top: usize,
    /// Every head with all scores and their definitions as a JSON object
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Every head with all scores as CSV: a row for each value, with its definition
    #[arg(long)]
    pub csv: bool,
}

/// The ids of all scores, with what they mean.
fn scores_by_id() -> PossibleValuesParser {
    PossibleValuesParser::new(AtlasScore::ALL.map(|score| PossibleValue::new(score.id()).help(score.meaning())))
}

/// What was read, and what scores depend on.
struct Reading {
    /// In words, such as `2 × 50 random tokens, seed 1`.
    words: String,
    report: Arc<InspectReport>,
    sequence: Sequence,
    seed: Option<u64>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Told<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a PathBuf>,
    tokens: usize,
    scores: Vec<Definition>,
    heads: Vec<Row>,
}

#[derive(Serialize)]
struct Definition {
    id: &'static str,
    name: &'static str,
    definition: &'static str,
    /// What the sum is divided by here.
    denominator: usize,
}

#[derive(Serialize)]
struct Row {
    layer: usize,
    head: usize,
    /// By id; null where weights are NaN.
    scores: BTreeMap<&'static str, Option<f32>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    has_nan: bool,
}

/// Scores every head, and tells those that have most of one score.
pub(super) fn run(args: &HeadsArgs) -> Result<(), CliError> {
    let (session, info) = Session::with_model(&args.model)?;
    let order = Order::of(&info).ok_or_else(|| no_heads(&info))?;
    let reading = read(&session, &info, order, args)?;
    if let Some(left_out) = &reading.report.left_out {
        tell(format_args!("note: {left_out}"));
    }
    let atlas = HeadAtlas::of(&reading.report, &reading.sequence, &|| true).ok_or_else(unexpected)?;
    let scores = atlas.scores();
    let by = sorted_by(args, order, &scores)?;
    if args.csv {
        let columns: Vec<_> = scores.iter().map(|score| (score.id(), score.formula())).collect();
        let values = |head: &AtlasHead| scores.iter().map(|score| head.value(*score)).collect();
        let image = args.image.as_ref().map(|path| path.display().to_string());
        let table = HeadScores {
            model: &info.name,
            seed: reading.seed,
            text: args.prompt.as_deref().or(image.as_deref()).unwrap_or_default(),
            columns: &columns,
            heads: atlas.heads.iter().map(|head| (head.layer, head.head, values(head))).collect(),
        };
        let bytes = head_scores_table(&table).map_err(UserError::from)?;
        return print(&String::from_utf8_lossy(&bytes));
    }
    if args.json {
        return print_json(&told(args, &info, &reading, &atlas, &scores));
    }
    let mut heads: Vec<&AtlasHead> = atlas.heads.iter().collect();
    // A head without a number stands behind all that have one.
    let key = |head: &AtlasHead| head.value(by).filter(|value| !value.is_nan()).unwrap_or(f32::NEG_INFINITY);
    heads.sort_by(|a, b| key(b).total_cmp(&key(a)));
    heads.truncate(args.top);
    print(&text(&info, &reading.words, &scores, by, &heads))
}

fn told<'a>(
    args: &'a HeadsArgs,
    info: &'a ModelInfo,
    reading: &Reading,
    atlas: &HeadAtlas,
    scores: &[AtlasScore],
) -> Told<'a> {
    let definition = |score: &AtlasScore| Definition {
        id: score.id(),
        name: score.name(),
        definition: score.formula(),
        denominator: atlas.denominator(*score),
    };
    let row = |head: &AtlasHead| Row {
        layer: head.layer,
        head: head.head,
        scores: scores.iter().map(|score| (score.id(), head.value(*score).filter(|v| !v.is_nan()))).collect(),
        has_nan: head.is_broken(),
    };
    Told {
        model: &info.name,
        seed: reading.seed,
        prompt: args.prompt.as_deref(),
        image: args.image.as_ref(),
        tokens: atlas.tokens,
        scores: scores.iter().map(definition).collect(),
        heads: atlas.heads.iter().map(row).collect(),
    }
}

/// A column a score, a line a head, and what the columns mean.
fn text(info: &ModelInfo, words: &str, scores: &[AtlasScore], by: AtlasScore, heads: &[&AtlasHead]) -> String {
    let width = |score: &AtlasScore| score.short().chars().count().max(7);
    let heading: String = scores.iter().map(|score| format!("  {:>1$}", score.short(), width(score))).collect();
    let mut out = format!("{} on {words}, by {}\n\nlayer  head{heading}\n", info.name, by.id());
    for head in heads {
        let value = |score: &AtlasScore| {
            let number = head.value(*score).map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
            format!("  {number:>0$}", width(score))
        };
        let values: String = scores.iter().map(value).collect();
        out += &format!("{:>5}  {:>4}{values}\n", head.layer, head.head);
    }
    out.push('\n');
    for score in scores {
        out += &format!("{:>10}  {}: {}\n", score.short(), score.id(), score.formula());
    }
    out
}

/// The score that was asked for, or the one that says most.
fn sorted_by(args: &HeadsArgs, order: Order, scores: &[AtlasScore]) -> Result<AtlasScore, UserError> {
    let usual = [AtlasScore::InductionRepeats, AtlasScore::Induction, AtlasScore::Sink, AtlasScore::Own];
    let Some(asked) = args.by.as_deref().and_then(AtlasScore::from_id) else {
        return Ok(usual.into_iter().find(|score| scores.contains(score)).unwrap_or(AtlasScore::Own));
    };
    if scores.contains(&asked) {
        return Ok(asked);
    }
    let why = if asked.is_of(order) {
        let why = asked.why_missing();
        format!("{}{}.", why[..1].to_uppercase(), &why[1..])
    } else {
        "It is a score of models that read another way.".to_owned()
    };
    let ids: Vec<&str> = scores.iter().map(|score| score.id()).collect();
    let next = format!("Take one that this reading has: {}; or read something else with --prompt.", ids.join(", "));
    Err(UserError::new(format!("No head can be scored for {} here.", asked.id()), why, next))
}

/// Has the model read what heads are scored on.
fn read(session: &Session, info: &ModelInfo, order: Order, args: &HeadsArgs) -> Result<Reading, CliError> {
    let inspect = |prompt| {
        let job = JobId::next();
        let spec = InspectSpec { prompt, sites: SiteFilter::patterns(), edits: Vec::new() };
        match session.run(job, Command::start(job, info.id, Work::Inspect(spec)), |_| Ok(()))? {
            Outcome::Inspected(report) => Ok(report),
            _ => Err(unexpected()),
        }
    };
    let read = match (&args.image, &args.prompt) {
        (Some(path), _) => Some((PromptInput::Picture(read_picture(path)?), "the picture".to_owned())),
        (None, Some(text)) => Some((PromptInput::Text(text.clone()), "the text".to_owned())),
        (None, None) => None,
    };
    if let Some((prompt, words)) = read {
        let report = inspect(prompt)?;
        let sequence = Sequence::of_report(&report, order);
        let words = format!("{words} of {} tokens", report.tokens.len());
        return Ok(Reading { words, report, sequence, seed: None });
    }
    let (Some(vocabulary), Some(context)) = (info.shape.vocabulary(), info.shape.context()) else {
        return Err(UserError::new(
            format!("{} reads pictures, so no random tokens can be said twice to it.", info.name),
            "Its tokens are the patches of a picture.",
            "Give it one with --image FILE.",
        )
        .into());
    };
    let job = JobId::next();
    let command = Command::start(job, info.id, Work::Tokenize(PromptInput::Text("a".to_owned())));
    let Outcome::Tokenized(tokens) = session.run(job, command, |_| Ok(()))? else { return Err(unexpected()) };
    let around = Surroundings::of(&tokens.tokens);
    let Some(probe) = Probe::new(vocabulary, context, &around, args.seed) else {
        return Err(UserError::new(
            format!("Nothing can be said twice to {}.", info.name),
            format!("Its context holds {context} tokens."),
            "Give it a text with --prompt.",
        )
        .into());
    };
    let report = inspect(PromptInput::Ids(probe.ids.clone()))?;
    let added = match probe.front {
        0 => String::new(),
        1 => ", behind the token that its tokenizer begins with".to_owned(),
        many => format!(", behind the {many} tokens that its tokenizer begins with"),
    };
    let words = format!("2 × {} random tokens, seed {}{added}", probe.half, args.seed);
    Ok(Reading { words, report, sequence: Sequence::of_probe(&probe, order), seed: Some(args.seed) })
}

fn no_heads(info: &ModelInfo) -> CliError {
    CliError::User(UserError::new(
        format!("{} has no heads.", info.name),
        format!("It is no transformer ({}): attention is what transformers have.", info.architecture.family()),
        "Choose a language model, a text encoder or a vision transformer.",
    ))
}
