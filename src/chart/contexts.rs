//! One word in two texts as a figure: the cosine of its vectors by layer, and beside it what they are nearest to.

use super::ink::{AXIS, GRID, MUTED, TEXT, hue};
use super::page::{CAPTION, MARGIN, TITLE, begin, frame, visible_title};
use super::sheet::{Align, Draw, Sheet, TextLook, picture};
use super::text::{fitted, for_pixels, visible, wrapped};
use super::ticks::linear_ticks;
use super::{Array, ArrayFormat, ArrayValues, ChartError, Format, arrays_file, table};
use crate::types::{ContextsReport, PromptToken};
use plotters::prelude::DrawingBackend;
use std::sync::Arc;

/// What becomes of a word in two texts.
#[derive(Clone, Debug)]
pub struct ContextsFigure {
    /// What it shows, such as `sprout: ‘bank’ in two texts`.
    pub title: String,
    /// Lines below the title: the two texts, and what the model cannot see of them.
    pub captions: Vec<String>,
    /// The same in words, for those who do not see it.
    pub words: String,
    /// The numbers.
    pub report: Arc<ContextsReport>,
}

/// Draws the figure, or writes its table: a row a state of the residual stream.
///
/// # Errors
/// [`ChartError::Empty`] without layers, and the encoders' own.
pub fn contexts_figure(figure: &ContextsFigure, format: Format) -> Result<Vec<u8>, ChartError> {
    if figure.report.layers.is_empty() {
        return Err(ChartError::Empty("the texts were not compared"));
    }
    if format == Format::Csv {
        return table::contexts_table(&figure.report);
    }
    picture(&Contexts::new(figure, format), format)
}

/// The numbers as arrays: `cosine [states]`, for each text `nearest_tokens` and `nearest_positions` (with `_cosine`) of
/// `[2, states, n]`, `places` and the `ids` of both texts. States are the stream before the first block and behind each. What has
/// fewer neighbours than others is filled up with −1 and NaN.
///
/// # Errors
/// Those of [`arrays_file`].
pub fn contexts_arrays(
    report: &ContextsReport,
    about: &[(String, String)],
    format: ArrayFormat,
) -> Result<Vec<u8>, ChartError> {
    let states = report.layers.len();
    let cosine: Vec<f32> = report.layers.iter().map(|layer| layer.cosine).collect();
    let places = report.places.map(|place| place as i64);
    let ids = [0, 1].map(|which| report.texts[which].iter().map(|token| i64::from(token.id)).collect::<Vec<_>>());
    let of = |which: usize, positions: bool| -> Vec<Vec<(i64, f32)>> {
        let near = report.layers.iter().map(|layer| -> Vec<(i64, f32)> {
            if positions {
                layer.positions[which].iter().map(|(place, cosine)| (*place as i64, *cosine)).collect()
            } else {
                layer.tokens[which].iter().map(|(token, cosine)| (i64::from(token.id), *cosine)).collect()
            }
        });
        near.collect()
    };
    let evened = |positions: bool| {
        let rows = [of(0, positions), of(1, positions)].concat();
        let most = rows.iter().map(Vec::len).max().unwrap_or(0);
        let filled = rows.into_iter().flat_map(|row| {
            let missing = most - row.len();
            row.into_iter().chain(std::iter::repeat_n((-1, f32::NAN), missing))
        });
        let (which, cosines): (Vec<i64>, Vec<f32>) = filled.unzip();
        (vec![2, states, most], which, cosines)
    };
    let (tokens, positions) = (evened(false), evened(true));
    let floats = |name: &str, shape: &[usize], values| Array {
        name: name.to_owned(),
        shape: shape.to_vec(),
        values: ArrayValues::Floats(values),
    };
    let integers = |name: &str, shape: &[usize], values| Array {
        name: name.to_owned(),
        shape: shape.to_vec(),
        values: ArrayValues::Integers(values),
    };
    let arrays = [
        floats("cosine", &[states], &cosine),
        integers("nearest_tokens", &tokens.0, &tokens.1),
        floats("nearest_tokens_cosine", &tokens.0, &tokens.2),
        integers("nearest_positions", &positions.0, &positions.1),
        floats("nearest_positions_cosine", &positions.0, &positions.2),
        integers("places", &[2], &places),
        integers("first_ids", &[ids[0].len()], &ids[0]),
        integers("second_ids", &[ids[1].len()], &ids[1]),
    ];
    arrays_file(&arrays, about, format)
}

const ROW: f64 = 20.0;
const NAMES: f64 = 84.0;
const PLOT: f64 = 260.0;
/// From the plot to the number of its point, and on to the table.
const NUMBER: f64 = 56.0;
const GAP: f64 = 24.0;
/// A neighbour: its text and its cosine.
const NEAR: f64 = 108.0;
const NEAR_NUMBER: f64 = 34.0;
/// Neighbours of each text among the tokens, and among the positions of the other.
const TOKENS: usize = 2;
const LINE: f64 = CAPTION + 5.0;
const WIDTH: f64 = MARGIN + NAMES + PLOT + NUMBER + GAP + 6.0 * NEAR + 2.0 * GAP + MARGIN;

struct Contexts<'a> {
    figure: &'a ContextsFigure,
    title: String,
    captions: Vec<String>,
    /// Text and cosine of the neighbours of each state, in the order of columns.
    near: Vec<[Option<(String, f32)>; 6]>,
    /// Where the axis begins.
    least: f64,
}

impl<'a> Contexts<'a> {
    fn new(figure: &'a ContextsFigure, format: Format) -> Self {
        let readable = |text: &str| if format == Format::Svg { text.to_owned() } else { for_pixels(text) };
        let lines = |text: &String| wrapped(&readable(&visible_title(text)), CAPTION, WIDTH - 2.0 * MARGIN);
        let report = &figure.report;
        let short = |text: &str| fitted(&readable(&visible(text)), CAPTION, false, NEAR - NEAR_NUMBER - 12.0);
        let token = |(token, cosine): &(PromptToken, f32)| (short(&token.text), *cosine);
        let near = report.layers.iter().map(|layer| {
            let of = |which: usize, place: usize| layer.tokens[which].get(place).map(token);
            let other = |which: usize| {
                let (place, cosine) = layer.positions[which].first()?;
                Some((short(&report.texts[1 - which].get(*place)?.text), *cosine))
            };
            [of(0, 0), of(0, 1), of(1, 0), of(1, 1), other(0), other(1)]
        });
        let least = report.layers.iter().map(|layer| f64::from(layer.cosine)).fold(0.0, f64::min);
        Self {
            figure,
            title: fitted(&readable(&visible_title(&figure.title)), TITLE, true, WIDTH - 2.0 * MARGIN),
            captions: figure.captions.iter().flat_map(lines).collect(),
            near: near.collect(),
            least: (least * 10.0).floor() / 10.0,
        }
    }

    /// Where the rows begin.
    fn top(&self) -> f64 {
        MARGIN + TITLE + 6.0 + LINE * self.captions.len() as f64 + 12.0 + 2.0 * LINE + 4.0
    }

    fn bottom(&self) -> f64 {
        self.top() + ROW * self.near.len() as f64
    }

    fn middle(&self, row: usize) -> f64 {
        self.top() + ROW * (row as f64 + 0.5)
    }

    fn across(&self, cosine: f64) -> f64 {
        MARGIN + NAMES + PLOT * (cosine - self.least) / (1.0 - self.least)
    }

    /// Where a column of neighbours begins.
    fn column(place: usize) -> f64 {
        let pairs = (place / TOKENS) as f64;
        MARGIN + NAMES + PLOT + NUMBER + GAP + place as f64 * NEAR + pairs * GAP
    }

    fn plot_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let end = TextLook { size: CAPTION, bold: false, color: MUTED, align: Align::End, upward: false };
        let middle = TextLook { align: Align::Middle, ..end };
        let (left, right) = (MARGIN + NAMES, MARGIN + NAMES + PLOT);
        for row in 0..=self.near.len() {
            let y = self.top() + ROW * row as f64;
            sheet.line(&[[MARGIN, y], [WIDTH - MARGIN, y]], 0.6, GRID, 1.0)?;
        }
        for tick in linear_ticks(self.least, 1.0, 5) {
            let x = self.across(tick.value);
            sheet.line(&[[x, self.top()], [x, self.bottom()]], 0.8, GRID, 1.0)?;
            sheet.text(&tick.label, x, self.bottom() + 8.0 + CAPTION / 2.0, middle)?;
        }
        frame(sheet, left, self.top(), PLOT, self.bottom() - self.top())?;
        let name = "cosine of the two vectors";
        sheet.text(name, left.midpoint(right), self.bottom() + 8.0 + CAPTION + 6.0 + CAPTION / 2.0, middle)?;
        let layers = self.figure.report.layers.iter().enumerate();
        let points: Vec<[f64; 2]> = layers
            .filter(|(_, layer)| layer.cosine.is_finite())
            .map(|(row, layer)| [self.across(f64::from(layer.cosine)), self.middle(row)])
            .collect();
        sheet.line(&points, 1.6, hue(0), 1.0)?;
        for [x, y] in points {
            sheet.dot(x, y, 3.0, hue(0))?;
        }
        Ok(())
    }

    fn headings_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let look = TextLook { size: CAPTION, bold: true, color: TEXT, align: Align::Start, upward: false };
        let small = TextLook { bold: false, color: MUTED, ..look };
        let (upper, lower) = (self.top() - 4.0 - 1.5 * LINE, self.top() - 4.0 - 0.5 * LINE);
        sheet.text("stream", MARGIN, lower, small)?;
        for (place, name, what) in [
            (0, "First text", "nearest tokens of the vocabulary"),
            (2, "Second text", "nearest tokens of the vocabulary"),
            (4, "Nearest in the other text", "from the first"),
        ] {
            sheet.text(name, Self::column(place), upper, look)?;
            sheet.text(what, Self::column(place), lower, small)?;
        }
        sheet.text("from the second", Self::column(5), lower, small)
    }
}

impl Draw for Contexts<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH.ceil() as u32, (self.bottom() + 8.0 + 2.0 * CAPTION + 6.0 + MARGIN).ceil() as u32)
    }

    fn description(&self) -> (String, String) {
        let words = format!("{} {}", self.figure.words, self.figure.captions.join(" "));
        (self.figure.title.clone(), words)
    }

    fn draw<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let (width, height) = self.size();
        begin(sheet, (f64::from(width), f64::from(height)), &self.title)?;
        let start = TextLook { size: CAPTION, bold: false, color: MUTED, align: Align::Start, upward: false };
        for (line, words) in self.captions.iter().enumerate() {
            sheet.text(words, MARGIN, MARGIN + TITLE + 6.0 + LINE * line as f64 + CAPTION / 2.0, start)?;
        }
        self.headings_on(sheet)?;
        self.plot_on(sheet)?;
        let text = TextLook { color: TEXT, ..start };
        for (row, near) in self.near.iter().enumerate() {
            let y = self.middle(row);
            let name = if row == 0 { "embedding".to_owned() } else { format!("block {}", row - 1) };
            sheet.text(&name, MARGIN, y, text)?;
            let cosine = format!("{:.3}", self.figure.report.layers[row].cosine);
            let right = TextLook { align: Align::End, ..text };
            sheet.text(&cosine, MARGIN + NAMES + PLOT + NUMBER - 8.0, y, right)?;
            for (place, (name, cosine)) in near.iter().enumerate().filter_map(|(p, near)| Some((p, near.as_ref()?))) {
                let left = Self::column(place);
                sheet.text(name, left, y, text)?;
                let number = TextLook { color: MUTED, ..right };
                sheet.text(&format!("{cosine:.2}"), left + NEAR - 12.0, y, number)?;
            }
        }
        let x = MARGIN + NAMES + PLOT + NUMBER + GAP / 2.0;
        sheet.line(&[[x, self.top()], [x, self.bottom()]], 0.8, AXIS, 1.0)
    }
}

#[cfg(test)]
#[path = "contexts_tests.rs"]
mod tests;
