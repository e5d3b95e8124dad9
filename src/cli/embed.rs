//! `fovea embed`.

use super::CliError;
use super::args::EmbedArgs;
use super::output::{print, print_json, tell};
use super::session::{Session, unexpected};
use crate::engine::{Command, Outcome, Work};
use crate::types::{EmbeddingReport, EncoderInfo, JobId, ModelInfo, Pooling};
use serde::Serialize;

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
    let (session, info) = Session::with_model(&args.model)?;
    let job = JobId::next();
    let command = Command::start(job, info.id, Work::Embed(args.text.clone()));
    let Outcome::Embedded(report) = session.run(job, command, |_| Ok(()))? else { return Err(unexpected()) };
    let Some(facts) = info.shape.encoder() else { return Err(unexpected()) };
    tell_notes(&info, facts, &report);
    let similarities = (report.texts.len() > 1).then(|| report.similarities());
    if !args.json {
        return print(&table(&report, similarities.as_deref()));
    }
    let rows = report.texts.iter().zip(&report.embeddings);
    print_json(&Answer {
        model: &info.name,
        pooling: facts.pooling,
        normalised: facts.normalised,
        embeddings: rows
            .map(|(text, e)| Row { text, tokens: e.tokens, left_out: e.left_out, vector: &e.vector })
            .collect(),
        similarities,
    })
}

/// What a person should know of how the vectors came about.
fn tell_notes(info: &ModelInfo, facts: &EncoderInfo, report: &EmbeddingReport) {
    if !facts.is_sentence_model {
        let (name, pooling) = (&info.name, facts.pooling);
        tell(format_args!(
            "note: {name} has no modules.json that says how a text becomes one vector; this is the {pooling}."
        ));
    }
    for (place, embedding) in report.embeddings.iter().enumerate().filter(|(_, e)| e.left_out > 0) {
        tell(format_args!(
            "note: text {} was cut off behind {} tokens; {} more were left out.",
            place + 1,
            embedding.tokens,
            embedding.left_out
        ));
    }
}

fn table(report: &EmbeddingReport, similarities: Option<&[Vec<f32>]>) -> String {
    let mut lines = String::new();
    for (place, (text, embedding)) in report.texts.iter().zip(&report.embeddings).enumerate() {
        let first: Vec<String> = embedding.vector.iter().take(SHOWN).map(|x| format!("{x:+.4}")).collect();
        let rest = if embedding.vector.len() > SHOWN { " …" } else { "" };
        lines += &format!("{}  {text:?}\n", place + 1);
        let (tokens, width) = (embedding.tokens, embedding.vector.len());
        lines += &format!("   {tokens} tokens, {width} dimensions: {}{rest}\n", first.join(" "));
    }
    let Some(similarities) = similarities else { return lines };
    lines += "\ncosine similarity\n     ";
    lines += &(1..=similarities.len()).map(|column| format!("{column:>8}")).collect::<String>();
    for (place, row) in similarities.iter().enumerate() {
        lines += &format!("\n{:>5}", place + 1);
        lines += &row.iter().map(|x| format!("{x:>8.4}")).collect::<String>();
    }
    lines + "\n"
}
