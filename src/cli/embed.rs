//! `fovea embed`.

mod stream;
mod vectors;

use super::CliError;
use super::args::ModelArgs;
use super::output::{print, print_json, tell};
use super::session::{Session, unexpected};
use super::texts::TextsArgs;
use crate::engine::{Command, Outcome, Work};
use crate::types::{EncoderInfo, JobId, ModelInfo, Pooling};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use vectors::Vector;

/// `fovea embed`.
#[derive(Debug, Args)]
pub struct EmbedArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// A text to embed; with several, also their cosine similarities
    #[arg(long, value_name = "TEXT", required_unless_present = "data", conflicts_with = "data")]
    pub text: Vec<String>,
    #[command(flatten)]
    pub texts: TextsArgs,
    /// Write the vectors into this file: its ending (npy, safetensors, csv or jsonl) chooses the format
    #[arg(long, value_name = "FILE", requires = "data", conflicts_with = "json")]
    pub out: Option<PathBuf>,
    /// Vectors and similarities as a JSON object; of a file, an object a line
    #[arg(long)]
    pub json: bool,
}

/// Values of a vector that are shown to a person.
const SHOWN: usize = 6;

#[derive(Serialize)]
struct Answer<'a> {
    model: &'a str,
    pooling: Pooling,
    normalised: bool,
    embeddings: Vec<Row<'a>>,
    /// Cosines between each two texts; left out for a single one.
    #[serde(skip_serializing_if = "Option::is_none")]
    similarities: Option<Vec<Vec<f32>>>,
}

#[derive(Serialize)]
struct Row<'a> {
    text: &'a str,
    tokens: usize,
    left_out: usize,
    vector: &'a [f32],
}

/// Turns texts into vectors, and tells how alike they are.
pub(super) fn run(args: &EmbedArgs) -> Result<(), CliError> {
    if let Some(data) = &args.texts.data {
        return stream::run(args, data);
    }
    let (session, info) = Session::with_model(&args.model)?;
    let job = JobId::next();
    let command = Command::start(job, info.id, Work::Embed(args.text.clone()));
    let Outcome::Embedded(report) = session.run(job, command, |_| Ok(()))? else { return Err(unexpected()) };
    let Some(facts) = info.shape.encoder() else { return Err(unexpected()) };
    tell_pooling(&info, facts);
    let given = report.texts.iter().zip(&report.embeddings).enumerate();
    let vectors: Vec<Vector<'_>> = given
        .map(|(place, (text, e))| Vector {
            line: place + 1,
            text,
            tokens: e.tokens,
            left_out: e.left_out,
            values: &e.vector,
        })
        .collect();
    tell_cut(&vectors);
    let similarities = (report.texts.len() > 1).then(|| report.similarities());
    if !args.json {
        return print(&table(&vectors, similarities.as_deref()));
    }
    print_json(&Answer {
        model: &info.name,
        pooling: facts.pooling,
        normalised: facts.normalised,
        embeddings: vectors
            .iter()
            .map(|&Vector { text, tokens, left_out, values, .. }| Row { text, tokens, left_out, vector: values })
            .collect(),
        similarities,
    })
}

/// What a person should know of how a text becomes one vector.
fn tell_pooling(info: &ModelInfo, facts: &EncoderInfo) {
    if !facts.is_sentence_model {
        let (name, pooling) = (&info.name, facts.pooling);
        tell(format_args!(
            "note: {name} has no modules.json that says how a text becomes one vector; this is the {pooling}."
        ));
    }
}

/// Which texts were longer than what is read.
fn tell_cut(vectors: &[Vector<'_>]) {
    for Vector { line, tokens, left_out, .. } in vectors.iter().filter(|vector| vector.left_out > 0) {
        tell(format_args!("note: text {line} was cut off behind {tokens} tokens; {left_out} more were left out."));
    }
}

/// Each text with the beginning of its vector.
fn rows(vectors: &[Vector<'_>]) -> String {
    let mut lines = String::new();
    for Vector { line, text, tokens, values, .. } in vectors {
        let first: Vec<String> = values.iter().take(SHOWN).map(|x| format!("{x:+.4}")).collect();
        let rest = if values.len() > SHOWN { " …" } else { "" };
        let width = values.len();
        lines += &format!("{line}  {text:?}\n   {tokens} tokens, {width} dimensions: {}{rest}\n", first.join(" "));
    }
    lines
}

fn table(vectors: &[Vector<'_>], similarities: Option<&[Vec<f32>]>) -> String {
    let mut lines = rows(vectors);
    let Some(similarities) = similarities else { return lines };
    lines += "\ncosine similarity\n     ";
    lines += &(1..=similarities.len()).map(|column| format!("{column:>8}")).collect::<String>();
    for (place, row) in similarities.iter().enumerate() {
        lines += &format!("\n{:>5}", place + 1);
        lines += &row.iter().map(|x| format!("{x:>8.4}")).collect::<String>();
    }
    lines + "\n"
}
