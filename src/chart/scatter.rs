//! Named points in a plane: two scores of each head.

use super::ink::{AXIS, GRID, MUTED, TEXT};
use super::page::{MARGIN, TITLE, begin, visible_title};
use super::sheet::{Align, Draw, Sheet, TextLook, picture};
use super::text::width;
use super::ticks::{linear_ticks, number};
use super::{ChartError, Format, table};
use crate::types::ColorMap;
use plotters::prelude::DrawingBackend;
use plotters::style::RGBColor;

/// One point.
#[derive(Clone, Debug, PartialEq)]
pub struct ScatterPoint {
    /// What stands for it, such as `4.7`.
    pub name: String,
    /// Along the horizontal axis.
    pub x: f64,
    /// Along the vertical axis.
    pub y: f64,
    /// Its place on the scale of colours, in `0..=1`.
    pub depth: f32,
    /// True of the one that is pointed out.
    pub is_marked: bool,
}

/// Points and what their axes are called.
#[derive(Clone, Debug)]
pub struct ScatterFigure {
    /// What it shows, such as `sprout, all heads`.
    pub title: String,
    /// Of which text, and what colours mean.
    pub caption: String,
    /// Names of the horizontal and the vertical axis.
    pub axes: [String; 2],
    /// The points; what has no number is left out and counted.
    pub points: Vec<ScatterPoint>,
}

/// Points whose names are written, at most, besides the marked one.
const NAMED: usize = 12;

/// Draws the points, or writes them.
///
/// # Errors
/// [`ChartError::Empty`] when no point has two numbers, and the encoders' own.
pub fn scatter_figure(figure: &ScatterFigure, format: Format) -> Result<Vec<u8>, ChartError> {
    if format == Format::Csv {
        return table::scatter_table([&figure.axes[0], &figure.axes[1]], &figure.points);
    }
    let is_whole = |point: &&ScatterPoint| point.x.is_finite() && point.y.is_finite();
    let points: Vec<&ScatterPoint> = figure.points.iter().filter(is_whole).collect();
    if points.is_empty() {
        return Err(ChartError::Empty("no head has both scores"));
    }
    picture(
        &Scatter { x: span(points.iter().map(|p| p.x)), y: span(points.iter().map(|p| p.y)), points, figure },
        format,
    )
}

const SIZE: (f64, f64) = (760.0, 620.0);
const BODY: f64 = 12.0;
const DOT: f64 = 3.6;
const LEFT: f64 = MARGIN + 60.0;
const RIGHT: f64 = SIZE.0 - MARGIN - 28.0;
const TOP: f64 = MARGIN + TITLE + 8.0 + BODY + 18.0;
const BOTTOM: f64 = SIZE.1 - MARGIN - 40.0;

/// From the least to the most, with a little room, and no further below 0 than values go.
fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (lo, hi) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    let room = if hi > lo { 0.06 * (hi - lo) } else { 0.5 };
    (lo - room, hi + room)
}

struct Scatter<'a> {
    figure: &'a ScatterFigure,
    points: Vec<&'a ScatterPoint>,
    x: (f64, f64),
    y: (f64, f64),
}

impl Scatter<'_> {
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let share = |value: f64, (lo, hi): (f64, f64)| (value - lo) / (hi - lo);
        (LEFT + share(x, self.x) * (RIGHT - LEFT), BOTTOM - share(y, self.y) * (BOTTOM - TOP))
    }

    fn axes_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let end = TextLook { size: BODY, bold: false, color: MUTED, align: Align::End, upward: false };
        let middle = TextLook { align: Align::Middle, ..end };
        for tick in linear_ticks(self.y.0, self.y.1, 7) {
            let y = self.place(self.x.0, tick.value).1;
            sheet.line(&[[LEFT, y], [RIGHT, y]], 0.8, GRID, 1.0)?;
            sheet.text(&tick.label, LEFT - 8.0, y, end)?;
        }
        for tick in linear_ticks(self.x.0, self.x.1, 8) {
            let x = self.place(tick.value, self.y.0).0;
            sheet.line(&[[x, BOTTOM], [x, TOP]], 0.8, GRID, 1.0)?;
            sheet.text(&tick.label, x, BOTTOM + 8.0 + BODY / 2.0, middle)?;
        }
        sheet.line(&[[LEFT, TOP], [LEFT, BOTTOM], [RIGHT, BOTTOM]], 1.0, AXIS, 1.0)?;
        sheet.text(&self.figure.axes[0], LEFT.midpoint(RIGHT), SIZE.1 - MARGIN - BODY / 2.0 + 4.0, middle)?;
        sheet.text(&self.figure.axes[1], MARGIN + BODY / 2.0, TOP.midpoint(BOTTOM), TextLook { upward: true, ..middle })
    }

    /// The marked point first, then those that lie furthest out; a name that would cover another is left out.
    fn names_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let share = |value: f64, (lo, hi): (f64, f64)| (value - lo) / (hi - lo);
        let out = |p: &ScatterPoint| if p.is_marked { f64::INFINITY } else { share(p.x, self.x) + share(p.y, self.y) };
        let mut order = self.points.clone();
        order.sort_by(|a, b| out(b).total_cmp(&out(a)));
        let mut taken: Vec<(f64, f64, f64)> = Vec::new();
        for point in order {
            let (x, y) = self.place(point.x, point.y);
            let (left, wide) = (x + DOT + 3.0, width(&point.name, BODY, point.is_marked));
            let is_free = |other: &(f64, f64, f64)| {
                (other.2 - y).abs() > BODY || left > other.0 + other.1 + 4.0 || other.0 > left + wide + 4.0
            };
            if taken.len() > NAMED || !taken.iter().all(is_free) {
                continue;
            }
            taken.push((left, wide, y));
            let look = TextLook { size: BODY, bold: point.is_marked, color: TEXT, align: Align::Start, upward: false };
            sheet.text(&point.name, left, y, look)?;
        }
        Ok(())
    }
}

impl Draw for Scatter<'_> {
    fn size(&self) -> (u32, u32) {
        let words = width(&self.figure.title, TITLE, true).max(width(&self.figure.caption, BODY, false));
        ((words + 2.0 * MARGIN).max(SIZE.0).ceil() as u32, SIZE.1 as u32)
    }

    fn description(&self) -> (String, String) {
        let most = |of: fn(&ScatterPoint) -> f64| {
            let point = self.points.iter().max_by(|a, b| of(a).total_cmp(&of(b)));
            point.map_or_else(String::new, |p| format!("{} with {}", p.name, number(of(p))))
        };
        let [x, y] = &self.figure.axes;
        let words = format!(
            "{} heads as points, {x} against {y}. The most of {x}: {}; of {y}: {}. {}",
            self.points.len(),
            most(|p| p.x),
            most(|p| p.y),
            self.figure.caption
        );
        (self.figure.title.clone(), words)
    }

    fn draw<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let (width, height) = self.size();
        begin(sheet, (f64::from(width), f64::from(height)), &self.figure.title)?;
        let caption = TextLook { size: BODY, bold: false, color: MUTED, align: Align::Start, upward: false };
        let left_out = self.figure.points.len() - self.points.len();
        let words = match left_out {
            0 => self.figure.caption.clone(),
            _ => format!("{}; {left_out} without numbers left out", self.figure.caption),
        };
        sheet.text(&visible_title(&words), MARGIN, MARGIN + TITLE + 8.0 + BODY / 2.0, caption)?;
        self.axes_on(sheet)?;
        for point in &self.points {
            let (x, y) = self.place(point.x, point.y);
            if point.is_marked {
                sheet.dot(x, y, DOT + 2.4, TEXT)?;
            }
            let [r, g, b] = ColorMap::Viridis.at(point.depth);
            sheet.dot(x, y, DOT, RGBColor(r, g, b))?;
        }
        self.names_on(sheet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure() -> ScatterFigure {
        let point = |name: &str, x, y| ScatterPoint { name: name.into(), x, y, depth: 0.5, is_marked: name == "1.0" };
        ScatterFigure {
            title: "tiny, all heads".into(),
            caption: "on a text of 7 tokens".into(),
            axes: ["Previous token".into(), "Entropy in nats".into()],
            points: vec![point("0.0", 0.1, 2.0), point("1.0", 0.9, 0.5), point("0.1", f64::NAN, 1.0)],
        }
    }

    #[test]
    fn points_stand_on_axes_with_names_and_what_has_no_number_is_told() {
        let svg = String::from_utf8(scatter_figure(&figure(), Format::Svg).unwrap()).unwrap();
        for words in ["Previous token", "Entropy in nats", "1 without numbers left out", "tiny, all heads"] {
            assert!(svg.contains(words), "{words}: {svg}");
        }
        // Two points, and a ring under the marked one.
        assert_eq!(svg.matches("<circle ").count(), 3);
        assert!(svg.contains("The most of Previous token: 1.0 with 0.9; of Entropy in nats: 0.0 with 2."), "{svg}");
    }

    #[test]
    fn the_table_keeps_every_head() {
        let csv = String::from_utf8(scatter_figure(&figure(), Format::Csv).unwrap()).unwrap();
        assert_eq!(csv, "name,Previous token,Entropy in nats\n0.0,0.1,2\n1.0,0.9,0.5\n0.1,NaN,1\n");
    }

    #[test]
    fn a_plane_without_a_point_is_refused() {
        let empty = ScatterFigure { points: figure().points.split_off(2), ..figure() };
        assert!(matches!(scatter_figure(&empty, Format::Png), Err(ChartError::Empty(_))));
    }

    #[test]
    fn a_pixel_has_the_colour_of_its_layer() {
        let figure = figure();
        let png = image::load_from_memory(&scatter_figure(&figure, Format::Png).unwrap()).unwrap().to_rgb8();
        let points: Vec<&ScatterPoint> = figure.points[..2].iter().collect();
        let at = Scatter { x: span([0.1, 0.9].into_iter()), y: span([2.0, 0.5].into_iter()), points, figure: &figure };
        let (x, y) = at.place(0.1, 2.0);
        assert_eq!(png.get_pixel((2.0 * x) as u32, (2.0 * y) as u32).0, ColorMap::Viridis.at(0.5));
    }
}
