//! Ways to adapt a model against the number of examples, as a figure and as a table.

use super::kshot::{ByExamples, Curve, KShotBand, Look};
use super::sheet::picture;
use super::table::Rows;
use super::{ChartError, Format};
use crate::types::{AdaptMetric, AdaptReport, LabelNoise, Way, adapt_curve};

/// The curves of a comparison under one treatment of labels.
#[derive(Clone, Copy, Debug)]
pub struct AdaptFigure<'a> {
    /// Name of the model.
    pub model: &'a str,
    /// What was measured.
    pub report: &'a AdaptReport,
    /// Vertical axis.
    pub metric: AdaptMetric,
    /// What was done to the labels.
    pub noise: LabelNoise,
}

/// Draws means and 95 % intervals over seeds, or writes every point.
///
/// # Errors
/// [`ChartError::Empty`] when there is no point, and the encoders' own.
pub fn adapt_figure(figure: &AdaptFigure<'_>, format: Format) -> Result<Vec<u8>, ChartError> {
    let AdaptFigure { model, report, metric, noise } = *figure;
    if report.points.is_empty() {
        return Err(ChartError::Empty("no point was measured yet"));
    }
    if format == Format::Csv {
        return table(report);
    }
    let curve = |(hue, way): (usize, Way)| {
        let bands = adapt_curve(&report.points, way, noise, metric).into_iter().map(|cell| {
            let [low, high] = cell.ends(metric);
            KShotBand { k: cell.size, mean: cell.mean, low, high }
        });
        let bands: Vec<KShotBand> = bands.collect();
        (!bands.is_empty()).then(|| Curve { name: way.title(), hue, bands })
    };
    let curves: Vec<Curve<'_>> = Way::ALL.into_iter().enumerate().filter_map(curve).collect();
    if curves.is_empty() {
        return Err(ChartError::Empty("no point was measured with such labels"));
    }
    let with = if noise == LabelNoise::True { String::new() } else { format!(", {}", noise.name()) };
    let data = report.spec.data.data.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let seeds = report.spec.seeds.len();
    let tested = format!("{} {}", report.test.len(), report.kind.plural());
    let title = format!("{model} on {data}{with}: mean of {seeds} seeds, 95 % intervals, {tested}");
    let (metric, is_share) = match metric {
        AdaptMetric::Accuracy => ("right answers", true),
        AdaptMetric::MacroF1 => ("mean F1 of the classes", true),
        AdaptMetric::LogProb => ("mean ln P of the right class", false),
    };
    let base = matches!(figure.metric, AdaptMetric::Accuracy).then_some((report.base_rate, "most common class"));
    let look = Look { title: &title, metric, is_share, axis: "labelled examples (log scale)", base };
    picture(&ByExamples::new(look, curves), format)
}

fn table(report: &AdaptReport) -> Result<Vec<u8>, ChartError> {
    let mut rows = Rows::new();
    let head = [
        "way",
        "labels",
        "examples",
        "seed",
        "examples_used",
        "tested",
        "correct",
        "accuracy",
        "macro_f1",
        "log_prob",
        "seconds_to_adapt",
        "milliseconds_a_query",
        "tokens_a_query",
        "numbers_learned",
        "bytes",
        "peak_bytes",
    ];
    rows.write(head.map(str::to_owned))?;
    for point in &report.points {
        rows.write([
            point.way.name().to_owned(),
            point.noise.name().to_owned(),
            point.size.to_string(),
            point.seed.to_string(),
            point.used.to_string(),
            point.said.len().to_string(),
            point.correct.to_string(),
            point.accuracy().to_string(),
            point.macro_f1.to_string(),
            point.log_prob.to_string(),
            point.adapt_s.to_string(),
            point.query_ms.to_string(),
            point.tokens_a_query.to_string(),
            point.learned.to_string(),
            point.bytes.to_string(),
            point.peak_bytes.map(|bytes| bytes.to_string()).unwrap_or_default(),
        ])?;
    }
    rows.finish()
}
