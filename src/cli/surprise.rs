//! `fovea surprise`.

use super::CliError;
use super::args::{EditArgs, ModelArgs};
use super::output::{print, print_json, tell, tell_edits};
use super::session::{Session, unexpected};
use crate::engine::{Command, Outcome, PromptInput, SurpriseSpec, Work};
use crate::types::{Edit, JobId, ModelId, SurpriseReport};
use clap::Args;
use serde::Serialize;

/// `fovea surprise`.
#[derive(Debug, Args)]
pub(super) struct SurpriseArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub edits: EditArgs,
    /// A text to read; may be given several times
    #[arg(long, value_name = "TEXT", required = true)]
    pub text: Vec<String>,
    /// Every text with its tokens as a JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// What `--json` prints of a text.
#[derive(Serialize)]
struct Told<'a> {
    nats: f64,
    perplexity: Option<f64>,
    bits_per_byte: Option<f64>,
    bytes: usize,
    #[serde(flatten)]
    report: &'a SurpriseReport,
    #[serde(skip_serializing_if = "<[Edit]>::is_empty")]
    edits: &'a [Edit],
}

/// Tells how surprised a model is by each token of some texts.
pub(super) fn run(args: &SurpriseArgs) -> Result<(), CliError> {
    let edits = args.edits.edits()?;
    let (session, info) = Session::with_model(&args.model)?;
    for text in &args.text {
        let report = read(&session, info.id, text, &edits)?;
        if args.json {
            let (nats, perplexity, bits_per_byte) = (report.nats(), report.perplexity(), report.bits_per_byte());
            let bytes = report.bytes();
            print_json(&Told { nats, perplexity, bits_per_byte, bytes, report: &report, edits: &edits })?;
            continue;
        }
        print(&describe(&report))?;
        if report.begins_unread() {
            tell(format_args!("the first token has no surprise: nothing stands before it"));
        }
    }
    tell_edits(&edits);
    Ok(())
}

fn read(session: &Session, model: ModelId, text: &str, edits: &[Edit]) -> Result<SurpriseReport, CliError> {
    let job = JobId::next();
    let spec = SurpriseSpec { prompt: PromptInput::Text(text.to_owned()), edits: edits.to_vec() };
    let command = Command::start(job, model, Work::Surprise(spec));
    match session.run(job, command, |_| Ok(()))? {
        Outcome::Surprised(report) => Ok((*report).clone()),
        _ => Err(unexpected()),
    }
}

/// A token a line, then the sums.
fn describe(report: &SurpriseReport) -> String {
    let mut text = "    nats    rank  token\n".to_owned();
    for token in &report.tokens {
        let nats = token.log_prob.map_or_else(|| "–".to_owned(), |log_prob| format!("{:.4}", -log_prob));
        let rank = token.rank.map_or_else(|| "–".to_owned(), |rank| rank.to_string());
        text += &format!("{nats:>8}  {rank:>6}  {:?}\n", token.text);
    }
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
    text + &format!(
        "{:.4} nats in {}; perplexity {}; {} bits a byte\n",
        report.nats(),
        if report.count() == 1 { "1 token".to_owned() } else { format!("{} tokens", report.count()) },
        number(report.perplexity()),
        number(report.bits_per_byte())
    )
}
