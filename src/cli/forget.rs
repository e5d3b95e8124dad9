//! `fovea forget` and `fovea states`.

use super::CliError;
use super::args::{EditArgs, ModelArgs};
use super::output::{print, print_json, tell, tell_edits, write_file};
use super::session::{Session, unexpected};
use crate::chart::{Array, ArrayFormat, ArrayValues, arrays_file};
use crate::engine::{Command, ForgetSpec, Outcome, PromptInput, Work};
use crate::types::{Edit, ForgetReport, JobId, StatesReport, UserError, printable};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Characters of the longest bar.
const BAR: f64 = 40.0;

/// `fovea forget`.
#[derive(Debug, Args)]
pub(super) struct ForgetArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub edits: EditArgs,
    /// The text; its last token is the one that is predicted
    #[arg(long, value_name = "TEXT")]
    pub text: String,
    /// The tokens with their lengths as JSON
    #[arg(long)]
    pub json: bool,
}

/// `fovea states`.
#[derive(Debug, Args)]
pub(super) struct StatesArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// The text that is read
    #[arg(long, value_name = "TEXT")]
    pub text: String,
    /// Everything as JSON
    #[arg(long, conflicts_with = "out", required_unless_present = "out")]
    pub json: bool,
    /// Arrays `layers.N.i`, `.f`, `.g`, `.o`, `.c` and `.h`, `[tokens, units]` each, and `ids`
    #[arg(long, value_name = "FILE.npz|safetensors")]
    pub out: Option<PathBuf>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    report: &'a ForgetReport,
    shares: Vec<f64>,
    #[serde(skip_serializing_if = "<[Edit]>::is_empty")]
    edits: &'a [Edit],
}

/// Tells how much the last token's loss depends on each token before.
pub(super) fn forget(args: &ForgetArgs) -> Result<(), CliError> {
    let edits = args.edits.edits()?;
    let (session, info) = Session::with_model(&args.model)?;
    let spec = ForgetSpec { prompt: PromptInput::Text(args.text.clone()), edits: edits.clone() };
    let job = JobId::next();
    let command = Command::start(job, info.id, Work::Forget(spec));
    let Outcome::Forgotten(report) = session.run(job, command, |_| Ok(()))? else { return Err(unexpected()) };
    if args.json {
        return print_json(&Told { report: &report, shares: report.shares(), edits: &edits });
    }
    print(&describe(&report))?;
    tell_edits(&edits);
    Ok(())
}

/// A token a line, with a bar.
fn describe(report: &ForgetReport) -> String {
    let mut text = "    length  token\n".to_owned();
    let texts = report.tokens.iter().map(|token| format!("{:?}", token.text)).collect::<Vec<_>>();
    let width = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    for ((norm, share), token) in report.norms.iter().zip(report.shares()).zip(&texts) {
        let bar = "█".repeat((share * BAR).round() as usize);
        text += &format!("{norm:>10.3e}  {:width$}  {bar}\n", printable(token));
    }
    let last = texts.last().map(|text| printable(text).into_owned()).unwrap_or_default();
    text + &format!("of −ln P({last}) = {:.4} nats\n", report.loss)
}

/// Writes what a recurrent model keeps of a text, token by token.
pub(super) fn states(args: &StatesArgs) -> Result<(), CliError> {
    let (session, info) = Session::with_model(&args.model)?;
    let job = JobId::next();
    let command = Command::start(job, info.id, Work::WatchStates(PromptInput::Text(args.text.clone())));
    let Outcome::StatesWatched(report) = session.run(job, command, |_| Ok(()))? else { return Err(unexpected()) };
    let Some(path) = &args.out else { return print_json(report.as_ref()) };
    write_file(path, &encode(&report, ArrayFormat::of(path))?)?;
    let (layers, tokens) = (report.layers.len(), report.tokens.len());
    tell(format_args!("{layers} layers over {tokens} tokens in {}", path.display()));
    Ok(())
}

fn encode(report: &StatesReport, format: ArrayFormat) -> Result<Vec<u8>, UserError> {
    let ids: Vec<i64> = report.tokens.iter().map(|token| i64::from(token.id)).collect();
    let mut arrays = Vec::new();
    for (number, layer) in report.layers.iter().enumerate() {
        for (part, values) in &layer.parts {
            arrays.push(Array {
                name: format!("layers.{number}.{}", part.letter()),
                shape: vec![ids.len(), layer.units],
                values: ArrayValues::Floats(values),
            });
        }
    }
    arrays.push(Array { name: "ids".to_owned(), shape: vec![ids.len()], values: ArrayValues::Integers(&ids) });
    Ok(arrays_file(&arrays, &[], format)?)
}
