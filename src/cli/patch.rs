//! `fovea patch`.

use super::CliError;
use super::args::{EditArgs, ModelArgs};
use super::kind::Kind;
use super::output::{print, print_json, tell, tell_edits, write_file};
use super::search::{about, position, prompt_of, run};
use super::session::{Session, unexpected};
use crate::chart::{patch_arrays, patch_columns, patch_figure, patch_words};
use crate::engine::{Outcome, PatchHow, PatchSpec, Work};
use crate::types::{Edit, PatchAlong, PatchReport, PatchSite, UserError};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::path::PathBuf;

/// `fovea patch`.
#[derive(Debug, Args)]
pub(super) struct PatchArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub edits: EditArgs,
    /// The text that values are taken from
    #[arg(long, value_name = "TEXT", required_unless_present = "source_image")]
    pub source: Option<String>,
    /// The text that is read, of as many tokens
    #[arg(long, value_name = "TEXT", required_unless_present = "destination_image")]
    pub destination: Option<String>,
    /// The picture that values are taken from, for vision transformers
    #[arg(long, value_name = "FILE", conflicts_with = "source")]
    pub source_image: Option<PathBuf>,
    /// The picture that is read
    #[arg(long, value_name = "FILE", conflicts_with = "destination")]
    pub destination_image: Option<PathBuf>,
    /// The source's answer: a text whose first token counts, or a class [default: what the model makes likeliest there]
    #[arg(long, value_name = "TEXT")]
    pub answer: Option<String>,
    /// The destination's answer [default: what the model makes likeliest there]
    #[arg(long, value_name = "TEXT")]
    pub against: Option<String>,
    /// The token behind which the answer is told, counted from 0, or from -1 at the end [default: the last, or the first mask]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub position: Option<i64>,
    /// What is taken over: resid_pre, q, k, v, pattern, z, attn_out, resid_mid or mlp_out
    #[arg(long, value_name = "SITE", default_value_t = PatchSite::ResidPre)]
    pub site: PatchSite,
    /// Whether it is taken over token by token or head by head
    #[arg(long, value_enum, default_value_t)]
    pub by: By,
    /// Estimate every cell from one gradient (attribution patching) in the place of measuring it
    #[arg(long, conflicts_with = "check")]
    pub estimate: bool,
    /// Estimate every cell, measure the N largest, and tell how both correlate
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "20")]
    pub check: Option<usize>,
    /// Cells to list, largest first
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub top: usize,
    /// The whole map as a JSON object
    #[arg(long, conflicts_with = "out")]
    pub json: bool,
    /// Write the map as a picture (svg, png), a table (csv) or arrays (npz, safetensors)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `--by` on the command line.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum By {
    /// A column a token
    #[default]
    Position,
    /// A column a head
    Head,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Told<'a> {
    model: &'a str,
    site: &'a str,
    by: &'a str,
    source: Vec<&'a str>,
    destination: Vec<&'a str>,
    position: usize,
    answer: &'a str,
    against: &'a str,
    /// How far the score of the answer is above that of the other.
    destination_score: f64,
    source_score: f64,
    cells: Vec<Vec<Cell>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation: Option<f64>,
    #[serde(skip_serializing_if = "<[Edit]>::is_empty")]
    edits: &'a [Edit],
}

#[derive(Serialize)]
struct Cell {
    #[serde(skip_serializing_if = "Option::is_none")]
    measured: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated: Option<f64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    idle: bool,
}

/// Tells what values of one prompt do in the pass over another.
pub(super) fn patch(args: &PatchArgs) -> Result<(), CliError> {
    let edits = args.edits.edits()?;
    let kind = args.out.as_deref().map(Kind::of).transpose()?;
    let (session, info) = Session::with_model(&args.model)?;
    let source = prompt_of(args.source.as_deref(), args.source_image.as_deref())?;
    let destination = prompt_of(args.destination.as_deref(), args.destination_image.as_deref())?;
    let position = position(&session, &info, &destination, args.position)?;
    let spec = PatchSpec {
        source,
        destination,
        position,
        answers: [args.answer.clone(), args.against.clone()],
        site: args.site,
        along: match args.by {
            By::Position => PatchAlong::Positions,
            By::Head => PatchAlong::Heads,
        },
        how: match args.check {
            _ if args.estimate => PatchHow::Estimate,
            Some(most) => PatchHow::Check(most),
            None => PatchHow::Measure,
        },
        edits: edits.clone(),
    };
    let ran = run(&session, &info, Work::Patch(spec))?;
    let Outcome::Patched(report) = &ran.outcome else { return Err(unexpected()) };
    for (name, answer) in ["answer", "--against"].into_iter().zip(&report.answers) {
        if answer.of > 1 {
            tell(format_args!("of the {} tokens of the {name}, {:?}, the first, is meant", answer.of, answer.text));
        }
    }
    if args.json {
        print_json(&told(&info.name, report, &edits))?;
    } else if let (Some(out), Some(kind)) = (&args.out, kind) {
        write_file(out, &make(kind, &info.name, report)?)?;
        tell(format_args!("{} layers in {}", report.cells.len(), out.display()));
    } else {
        print(&describe(report, args.top))?;
    }
    tell_edits(&edits);
    ran.end()
}

fn make(kind: Kind, model: &str, report: &PatchReport) -> Result<Vec<u8>, UserError> {
    Ok(match kind {
        Kind::Figure(format) => patch_figure(model, report, format)?,
        Kind::Arrays(format) => {
            let what = format!("{} of the source in the destination", report.site);
            patch_arrays(report, &about(model, &report.destination, &what), format)?
        }
    })
}

fn told<'a>(model: &'a str, report: &'a PatchReport, edits: &'a [Edit]) -> Told<'a> {
    let texts = |tokens: &'a [crate::types::PromptToken]| tokens.iter().map(|token| token.text.as_str()).collect();
    let cell = |cell: &crate::types::PatchCell| Cell {
        measured: cell.measured,
        estimated: cell.estimated,
        idle: cell.is_idle,
    };
    Told {
        model,
        site: report.site.name(),
        by: if report.along == PatchAlong::Heads { "head" } else { "position" },
        source: texts(&report.source),
        destination: texts(&report.destination),
        position: report.position,
        answer: &report.answers[0].text,
        against: &report.answers[1].text,
        destination_score: report.ends[0],
        source_score: report.ends[1],
        cells: report.cells.iter().map(|cells| cells.iter().map(cell).collect()).collect(),
        correlation: report.correlation().map(|(correlation, _)| correlation),
        edits,
    }
}

/// A cell a line, largest first.
fn describe(report: &PatchReport, top: usize) -> String {
    let mut lines = patch_words(report).join("\n") + "\n";
    let columns = patch_columns(report);
    let cells = report.cells.iter().enumerate().flat_map(|(layer, cells)| {
        cells.iter().enumerate().filter_map(move |(column, cell)| Some((layer, column, cell, cell.value()?)))
    });
    let mut cells: Vec<_> = cells.filter(|(_, _, cell, _)| !cell.is_idle).collect();
    cells.sort_by(|a, b| b.3.abs().total_cmp(&a.3.abs()));
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:+.4}"));
    let unit = if report.along == PatchAlong::Heads { "head" } else { "token" };
    lines += &format!("{:>6}{:>7}{:>12}{:>12}\n", "layer", unit, "measured", "estimated");
    for (layer, column, cell, _) in cells.into_iter().take(top) {
        let name = if report.along == PatchAlong::Heads { String::new() } else { format!("  {:?}", columns[column]) };
        lines += &format!("{layer:>6}{column:>7}{:>12}{:>12}{name}\n", number(cell.measured), number(cell.estimated));
    }
    lines
}
