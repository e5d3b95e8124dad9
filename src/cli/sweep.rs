//! `fovea sweep`.

use super::CliError;
use super::args::{EditArgs, ModelArgs};
use super::kind::Kind;
use super::output::{print, print_json, tell, tell_edits, write_file};
use super::search::{about, position, prompt_of, run};
use super::session::{Session, unexpected};
use crate::chart::{sweep_arrays, sweep_figure, sweep_words};
use crate::engine::{Outcome, SweepSpec, Work};
use crate::types::{Edit, Effect, Part, Removal, SweepReport, UserError};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::path::PathBuf;

/// `fovea sweep`.
#[derive(Debug, Args)]
pub(super) struct SweepArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub edits: EditArgs,
    /// The text to read; of an encoder with masks, the first is asked for
    #[arg(long, value_name = "TEXT", required_unless_present = "image")]
    pub prompt: Option<String>,
    /// The picture to read, for vision transformers
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    pub image: Option<PathBuf>,
    /// Follow the first token of this text, or a class by name or number [default: what the model makes likeliest]
    #[arg(long, value_name = "TEXT")]
    pub target: Option<String>,
    /// The token behind which the answer is told, counted from 0, or from -1 at the end [default: the last, or the first mask]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub position: Option<i64>,
    /// What each part writes while it is tried
    #[arg(long, value_enum, default_value_t)]
    pub removal: RemovalName,
    /// Parts to list, largest change first
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub top: usize,
    /// All parts as a JSON object
    #[arg(long, conflicts_with = "out")]
    pub json: bool,
    /// Write all parts as a picture (svg, png), a table (csv) or arrays (npz, safetensors)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `--removal` on the command line.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum RemovalName {
    /// Nothing
    #[default]
    Zero,
    /// Its mean over the prompt, at every token
    Mean,
}

impl From<RemovalName> for Removal {
    fn from(name: RemovalName) -> Self {
        match name {
            RemovalName::Zero => Self::Zero,
            RemovalName::Mean => Self::Mean,
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Told<'a> {
    model: &'a str,
    tokens: Vec<&'a str>,
    position: usize,
    target: &'a str,
    probability: f64,
    log_prob: f64,
    removal: Removal,
    parts: Vec<Changed>,
    #[serde(skip_serializing_if = "<[Edit]>::is_empty")]
    edits: &'a [Edit],
}

#[derive(Serialize)]
struct Changed {
    part: String,
    edit: String,
    log_prob_change: f64,
    probability: f64,
    kl_nats: f64,
}

/// Tells what becomes of an answer without each part.
pub(super) fn sweep(args: &SweepArgs) -> Result<(), CliError> {
    let edits = args.edits.edits()?;
    let kind = args.out.as_deref().map(Kind::of).transpose()?;
    let (session, info) = Session::with_model(&args.model)?;
    let prompt = prompt_of(args.prompt.as_deref(), args.image.as_deref())?;
    let position = position(&session, &info, &prompt, args.position)?;
    let (target, removal) = (args.target.clone(), args.removal.into());
    let spec = SweepSpec { prompt, position, target, removal, edits: edits.clone() };
    let ran = run(&session, &info, Work::Sweep(spec))?;
    let Outcome::Swept(report) = &ran.outcome else { return Err(unexpected()) };
    if report.target.of > 1 {
        let target = &report.target;
        tell(format_args!("the target has {} tokens; {:?}, the first, is followed", target.of, target.text));
    }
    if args.json {
        print_json(&told(&info.name, report, &edits))?;
    } else if let (Some(out), Some(kind)) = (&args.out, kind) {
        write_file(out, &make(kind, &info.name, report)?)?;
        tell(format_args!("{} parts in {}", report.effects().count(), out.display()));
    } else {
        print(&describe(report, args.top))?;
    }
    tell_edits(&edits);
    ran.end()
}

fn make(kind: Kind, model: &str, report: &SweepReport) -> Result<Vec<u8>, UserError> {
    Ok(match kind {
        Kind::Figure(format) => sweep_figure(model, report, format)?,
        Kind::Arrays(format) => {
            let pairs = about(model, &report.tokens, "each part removed by itself");
            sweep_arrays(report, &pairs, format)?
        }
    })
}

fn told<'a>(model: &'a str, report: &'a SweepReport, edits: &'a [Edit]) -> Told<'a> {
    let changed = |(part, effect): (Part, Effect)| Changed {
        part: part.to_string(),
        edit: part.edit(report.removal),
        log_prob_change: effect.log_prob,
        probability: (report.log_prob + effect.log_prob).exp(),
        kl_nats: effect.divergence,
    };
    Told {
        model,
        tokens: report.tokens.iter().map(|token| token.text.as_str()).collect(),
        position: report.position,
        target: &report.target.text,
        probability: report.log_prob.exp(),
        log_prob: report.log_prob,
        removal: report.removal,
        parts: report.effects().map(changed).collect(),
        edits,
    }
}

/// A part a line, largest change first.
fn describe(report: &SweepReport, top: usize) -> String {
    let mut lines = sweep_words(report).first().cloned().unwrap_or_default();
    lines += &format!("\n{:>14}{:>12}{:>10}{:>10}\n", "without", "change", "p", "KL");
    for (part, effect) in report.ranked().into_iter().take(top) {
        lines += &format!(
            "{:>14}{:>+12.4}{:>10.4}{:>10.4}\n",
            part.to_string(),
            effect.log_prob,
            (report.log_prob + effect.log_prob).exp(),
            effect.divergence
        );
    }
    let parts = report.effects().count();
    if parts > top {
        lines += &format!("and {} others that change it less\n", parts - top);
    }
    lines
}
