//! The attention patterns of all heads as one figure of small maps.

use super::ink::{MUTED, PAPER, TEXT};
use super::page::{CAPTION, MARGIN, TITLE, begin, caption, frame};
use super::sheet::{Align, Draw, Sheet, TextLook, picture};
use super::text::width;
use super::{ChartError, Format, table};
use crate::types::{ColorMap, WeightScale};
use image::{Rgb, RgbImage};
use plotters::prelude::DrawingBackend;

/// The attention of all heads over a sequence of T tokens.
#[derive(Clone, Debug)]
pub struct HeadGridFigure<'a> {
    /// What it shows, such as `sprout, all heads`.
    pub title: String,
    /// A line below the title: of which prompt it is, with which settings.
    pub caption: String,
    /// The token texts, T of them.
    pub tokens: Vec<String>,
    /// A row a layer, in it an entry a head: `[T, T]` row-major, query by key; `None` where nothing was captured.
    pub layers: Vec<Vec<Option<&'a [f32]>>>,
    /// Colours of the values; 0 is the paper itself.
    pub map: ColorMap,
    /// How weights become places on the scale of colours.
    pub scale: WeightScale,
}

/// Rows of a table that are written, at most: some hundred megabytes.
const MOST_ROWS: usize = 10_000_000;

/// Draws all heads on one scale of 0 to 1, or writes their weights: a row each, without those that are exactly 0 (what a
/// mask hides).
///
/// # Errors
/// [`ChartError::Empty`] without tokens or heads, [`ChartError::Shape`] when tokens and patterns do not fit,
/// [`ChartError::NotFinite`] for a value no colour stands for, [`ChartError::TooManyRows`] for a table that nothing could
/// open, and the encoders' own.
pub fn head_grid_figure(figure: &HeadGridFigure<'_>, format: Format) -> Result<Vec<u8>, ChartError> {
    let tokens = figure.tokens.len();
    let patterns = || figure.layers.iter().flatten().flatten();
    if tokens == 0 || patterns().next().is_none() {
        return Err(ChartError::Empty("no head was captured"));
    }
    for pattern in patterns() {
        if pattern.len() != tokens * tokens {
            return Err(ChartError::Shape { tokens, expected: tokens * tokens, found: pattern.len() });
        }
        if let Some((index, value)) = pattern.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            return Err(ChartError::NotFinite { index, value: *value });
        }
    }
    if format == Format::Csv {
        let rows = patterns().map(|pattern| pattern.iter().filter(|w| **w != 0.0).count()).sum();
        if rows > MOST_ROWS {
            return Err(ChartError::TooManyRows { rows, most: MOST_ROWS });
        }
        return table::head_grid_table(&figure.layers, tokens);
    }
    picture(&HeadGrid { figure }, format)
}

/// Side of a map, and the distance from one to the next.
const MAP: f64 = 64.0;
const STEP: f64 = MAP + 6.0;
/// Cells on a side of a map; longer sequences are pooled.
const MOST_CELLS: usize = 64;
const LEFT: f64 = MARGIN + 2.0 * CAPTION + 22.0;
const TOP: f64 = MARGIN + TITLE + 6.0 + CAPTION + 12.0 + 2.0 * CAPTION + 16.0;

struct HeadGrid<'a> {
    figure: &'a HeadGridFigure<'a>,
}

impl HeadGrid<'_> {
    fn pool(&self) -> usize {
        self.figure.tokens.len().div_ceil(MOST_CELLS)
    }

    fn heads(&self) -> usize {
        self.figure.layers.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// One pixel a cell, which is the highest of its values: pooling must not hide a spike.
    fn small(&self, pattern: &[f32]) -> RgbImage {
        let (tokens, pool) = (self.figure.tokens.len(), self.pool());
        let cells = tokens.div_ceil(pool);
        let span = |i: u32| i as usize * pool..((i as usize + 1) * pool).min(tokens);
        let shares = self.figure.scale.shares(pattern, tokens);
        RgbImage::from_fn(cells as u32, cells as u32, |x, y| {
            let values = span(y).flat_map(|query| span(x).map(move |key| query * tokens + key));
            let most = values.map(|cell| shares[cell]).fold(0.0, f32::max);
            Rgb(self.figure.map.ink(self.figure.scale.curve.place(most), [PAPER.0, PAPER.1, PAPER.2]))
        })
    }

    fn note(&self) -> String {
        let scale = self.figure.scale;
        let curve = scale.curve.words();
        let of = scale.words().unwrap_or("weights");
        let pooled = match self.pool() {
            1 => String::new(),
            pool => format!("; each cell is the highest of {pool} × {pool} values"),
        };
        format!("rows query, columns key; {} tokens; colours: {curve}{of}, 0 to 1{pooled}", self.figure.tokens.len())
    }
}

impl Draw for HeadGrid<'_> {
    fn size(&self) -> (u32, u32) {
        let small = width(&self.note(), CAPTION, false).max(width(&self.figure.caption, CAPTION, false));
        let words = width(&self.figure.title, TITLE, true).max(small);
        let right = (LEFT + STEP * self.heads() as f64).max(MARGIN + words) + MARGIN;
        let bottom = TOP + STEP * self.figure.layers.len() as f64 + 8.0 + CAPTION + MARGIN;
        (right.ceil() as u32, bottom.ceil() as u32)
    }

    fn description(&self) -> (String, String) {
        let (layers, heads) = (self.figure.layers.len(), self.heads());
        let words = format!(
            "Attention patterns of {layers} layers with {heads} heads each. {}; {}.",
            self.figure.caption,
            self.note()
        );
        (self.figure.title.clone(), words)
    }

    fn draw<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let (width, height) = self.size();
        begin(sheet, (f64::from(width), f64::from(height)), &self.figure.title)?;
        caption(sheet, &self.figure.caption)?;
        let number = TextLook { size: CAPTION, bold: false, color: TEXT, align: Align::Middle, upward: false };
        let small = TextLook { color: MUTED, align: Align::Start, ..number };
        let middle = |index: usize| STEP * index as f64 + MAP / 2.0;
        sheet.text("head", LEFT, TOP - 1.5 * CAPTION - 12.0, small)?;
        for head in 0..self.heads() {
            sheet.text(&head.to_string(), LEFT + middle(head), TOP - 6.0 - CAPTION / 2.0, number)?;
        }
        let upward = TextLook { align: Align::End, upward: true, ..small };
        sheet.text("layer", MARGIN + CAPTION / 2.0, TOP, upward)?;
        for (layer, heads) in self.figure.layers.iter().enumerate() {
            let end = TextLook { align: Align::End, ..number };
            sheet.text(&layer.to_string(), LEFT - 8.0, TOP + middle(layer), end)?;
            for (head, pattern) in heads.iter().enumerate() {
                let (x, y) = (LEFT + STEP * head as f64, TOP + STEP * layer as f64);
                match pattern {
                    Some(pattern) => {
                        let small = self.small(pattern);
                        sheet.picture(x, y, MAP / f64::from(small.width()), &small)?;
                    }
                    None => sheet.line(&[[x, y + MAP], [x + MAP, y]], 0.8, MUTED, 1.0)?,
                }
                frame(sheet, x, y, MAP, MAP)?;
            }
        }
        let bottom = TOP + STEP * self.figure.layers.len() as f64 + 8.0 + CAPTION / 2.0;
        sheet.text(&self.note(), MARGIN, bottom, small)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure<'a>(layers: Vec<Vec<Option<&'a [f32]>>>) -> HeadGridFigure<'a> {
        let tokens = vec!["a".to_owned(), "b".to_owned()];
        HeadGridFigure {
            title: "tiny, all heads".into(),
            caption: "“a b”".into(),
            tokens,
            layers,
            map: ColorMap::Viridis,
            scale: WeightScale::LINEAR,
        }
    }

    #[test]
    fn every_head_is_in_the_table_without_what_a_mask_hides() {
        let (one, two) = ([1.0, 0.0, 0.25, 0.75], [0.5, 0.5, 0.0, 1.0]);
        let figure = figure(vec![vec![Some(&one), None], vec![None, Some(&two)]]);
        let csv = String::from_utf8(head_grid_figure(&figure, Format::Csv).unwrap()).unwrap();
        assert_eq!(
            csv,
            "layer,head,query,key,weight\n0,0,0,0,1\n0,0,1,0,0.25\n0,0,1,1,0.75\n1,1,0,0,0.5\n1,1,0,1,0.5\n1,1,1,1,1\n"
        );
    }

    #[test]
    fn each_map_stands_in_the_row_of_its_layer_and_the_column_of_its_head() {
        let (strong, weak) = ([1.0; 4], [0.0; 4]);
        let figure = figure(vec![vec![Some(&weak), Some(&weak)], vec![Some(&strong), Some(&weak)]]);
        let png = image::load_from_memory(&head_grid_figure(&figure, Format::Png).unwrap()).unwrap().to_rgb8();
        for (layer, head, weight) in [(0, 0, 0.0), (0, 1, 0.0), (1, 0, 1.0), (1, 1, 0.0)] {
            let middle = |start: f64, index: i32| (2.0 * (start + STEP * f64::from(index) + MAP / 2.0)) as u32;
            let pixel = png.get_pixel(middle(LEFT, head), middle(TOP, layer)).0;
            assert_eq!(pixel, ColorMap::Viridis.ink(weight, [255; 3]), "layer {layer}, head {head}");
        }
        let svg = String::from_utf8(head_grid_figure(&figure, Format::Svg).unwrap()).unwrap();
        assert_eq!(svg.matches("<image ").count(), 4);
    }

    #[test]
    fn patterns_that_do_not_fit_the_tokens_are_refused() {
        let short = [1.0];
        let found = head_grid_figure(&figure(vec![vec![Some(&short)]]), Format::Csv);
        assert!(matches!(found, Err(ChartError::Shape { expected: 4, found: 1, .. })));
        assert!(matches!(head_grid_figure(&figure(vec![vec![None]]), Format::Svg), Err(ChartError::Empty(_))));
    }
}
