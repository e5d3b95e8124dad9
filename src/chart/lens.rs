//! The logit lens: what each layer would say, as a figure, a table and arrays.

use super::ink::{MUTED, PAPER, TEXT};
use super::page::{CAPTION, MARGIN, TITLE, begin, visible_title};
use super::sheet::{Align, Draw, Sheet, TextLook, picture};
use super::table::Rows;
use super::text::{fitted, for_pixels, visible};
use super::{Array, ArrayFormat, ArrayValues, ChartError, Format, arrays_file};
use crate::types::{ColorMap, LensReport, ScaleCurve};
use plotters::prelude::{DrawingBackend, RGBColor};
use std::sync::Arc;

/// What each layer would say at the tokens of a text.
#[derive(Clone, Debug)]
pub struct LensFigure {
    /// What it shows, such as `sprout, what each layer would say`.
    pub title: String,
    /// A line below the title: of which prompt it is.
    pub caption: String,
    /// The numbers.
    pub report: Arc<LensReport>,
    /// Colours of the probabilities; 0 is the paper itself.
    pub map: ColorMap,
    /// How probabilities become places on the scale of colours.
    pub curve: ScaleCurve,
}

/// Draws the likeliest token of every layer at the last tokens of the text, or writes all cells as a table.
///
/// # Errors
/// [`ChartError::Empty`] without tokens, and the encoders' own.
pub fn lens_figure(figure: &LensFigure, format: Format) -> Result<Vec<u8>, ChartError> {
    if figure.report.tokens.is_empty() {
        return Err(ChartError::Empty("the sequence has no tokens"));
    }
    if format == Format::Csv {
        return lens_table(&figure.report);
    }
    picture(&Lens::new(figure, format), format)
}

/// The lens as CSV, a row for each state and token: what stands there, what is likeliest, and how the followed token fares.
///
/// # Errors
/// [`ChartError::Encode`] when the table cannot be written.
fn lens_table(report: &LensReport) -> Result<Vec<u8>, ChartError> {
    let mut rows = Rows::new();
    let place = ["state", "position", "token", "likeliest", "likeliest_probability"];
    let followed = ["followed", "rank", "probability", "entropy_nats", "kl_nats"];
    rows.write(place.into_iter().chain(followed).map(str::to_owned))?;
    for (state, cells) in report.states.iter().enumerate() {
        for (position, (cell, token)) in cells.iter().zip(&report.tokens).enumerate() {
            let (likeliest, log_prob) = cell.top.first().copied().unwrap_or((cell.followed, f32::NAN));
            let of_place = [LensReport::state_name(state), position.to_string(), token.text.clone()];
            let said = [report.name(likeliest).to_owned(), log_prob.exp().to_string()];
            let numbers = [cell.log_prob.exp(), cell.entropy, cell.divergence].map(|number| number.to_string());
            let followed = [report.name(cell.followed).to_owned(), cell.rank.to_string()];
            rows.write(of_place.into_iter().chain(said).chain(followed).chain(numbers))?;
        }
    }
    rows.finish()
}

/// The same as arrays of `[states, tokens]`: `entropy`, `kl`, `rank` and `log_prob` of the `followed` token; `top_ids` and
/// `top_log_probs` of `[states, tokens, n]`; and the `ids` that were read.
///
/// # Errors
/// Those of [`arrays_file`].
pub fn lens_arrays(
    report: &LensReport,
    about: &[(String, String)],
    format: ArrayFormat,
) -> Result<Vec<u8>, ChartError> {
    let shape = [report.states.len(), report.tokens.len()];
    let cells = || report.states.iter().flatten();
    let top = cells().map(|cell| cell.top.len()).min().unwrap_or(0);
    let floats = |of: &dyn Fn(&crate::types::LensCell) -> f32| cells().map(of).collect::<Vec<f32>>();
    let (entropy, kl) = (floats(&|cell| cell.entropy), floats(&|cell| cell.divergence));
    let log_prob = floats(&|cell| cell.log_prob);
    let rank: Vec<i64> = cells().map(|cell| i64::from(cell.rank)).collect();
    let followed: Vec<i64> = cells().map(|cell| i64::from(cell.followed)).collect();
    let (top_ids, top_logs): (Vec<i64>, Vec<f32>) =
        cells().flat_map(|cell| cell.top[..top].iter().map(|(id, log)| (i64::from(*id), *log))).unzip();
    let ids: Vec<i64> = report.tokens.iter().map(|token| i64::from(token.id)).collect();
    let array = |name: &str, shape: &[usize], values| Array { name: name.to_owned(), shape: shape.to_vec(), values };
    let of_top = [shape[0], shape[1], top];
    let arrays = [
        array("entropy", &shape, ArrayValues::Floats(&entropy)),
        array("kl", &shape, ArrayValues::Floats(&kl)),
        array("log_prob", &shape, ArrayValues::Floats(&log_prob)),
        array("rank", &shape, ArrayValues::Integers(&rank)),
        array("followed", &shape, ArrayValues::Integers(&followed)),
        array("top_ids", &of_top, ArrayValues::Integers(&top_ids)),
        array("top_log_probs", &of_top, ArrayValues::Floats(&top_logs)),
        array("ids", &[ids.len()], ArrayValues::Integers(&ids)),
    ];
    arrays_file(&arrays, about, format)
}

/// Tokens that are drawn: the last of the text.
const MOST: usize = 16;
const CELL: (f64, f64) = (72.0, 20.0);
const NAMES: f64 = 64.0;
const GAP: f64 = 1.0;
const LINE: f64 = CAPTION + 5.0;
const TOP: f64 = MARGIN + TITLE + 6.0 + 2.0 * LINE + 10.0 + LINE;

struct Lens<'a> {
    figure: &'a LensFigure,
    title: String,
    captions: [String; 2],
    /// The first token that is drawn.
    first: usize,
    /// Pixels have one font; what it lacks is written out.
    is_drawn: bool,
}

impl<'a> Lens<'a> {
    fn new(figure: &'a LensFigure, format: Format) -> Self {
        let first = figure.report.tokens.len().saturating_sub(MOST);
        let shown = figure.report.tokens.len() - first;
        let is_drawn = format != Format::Svg;
        let width = 2.0f64.mul_add(-MARGIN, size_of_page(shown));
        let line = |text: &str, size, bold| fitted(&readable(&visible_title(text), is_drawn), size, bold, width);
        let report = &figure.report;
        let read = report.tokens.len();
        let part = match (report.is_whole(), first) {
            (true, 0) => String::new(),
            (true, _) => format!("; the last {shown} tokens"),
            (false, _) => format!("; tokens {first} to {} of the {} of the text", read.saturating_sub(1), report.total),
        };
        let checked = if !report.is_whole() {
            "Likeliest token, coloured by its probability; the text was not read to its end."
        } else if figure.report.is_checked() {
            "Likeliest token, coloured by its probability; the last row was checked against what the model says."
        } else {
            "Likeliest token, coloured by its probability; the last row is off what the model says."
        };
        Self {
            figure,
            title: line(&figure.title, TITLE, true),
            captions: [line(&format!("{}{part}", figure.caption), CAPTION, false), line(checked, CAPTION, false)],
            first,
            is_drawn,
        }
    }

    fn color(&self, probability: f32) -> RGBColor {
        let place = self.figure.curve.place(probability);
        let [r, g, b] = self.figure.map.ink(place, [PAPER.0, PAPER.1, PAPER.2]);
        RGBColor(r, g, b)
    }

    fn short(&self, text: &str) -> String {
        fitted(&readable(&visible(text), self.is_drawn), CAPTION, false, CELL.0 - 8.0)
    }
}

fn readable(text: &str, is_drawn: bool) -> String {
    if is_drawn { for_pixels(text) } else { text.to_owned() }
}

/// Width of a page of so many tokens.
fn size_of_page(tokens: usize) -> f64 {
    (2.0 * MARGIN + NAMES + CELL.0 * tokens as f64).max(480.0)
}

/// Black or white, whichever stands out.
fn ink_on(paper: RGBColor) -> RGBColor {
    let luma = 0.299 * f64::from(paper.0) + 0.587 * f64::from(paper.1) + 0.114 * f64::from(paper.2);
    if luma > 140.0 { TEXT } else { PAPER }
}

impl Draw for Lens<'_> {
    fn size(&self) -> (u32, u32) {
        let report = &self.figure.report;
        let width = size_of_page(report.tokens.len() - self.first);
        let height = TOP + CELL.1 * report.states.len() as f64 + MARGIN;
        (width.ceil() as u32, height.ceil() as u32)
    }

    fn description(&self) -> (String, String) {
        let report = &self.figure.report;
        let last = report.tokens.len() - 1;
        let said = |state: usize| {
            let cell = &report.states[state][last];
            let (id, log_prob) = cell.top.first().copied().unwrap_or((cell.followed, cell.log_prob));
            format!("{} says ‘{}’ with {:.0} %", LensReport::state_name(state), report.name(id), 100.0 * log_prob.exp())
        };
        let states: Vec<String> = (0..report.states.len()).map(said).collect();
        let after = &report.tokens[last].text;
        (self.figure.title.clone(), format!("{}. After ‘{after}’: {}.", self.figure.caption, states.join(", ")))
    }

    fn draw<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let (width, height) = self.size();
        begin(sheet, (f64::from(width), f64::from(height)), &self.title)?;
        let start = TextLook { size: CAPTION, bold: false, color: MUTED, align: Align::Start, upward: false };
        let (middle, end) = (TextLook { align: Align::Middle, ..start }, TextLook { align: Align::End, ..start });
        for (line, words) in self.captions.iter().enumerate() {
            sheet.text(words, MARGIN, MARGIN + TITLE + 6.0 + LINE * line as f64 + CAPTION / 2.0, start)?;
        }
        let report = &self.figure.report;
        let left = |token: usize| MARGIN + NAMES + CELL.0 * (token - self.first) as f64;
        for (token, read) in report.tokens.iter().enumerate().skip(self.first) {
            sheet.text(&self.short(&read.text), left(token) + CELL.0 / 2.0, TOP - LINE / 2.0, middle)?;
        }
        for (state, cells) in report.states.iter().enumerate() {
            let top = TOP + CELL.1 * state as f64;
            sheet.text(&LensReport::state_name(state), MARGIN + NAMES - 8.0, top + CELL.1 / 2.0, end)?;
            for (token, cell) in cells.iter().enumerate().skip(self.first) {
                let Some((id, log_prob)) = cell.top.first() else { continue };
                let paper = self.color(log_prob.exp());
                sheet.rect(left(token), top, CELL.0 - GAP, CELL.1 - GAP, paper)?;
                let look = TextLook { color: ink_on(paper), ..middle };
                sheet.text(&self.short(report.name(*id)), left(token) + CELL.0 / 2.0, top + CELL.1 / 2.0, look)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{LensCell, PromptToken};

    fn figure(tokens: usize) -> LensFigure {
        let cell = |state: usize, token: usize| LensCell {
            top: vec![((state + token) as u32, (0.25 * (state + 1) as f32).ln()), (9, 0.125f32.ln())],
            entropy: 1.5,
            divergence: 0.5,
            followed: 9,
            rank: 2,
            log_prob: 0.125f32.ln(),
        };
        let token = |id: usize| PromptToken { id: id as u32, text: format!(" t{id}"), span: 0..0 };
        let report = LensReport {
            lens: None,
            tokens: (0..tokens).map(token).collect(),
            total: tokens,
            states: (0..3).map(|state| (0..tokens).map(|at| cell(state, at)).collect()).collect(),
            target: None,
            names: (0..40).map(|id| (id, format!(" n{id}"))).collect(),
            off: 0.0,
        };
        LensFigure {
            title: "tiny, what each layer would say".into(),
            caption: "“a text”".into(),
            report: Arc::new(report),
            map: ColorMap::default(),
            curve: ScaleCurve::default(),
        }
    }

    #[test]
    fn the_last_tokens_are_drawn_with_names_and_told_in_words() {
        let svg = String::from_utf8(lens_figure(&figure(20), Format::Svg).unwrap()).unwrap();
        for words in
            ["tiny, what each layer would say", "the last 16 tokens", "\nembedding\n", "\nlayer 1\n", "checked"]
        {
            assert!(svg.contains(words), "{words}: {svg}");
        }
        assert!(svg.contains("\n·t19\n") && !svg.contains("\n·t3\n"), "{svg}");
        assert!(svg.contains("layer 1 says ‘ n21’ with 75 %"), "{svg}");
        let png = image::load_from_memory(&lens_figure(&figure(2), Format::Png).unwrap()).unwrap();
        assert_eq!(png.width(), 2 * 480, "no narrower than its title");
        let none = LensFigure {
            report: Arc::new(LensReport { tokens: Vec::new(), total: 0, ..(*figure(1).report).clone() }),
            ..figure(1)
        };
        assert!(matches!(lens_figure(&none, Format::Svg), Err(ChartError::Empty(_))));
    }

    #[test]
    fn every_cell_has_a_row_and_arrays_have_the_same_numbers() {
        let figure = figure(2);
        let table = String::from_utf8(lens_figure(&figure, Format::Csv).unwrap()).unwrap();
        assert_eq!(table.lines().count(), 1 + 3 * 2);
        assert!(table.contains("layer 0,1, t1, n2,0.5, n9,2,0.125,1.5,0.5\n"), "{table}");
        let bytes = lens_arrays(&figure.report, &[], ArrayFormat::Safetensors).unwrap();
        let arrays = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(arrays.tensor("top_ids").unwrap().shape(), [3, 2, 2]);
        assert_eq!(arrays.tensor("entropy").unwrap().shape(), [3, 2]);
    }
}
