//! The attention pattern of one head as a figure.

use super::ink::{AXIS, MUTED, PAPER, TEXT};
use super::page::{CAPTION, MARGIN, TITLE, begin, caption, frame};
use super::sheet::{Align, Draw, Sheet, TextLook, picture};
use super::text::{for_pixels, shortened, visible, width};
use super::ticks::{linear_ticks, number};
use super::{ChartError, Format, table};
use crate::types::{ColorMap, ScaleCurve, WeightScale};
use plotters::prelude::{DrawingBackend, RGBColor};

/// The attention of one head over a sequence of T tokens.
#[derive(Clone, Debug)]
pub struct AttentionFigure<'a> {
    /// What it shows, such as `sprout, layer 3, head 5`.
    pub title: String,
    /// A line below the title: of which prompt it is, with which settings.
    pub caption: String,
    /// The token texts, T of them.
    pub tokens: Vec<String>,
    /// `[T, T]` row-major: row = query (the token that looks), column = key (the token looked at).
    pub pattern: &'a [f32],
    /// Colours of the values; 0 is the paper itself.
    pub map: ColorMap,
    /// How values become places on the scale of colours.
    pub scale: WeightScale,
}

/// Draws or writes an attention pattern.
///
/// # Errors
/// [`ChartError::Empty`] without tokens, [`ChartError::Shape`] when tokens and pattern do not fit,
/// [`ChartError::NotFinite`] for a value no colour stands for, and the encoders' own.
pub fn attention_figure(figure: &AttentionFigure<'_>, format: Format) -> Result<Vec<u8>, ChartError> {
    let tokens = figure.tokens.len();
    if tokens == 0 {
        return Err(ChartError::Empty("the sequence has no tokens"));
    }
    if figure.pattern.len() != tokens * tokens {
        return Err(ChartError::Shape { tokens, expected: tokens * tokens, found: figure.pattern.len() });
    }
    if let Some((index, value)) = figure.pattern.iter().enumerate().find(|(_, v)| !v.is_finite()) {
        return Err(ChartError::NotFinite { index, value: *value });
    }
    if format == Format::Csv {
        return table::attention_table(&figure.tokens, figure.pattern);
    }
    picture(&HeatMap::new(figure, format), format)
}

/// Cells on a side that are drawn one by one; longer sequences are pooled.
const MOST_CELLS: usize = 512;
const LONGEST_LABEL: usize = 18;
const LEGEND_WIDTH: f64 = 12.0;

/// A pattern with its layout.
struct HeatMap<'a> {
    figure: &'a AttentionFigure<'a>,
    /// The pattern as shares of the end of the scale.
    shares: Vec<f32>,
    labels: Vec<String>,
    label_size: f64,
    /// Every how many tokens a label stands.
    every: usize,
    /// Tokens a cell on each axis.
    pool: usize,
    cells: usize,
    cell: f64,
    left: f64,
    top: f64,
}

impl<'a> HeatMap<'a> {
    fn new(figure: &'a AttentionFigure<'a>, format: Format) -> Self {
        let tokens = figure.tokens.len();
        let pool = tokens.div_ceil(MOST_CELLS);
        let cells = tokens.div_ceil(pool);
        let cell = (640 / cells).clamp(2, 26) as f64;
        let label_size = (cell * 0.72).clamp(8.0, 12.0);
        let every = ((label_size + 2.0) / cell).ceil().max(1.0) as usize;
        // Pixels have one font; what it lacks is written out and takes more room.
        let readable = |t: &String| if format == Format::Svg { visible(t) } else { for_pixels(&visible(t)) };
        let labels: Vec<String> = figure.tokens.iter().map(|t| shortened(&readable(t), LONGEST_LABEL)).collect();
        let widest =
            labels.iter().step_by(every * pool).map(|l| width(l, label_size, false)).fold(0.0, f64::max).ceil();
        let left = MARGIN + CAPTION + 12.0 + widest + 6.0;
        let top = MARGIN + TITLE + 6.0 + CAPTION + 10.0 + widest + 6.0;
        let shares = figure.scale.shares(figure.pattern, tokens);
        Self { figure, shares, labels, label_size, every, pool, cells, cell, left, top }
    }

    fn side(&self) -> f64 {
        self.cells as f64 * self.cell
    }

    /// The highest share in a cell: pooling must not hide a spike.
    fn share(&self, row: usize, column: usize) -> f32 {
        let tokens = self.figure.tokens.len();
        let span = |i: usize| i * self.pool..((i + 1) * self.pool).min(tokens);
        span(row).flat_map(|q| span(column).map(move |k| self.shares[q * tokens + k])).fold(f32::NEG_INFINITY, f32::max)
    }

    /// The colour at a place of the scale.
    fn color(&self, place: f32) -> RGBColor {
        let [r, g, b] = self.figure.map.ink(place, [PAPER.0, PAPER.1, PAPER.2]);
        RGBColor(r, g, b)
    }

    fn cells_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        // Most of a causal pattern is one colour: paint that once, then runs of equal cells.
        let ground = self.color(0.0);
        sheet.rect(self.left, self.top, self.side(), self.side(), ground)?;
        for row in 0..self.cells {
            let colors: Vec<RGBColor> = (0..self.cells)
                .map(|column| self.color(self.figure.scale.curve.place(self.share(row, column))))
                .collect();
            let mut start = 0;
            for run in colors.chunk_by(|a, b| a == b) {
                if run[0] != ground {
                    let x = self.left + start as f64 * self.cell;
                    let y = self.top + row as f64 * self.cell;
                    sheet.rect(x, y, run.len() as f64 * self.cell, self.cell, run[0])?;
                }
                start += run.len();
            }
        }
        frame(sheet, self.left, self.top, self.side(), self.side())
    }

    fn labels_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let look = TextLook { size: self.label_size, bold: false, color: TEXT, align: Align::End, upward: false };
        for index in (0..self.cells).step_by(self.every) {
            let label = &self.labels[index * self.pool];
            let middle = (index as f64 + 0.5) * self.cell;
            sheet.text(label, self.left - 6.0, self.top + middle, look)?;
            let upward = TextLook { align: Align::Start, upward: true, ..look };
            sheet.text(label, self.left + middle, self.top - 6.0, upward)?;
        }
        let small = TextLook { size: CAPTION, bold: false, color: MUTED, align: Align::Middle, upward: false };
        let middle = self.side() / 2.0;
        let bottom = self.top + self.side() + 8.0 + CAPTION / 2.0;
        sheet.text("key: the token looked at", self.left + middle, bottom, small)?;
        let upward = TextLook { upward: true, ..small };
        sheet.text("query: the token that looks", MARGIN + CAPTION / 2.0, self.top + middle, upward)?;
        for (row, note) in self.notes().iter().enumerate() {
            sheet.text(note, self.left + middle, bottom + (row + 1) as f64 * (CAPTION + 6.0), small)?;
        }
        Ok(())
    }

    /// What has to be known to read the colours.
    fn notes(&self) -> Vec<String> {
        let pooled = format!("each cell is the highest of {0} × {0} values", self.pool);
        let scale = self.figure.scale.words().map(|words| format!("colours: {words}"));
        (self.pool > 1).then_some(pooled).into_iter().chain(scale).collect()
    }

    fn legend_height(&self) -> f64 {
        self.side().clamp(80.0, 220.0)
    }

    /// Numbers of the legend: place on the scale, and the share there.
    fn marks(&self) -> Vec<(f64, String)> {
        let curve = self.figure.scale.curve;
        match curve {
            ScaleCurve::Linear => linear_ticks(0.0, 1.0, 5).into_iter().map(|tick| (tick.value, tick.label)).collect(),
            _ => curve.marks().iter().map(|s| (f64::from(curve.place(*s)), number(f64::from(*s)))).collect(),
        }
    }

    fn legend_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let (x, height) = (self.left + self.side() + 24.0, self.legend_height());
        let steps = 128;
        for step in 0..steps {
            let place = (f64::from(step) + 0.5) / f64::from(steps);
            let y = self.top + (1.0 - (f64::from(step) + 1.0) / f64::from(steps)) * height;
            sheet.rect(x, y, LEGEND_WIDTH, height / f64::from(steps), self.color(place as f32))?;
        }
        frame(sheet, x, self.top, LEGEND_WIDTH, height)?;
        let look = TextLook { size: CAPTION, bold: false, color: TEXT, align: Align::Start, upward: false };
        for (place, label) in self.marks() {
            let y = self.top + (1.0 - place) * height;
            sheet.line(&[[x + LEGEND_WIDTH, y], [x + LEGEND_WIDTH + 3.0, y]], 0.8, AXIS, 1.0)?;
            sheet.text(&label, x + LEGEND_WIDTH + 6.0, y, look)?;
        }
        let small = TextLook { color: MUTED, ..look };
        sheet.text("attention", x, self.top - 8.0 - CAPTION / 2.0, small)
    }
}

impl Draw for HeatMap<'_> {
    fn size(&self) -> (u32, u32) {
        let legend = LEGEND_WIDTH + width("attention", CAPTION, false).max(40.0);
        let right = self.left + self.side() + 24.0 + legend + MARGIN;
        let title =
            width(&self.figure.title, TITLE, true).max(width(&self.figure.caption, CAPTION, false)) + 2.0 * MARGIN;
        let notes = 1.0 + self.notes().len() as f64;
        let bottom = self.top + self.side().max(self.legend_height()) + 8.0 + notes * (CAPTION + 6.0) + MARGIN - 6.0;
        (right.max(title).ceil() as u32, bottom.ceil() as u32)
    }

    fn description(&self) -> (String, String) {
        let tokens = self.figure.tokens.len();
        let strongest = (0..tokens * tokens).max_by(|a, b| self.figure.pattern[*a].total_cmp(&self.figure.pattern[*b]));
        let strongest = strongest.map_or(String::new(), |i| {
            let (query, key) = (&self.figure.tokens[i / tokens], &self.figure.tokens[i % tokens]);
            format!(
                " The strongest: {} looks at {} with {}.",
                visible(query),
                visible(key),
                number(f64::from(self.figure.pattern[i]))
            )
        });
        (
            self.figure.title.clone(),
            format!(
                "Attention of {tokens} tokens (rows) to {tokens} tokens (columns). {}.{strongest}",
                self.figure.caption
            ),
        )
    }

    fn draw<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let (width, height) = self.size();
        begin(sheet, (f64::from(width), f64::from(height)), &self.figure.title)?;
        caption(sheet, &self.figure.caption)?;
        self.cells_on(sheet)?;
        self.labels_on(sheet)?;
        self.legend_on(sheet)
    }
}

#[cfg(test)]
#[path = "heat_map_tests.rs"]
mod tests;
