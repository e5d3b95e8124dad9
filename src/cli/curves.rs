//! `fovea figure curves`.

use super::CliError;
use super::output::write_file;
use crate::chart::{
    CurveFigure, Format, Metric, RunCurve, RunMarks, StepSize, TimeAxis, curve_figure, left_out_words, number,
};
use crate::engine::{read_curve, read_imported, read_run_record};
use crate::types::{TrainPoint, UserError, best_validation, broken_step};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// `fovea figure curves`.
#[derive(Debug, Args)]
pub struct CurvesArgs {
    /// Folders of runs, of this program or another: a trainer_state.json, an event file of TensorBoard, or a folder that holds one
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// The file to write: its ending (svg, png or csv) chooses the format
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// What the vertical axis shows
    #[arg(long, value_enum, default_value_t)]
    pub of: Quantity,
    /// What runs lie over each other by
    #[arg(long, value_enum, default_value_t)]
    pub by: By,
    /// Equal distances are equal ratios of steps
    #[arg(long)]
    pub log_x: bool,
    /// Equal distances are equal ratios of loss
    #[arg(long)]
    pub log_y: bool,
    /// Weight of the past in the moving average of the training loss; 0 draws the raw values alone
    #[arg(long, value_name = "W", default_value_t = 0.9)]
    pub smoothing: f64,
    /// Draw learning rate and gradient norm below
    #[arg(long)]
    pub below: bool,
}

/// What is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Quantity {
    /// Training and validation loss
    #[default]
    Loss,
    /// Validation accuracy
    Accuracy,
}

/// The horizontal axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Optimiser steps
    #[default]
    Step,
    /// Tokens or images learned from
    Token,
    /// Seconds of training
    Second,
    /// Additions and multiplications, six for each weight and token
    Operation,
}

/// A curve that was read.
struct Curve {
    name: String,
    points: Vec<TrainPoint>,
    step: StepSize,
    marks: RunMarks,
}

/// Draws learning curves over each other, and says on standard output where each ends.
pub(super) fn run(args: &CurvesArgs) -> Result<(), CliError> {
    let format = Format::from_path(&args.out).map_err(UserError::from)?;
    if !(0.0..1.0).contains(&args.smoothing) {
        let why = "The past weighs from 0 up to, but not including, 1.";
        return Err(
            UserError::new(format!("--smoothing is {}.", args.smoothing), why, "Use a value such as 0.9.").into()
        );
    }
    let curves = args.runs.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<&str> = curves.iter().map(|curve| curve.name.as_str()).collect();
    let what = if args.of == Quantity::Accuracy { "validation accuracy" } else { "training and validation loss" };
    let runs = curves.iter().enumerate().map(|(hue, curve)| {
        let Curve { name, points, step, marks } = curve;
        RunCurve { name, hue, points, step: *step, marks: *marks }
    });
    let figure = CurveFigure {
        title: format!("{}: {what}", names.join(", ")),
        runs: runs.collect(),
        metric: if args.of == Quantity::Accuracy { Metric::Accuracy } else { Metric::Loss },
        time: match args.by {
            By::Step => TimeAxis::Steps,
            By::Token => TimeAxis::Examples,
            By::Second => TimeAxis::Seconds,
            By::Operation => TimeAxis::Operations,
        },
        log_x: args.log_x,
        log_y: args.log_y,
        smoothing: args.smoothing,
        below: if args.below { vec![Metric::LearningRate, Metric::GradientNorm] } else { Vec::new() },
        levels: Vec::new(),
    };
    write_file(&args.out, &curve_figure(&figure, format).map_err(UserError::from)?)?;
    if let Some(words) = left_out_words(&figure) {
        super::output::tell(format_args!("{words}"));
    }
    let lines = curves.iter().map(|curve| describe(curve) + "\n");
    super::output::print(&lines.collect::<String>())
}

/// A run of ours by its folder, or a curve of another program.
fn read(path: &Path) -> Result<Curve, UserError> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    if let Some(run) = read_run_record(path) {
        let points = read_curve(path);
        let (examples, operations) = (run.spec.examples_per_step(), run.operations_per_step());
        let settled = run.summary.as_ref().and_then(|summary| summary.settled.map(|_| summary.steps));
        let marks =
            RunMarks { best: best_validation(&points).map(|best| best.0), settled, broken: broken_step(&points) };
        return Ok(Curve { name, points, step: StepSize { examples: Some(examples as f64), operations }, marks });
    }
    let curve = read_imported(path)?;
    let marks =
        RunMarks { best: best_validation(&curve.points).map(|best| best.0), settled: None, broken: curve.broken };
    let step = StepSize { examples: curve.tokens_per_step(), operations: None };
    // The folder says more than a name that all of them have.
    let folder = path.parent().and_then(Path::file_name).filter(|_| !path.is_dir());
    let name = folder.map_or(name, |folder| folder.to_string_lossy().into_owned());
    Ok(Curve { name, points: curve.points, step, marks })
}

fn describe(curve: &Curve) -> String {
    let Some(last) = curve.points.last() else { return format!("{}: nothing was measured", curve.name) };
    let loss = curve.points.iter().rev().map(|point| point.loss).find(|loss| loss.is_finite());
    let loss = loss.map_or(String::new(), |loss| format!(", last training loss {}", number(loss)));
    let best = best_validation(&curve.points);
    let best =
        best.map_or(String::new(), |(step, loss)| format!(", best validation loss {} at step {step}", number(loss)));
    let broken = curve.marks.broken.map_or(String::new(), |step| format!(", no number at step {step}"));
    format!("{}: {} steps{loss}{best}{broken}", curve.name, last.step)
}
