//! Learning curves as a figure.

use super::ink::{AXIS, GRID, MUTED, hue};
use super::lines::{CurveFigure, CurveLine, LineKind, Metric, TimeAxis, curve_lines, spread_labels};
use super::page::{MARGIN, TITLE, begin};
use super::sheet::{Align, Draw, Sheet, TextLook, picture};
use super::text::{shortened, width};
use super::ticks::{Tick, linear_ticks, log_ticks, number};
use super::{ChartError, Format, envelope, table};
use plotters::prelude::DrawingBackend;

const SIZE: (f64, f64) = (960.0, 560.0);
const BODY: f64 = 12.0;
const LABEL_GAP: f64 = 16.0;

/// Draws learning curves, or writes all their points.
///
/// # Errors
/// [`ChartError::Empty`] when no run has a point that the axes can show, and the encoders' own.
pub fn curve_figure(figure: &CurveFigure<'_>, format: Format) -> Result<Vec<u8>, ChartError> {
    if figure.runs.iter().all(|run| run.points.is_empty()) {
        return Err(ChartError::Empty("no run has reported a step yet"));
    }
    if format == Format::Csv {
        return table::curve_table(&figure.runs);
    }
    let lines = curve_lines(figure);
    if lines.is_empty() {
        return Err(ChartError::Empty("no value was measured for these axes"));
    }
    picture(&CurvePicture::new(figure, lines), format)
}

/// One axis: data units to page units.
struct Axis {
    lo: f64,
    hi: f64,
    log: bool,
    from: f64,
    to: f64,
}

impl Axis {
    fn new(values: impl Iterator<Item = f64>, log: bool, from: f64, to: f64) -> Self {
        let (mut lo, mut hi) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
        if hi <= lo {
            // One value: room on both sides of it.
            let room = if lo == 0.0 { 1.0 } else { lo.abs() * 0.5 };
            (lo, hi) = if log { (lo / 2.0, hi * 2.0) } else { (lo - room, hi + room) };
        }
        Self { lo, hi, log, from, to }
    }

    /// The same axis with room at both ends.
    fn padded(mut self, share: f64) -> Self {
        if self.log {
            let factor = (self.hi / self.lo).powf(share);
            (self.lo, self.hi) = (self.lo / factor, self.hi * factor);
        } else {
            let room = (self.hi - self.lo) * share;
            (self.lo, self.hi) = (self.lo - room, self.hi + room);
        }
        self
    }

    fn place(&self, value: f64) -> f64 {
        let share = if self.log {
            (value / self.lo).ln() / (self.hi / self.lo).ln()
        } else {
            (value - self.lo) / (self.hi - self.lo)
        };
        self.from + share * (self.to - self.from)
    }

    fn ticks(&self, target: usize) -> Vec<Tick> {
        if self.log { log_ticks(self.lo, self.hi, target) } else { linear_ticks(self.lo, self.hi, target) }
    }
}

struct CurvePicture<'a> {
    figure: &'a CurveFigure<'a>,
    lines: Vec<CurveLine>,
    x: Axis,
    y: Axis,
}

impl<'a> CurvePicture<'a> {
    fn new(figure: &'a CurveFigure<'a>, lines: Vec<CurveLine>) -> Self {
        let names = lines.iter().map(|l| width(&shortened(&l.label, 28), BODY, false)).fold(0.0, f64::max);
        let (left, right) = (MARGIN + 72.0, SIZE.0 - MARGIN - names - 10.0);
        let (top, bottom) = (MARGIN + TITLE + 20.0, SIZE.1 - MARGIN - 36.0);
        let all = |axis: usize| lines.iter().flat_map(move |l| l.points.iter().map(move |p| p[axis]));
        let x = Axis::new(all(0), figure.log_x, left, right);
        let y = Axis::new(all(1), figure.log_y, bottom, top).padded(0.04);
        Self { figure, x, y, lines }
    }

    fn axes_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let look = TextLook { size: BODY, bold: false, color: MUTED, align: Align::End, upward: false };
        for tick in self.y.ticks(7) {
            let y = self.y.place(tick.value);
            sheet.line(&[[self.x.from, y], [self.x.to, y]], 0.8, GRID, 1.0)?;
            sheet.text(&tick.label, self.x.from - 8.0, y, look)?;
        }
        let middle = TextLook { align: Align::Middle, ..look };
        for tick in self.x.ticks(8) {
            let x = self.x.place(tick.value);
            let long = if tick.label.is_empty() { 3.0 } else { 5.0 };
            sheet.line(&[[x, self.y.from], [x, self.y.from + long]], 0.8, AXIS, 1.0)?;
            sheet.text(&tick.label, x, self.y.from + 9.0 + BODY / 2.0, middle)?;
        }
        sheet.line(&[[self.x.from, self.y.from], [self.x.to, self.y.from]], 1.0, AXIS, 1.0)?;
        let time = match self.figure.time {
            TimeAxis::Steps => "step",
            TimeAxis::Seconds => "seconds of training",
        };
        let metric = match self.figure.metric {
            Metric::Loss => "cross-entropy loss in nats",
            Metric::Accuracy => "share classified rightly",
        };
        let named = |log: bool, name: &str| if log { format!("{name} (log scale)") } else { name.to_owned() };
        let centre = (self.x.from + self.x.to) / 2.0;
        sheet.text(&named(self.figure.log_x, time), centre, SIZE.1 - MARGIN - BODY / 2.0 + 4.0, middle)?;
        let upward = TextLook { upward: true, ..middle };
        let centre = (self.y.from + self.y.to) / 2.0;
        sheet.text(&named(self.figure.log_y, metric), MARGIN + BODY / 2.0, centre, upward)
    }

    fn lines_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let columns = ((self.x.to - self.x.from) * 2.0) as usize;
        for line in &self.lines {
            // Pixel columns are even on the page, so the envelope is taken there, not in data units.
            let placed: Vec<[f64; 2]> = line.points.iter().map(|p| [self.x.place(p[0]), self.y.place(p[1])]).collect();
            let path = envelope(&placed, self.x.from, self.x.to, columns);
            let color = hue(line.hue);
            let smoothed = self.lines.iter().any(|l| l.run == line.run && l.kind == LineKind::Smoothed);
            match line.kind {
                LineKind::Raw if smoothed => sheet.line(&path, 1.0, color, 0.3)?,
                LineKind::Raw | LineKind::Smoothed => sheet.line(&path, 1.8, color, 1.0)?,
                LineKind::Validation => {
                    if self.figure.runs.len() > 1 {
                        // Of several runs each has one hue, so the kind of line must show in another way.
                        sheet.dashed(&path, 1.4, color)?;
                    } else {
                        sheet.line(&path, 1.4, color, 1.0)?;
                    }
                    if path.len() <= 200 {
                        for point in &path {
                            sheet.dot(point[0], point[1], 2.6, color)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn names_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let named: Vec<&CurveLine> = self.lines.iter().filter(|l| !l.label.is_empty()).collect();
        let wishes: Vec<f64> = named.iter().filter_map(|l| l.points.last()).map(|p| self.y.place(p[1])).collect();
        let placed = spread_labels(&wishes, LABEL_GAP, self.y.to, self.y.from);
        for (line, y) in named.iter().zip(placed) {
            let look = TextLook { size: BODY, bold: false, color: hue(line.hue), align: Align::Start, upward: false };
            sheet.text(&shortened(&line.label, 28), self.x.to + 10.0, y, look)?;
        }
        Ok(())
    }
}

impl Draw for CurvePicture<'_> {
    fn size(&self) -> (u32, u32) {
        (SIZE.0 as u32, SIZE.1 as u32)
    }

    fn description(&self) -> (String, String) {
        let ends: Vec<String> = self
            .lines
            .iter()
            .filter(|l| !l.label.is_empty())
            .filter_map(|l| Some((l, l.points.first()?, l.points.last()?)))
            .map(|(l, first, last)| format!("{}: from {} to {}", l.label, number(first[1]), number(last[1])))
            .collect();
        (self.figure.title.clone(), ends.join("; "))
    }

    fn draw<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        begin(sheet, SIZE, &self.figure.title)?;
        self.axes_on(sheet)?;
        self.lines_on(sheet)?;
        self.names_on(sheet)
    }
}

#[cfg(test)]
#[path = "curve_tests.rs"]
mod tests;
