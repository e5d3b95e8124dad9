//! The curves of all runs on show, beside what counting reaches on the same text.

use super::form::Learns;
use super::race::Runner;
use crate::chart::{CurveFigure, CurveLevel, Metric, RunCurve, RunMarks, StepSize, TimeAxis};
use crate::types::{BaselinesReport, TrainPoint, best_validation};
use crate::ui::State;
use serde::{Deserialize, Serialize};

/// Steps up to which a curve is smoothed less: it falls so fast that its mean would lag behind.
const SHORT: usize = 400;

/// The vertical axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Measure {
    #[default]
    Loss,
    /// Of runs that predict the next token.
    BitsPerByte,
    /// Of runs that fill blanks.
    Right,
}

/// The horizontal axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Time {
    #[default]
    Steps,
    Tokens,
    Seconds,
}

impl Time {
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Steps, "Steps"), (Self::Tokens, "Tokens"), (Self::Seconds, "Seconds")];

    fn axis(self) -> TimeAxis {
        match self {
            Self::Steps => TimeAxis::Steps,
            Self::Tokens => TimeAxis::Examples,
            Self::Seconds => TimeAxis::Seconds,
        }
    }
}

/// How curves are looked at. It survives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Look {
    pub next: Measure,
    pub blanks: Measure,
    pub time: Time,
    pub log_x: bool,
    pub counting: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self { next: Measure::Loss, blanks: Measure::Right, time: Time::Steps, log_x: false, counting: true }
    }
}

impl Look {
    /// The choices of the vertical axis, and which is taken.
    pub fn measure(&mut self, learns: Learns) -> (&mut Measure, [(Measure, &'static str); 2]) {
        match learns {
            Learns::Next => {
                (&mut self.next, [(Measure::Loss, "Nats per token"), (Measure::BitsPerByte, "Bits per byte")])
            }
            Learns::Blanks => (&mut self.blanks, [(Measure::Right, "Blanks right"), (Measure::Loss, "Loss")]),
        }
    }
}

/// Bits a byte for each nat a token, where the next token was counted.
pub(super) fn bits_per_nat(counted: Option<&BaselinesReport>) -> Option<f64> {
    let row = counted?.next.as_ref()?.rows.first()?;
    Some(row.bits_per_byte / row.nats_per_token).filter(|bits| bits.is_finite())
}

/// Curves with losses in bits a byte, made again when points came.
#[derive(Default)]
pub(super) struct InBits {
    each: Vec<(usize, u64, Vec<TrainPoint>)>,
}

impl InBits {
    fn update(&mut self, curves: &[&[TrainPoint]], bits: f64) {
        self.each.resize_with(curves.len(), Default::default);
        for (kept, points) in self.each.iter_mut().zip(curves) {
            // Another run in the same place has other points from the first on.
            let stamp = points.first().map_or(0, |point| point.loss.to_bits() ^ bits.to_bits());
            if (kept.0, kept.1) != (points.len(), stamp) {
                let scaled = |point: &TrainPoint| TrainPoint {
                    loss: point.loss * bits,
                    validation_loss: point.validation_loss.map(|loss| loss * bits),
                    validation_sets: Vec::new(),
                    ..point.clone()
                };
                *kept = (points.len(), stamp, points.iter().map(scaled).collect());
            }
        }
    }
}

/// What is drawn of runs that learn the same.
pub(super) fn figure<'a>(
    state: &'a State,
    runners: &'a [Runner],
    learns: Learns,
    look: &Look,
    counted: Option<&BaselinesReport>,
    scaled: &'a mut InBits,
) -> CurveFigure<'a> {
    let mut look = look.clone();
    let mut measure = *look.measure(learns).0;
    let bits = bits_per_nat(counted);
    if measure == Measure::BitsPerByte && bits.is_none() {
        measure = Measure::Loss;
    }
    let shown = |runner: &&Runner| runner.learns == learns && !runner.hidden;
    let shown: Vec<&Runner> = runners.iter().filter(shown).collect();
    let mut curves: Vec<&[TrainPoint]> = shown.iter().map(|runner| runner.points(state)).collect();
    if let (Measure::BitsPerByte, Some(bits)) = (measure, bits) {
        scaled.update(&curves, bits);
        curves = scaled.each.iter().map(|(.., points)| points.as_slice()).collect();
    }
    let curve = |(runner, points): (&&'a Runner, &'a [TrainPoint])| RunCurve {
        name: &runner.name,
        hue: runner.hue,
        points,
        step: StepSize { examples: runner.spec.as_ref().map(|spec| spec.examples_per_step() as f64), operations: None },
        marks: RunMarks { best: passed_best(points), ..RunMarks::default() },
    };
    let curves_are_short = curves.iter().all(|points| points.last().is_none_or(|last| last.step <= SHORT));
    let levels = counted.filter(|_| look.counting).map(|counted| levels(counted, measure)).unwrap_or_default();
    CurveFigure {
        title: match learns {
            Learns::Next => "Learning to predict the next token".to_owned(),
            Learns::Blanks => "Learning to fill blanks".to_owned(),
        },
        runs: shown.iter().zip(curves).map(curve).collect(),
        metric: match measure {
            Measure::Loss => Metric::Loss,
            Measure::BitsPerByte => Metric::BitsPerByte,
            Measure::Right => Metric::Accuracy,
        },
        time: look.time.axis(),
        log_x: look.log_x,
        log_y: false,
        smoothing: if curves_are_short { 0.6 } else { 0.9 },
        below: Vec::new(),
        levels,
    }
}

/// The step of the best validation where worse ones have followed: a best that is the newest needs no mark.
fn passed_best(points: &[TrainPoint]) -> Option<usize> {
    let newest = points.iter().rev().find(|point| point.validation_loss.is_some())?.step;
    best_validation(points).map(|best| best.0).filter(|best| *best < newest)
}

/// What counting reaches, in the unit of the axis.
fn levels(counted: &BaselinesReport, measure: Measure) -> Vec<CurveLevel> {
    let level = |name: &str, value: f64| CurveLevel { name: name.to_owned(), value };
    match (measure, &counted.next, &counted.blanks) {
        (Measure::Right, _, Some(blanks)) => blanks.rows.iter().map(|row| level(&row.name, row.right)).collect(),
        (Measure::Loss, Some(next), _) => next.rows.iter().map(|row| level(&row.name, row.nats_per_token)).collect(),
        (Measure::BitsPerByte, Some(next), _) => {
            let rows = next.rows.iter().map(|row| level(&row.name, row.bits_per_byte));
            rows.chain([level("gzip", next.gzip.bits_per_byte)]).collect()
        }
        _ => Vec::new(),
    }
}
