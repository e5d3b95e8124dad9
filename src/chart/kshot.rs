//! Accuracy against the number of examples as a figure: for every series the mean over seeds, and the band between the
//! lowest and the highest seed.

use super::ink::{AXIS, GRID, MUTED, hue};
use super::lines::spread_labels;
use super::page::{MARGIN, TITLE, begin};
use super::sheet::{Align, Draw, Sheet, TextLook, picture};
use super::text::{shortened, width};
use super::ticks::{linear_ticks, number};
use super::{ChartError, Format, table};
use crate::types::KShotPoint;
use plotters::prelude::DrawingBackend;
use std::collections::BTreeMap;

const SIZE: (f64, f64) = (800.0, 480.0);
const BODY: f64 = 12.0;
const LABEL_GAP: f64 = 16.0;
/// Characters of a series' name.
const NAME: usize = 28;

/// What the vertical axis shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KShotMetric {
    /// Share of right answers, from 0 to 100 %.
    #[default]
    Accuracy,
    /// Mean of ln P(right answer).
    LogProb,
}

/// One curve to draw.
#[derive(Clone, Copy, Debug)]
pub struct KShotSeries<'a> {
    /// Name at its end: of a task, a model or a variant.
    pub name: &'a str,
    /// Its hue: the same series keeps it when others are hidden.
    pub hue: usize,
    /// Its points, in any order.
    pub points: &'a [KShotPoint],
}

/// Curves as they are to be drawn.
#[derive(Clone, Debug)]
pub struct KShotFigure<'a> {
    /// Written above the figure.
    pub title: String,
    /// The curves.
    pub series: Vec<KShotSeries<'a>>,
    /// Vertical axis.
    pub metric: KShotMetric,
}

/// What the seeds of one number of examples say together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KShotBand {
    /// Examples.
    pub k: usize,
    /// Mean over seeds.
    pub mean: f64,
    /// The lowest seed.
    pub low: f64,
    /// The highest seed.
    pub high: f64,
}

/// Mean, lowest and highest value of every k, in rising order; values that are no finite number are left out.
#[must_use]
pub fn kshot_bands(points: &[KShotPoint], metric: KShotMetric) -> Vec<KShotBand> {
    let mut by_k: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for point in points {
        let value = match metric {
            KShotMetric::Accuracy => point.accuracy(),
            KShotMetric::LogProb => point.mean_log_prob,
        };
        if value.is_finite() {
            by_k.entry(point.k).or_default().push(value);
        }
    }
    let band = |(k, values): (usize, Vec<f64>)| KShotBand {
        k,
        mean: values.iter().sum::<f64>() / values.len() as f64,
        low: values.iter().copied().fold(f64::INFINITY, f64::min),
        high: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    };
    by_k.into_iter().map(band).collect()
}

/// Where a number of examples stands on a horizontal axis, in its own units: log₂(k + 1), so that 0 has a place and every
/// doubling takes about the same room.
#[must_use]
pub fn kshot_place(k: usize) -> f64 {
    (k as f64 + 1.0).log2()
}

/// Draws the curves, or writes all their points.
///
/// # Errors
/// [`ChartError::Empty`] when there is no point, and the encoders' own.
pub fn kshot_figure(figure: &KShotFigure<'_>, format: Format) -> Result<Vec<u8>, ChartError> {
    let curves: Vec<Curve<'_>> = figure.series.iter().filter_map(|series| Curve::new(series, figure.metric)).collect();
    if curves.is_empty() {
        return Err(ChartError::Empty("no point was measured yet"));
    }
    if format == Format::Csv {
        return table::kshot_table(&figure.series);
    }
    let (metric, is_share) = match figure.metric {
        KShotMetric::Accuracy => ("right answers", true),
        KShotMetric::LogProb => ("mean ln P of the right answer", false),
    };
    let look = Look { title: &figure.title, metric, is_share, axis: "examples in the prompt (log scale)", base: None };
    picture(&ByExamples::new(look, curves), format)
}

/// What is written beside curves against the number of examples.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub title: &'a str,
    /// What the vertical axis shows.
    pub metric: &'a str,
    /// True where that is a share of 1.
    pub is_share: bool,
    /// What the horizontal axis counts.
    pub axis: &'a str,
    /// A value to be compared with, and its name.
    pub base: Option<(f64, &'a str)>,
}

/// One curve.
pub(super) struct Curve<'a> {
    pub name: &'a str,
    pub hue: usize,
    pub bands: Vec<KShotBand>,
}

impl<'a> Curve<'a> {
    fn new(series: &KShotSeries<'a>, metric: KShotMetric) -> Option<Self> {
        let bands = kshot_bands(series.points, metric);
        (!bands.is_empty()).then_some(Self { name: series.name, hue: series.hue, bands })
    }
}

/// Curves against the number of examples, to be drawn.
pub(super) struct ByExamples<'a> {
    look: Look<'a>,
    curves: Vec<Curve<'a>>,
    /// Left and right end of the horizontal axis, bottom and top of the vertical one, on the page.
    page: [f64; 4],
    /// Values at bottom and top.
    values: [f64; 2],
    /// Every k of any curve.
    ks: Vec<usize>,
}

impl<'a> ByExamples<'a> {
    pub(super) fn new(look: Look<'a>, curves: Vec<Curve<'a>>) -> Self {
        let names = curves.iter().map(|c| width(&shortened(c.name, NAME), BODY, false)).fold(0.0, f64::max);
        let (left, right) = (MARGIN + 64.0, SIZE.0 - MARGIN - names - 14.0);
        let (bottom, top) = (SIZE.1 - MARGIN - 40.0, MARGIN + TITLE + 22.0);
        let all = || curves.iter().flat_map(|curve| &curve.bands);
        let values = if look.is_share {
            [0.0, 1.0]
        } else {
            let low = all().map(|band| band.low).fold(f64::INFINITY, f64::min);
            let high = all().map(|band| band.high).fold(f64::NEG_INFINITY, f64::max);
            let room = ((high - low) * 0.06).max(0.1);
            [low - room, high + room]
        };
        let mut ks: Vec<usize> = all().map(|band| band.k).collect();
        ks.sort_unstable();
        ks.dedup();
        Self { look, curves, page: [left, right, bottom, top], values, ks }
    }

    /// A little in from both ends, so that no dot lies on the axis.
    fn x(&self, k: usize) -> f64 {
        let [left, right, ..] = self.page;
        let (first, last) = (self.ks.first(), self.ks.last());
        let (low, high) = (first.map_or(0.0, |k| kshot_place(*k)), last.map_or(0.0, |k| kshot_place(*k)));
        let share = if high > low { (kshot_place(k) - low) / (high - low) } else { 0.5 };
        left + 14.0 + share * (right - left - 28.0)
    }

    fn y(&self, value: f64) -> f64 {
        let ([_, _, bottom, top], [low, high]) = (self.page, self.values);
        bottom + (value - low) / (high - low) * (top - bottom)
    }

    fn written(&self, value: f64) -> String {
        if self.look.is_share { format!("{:.0} %", value * 100.0) } else { number(value) }
    }

    fn axes_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let [left, right, bottom, top] = self.page;
        let look = TextLook { size: BODY, bold: false, color: MUTED, align: Align::End, upward: false };
        for tick in linear_ticks(self.values[0], self.values[1], 5) {
            let y = self.y(tick.value);
            sheet.line(&[[left, y], [right, y]], 0.8, GRID, 1.0)?;
            let label = if self.look.is_share { self.written(tick.value) } else { tick.label };
            sheet.text(&label, left - 8.0, y, look)?;
        }
        sheet.line(&[[left, bottom], [right, bottom]], 1.0, AXIS, 1.0)?;
        let middle = TextLook { align: Align::Middle, ..look };
        let mut written_to = f64::NEG_INFINITY;
        for &k in &self.ks {
            let (x, label) = (self.x(k), k.to_string());
            sheet.line(&[[x, bottom], [x, bottom + 5.0]], 0.8, AXIS, 1.0)?;
            let half = width(&label, BODY, false) / 2.0;
            if x - half > written_to + 4.0 {
                sheet.text(&label, x, bottom + 9.0 + BODY / 2.0, middle)?;
                written_to = x + half;
            }
        }
        if let Some((value, name)) = self.look.base {
            let y = self.y(value);
            sheet.dashed(&[[left, y], [right, y]], 1.2, MUTED)?;
            sheet.text(name, left + 6.0, y - BODY * 0.8, TextLook { align: Align::Start, ..look })?;
        }
        sheet.text(self.look.axis, (left + right) / 2.0, SIZE.1 - MARGIN - BODY / 2.0 + 4.0, middle)?;
        let metric = TextLook { upward: true, ..middle };
        sheet.text(self.look.metric, MARGIN + BODY / 2.0, (bottom + top) / 2.0, metric)
    }

    fn curves_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let path = |curve: &Curve<'_>, value: fn(&KShotBand) -> f64| -> Vec<[f64; 2]> {
            curve.bands.iter().map(|band| [self.x(band.k), self.y(value(band))]).collect()
        };
        // Bands first: a line is never under another's band.
        for curve in &self.curves {
            let mut outline = path(curve, |band| band.high);
            outline.extend(path(curve, |band| band.low).into_iter().rev());
            match outline.as_slice() {
                &[high, low] => sheet.line(&[high, low], 6.0, hue(curve.hue), 0.2)?,
                outline => sheet.area(outline, hue(curve.hue), 0.16)?,
            }
        }
        for curve in &self.curves {
            let mean = path(curve, |band| band.mean);
            sheet.line(&mean, 1.8, hue(curve.hue), 1.0)?;
            for [x, y] in mean {
                sheet.dot(x, y, 3.0, hue(curve.hue))?;
            }
        }
        Ok(())
    }

    fn names_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let [_, right, bottom, top] = self.page;
        let ends = self.curves.iter().filter_map(|curve| curve.bands.last());
        let wishes: Vec<f64> = ends.map(|band| self.y(band.mean)).collect();
        for (curve, y) in self.curves.iter().zip(spread_labels(&wishes, LABEL_GAP, top, bottom)) {
            let look = TextLook { size: BODY, bold: false, color: hue(curve.hue), align: Align::Start, upward: false };
            sheet.text(&shortened(curve.name, NAME), right + 10.0, y, look)?;
        }
        Ok(())
    }
}

impl Draw for ByExamples<'_> {
    fn size(&self) -> (u32, u32) {
        (SIZE.0 as u32, SIZE.1 as u32)
    }

    fn description(&self) -> (String, String) {
        let of_curve = |curve: &Curve<'_>| {
            let point = |band: &KShotBand| {
                let [mean, low, high] = [band.mean, band.low, band.high].map(|value| self.written(value));
                format!("k = {}: {mean} ({low} to {high})", band.k)
            };
            format!("{}: {}", curve.name, curve.bands.iter().map(point).collect::<Vec<_>>().join(", "))
        };
        let base = self.look.base.map(|(value, name)| format!("{name}: {}; ", self.written(value))).unwrap_or_default();
        (self.look.title.to_owned(), base + &self.curves.iter().map(of_curve).collect::<Vec<_>>().join("; "))
    }

    fn draw<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        begin(sheet, SIZE, self.look.title)?;
        self.axes_on(sheet)?;
        self.curves_on(sheet)?;
        self.names_on(sheet)
    }
}

#[cfg(test)]
#[path = "kshot_tests.rs"]
mod tests;
