//! Signed values by layer and column: what each head does for an answer, or what a value of another prompt does at each token.

use super::ink::{AXIS, MUTED, PAPER, TEXT};
use super::page::{CAPTION, MARGIN, TITLE, begin, frame, visible_title};
use super::sheet::{Align, Draw, Sheet, TextLook, picture};
use super::text::{fitted, for_pixels, visible, width, wrapped};
use super::ticks::number;
use super::{ChartError, Format};
use crate::types::diverging;
use plotters::prelude::DrawingBackend;
use plotters::style::RGBColor;

/// One cell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LayerMapCell {
    /// What stands there; `None` where it is not known.
    pub value: Option<f64>,
    /// True of a value that was estimated and not measured.
    pub is_estimated: bool,
    /// True where nothing can happen.
    pub is_idle: bool,
}

/// A map.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerMapFigure {
    /// What it shows.
    pub title: String,
    /// What it is of, and what was found.
    pub captions: Vec<String>,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// Layers of cells, one a column.
    pub layers: Vec<Vec<LayerMapCell>>,
    /// The value at the ends of the scale of colours, above 0. What lies beyond has the colour of the end.
    pub most: f64,
    /// What the values are, beside the scale.
    pub unit: String,
}

impl LayerMapFigure {
    /// The number at a place of the scale, from −1 to 1: an end that something lies beyond says so.
    #[must_use]
    pub fn mark(&self, place: f64) -> String {
        let beyond = |cell: &LayerMapCell| cell.value.is_some_and(|value| value * place > self.most);
        let is_beyond = place.abs() >= 1.0 && self.layers.iter().flatten().any(beyond);
        let sign = match is_beyond {
            true if place < 0.0 => "≤ ",
            true => "≥ ",
            false => "",
        };
        format!("{sign}{}", number(place * self.most))
    }
}

/// Draws a map as SVG or PNG.
///
/// # Errors
/// [`ChartError::Empty`] without cells, and the encoders' own.
pub(super) fn layer_map(figure: &LayerMapFigure, format: Format) -> Result<Vec<u8>, ChartError> {
    if figure.columns.is_empty() || figure.layers.is_empty() {
        return Err(ChartError::Empty("nothing was tried yet"));
    }
    picture(&LayerMap::new(figure, format), format)
}

const LINE: f64 = CAPTION + 5.0;
const NAMES: f64 = 52.0;
const LONGEST: f64 = 96.0;
const ROW: f64 = 18.0;
const SCALE: (f64, f64) = (180.0, 10.0);

struct LayerMap<'a> {
    figure: &'a LayerMapFigure,
    title: String,
    captions: Vec<String>,
    columns: Vec<String>,
    cell: f64,
    top: f64,
    width: f64,
}

impl<'a> LayerMap<'a> {
    fn new(figure: &'a LayerMapFigure, format: Format) -> Self {
        let readable = |text: &str| if format == Format::Svg { text.to_owned() } else { for_pixels(text) };
        let count = figure.columns.len() as f64;
        let cell = (960.0 / count).clamp(10.0, 34.0);
        let width_of_page = (2.0 * MARGIN + NAMES + cell * count).max(560.0);
        let room = width_of_page - 2.0 * MARGIN;
        let captions =
            figure.captions.iter().flat_map(|words| wrapped(&readable(&visible_title(words)), CAPTION, room));
        let captions: Vec<String> = captions.collect();
        let column = |name: &String| fitted(&readable(&visible(name)), CAPTION, false, LONGEST);
        let columns: Vec<String> = figure.columns.iter().map(column).collect();
        let tallest = columns.iter().map(|name| width(name, CAPTION, false)).fold(0.0, f64::max);
        Self {
            title: fitted(&readable(&visible_title(&figure.title)), TITLE, true, room),
            top: MARGIN + TITLE + 6.0 + LINE * captions.len() as f64 + 10.0 + tallest + 8.0,
            captions,
            columns,
            cell,
            width: width_of_page,
            figure,
        }
    }

    fn color(&self, value: f64) -> RGBColor {
        let [r, g, b] = diverging((value / self.figure.most) as f32, [PAPER.0, PAPER.1, PAPER.2]);
        RGBColor(r, g, b)
    }

    fn bottom(&self) -> f64 {
        self.top + ROW * self.figure.layers.len() as f64
    }

    fn scale<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let (left, top) = (MARGIN + NAMES, self.bottom() + 14.0);
        let steps = 60;
        for step in 0..steps {
            let share = 2.0 * (f64::from(step) + 0.5) / f64::from(steps) - 1.0;
            let x = left + SCALE.0 * f64::from(step) / f64::from(steps);
            sheet.rect(x, top, SCALE.0 / f64::from(steps), SCALE.1, self.color(share * self.figure.most))?;
        }
        frame(sheet, left, top, SCALE.0, SCALE.1)?;
        let middle = TextLook { size: CAPTION, bold: false, color: MUTED, align: Align::Middle, upward: false };
        for share in [-1.0, 0.0, 1.0] {
            let at = left + SCALE.0 * (share + 1.0) / 2.0;
            sheet.text(&self.figure.mark(share), at, top + SCALE.1 + 4.0 + CAPTION / 2.0, middle)?;
        }
        let start = TextLook { align: Align::Start, ..middle };
        sheet.text(&self.figure.unit, left + SCALE.0 + 24.0, top + SCALE.1 / 2.0, start)
    }
}

impl Draw for LayerMap<'_> {
    fn size(&self) -> (u32, u32) {
        let height = self.bottom() + 14.0 + SCALE.1 + LINE + MARGIN;
        (self.width.ceil() as u32, height.ceil() as u32)
    }

    fn description(&self) -> (String, String) {
        let cells = self.figure.layers.iter().enumerate();
        let mut known: Vec<(f64, String)> = cells
            .flat_map(|(layer, cells)| cells.iter().enumerate().map(move |(column, cell)| (layer, column, cell)))
            .filter_map(|(layer, column, cell)| {
                let value = cell.value?;
                Some((value, format!("layer {layer}, {}: {}", self.figure.columns[column], number(value))))
            })
            .collect();
        known.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
        let largest: Vec<String> = known.into_iter().take(5).map(|(_, words)| words).collect();
        let words = format!("{} The largest: {}.", self.figure.captions.join(" "), largest.join("; "));
        (self.figure.title.clone(), words)
    }

    fn draw<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let (width, height) = self.size();
        begin(sheet, (f64::from(width), f64::from(height)), &self.title)?;
        let start = TextLook { size: CAPTION, bold: false, color: MUTED, align: Align::Start, upward: false };
        for (line, words) in self.captions.iter().enumerate() {
            sheet.text(words, MARGIN, MARGIN + TITLE + 6.0 + LINE * line as f64 + CAPTION / 2.0, start)?;
        }
        let (end, upward) = (TextLook { align: Align::End, ..start }, TextLook { color: TEXT, upward: true, ..start });
        let left = |column: usize| MARGIN + NAMES + self.cell * column as f64;
        // Numbers that stand upright where they fit need no turning of the head.
        let is_flat = self.columns.iter().all(|name| super::text::width(name, CAPTION, false) + 4.0 < self.cell);
        for (column, name) in self.columns.iter().enumerate() {
            let middle = left(column) + self.cell / 2.0;
            if is_flat {
                let look = TextLook { align: Align::Middle, upward: false, ..upward };
                sheet.text(name, middle, self.top - 6.0 - CAPTION / 2.0, look)?;
            } else {
                sheet.text(name, middle, self.top - 6.0, upward)?;
            }
        }
        for (layer, cells) in self.figure.layers.iter().enumerate() {
            let top = self.top + ROW * layer as f64;
            sheet.text(&format!("layer {layer}"), MARGIN + NAMES - 8.0, top + ROW / 2.0, end)?;
            for (column, cell) in cells.iter().enumerate() {
                let (x, w, h) = (left(column), self.cell - 1.0, ROW - 1.0);
                match cell.value {
                    Some(value) if !cell.is_idle => sheet.rect(x, top, w, h, self.color(value))?,
                    Some(_) => sheet.rect(x + w / 2.0 - 1.0, top + h / 2.0 - 1.0, 2.0, 2.0, AXIS)?,
                    None => sheet.line(&[[x, top + h], [x + w, top]], 0.6, AXIS, 1.0)?,
                }
                if cell.is_estimated {
                    sheet.rect(x + 2.0, top + 2.0, 2.0, 2.0, MUTED)?;
                }
            }
        }
        frame(
            sheet,
            left(0),
            self.top,
            self.cell * self.columns.len() as f64 - 1.0,
            ROW * self.figure.layers.len() as f64 - 1.0,
        )?;
        self.scale(sheet)
    }
}
