//! `fovea compare`.

use super::CliError;
use super::args::ModelArgs;
use super::evaluate::SplitName;
use super::output::{print, print_json, tell, write_file};
use super::session::{Session, model_dir, unexpected};
use super::train::{bar, catch_ctrl_c};
use crate::chart::losses_table;
use crate::engine::{Command, Event, Outcome, Work, read_run_record};
use crate::types::{
    BeforeModel, DataPart, JobId, LossOrder, LossRow, LossesData, LossesReport, LossesSpec, LossesSummary, ModelId,
    ModelInfo, RunRecord, TrainSpec, TrainTask, UserError, printable,
};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Letters of an example in the list.
const SHOWN: usize = 72;

/// `fovea compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// The model before: a folder or a name as of --model [default: with --adapter the base alone, else what the run began with that
    /// made the model]
    #[arg(long, value_name = "DIR")]
    pub before: Option<PathBuf>,
    /// A text file, labelled texts, a folder with a folder of pictures for each class, or a folder of IDX files [default: the data of
    /// the run that made the model, or the adapter]
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// The part of the run's data, as the run split it [default: validation]; with --data, of that in its place
    #[arg(long, value_enum)]
    pub split: Option<SplitName>,
    /// The column of labelled texts: its name, or its number from 1 [default: text, sentence or the like]
    #[arg(long, value_name = "NAME")]
    pub text_column: Option<String>,
    /// The column of their labels [default: label, class or the like]
    #[arg(long, value_name = "NAME")]
    pub label_column: Option<String>,
    /// Tokens of a passage of --data [default: 512, or what the model reads]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "split")]
    pub context: Option<u32>,
    /// Examples measured at most, spread evenly over all
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub most: u32,
    /// Examples listed that training helped most, and as many that it harmed most
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub top: usize,
    /// Write every example to this file as CSV
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Every example as a JSON object a line, in the order of the data, then a summary
    #[arg(long)]
    pub json: bool,
    /// With --json: the tokens of every text, and what each costs
    #[arg(long, requires = "json")]
    pub tokens: bool,
}

/// The last line of `--json`.
#[derive(Serialize)]
struct Done<'a> {
    before: &'a str,
    after: &'a str,
    data: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    labels: &'a [String],
    examples: usize,
    of: usize,
    summary: LossesSummary,
}

/// Tells what examples cost two models.
pub(super) fn run(args: &CompareArgs) -> Result<(), CliError> {
    let interrupted = catch_ctrl_c("The comparison was not started.")?;
    let (session, info) = Session::with_model(&args.model)?;
    let folder = info.adapter.as_ref().map_or(&info.path, |adapter| &adapter.path);
    let record = read_run_record(folder);
    let before = before(args, &session, &info, record.as_ref())?;
    let data = data(args, &info, record.as_ref())?;
    let spec = LossesSpec { before, data, most: args.most as usize };
    let report = measure(&session, info.id, spec, &interrupted)?;
    if let Some(out) = &args.out {
        write_file(out, &losses_table(&report).map_err(UserError::from)?)?;
    }
    if args.json {
        print_rows(&report, args.tokens)?;
    } else {
        print(&describe(&report, args.top))?;
    }
    if interrupted.load(Ordering::Relaxed) {
        tell(format_args!("ended early: {} of {} examples were measured", report.rows.len(), report.asked));
        return Err(CliError::Interrupted);
    }
    Ok(())
}

fn before(
    args: &CompareArgs,
    session: &Session,
    info: &ModelInfo,
    record: Option<&RunRecord>,
) -> Result<BeforeModel, CliError> {
    if let Some(given) = &args.before {
        let path = model_dir(given)?;
        let opened = session.open(|job, model| Command::start(job, model, Work::Open(path)))?;
        return Ok(BeforeModel::Open(opened.id));
    }
    if info.adapter.is_some() {
        return Ok(BeforeModel::Base);
    }
    let record = record.ok_or_else(|| {
        UserError::new(
            format!("Nothing tells what {} is compared with.", info.name),
            format!("{} has no run.json of the run that made it, and no --adapter was given.", info.path.display()),
            "Name the model before with --before.",
        )
    })?;
    Ok(BeforeModel::Run(Box::new(record.clone())))
}

fn data(args: &CompareArgs, info: &ModelInfo, record: Option<&RunRecord>) -> Result<LossesData, UserError> {
    let columns = [args.text_column.clone(), args.label_column.clone()];
    match (&args.data, args.split, record) {
        (Some(path), None, _) => {
            let context = args.context.map(|context| context as usize);
            Ok(LossesData::File { path: path.clone(), columns, context })
        }
        (given, split, Some(record)) => {
            let mut spec = record.spec.clone();
            if let Some(path) = given {
                moved(&mut spec, path)?;
            }
            if let TrainTask::Classify(task) = &mut spec.task {
                for (column, asked) in [&mut task.text, &mut task.label].into_iter().zip(columns) {
                    *column = asked.or(column.take());
                }
            }
            let part = split.map_or(DataPart::Validation, SplitName::part);
            Ok(LossesData::Run(Box::new(spec), part))
        }
        (_, _, None) => Err(UserError::new(
            "Nothing tells what is measured.",
            format!("{} has no run.json of a run that says what it learned from.", info.path.display()),
            "Give data with --data, without --split.",
        )),
    }
}

/// The run's data lies elsewhere now.
fn moved(spec: &mut TrainSpec, path: &Path) -> Result<(), UserError> {
    match &mut spec.task {
        TrainTask::Text(task) => task.data = vec![path.to_owned()],
        TrainTask::Masked(task) => task.data = vec![path.to_owned()],
        TrainTask::Contrastive(task) => task.data = vec![path.to_owned()],
        TrainTask::Digits(task) => task.data = path.to_owned(),
        TrainTask::Classify(task) => task.data = path.to_owned(),
        TrainTask::Memory(_) => return Err(no_data()),
        TrainTask::FewShot(_) => {
            return Err(UserError::new(
                "The run's data is not one file.",
                "It learned from tables and texts, each by its own path.",
                "Leave out --data, or leave out --split.",
            ));
        }
    }
    Ok(())
}

/// A run that draws what it learns from has no data to be told.
pub(super) fn no_data() -> UserError {
    UserError::new(
        "The run reads no data.",
        "It draws questions from its seed: kind = \"memory\".",
        "Leave out --data.",
    )
}

fn measure(
    session: &Session,
    model: ModelId,
    spec: LossesSpec,
    interrupted: &AtomicBool,
) -> Result<Arc<LossesReport>, CliError> {
    let (job, progress) = (JobId::next(), bar(0));
    session.send(Command::start(job, model, Work::CompareLosses(spec)))?;
    let mut is_cancelled = false;
    let outcome = loop {
        let next = session.next(job, &mut |event| {
            if let Event::Progress { done, total, unit, .. } = event {
                progress.set_length(total);
                progress.set_position(done);
                progress.set_message(unit);
            }
            Ok(())
        })?;
        match next {
            Some(outcome) => break outcome,
            None if interrupted.load(Ordering::Relaxed) && !is_cancelled => {
                is_cancelled = true;
                session.send(Command::Cancel { job })?;
            }
            None => {}
        }
    };
    progress.finish_and_clear();
    match outcome {
        Outcome::LossesCompared(report) => Ok(report),
        Outcome::Cancelled => Err(CliError::Interrupted),
        _ => Err(unexpected()),
    }
}

fn print_rows(report: &LossesReport, with_tokens: bool) -> Result<(), CliError> {
    for row in &report.rows {
        if with_tokens || row.tokens.is_empty() {
            print_json(&**row)?;
        } else {
            print_json(&LossRow { tokens: Vec::new(), ..(**row).clone() })?;
        }
    }
    let LossesReport { models: [before, after], data, labels, rows, of, .. } = report;
    print_json(&Done { before, after, data, labels, examples: rows.len(), of: *of, summary: report.summary() })
}

/// The summary, then what was helped and harmed most.
fn describe(report: &LossesReport, top: usize) -> String {
    let [before, after] = &report.models;
    let mut text = format!("{before} → {after} on {}\n{}\n", report.data, report.in_words());
    if report.rows.len() < report.of {
        text += &format!("{} of {} examples, spread evenly over them\n", report.rows.len(), report.of);
    }
    if let Some(words) = report.cut_in_words() {
        text += &format!("{words}\n");
    }
    for (order, name) in [(LossOrder::Help, "Helped most"), (LossOrder::Harm, "Harmed most")] {
        let is_meant = |row: &&Arc<LossRow>| match order {
            LossOrder::Help => row.change() < 0.0,
            _ => row.change() > 0.0,
        };
        let places = order.sorted(&report.rows);
        let rows: Vec<_> = places.iter().map(|place| &report.rows[*place]).filter(is_meant).take(top).collect();
        if rows.is_empty() {
            continue;
        }
        text += &format!("{name}, in {}:\n    before     after    change  example\n", report.unit());
        for row in rows {
            let ([before, after], change) = (row.losses, row.change());
            text += &format!("{before:>10.4}{after:>10.4}{change:>+10.4}  {}\n", excerpt(report, row));
        }
    }
    text
}

fn excerpt(report: &LossesReport, row: &LossRow) -> String {
    let line = row.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = line.chars().take(SHOWN).collect();
    let more = if cut.len() < line.len() { "…" } else { "" };
    let label = row.told.as_ref().map_or_else(String::new, |told| format!("  [{}]", report.label(told.label)));
    format!("{}: {}{more}{}", row.place, printable(&cut), printable(&label))
}
