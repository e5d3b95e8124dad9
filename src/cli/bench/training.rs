//! The part of `fovea bench` that trains.

use super::median;
use crate::cli::CliError;
use crate::cli::session::{Session, unexpected};
use crate::engine::{Command, Event, Outcome, Work};
use crate::types::{
    Architecture, JobId, LoraSpec, LrSchedule, ModelInfo, Precision, Random, StartFrom, TextTask, TrainSpec, TrainTask,
    UserError,
};
use clap::Args;
use std::path::{Path, PathBuf};

/// Steps before those that count: the first ones allocate what later ones use again.
const WARM_UP: usize = 3;
/// Letters the text is drawn from; a shape without a tokenizer has one token a byte.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// What is trained.
#[derive(Debug, Args)]
pub struct TrainingArgs {
    /// Also train the open model, without saving it, with this many sequences a step
    #[arg(long, value_name = "N")]
    pub train_batch: Option<usize>,
    /// Learn low-rank changes of this rank of queries and values in place of all weights
    #[arg(long, value_name = "RANK", requires = "train_batch")]
    pub train_lora: Option<usize>,
    /// The modules that are changed, by the ends of their names; unless told, queries and values
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "train_lora")]
    pub train_targets: Vec<String>,
    /// Tokens of such a sequence
    #[arg(long, value_name = "N", default_value_t = 128, requires = "train_batch")]
    pub train_context: usize,
    /// Measured training steps, after some that warm up; the median counts
    #[arg(long, value_name = "N", default_value_t = 20, requires = "train_batch")]
    pub train_steps: usize,
}

/// Tokens a second while training on a text drawn at random: AdamW with weight decay and a bounded gradient, as the shipped
/// presets have them. The median step counts. The open model has other weights afterwards.
///
/// # Errors
/// When the model reads fewer tokens than asked for, or the text cannot be written.
pub(super) fn measure(session: &Session, info: &ModelInfo, args: &TrainingArgs, batch: usize) -> Result<f64, CliError> {
    let text = Scratch::write(16 * batch * args.train_context)?;
    let spec = TrainSpec {
        task: TrainTask::Text(TextTask { data: vec![text.0.clone()], context: args.train_context, shape: None }),
        start: StartFrom::OpenModel,
        out: None,
        precision: Precision::F32,
        lora: args.train_lora.map(|rank| lora(info, rank, &args.train_targets)),
        groups: Vec::new(),
        learning_rate: 1e-3,
        schedule: LrSchedule::Constant,
        warmup_steps: 0,
        weight_decay: 0.1,
        clip_norm: 1.0,
        batch_size: batch,
        accumulate: 1,
        steps: WARM_UP + args.train_steps,
        validation_share: 0.0,
        learn_from: 1.0,
        eval_every: usize::MAX,
        patience: 0,
        seed: 1,
        sample_prompts: Vec::new(),
        snapshots: None,
    };
    let (job, mut times) = (JobId::next(), vec![0.0]);
    let command = Command::start(job, info.id, Work::Train(spec));
    let outcome = session.run(job, command, |event| {
        if let Event::Trained { points, .. } = event {
            times.extend(points.iter().map(|point| point.elapsed_s));
        }
        Ok(())
    })?;
    let Outcome::Trained(_) = outcome else { return Err(unexpected()) };
    let steps = times.windows(2).skip(WARM_UP).map(|two| two[1] - two[0]);
    Ok((batch * args.train_context) as f64 / median(steps))
}

/// Changes of these modules, or of queries and values by their names in this family.
fn lora(info: &ModelInfo, rank: usize, targets: &[String]) -> LoraSpec {
    let usual: &[&str] = match info.architecture {
        Architecture::Gpt2 => &["c_attn"],
        Architecture::GptNeox => &["query_key_value"],
        Architecture::FeedForward => &["hidden"],
        _ => &["q_proj", "v_proj"],
    };
    let usual = usual.iter().map(|name| (*name).to_owned());
    let targets = if targets.is_empty() { usual.collect() } else { targets.to_vec() };
    LoraSpec { rank, alpha: 2.0 * rank as f64, rank_stabilised: false, targets }
}

/// A text file that is gone when the measurement is over.
struct Scratch(PathBuf);

impl Scratch {
    fn write(letters: usize) -> Result<Self, UserError> {
        let path = std::env::temp_dir().join(format!("fovea-bench-{}.txt", std::process::id()));
        let mut random = Random::new(1, 0);
        let text: Vec<u8> = (0..letters).map(|_| LETTERS[random.below(LETTERS.len())]).collect();
        std::fs::write(&path, text).map_err(|error| cannot_write(&path, &error))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> UserError {
    UserError::new(
        "There is no text to train on.",
        format!("{} could not be written: {error}.", path.display()),
        "Make room in the system's folder for temporary files, or leave out --train-batch.",
    )
}
