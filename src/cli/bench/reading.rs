//! What reading many texts costs: vectors of the lines of a file, or the loss over one.

use super::BenchArgs;
use super::median;
use crate::cli::CliError;
use crate::cli::session::{Session, unexpected};
use crate::engine::{Command, Outcome, TextList, Work};
use crate::types::{EvaluateSpec, EvaluationReport, JobId, ModelInfo, UserError};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What `fovea bench` measures in the place of generating.
#[derive(Debug, Args)]
pub struct ReadingArgs {
    /// Measure an encoder instead: how fast it turns the texts of this file into vectors
    #[arg(long, value_name = "FILE", conflicts_with_all = ["evaluate", "random_weights"])]
    pub texts: Option<PathBuf>,
    /// Measure how fast the loss over this text is read instead
    #[arg(long, value_name = "FILE", conflicts_with = "random_weights")]
    pub evaluate: Option<PathBuf>,
}

/// What was measured. Times are medians over the repeats.
#[derive(Serialize)]
pub(super) struct Figures {
    #[serde(skip_serializing_if = "Option::is_none")]
    texts: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    texts_per_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loss: Option<f64>,
    tokens: usize,
    tokens_per_s: f64,
    repeats: usize,
    device: String,
    threads: usize,
}

impl Figures {
    pub(super) fn describe(&self) -> String {
        let Self { tokens, tokens_per_s, repeats, device, threads, .. } = self;
        let texts = self.texts.zip(self.texts_per_s);
        let texts = texts.map_or(String::new(), |(texts, rate)| format!("{rate:.0} texts/s over {texts} texts\n"));
        let loss = self.loss.map_or(String::new(), |loss| format!("loss {loss:.4} nats a token\n"));
        format!(
            "{texts}{tokens_per_s:.0} tokens/s over {tokens} tokens\n{loss}\
             medians of {repeats} runs on {device}, {threads} threads\n"
        )
    }
}

/// One run of what is measured.
struct Read {
    texts: Option<usize>,
    tokens: usize,
    loss: Option<f64>,
    seconds: f64,
}

/// What is read.
enum What {
    /// Texts, for their vectors.
    Texts(Vec<String>),
    /// A file, for the loss over it.
    Loss(PathBuf),
}

impl What {
    fn read(&self, session: &Session, info: &ModelInfo) -> Result<Read, CliError> {
        match self {
            Self::Texts(texts) => embed(session, info, texts.clone()),
            Self::Loss(file) => evaluate(session, info, file.clone()),
        }
    }
}

/// The figures, if reading is to be measured.
pub(super) fn measure(args: &BenchArgs) -> Result<Option<Figures>, CliError> {
    let what = match (&args.reading.texts, &args.reading.evaluate) {
        (Some(file), _) => What::Texts(texts(file)?),
        (None, Some(file)) => What::Loss(file.clone()),
        (None, None) => return Ok(None),
    };
    let session = Session::start(args.model.device);
    let device = session.settle()?;
    let info = session.open_model(&args.model)?;
    let first = what.read(&session, &info)?; // warms up
    let runs = (0..args.repeats.max(1)).map(|_| what.read(&session, &info)).collect::<Result<Vec<_>, _>>()?;
    let seconds = median(runs.iter().map(|run| run.seconds));
    Ok(Some(Figures {
        texts: first.texts,
        texts_per_s: first.texts.map(|texts| texts as f64 / seconds),
        loss: first.loss,
        tokens: first.tokens,
        tokens_per_s: first.tokens as f64 / seconds,
        repeats: runs.len(),
        device: device.name,
        threads: device.threads,
    }))
}

fn texts(file: &Path) -> Result<Vec<String>, UserError> {
    let mut list = TextList::open(file, None, None)?;
    let texts: Vec<String> = list.next(usize::MAX, usize::MAX)?.into_iter().map(|text| text.text).collect();
    Ok(texts)
}

fn embed(session: &Session, info: &ModelInfo, texts: Vec<String>) -> Result<Read, CliError> {
    let (job, begun) = (JobId::next(), Instant::now());
    let Outcome::Embedded(report) = session.run(job, Command::start(job, info.id, Work::Embed(texts)), |_| Ok(()))?
    else {
        return Err(unexpected());
    };
    let seconds = begun.elapsed().as_secs_f64();
    let tokens = report.embeddings.iter().map(|embedding| embedding.tokens).sum();
    Ok(Read { texts: Some(report.texts.len()), tokens, loss: None, seconds })
}

fn evaluate(session: &Session, info: &ModelInfo, file: PathBuf) -> Result<Read, CliError> {
    let (job, begun) = (JobId::next(), Instant::now());
    let Outcome::Evaluated(report) = session.run(
        job,
        Command::start(job, info.id, Work::Evaluate(EvaluateSpec { data: file, ..EvaluateSpec::default() })),
        |_| Ok(()),
    )?
    else {
        return Err(unexpected());
    };
    let seconds = begun.elapsed().as_secs_f64();
    match &*report {
        EvaluationReport::Text { tokens, loss, .. } => {
            Ok(Read { texts: None, tokens: *tokens, loss: Some(*loss), seconds })
        }
        EvaluationReport::Digits { .. } | EvaluationReport::Classes { .. } => Err(CliError::User(UserError::new(
            "Tokens a second are measured of a model that reads text.",
            format!("{} reads pictures of digits.", info.name),
            "Give a language model.",
        ))),
    }
}
