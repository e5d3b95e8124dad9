//! `fovea classify`: a digit with a digit network, anything with a vision transformer.

use super::CliError;
use super::args::ClassifyArgs;
use super::output::{print, print_json};
use super::session::{Session, unexpected};
use crate::engine::{Command, Outcome, Work, read_digit_image, read_picture};
use crate::types::{Ability, ClassProbability, JobId, ModelId, printable};
use serde::Serialize;

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

/// Tells what an image shows.
pub(super) fn run(args: &ClassifyArgs) -> Result<(), CliError> {
    let (session, info) = Session::with_model(&args.model)?;
    // The engine says best why a model cannot.
    if info.can(Ability::ReadDigits) { digit(args, &session, info.id) } else { picture(args, &session, info.id) }
}

fn picture(args: &ClassifyArgs, session: &Session, model: ModelId) -> Result<(), CliError> {
    let picture = read_picture(&args.image)?;
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

fn digit(args: &ClassifyArgs, session: &Session, model: ModelId) -> Result<(), CliError> {
    let image = read_digit_image(&args.image)?;
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
