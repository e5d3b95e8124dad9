//! `fovea lens`.

use super::CliError;
use super::args::{EditArgs, ModelArgs};
use super::output::{print, print_json, tell, tell_edits, write_file};
use super::session::{Session, unexpected};
use crate::chart::{ArrayFormat, Format, LensFigure, lens_arrays, lens_figure};
use crate::engine::{Command, LensSpec, Outcome, PromptInput, Work};
use crate::types::{ColorMap, Edit, JobId, LensCell, LensReport, ScaleCurve, UserError, excerpt};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `fovea lens`.
#[derive(Debug, Args)]
pub(super) struct LensArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub edits: EditArgs,
    /// The text to read
    #[arg(long, value_name = "TEXT")]
    pub prompt: String,
    /// Follow the first token of this text through the layers [default: what the model says in the end]
    #[arg(long, value_name = "TEXT")]
    pub target: Option<String>,
    /// Tell what is said at this token, counted from 0, or from -1 at the end
    #[arg(long, value_name = "N", default_value_t = -1, allow_negative_numbers = true)]
    pub position: i64,
    /// Tokens to tell of each layer, at most 10
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub top: usize,
    /// Every layer at every token as a JSON object
    #[arg(long, conflicts_with = "out")]
    pub json: bool,
    /// Write the likeliest tokens as a picture (svg, png), every layer at every token as a table (csv) or as arrays (npz,
    /// safetensors)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Told<'a> {
    model: &'a str,
    tokens: Vec<Token<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Token<'a>>,
    states: Vec<State<'a>>,
    /// Of the last state from the probabilities that the model gives at the last token.
    largest_difference: f32,
    is_checked: bool,
    #[serde(skip_serializing_if = "<[Edit]>::is_empty")]
    edits: &'a [Edit],
}

#[derive(Serialize)]
struct Token<'a> {
    id: u32,
    text: &'a str,
}

#[derive(Serialize)]
struct State<'a> {
    state: String,
    cells: Vec<Cell<'a>>,
}

#[derive(Serialize)]
struct Cell<'a> {
    entropy_nats: f32,
    kl_nats: f32,
    followed: Token<'a>,
    rank: u32,
    probability: f32,
    top: Vec<Likely<'a>>,
    rest: f32,
}

#[derive(Serialize)]
struct Likely<'a> {
    id: u32,
    text: &'a str,
    probability: f32,
}

/// Tells what each layer would say.
pub(super) fn run(args: &LensArgs) -> Result<(), CliError> {
    let edits = args.edits.edits()?;
    let kind = args.out.as_deref().map(Kind::of).transpose()?;
    let (session, info) = Session::with_model(&args.model)?;
    let prompt = PromptInput::Text(args.prompt.clone());
    let spec = LensSpec { prompt, target: args.target.clone(), edits: edits.clone() };
    let job = JobId::next();
    let Outcome::LensRead(report) = session.run(job, Command::start(job, info.id, Work::Lens(spec)), |_| Ok(()))?
    else {
        return Err(unexpected());
    };
    let place = place(args.position, report.tokens.len())?;
    if let Some(target) = report.target.as_ref().filter(|target| target.of > 1) {
        tell(format_args!("the target has {} tokens; {:?}, the first, is followed", target.of, target.text));
    }
    if args.json {
        print_json(&told(&info.name, &report, &edits))?;
    } else if let (Some(out), Some(kind)) = (&args.out, kind) {
        write_file(out, &kind.make(&report, &info.name)?)?;
        tell(format_args!(
            "{} layers over {} tokens in {}",
            report.states.len() - 1,
            report.tokens.len(),
            out.display()
        ));
    } else {
        print(&describe(&report, place, args.top))?;
    }
    if !report.is_checked() {
        tell(format_args!("the last layer is off what the model says by up to {:.1e}", report.off));
    }
    tell_edits(&edits);
    Ok(())
}

/// What kind of file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Figure(Format),
    Arrays(ArrayFormat),
}

impl Kind {
    /// By the ending of its name.
    pub(super) fn of(path: &Path) -> Result<Self, UserError> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("npz" | "safetensors") => Ok(Self::Arrays(ArrayFormat::of(path))),
            Some("svg" | "png" | "csv") => Ok(Self::Figure(Format::from_path(path)?)),
            _ => Err(UserError::new(
                format!("{} has no ending that says what to write.", path.display()),
                "The ending chooses the kind: svg and png are pictures, csv is a table, npz and safetensors are arrays.",
                "End the name with .svg, .png, .csv, .npz or .safetensors.",
            )),
        }
    }

    fn make(self, report: &Arc<LensReport>, model: &str) -> Result<Vec<u8>, UserError> {
        let what = "what each layer would say";
        Ok(match self {
            Self::Figure(format) => {
                let figure = LensFigure {
                    title: format!("{model}, {what}"),
                    caption: excerpt(&report.tokens),
                    report: Arc::clone(report),
                    map: ColorMap::default(),
                    curve: ScaleCurve::default(),
                };
                lens_figure(&figure, format)?
            }
            Self::Arrays(format) => {
                let text: String = report.tokens.iter().map(|token| token.text.as_str()).collect();
                let about = [("model", model), ("prompt", &text), ("what", what)];
                let about = about.map(|(key, value)| (key.to_owned(), value.to_owned()));
                lens_arrays(report, &about, format)?
            }
        })
    }
}

/// The token that is meant by a number counted from the beginning or, below 0, from the end.
pub(super) fn place(position: i64, tokens: usize) -> Result<usize, UserError> {
    let count = tokens as i64;
    let place = if position < 0 { count + position } else { position };
    usize::try_from(place).ok().filter(|place| *place < tokens).ok_or_else(|| {
        UserError::new(
            format!("The prompt has no position {position}."),
            format!("It has {tokens} tokens: 0 to {}, or -{tokens} to -1 from the end.", count - 1),
            "Choose one of these with --position.",
        )
    })
}

fn told<'a>(model: &'a str, report: &'a LensReport, edits: &'a [Edit]) -> Told<'a> {
    let cell = |cell: &LensCell| Cell {
        entropy_nats: cell.entropy,
        kl_nats: cell.divergence,
        followed: Token { id: cell.followed, text: report.name(cell.followed) },
        rank: cell.rank,
        probability: cell.log_prob.exp(),
        top: cell
            .top
            .iter()
            .map(|(id, log)| Likely { id: *id, text: report.name(*id), probability: log.exp() })
            .collect(),
        rest: cell.rest(),
    };
    let states = report.states.iter().enumerate();
    Told {
        model,
        tokens: report.tokens.iter().map(|token| Token { id: token.id, text: &token.text }).collect(),
        target: report.target.as_ref().map(|target| Token { id: target.id, text: &target.text }),
        states: states
            .map(|(state, cells)| State {
                state: LensReport::state_name(state),
                cells: cells.iter().map(cell).collect(),
            })
            .collect(),
        largest_difference: report.off,
        is_checked: report.is_checked(),
        edits,
    }
}

/// A layer a line.
fn describe(report: &LensReport, place: usize, top: usize) -> String {
    let text = |at: usize| report.tokens.get(at).map_or("", |token| token.text.as_str());
    let followed = report.states.last().map_or(0, |cells| cells[place].followed);
    let mut lines = format!(
        "After {:?}, token {place} of {}; {:?} is followed\n{:>10}{:>9}{:>8}{:>9}{:>9}  likeliest\n",
        text(place),
        report.tokens.len(),
        report.name(followed),
        "",
        "p",
        "rank",
        "entropy",
        "KL"
    );
    for (state, cells) in report.states.iter().enumerate() {
        let cell = &cells[place];
        let likely = cell.top.iter().take(top).map(|(id, log)| format!("{:?} {:.3}", report.name(*id), log.exp()));
        lines += &format!(
            "{:>10}{:>9.4}{:>8}{:>9.4}{:>9.4}  {}\n",
            LensReport::state_name(state),
            cell.log_prob.exp(),
            cell.rank,
            cell.entropy,
            cell.divergence,
            likely.collect::<Vec<_>>().join("  ")
        );
    }
    if report.is_checked() {
        let off = match report.off {
            0.0 => "exactly".to_owned(),
            off => format!("the largest difference of a probability is {off:.1e}"),
        };
        lines += &format!("The last layer says what the model says ({off}).\n");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_counted_from_both_ends() {
        assert_eq!((place(0, 3), place(-1, 3), place(-3, 3)), (Ok(0), Ok(2), Ok(0)));
        for outside in [3, -4] {
            let error = place(outside, 3).unwrap_err();
            assert!(error.why.contains("0 to 2, or -3 to -1"), "{error}");
        }
    }
}
