//! Learning curves as a figure.

use super::ink::{AXIS, GRID, MUTED, TEXT, TROUBLE, hue};
use super::lines::{CurveFigure, CurveLine, LineKind, curve_lines, spread_labels};
use super::marks::{curve_marks, left_out_words};
use super::page::{MARGIN, TITLE, begin};
use super::sheet::{Align, Draw, Sheet, TextLook, picture};
use super::text::{shortened, width};
use super::ticks::{Tick, linear_ticks, log_ticks, number};
use super::{ChartError, Format, envelope, table};
use plotters::prelude::DrawingBackend;

const SIZE: (f64, f64) = (960.0, 560.0);
const BODY: f64 = 12.0;
const LABEL_GAP: f64 = 16.0;
/// Of a low axis below, and from one to the next.
const LOW_HEIGHT: f64 = 64.0;
const LOW_STRIDE: f64 = 96.0;

/// Draws learning curves, or writes all their points.
///
/// # Errors
/// [`ChartError::Empty`] when no run has a point that the axes can show, and the encoders' own.
pub fn curve_figure(figure: &CurveFigure<'_>, format: Format) -> Result<Vec<u8>, ChartError> {
    if figure.runs.iter().all(|run| run.points.is_empty()) {
        return Err(ChartError::Empty("no run has reported a step yet"));
    }
    if format == Format::Csv {
        return table::curve_table(figure);
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

/// A low axis below the main one.
struct Low<'a> {
    figure: CurveFigure<'a>,
    lines: Vec<CurveLine>,
    y: Axis,
}

struct CurvePicture<'a> {
    figure: &'a CurveFigure<'a>,
    lines: Vec<CurveLine>,
    x: Axis,
    y: Axis,
    below: Vec<Low<'a>>,
}

impl<'a> CurvePicture<'a> {
    fn new(figure: &'a CurveFigure<'a>, lines: Vec<CurveLine>) -> Self {
        let labels =
            lines.iter().map(|l| l.label.as_str()).chain(figure.levels.iter().map(|level| level.name.as_str()));
        let names = labels.map(|label| width(&shortened(label, 28), BODY, false)).fold(0.0, f64::max);
        let (left, right) = (MARGIN + 72.0, SIZE.0 - MARGIN - names - 10.0);
        let (top, bottom) = (MARGIN + TITLE + 20.0, SIZE.1 - MARGIN - 36.0);
        let all = |axis: usize| lines.iter().flat_map(move |l| l.points.iter().map(move |p| p[axis]));
        let marked = curve_marks(figure).into_iter().map(|mark| mark.x).collect::<Vec<_>>();
        let x = Axis::new(all(0).chain(marked), figure.log_x, left, right);
        let levels = figure.levels.iter().map(|level| level.value);
        let y = Axis::new(all(1).chain(levels), figure.log_y, bottom, top).padded(0.04);
        let mut below = Vec::new();
        for metric in &figure.below {
            let figure = figure.of(*metric);
            let lines = curve_lines(&figure);
            if lines.is_empty() {
                continue;
            }
            let from = bottom + (below.len() + 1) as f64 * LOW_STRIDE;
            let values = lines.iter().flat_map(|l| l.points.iter().map(|p| p[1]));
            let y = Axis::new(values, figure.log_y, from, from - LOW_HEIGHT).padded(0.06);
            below.push(Low { figure, lines, y });
        }
        Self { figure, x, y, lines, below }
    }

    fn height(&self) -> f64 {
        SIZE.1 + self.below.len() as f64 * LOW_STRIDE
    }

    fn axes_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let look = TextLook { size: BODY, bold: false, color: MUTED, align: Align::End, upward: false };
        self.y_axis_on(sheet, &self.y, self.figure, 7)?;
        for low in &self.below {
            self.y_axis_on(sheet, &low.y, &low.figure, 2)?;
        }
        let middle = TextLook { align: Align::Middle, ..look };
        let lowest = self.below.last().map_or(&self.y, |low| &low.y).from;
        for tick in self.x.ticks(8) {
            let x = self.x.place(tick.value);
            let long = if tick.label.is_empty() { 3.0 } else { 5.0 };
            sheet.line(&[[x, lowest], [x, lowest + long]], 0.8, AXIS, 1.0)?;
            sheet.text(&tick.label, x, lowest + 9.0 + BODY / 2.0, middle)?;
        }
        let centre = (self.x.from + self.x.to) / 2.0;
        let named = axis_name(self.figure.log_x, self.figure.time.title());
        sheet.text(&named, centre, self.height() - MARGIN - BODY / 2.0 + 4.0, middle)?;
        match left_out_words(self.figure) {
            Some(words) => sheet.text(&words, self.x.to, MARGIN + TITLE + 8.0, look),
            None => Ok(()),
        }
    }

    fn y_axis_on<B: DrawingBackend>(
        &self,
        sheet: &mut Sheet<'_, B>,
        y: &Axis,
        figure: &CurveFigure<'_>,
        ticks: usize,
    ) -> Result<(), ChartError> {
        let look = TextLook { size: BODY, bold: false, color: MUTED, align: Align::End, upward: false };
        for tick in y.ticks(ticks) {
            let at = y.place(tick.value);
            sheet.line(&[[self.x.from, at], [self.x.to, at]], 0.8, GRID, 1.0)?;
            sheet.text(&tick.label, self.x.from - 8.0, at, look)?;
        }
        sheet.line(&[[self.x.from, y.from], [self.x.to, y.from]], 1.0, AXIS, 1.0)?;
        if ticks < 4 {
            // A low axis has no room for its name beside it.
            let above = TextLook { align: Align::Start, ..look };
            return sheet.text(&axis_name(figure.log_y, figure.metric.title()), self.x.from, y.to - BODY, above);
        }
        let upward = TextLook { upward: true, align: Align::Middle, ..look };
        let centre = (y.from + y.to) / 2.0;
        sheet.text(&axis_name(figure.log_y, figure.metric.title()), MARGIN + BODY / 2.0, centre, upward)
    }

    fn path(&self, line: &CurveLine, y: &Axis) -> Vec<[f64; 2]> {
        // Pixel columns are even on the page, so the envelope is taken there, not in data units.
        let placed: Vec<[f64; 2]> = line.points.iter().map(|p| [self.x.place(p[0]), y.place(p[1])]).collect();
        envelope(&placed, self.x.from, self.x.to, ((self.x.to - self.x.from) * 2.0) as usize)
    }

    fn lines_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        for level in &self.figure.levels {
            let y = self.y.place(level.value);
            sheet.dashed(&[[self.x.from, y], [self.x.to, y]], 1.0, MUTED)?;
        }
        for line in &self.lines {
            let path = self.path(line, &self.y);
            let color = hue(line.hue);
            let smoothed = self.lines.iter().any(|l| l.run == line.run && l.kind == LineKind::Smoothed);
            match line.kind {
                LineKind::Raw if smoothed => sheet.line(&path, 1.0, color, 0.3)?,
                LineKind::Raw | LineKind::Smoothed => sheet.line(&path, 1.8, color, 1.0)?,
                LineKind::Validation | LineKind::ValidationSet => {
                    let (width, radius) = if line.kind == LineKind::Validation { (1.4, 2.6) } else { (0.9, 1.7) };
                    if self.figure.runs.len() > 1 {
                        // Of several runs each has one hue, so the kind of line must show in another way.
                        sheet.dashed(&path, width, color)?;
                    } else {
                        sheet.line(&path, width, color, 1.0)?;
                    }
                    if path.len() <= 200 {
                        for point in &path {
                            sheet.dot(point[0], point[1], radius, color)?;
                        }
                    }
                }
            }
        }
        for low in &self.below {
            for line in &low.lines {
                sheet.line(&self.path(line, &low.y), 1.4, hue(line.hue), 1.0)?;
            }
        }
        Ok(())
    }

    /// What is marked: a ring around a value, a line where there is none.
    fn marks_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        for (place, mark) in curve_marks(self.figure).iter().enumerate() {
            let x = self.x.place(mark.x);
            let color = if mark.is_trouble { TROUBLE } else { TEXT };
            let y = match mark.y {
                Some(y) => {
                    let y = self.y.place(y);
                    let turn = |i: u32| f64::from(i) / 24.0 * std::f64::consts::TAU;
                    let ring: Vec<[f64; 2]> =
                        (0..=24).map(|i| [x + 6.0 * turn(i).cos(), y + 6.0 * turn(i).sin()]).collect();
                    sheet.line(&ring, 1.4, color, 1.0)?;
                    y - 14.0
                }
                None => {
                    sheet.line(&[[x, self.y.from], [x, self.y.to]], 1.4, color, 1.0)?;
                    self.y.to + 10.0 + place as f64 * LABEL_GAP
                }
            };
            let is_right = x > (self.x.from + self.x.to) / 2.0;
            let (align, x) = if is_right { (Align::End, x - 8.0) } else { (Align::Start, x + 8.0) };
            sheet.text(&mark.label, x, y, TextLook { size: BODY, bold: false, color, align, upward: false })?;
        }
        Ok(())
    }

    fn names_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let named: Vec<&CurveLine> = self.lines.iter().filter(|l| !l.label.is_empty()).collect();
        let ends = named.iter().filter_map(|l| Some((&l.label, l.points.last()?[1], hue(l.hue))));
        let levels = self.figure.levels.iter().map(|level| (&level.name, level.value, MUTED));
        let named: Vec<_> = ends.chain(levels).collect();
        let wishes: Vec<f64> = named.iter().map(|(_, value, _)| self.y.place(*value)).collect();
        let placed = spread_labels(&wishes, LABEL_GAP, self.y.to, self.y.from);
        for ((label, _, color), y) in named.into_iter().zip(placed) {
            let look = TextLook { size: BODY, bold: false, color, align: Align::Start, upward: false };
            sheet.text(&shortened(label, 28), self.x.to + 10.0, y, look)?;
        }
        Ok(())
    }
}

fn axis_name(log: bool, name: &str) -> String {
    if log { format!("{name} (log scale)") } else { name.to_owned() }
}

impl Draw for CurvePicture<'_> {
    fn size(&self) -> (u32, u32) {
        (SIZE.0 as u32, self.height() as u32)
    }

    fn description(&self) -> (String, String) {
        let ends: Vec<String> = self
            .lines
            .iter()
            .filter(|l| !l.label.is_empty())
            .filter_map(|l| Some((l, l.points.first()?, l.points.last()?)))
            .map(|(l, first, last)| format!("{}: from {} to {}", l.label, number(first[1]), number(last[1])))
            .collect();
        let marks = curve_marks(self.figure).into_iter().map(|mark| mark.label);
        let levels = self.figure.levels.iter().map(|level| format!("{}: {}", level.name, number(level.value)));
        let words: Vec<String> =
            ends.into_iter().chain(levels).chain(marks).chain(left_out_words(self.figure)).collect();
        (self.figure.title.clone(), words.join("; "))
    }

    fn draw<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        begin(sheet, (SIZE.0, self.height()), &self.figure.title)?;
        self.axes_on(sheet)?;
        self.lines_on(sheet)?;
        self.marks_on(sheet)?;
        self.names_on(sheet)
    }
}

#[cfg(test)]
#[path = "curve_tests.rs"]
mod tests;
