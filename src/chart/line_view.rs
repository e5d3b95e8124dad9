//! Lines between two columns of tokens as a figure.

use super::ink::{MUTED, TEXT};
use super::page::{CAPTION, MARGIN, TITLE, begin, caption};
use super::sheet::{Align, Draw, Sheet, TextLook, picture};
use super::text::{for_pixels, shortened, visible, width};
use super::{ChartError, Format, table};
use crate::types::ColorMap;
use plotters::prelude::{DrawingBackend, RGBColor};

/// What tokens look at, as lines from the left column to the right one.
#[derive(Clone, Debug)]
pub struct LineFigure {
    /// What it shows, such as `sprout, layer 3, head 5`.
    pub title: String,
    /// A line below the title: of which prompt it is, and from which value on there are lines.
    pub caption: String,
    /// The texts, in their order.
    pub tokens: Vec<String>,
    /// Query, key and value of each line.
    pub lines: Vec<(usize, usize, f32)>,
    /// The value whose line is drawn in full.
    pub end: f32,
    /// Colours of the lines.
    pub map: ColorMap,
}

/// Draws the lines, or writes them: a row each.
///
/// # Errors
/// [`ChartError::Empty`] without tokens, [`ChartError::Shape`] for a line to a token that is not there,
/// [`ChartError::NotFinite`] for a value that has no width, and the encoders' own.
pub fn line_figure(figure: &LineFigure, format: Format) -> Result<Vec<u8>, ChartError> {
    let tokens = figure.tokens.len();
    if tokens == 0 {
        return Err(ChartError::Empty("the sequence has no tokens"));
    }
    for (index, (query, key, value)) in figure.lines.iter().enumerate() {
        if *query >= tokens || *key >= tokens {
            return Err(ChartError::Shape { tokens, expected: tokens, found: *query.max(key) + 1 });
        }
        if !value.is_finite() {
            return Err(ChartError::NotFinite { index, value: *value });
        }
    }
    if format == Format::Csv {
        return table::line_table(&figure.tokens, &figure.lines);
    }
    picture(&Lines::new(figure, format), format)
}

const ROW: f64 = 15.0;
const BETWEEN: f64 = 240.0;
const LONGEST_LABEL: usize = 24;
const TOP: f64 = MARGIN + TITLE + 6.0 + CAPTION + 10.0 + CAPTION + 10.0;

struct Lines<'a> {
    figure: &'a LineFigure,
    labels: Vec<String>,
    /// Where the left column ends.
    left: f64,
    widest: f64,
}

impl<'a> Lines<'a> {
    fn new(figure: &'a LineFigure, format: Format) -> Self {
        let readable = |t: &String| if format == Format::Svg { visible(t) } else { for_pixels(&visible(t)) };
        let labels: Vec<String> = figure.tokens.iter().map(|t| shortened(&readable(t), LONGEST_LABEL)).collect();
        let widest = labels.iter().map(|l| width(l, CAPTION, false)).fold(60.0, f64::max).ceil();
        Self { figure, labels, left: MARGIN + widest, widest }
    }

    fn right(&self) -> f64 {
        self.left + 8.0 + BETWEEN
    }

    fn middle(row: usize) -> f64 {
        TOP + ROW * (row as f64 + 0.5)
    }
}

impl Draw for Lines<'_> {
    fn size(&self) -> (u32, u32) {
        let words = width(&self.figure.title, TITLE, true).max(width(&self.figure.caption, CAPTION, false));
        let right = (self.right() + 8.0 + self.widest).max(MARGIN + words) + MARGIN;
        (right.ceil() as u32, (TOP + ROW * self.labels.len() as f64 + MARGIN).ceil() as u32)
    }

    fn description(&self) -> (String, String) {
        let strongest = self.figure.lines.iter().max_by(|a, b| a.2.total_cmp(&b.2)).map_or_else(String::new, |line| {
            let (from, to) = (visible(&self.figure.tokens[line.0]), visible(&self.figure.tokens[line.1]));
            format!(" The strongest: {from} looks at {to} with {}.", super::number(f64::from(line.2)))
        });
        let words = format!(
            "{} lines between {} tokens at the left, which look, and the same at the right, which are looked at. {}.{strongest}",
            self.figure.lines.len(),
            self.labels.len(),
            self.figure.caption
        );
        (self.figure.title.clone(), words)
    }

    fn draw<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let (width, height) = self.size();
        begin(sheet, (f64::from(width), f64::from(height)), &self.figure.title)?;
        caption(sheet, &self.figure.caption)?;
        let heading = TextLook { size: CAPTION, bold: false, color: MUTED, align: Align::End, upward: false };
        sheet.text("looks", self.left, TOP - 10.0, heading)?;
        sheet.text("is looked at", self.right() + 8.0, TOP - 10.0, TextLook { align: Align::Start, ..heading })?;
        // The strong ones lie on top.
        let mut lines: Vec<&(usize, usize, f32)> = self.figure.lines.iter().collect();
        lines.sort_by(|a, b| a.2.total_cmp(&b.2));
        for (query, key, value) in lines {
            let share = f64::from(value / self.figure.end.max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
            let [r, g, b] = self.figure.map.ink(share.sqrt() as f32, [255; 3]);
            let ends = [[self.left + 8.0, Self::middle(*query)], [self.right(), Self::middle(*key)]];
            sheet.line(&ends, 0.6 + 2.2 * share, RGBColor(r, g, b), 0.35 + 0.65 * share)?;
        }
        let name = TextLook { size: CAPTION, bold: false, color: TEXT, align: Align::End, upward: false };
        for (row, label) in self.labels.iter().enumerate() {
            sheet.text(label, self.left, Self::middle(row), name)?;
            sheet.text(label, self.right() + 8.0, Self::middle(row), TextLook { align: Align::Start, ..name })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(lines: Vec<(usize, usize, f32)>) -> LineFigure {
        let tokens = ["The", " cat", "\n"].map(str::to_owned).to_vec();
        let (title, caption) = ("tiny, layer 0, head 1".to_owned(), "“The cat”, 3 tokens".to_owned());
        LineFigure { title, caption, tokens, lines, end: 1.0, map: ColorMap::Viridis }
    }

    #[test]
    fn every_token_stands_on_both_sides_and_every_line_is_drawn() {
        let svg = line_figure(&figure(vec![(1, 0, 0.75), (2, 2, 0.5)]), Format::Svg).unwrap();
        let svg = String::from_utf8(svg).unwrap();
        for text in ["The", "·cat", "⏎"] {
            assert_eq!(svg.matches(&format!(">\n{text}\n<")).count(), 2, "{text}");
        }
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains("“The cat”, 3 tokens") && svg.contains("·cat looks at The with 0.75"), "{svg}");
    }

    #[test]
    fn the_table_has_a_row_a_line() {
        let csv = line_figure(&figure(vec![(1, 0, 0.75)]), Format::Csv).unwrap();
        assert_eq!(String::from_utf8(csv).unwrap(), "query_index,query,key_index,key,value\n1, cat,0,The,0.75\n");
    }

    #[test]
    fn a_line_to_nowhere_and_one_without_a_value_are_refused() {
        let found = line_figure(&figure(vec![(1, 3, 0.5)]), Format::Svg);
        assert!(matches!(found, Err(ChartError::Shape { tokens: 3, .. })));
        let found = line_figure(&figure(vec![(1, 0, f32::NAN)]), Format::Csv);
        assert!(matches!(found, Err(ChartError::NotFinite { index: 0, .. })));
    }
}
