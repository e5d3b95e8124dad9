//! `fovea classify`: a digit with a digit network, any picture with a vision transformer, texts with a classifier of texts.

mod texts;

use super::CliError;
use super::args::ModelArgs;
use super::output::{print, print_json};
use super::session::{Session, unexpected};
use super::texts::TextsArgs;
use crate::engine::{Command, Outcome, Work, read_digit_image, read_picture};
use crate::types::{Ability, ClassProbability, JobId, ModelId, printable};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// `fovea classify`.
#[derive(Debug, Args)]
pub struct ClassifyArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// A PNG, JPEG or WebP: of one digit for a digit network, of anything for a vision transformer
    #[arg(required_unless_present_any = ["text", "data"], conflicts_with_all = ["text", "data"])]
    pub image: Option<PathBuf>,
    /// A text for a classifier of texts; may be given several times
    #[arg(long, value_name = "TEXT", conflicts_with = "data")]
    pub text: Vec<String>,
    #[command(flatten)]
    pub texts: TextsArgs,
    /// The probabilities as a JSON object; of a file, an object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Answer {
    digit: usize,
    probabilities: Vec<f32>,
}

/// A vision transformer's answer.
#[derive(Serialize)]
struct PictureAnswer<'a> {
    label: &'a str,
    classes: &'a [ClassProbability],
}

/// Classes shown to a person.
const SHOWN: usize = 10;

/// Tells what an image shows, or which class texts belong to.
pub(super) fn run(args: &ClassifyArgs) -> Result<(), CliError> {
    let Some(image) = &args.image else {
        return match &args.texts.data {
            Some(data) => texts::of_file(args, data),
            None => texts::of_command(args),
        };
    };
    let (session, info) = Session::with_model(&args.model)?;
    // The engine says best why a model cannot.
    if info.can(Ability::ReadDigits) {
        digit(args, image, &session, info.id)
    } else {
        picture(args, image, &session, info.id)
    }
}

fn picture(args: &ClassifyArgs, image: &Path, session: &Session, model: ModelId) -> Result<(), CliError> {
    let picture = read_picture(image)?;
    let job = JobId::next();
    let outcome = session.run(job, Command::start(job, model, Work::ClassifyPicture(picture)), |_| Ok(()))?;
    let Outcome::PictureClassified(report) = outcome else { return Err(unexpected()) };
    if args.json {
        let label = report.classes.first().map_or("", |class| &class.label);
        return print_json(&PictureAnswer { label, classes: &report.classes });
    }
    let shown = report.classes.iter().take(SHOWN);
    print(
        &shown
            .map(|class| format!("{:5.1} %  {}\n", class.probability * 100.0, printable(&class.label)))
            .collect::<String>(),
    )
}

fn digit(args: &ClassifyArgs, image: &Path, session: &Session, model: ModelId) -> Result<(), CliError> {
    let image = read_digit_image(image)?;
    let job = JobId::next();
    let outcome = session.run(job, Command::start(job, model, Work::Classify(image)), |_| Ok(()))?;
    let Outcome::Classified(result) = outcome else { return Err(unexpected()) };
    let probabilities = result.probabilities.clone();
    let mut ranked: Vec<(usize, f32)> = probabilities.iter().copied().enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    if args.json {
        return print_json(&Answer { digit: ranked[0].0, probabilities });
    }
    let lines: String = ranked.iter().map(|(digit, p)| format!("{digit}  {:5.1} %\n", p * 100.0)).collect();
    print(&lines)
}
