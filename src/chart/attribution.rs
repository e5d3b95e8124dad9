//! What the score of a token or a class is made of, as a figure, a table and arrays.

use super::ink::{AXIS, MUTED, PAPER, TEXT};
use super::page::{CAPTION, MARGIN, TITLE, begin, visible_title};
use super::sheet::{Align, Draw, Sheet, TextLook, picture};
use super::table::Rows;
use super::text::{fitted, for_pixels, visible};
use super::{Array, ArrayFormat, ArrayValues, ChartError, Format, arrays_file};
use crate::types::{AddedPart, AttributionReport, ScaleCurve, diverging};
use plotters::prelude::{DrawingBackend, RGBColor};
use std::sync::Arc;

/// The parts of one score.
#[derive(Clone, Debug)]
pub struct AttributionFigure {
    /// What it shows, such as `sprout, what the score of ‘ mat’ is made of`.
    pub title: String,
    /// A line below the title: of which prompt it is.
    pub caption: String,
    /// The numbers.
    pub report: Arc<AttributionReport>,
    /// How a head's share of the largest becomes a place on the scale of colours.
    pub curve: ScaleCurve,
}

impl AttributionFigure {
    /// Of a model and what it read.
    #[must_use]
    pub fn new(model: &str, caption: String, report: &Arc<AttributionReport>, curve: ScaleCurve) -> Self {
        Self { title: format!("{model}, {}", Self::what(report)), caption, report: Arc::clone(report), curve }
    }

    /// What the numbers are of.
    #[must_use]
    pub fn what(report: &AttributionReport) -> String {
        let above = report.against.as_ref().map_or_else(|| "the mean".to_owned(), |(_, text)| format!("‘{text}’"));
        format!("what the score of ‘{}’ above {above} is made of", report.target.1)
    }
}

/// Draws all parts, heads as a map and the others as bars, or writes them as a table.
///
/// # Errors
/// [`ChartError::Empty`] without parts, [`ChartError::NotFinite`] where one has no colour, and the encoders' own.
pub fn attribution_figure(figure: &AttributionFigure, format: Format) -> Result<Vec<u8>, ChartError> {
    let report = &figure.report;
    if report.parts.is_empty() {
        return Err(ChartError::Empty("the score has no parts"));
    }
    if format == Format::Csv {
        return attribution_table(report);
    }
    if let Some((index, (_, value))) = report.parts.iter().enumerate().find(|(_, (_, value))| !value.is_finite()) {
        return Err(ChartError::NotFinite { index, value: *value as f32 });
    }
    picture(&Parts::new(figure, format), format)
}

/// The kind of a part, its layer and its head, where it has them.
fn named(part: AddedPart) -> (&'static str, Option<usize>, Option<usize>) {
    match part {
        AddedPart::Embedding => ("embedding", None, None),
        AddedPart::Position => ("position", None, None),
        AddedPart::Head { layer, head } => ("head", Some(layer), Some(head)),
        AddedPart::AttentionBias(layer) => ("attention_bias", Some(layer), None),
        AddedPart::Mlp(layer) => ("mlp", Some(layer), None),
        AddedPart::NormBias => ("norm_bias", None, None),
        AddedPart::HeadBias => ("head_bias", None, None),
    }
}

/// The parts as CSV, in the order in which they are added, then the remainder and the score.
fn attribution_table(report: &AttributionReport) -> Result<Vec<u8>, ChartError> {
    let mut rows = Rows::new();
    rows.write(["part", "layer", "head", "value"].map(str::to_owned))?;
    let number = |number: Option<usize>| number.map_or_else(String::new, |number| number.to_string());
    for (part, value) in &report.parts {
        let (kind, layer, head) = named(*part);
        rows.write([kind.to_owned(), number(layer), number(head), value.to_string()])?;
    }
    for (name, value) in [("remainder", report.remainder()), ("score", report.score)] {
        rows.write([name.to_owned(), String::new(), String::new(), value.to_string()])?;
    }
    rows.finish()
}

/// The same as arrays: `heads` of `[layers, heads]`, `mlps` and, where there are any, `attention_biases` of `[layers]`; each other part
/// under its name, `remainder` and `score` of `[1]`; and the `ids` that were read.
///
/// # Errors
/// Those of [`arrays_file`].
pub fn attribution_arrays(
    report: &AttributionReport,
    about: &[(String, String)],
    format: ArrayFormat,
) -> Result<Vec<u8>, ChartError> {
    let [layers, heads] = report.shape();
    let value = |part| report.value(part).map(|value| value as f32);
    let or_none = |part| value(part).unwrap_or(f32::NAN);
    let map: Vec<f32> = (0..layers)
        .flat_map(|layer| (0..heads).map(move |head| AddedPart::Head { layer, head }))
        .map(or_none)
        .collect();
    let mlps: Vec<f32> = (0..layers).map(|layer| or_none(AddedPart::Mlp(layer))).collect();
    let biases: Vec<f32> = (0..layers).filter_map(|layer| value(AddedPart::AttentionBias(layer))).collect();
    let ids: Vec<i64> = report.tokens.iter().map(|token| i64::from(token.id)).collect();
    let single = [AddedPart::Embedding, AddedPart::Position, AddedPart::NormBias, AddedPart::HeadBias];
    let single = single.into_iter().filter_map(|part| Some((named(part).0, [value(part)?])));
    let ends = [("remainder", [report.remainder() as f32]), ("score", [report.score as f32])];
    let single: Vec<_> = single.chain(ends).collect();
    let array = |name: &str, shape: &[usize], values| Array { name: name.to_owned(), shape: shape.to_vec(), values };
    let mut arrays = vec![
        array("heads", &[layers, heads], ArrayValues::Floats(&map)),
        array("mlps", &[layers], ArrayValues::Floats(&mlps)),
    ];
    if biases.len() == layers {
        arrays.push(array("attention_biases", &[layers], ArrayValues::Floats(&biases)));
    }
    arrays.extend(single.iter().map(|(name, value)| array(name, &[1], ArrayValues::Floats(value))));
    arrays.push(array("ids", &[ids.len()], ArrayValues::Integers(&ids)));
    arrays_file(&arrays, about, format)
}

const ROW: f64 = 18.0;
const GAP: f64 = 1.0;
/// Room for the names of rows, for a bar, and for its number.
const NAMES: f64 = 72.0;
const BAR: f64 = 120.0;
const NUMBER: f64 = 58.0;
const SPACE: f64 = 16.0;
const LINE: f64 = CAPTION + 5.0;
const TOP: f64 = MARGIN + TITLE + 6.0 + 2.0 * LINE + 10.0 + LINE;
const LEGEND: f64 = 200.0;

/// A line of the figure.
#[derive(Clone, Copy)]
enum Line {
    Layer(usize),
    Single(AddedPart),
}

struct Parts<'a> {
    figure: &'a AttributionFigure,
    title: String,
    captions: [String; 2],
    lines: Vec<Line>,
    layers: usize,
    heads: usize,
    has_biases: bool,
    /// The ends of the colours of heads, and of the bars.
    most: [f64; 2],
}

impl<'a> Parts<'a> {
    fn new(figure: &'a AttributionFigure, format: Format) -> Self {
        let report = &figure.report;
        let [layers, heads] = report.shape();
        let has = |part: &AddedPart| report.value(*part).is_some();
        let single = |parts: &[AddedPart]| parts.iter().copied().filter(has).map(Line::Single).collect::<Vec<_>>();
        let mut lines = single(&[AddedPart::Embedding, AddedPart::Position]);
        lines.extend((0..layers).map(Line::Layer));
        lines.extend(single(&[AddedPart::NormBias, AddedPart::HeadBias]));
        let largest = |of_heads: bool| {
            let parts = report.parts.iter().filter(|(part, _)| matches!(part, AddedPart::Head { .. }) == of_heads);
            parts.fold(0.0f64, |most, (_, value)| most.max(value.abs()))
        };
        let mut parts = Self {
            figure,
            title: String::new(),
            captions: [const { String::new() }; 2],
            lines,
            layers,
            heads,
            has_biases: report.parts.iter().any(|(part, _)| matches!(part, AddedPart::AttentionBias(_))),
            most: [largest(true), largest(false)],
        };
        let room = 2.0f64.mul_add(-MARGIN, f64::from(parts.size().0));
        let is_drawn = format != Format::Svg;
        let readable = |text: &str| {
            let text = visible_title(text);
            if is_drawn { for_pixels(&text) } else { text }
        };
        let whole = if report.is_whole() { "the parts make the score" } else { "the parts do not make the score" };
        let sum = format!("Score {:+.4}; {whole}, {:.0e} is missing.", report.score, report.remainder().abs());
        parts.title = fitted(&readable(&figure.title), TITLE, true, room);
        parts.captions = [figure.caption.as_str(), &sum].map(|words| fitted(&readable(words), CAPTION, false, room));
        parts
    }

    /// Where heads, the bars of MLPs and those of biases begin.
    fn columns(&self) -> [f64; 3] {
        let heads = MARGIN + NAMES;
        let mlps = heads + ROW * self.heads as f64 + SPACE;
        [heads, mlps, mlps + BAR + NUMBER + SPACE]
    }

    fn bar<B: DrawingBackend>(
        &self,
        sheet: &mut Sheet<'_, B>,
        left: f64,
        top: f64,
        value: f64,
    ) -> Result<(), ChartError> {
        let middle = left + BAR / 2.0;
        let share = if self.most[1] > 0.0 { value / self.most[1] } else { 0.0 };
        let length = (share.abs() * BAR / 2.0).max(0.5);
        let start = if share < 0.0 { middle - length } else { middle };
        sheet.rect(start, top + 4.0, length, ROW - 8.0, colour(share.signum()))?;
        sheet.line(&[[middle, top], [middle, top + ROW]], 1.0, AXIS, 1.0)?;
        let look = TextLook { size: CAPTION, bold: false, color: TEXT, align: Align::End, upward: false };
        sheet.text(&format!("{value:+.3}"), left + BAR + NUMBER - 4.0, top + ROW / 2.0, look)
    }

    fn legend<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>, top: f64) -> Result<(), ChartError> {
        const STEPS: usize = 40;
        let (left, step) = (MARGIN + NAMES, LEGEND / STEPS as f64);
        for place in 0..STEPS {
            let value = 2.0 * (place as f64 + 0.5) / STEPS as f64 - 1.0;
            sheet.rect(left + step * place as f64, top, step, 8.0, colour(value))?;
        }
        let start = TextLook { size: CAPTION, bold: false, color: MUTED, align: Align::Start, upward: false };
        let middle = TextLook { align: Align::Middle, ..start };
        for share in [-1.0, -0.25, 0.0, 0.25, 1.0f32] {
            let place = f64::from(self.figure.curve.place(share.abs()) * share.signum());
            let value = f64::from(share) * self.most[0];
            let words = if share == 0.0 { "0".to_owned() } else { format!("{value:+.2}") };
            sheet.text(&words, left + LEGEND * (1.0 + place) / 2.0, top + 16.0, middle)?;
        }
        sheet.text("heads", left + LEGEND + 20.0, top + 4.0, start)
    }
}

fn colour(share: f64) -> RGBColor {
    let [r, g, b] = diverging(share as f32, [PAPER.0, PAPER.1, PAPER.2]);
    RGBColor(r, g, b)
}

impl Draw for Parts<'_> {
    fn size(&self) -> (u32, u32) {
        let [_, mlps, biases] = self.columns();
        let right = if self.has_biases { biases } else { mlps } + BAR + NUMBER;
        let height = TOP + ROW * self.lines.len() as f64 + SPACE + 24.0 + MARGIN;
        ((right + MARGIN).max(560.0).ceil() as u32, height.ceil() as u32)
    }

    fn description(&self) -> (String, String) {
        let largest = self.figure.report.sorted();
        let largest = largest.iter().take(8).map(|(part, value)| format!("{part} {value:+.3}"));
        let words = largest.collect::<Vec<_>>().join(", ");
        (self.figure.title.clone(), format!("{}. {} Largest: {words}.", visible(&self.captions[0]), self.captions[1]))
    }

    fn draw<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let (width, height) = self.size();
        begin(sheet, (f64::from(width), f64::from(height)), &self.title)?;
        let start = TextLook { size: CAPTION, bold: false, color: MUTED, align: Align::Start, upward: false };
        let (middle, end) = (TextLook { align: Align::Middle, ..start }, TextLook { align: Align::End, ..start });
        for (line, words) in self.captions.iter().enumerate() {
            sheet.text(words, MARGIN, MARGIN + TITLE + 6.0 + LINE * line as f64 + CAPTION / 2.0, start)?;
        }
        let [heads, mlps, biases] = self.columns();
        let above = TOP - LINE / 2.0;
        // Every n-th number where they do not fit.
        let every = if self.heads > 10 { 2 } else { 1 };
        for head in (0..self.heads).step_by(every) {
            sheet.text(&head.to_string(), heads + ROW * (head as f64 + 0.5), above, middle)?;
        }
        sheet.text("MLP", mlps + BAR / 2.0, above, middle)?;
        if self.has_biases {
            sheet.text("attention bias", biases + BAR / 2.0, above, middle)?;
        }
        let report = &self.figure.report;
        for (place, line) in self.lines.iter().enumerate() {
            let top = TOP + ROW * place as f64;
            let name = match line {
                Line::Layer(layer) => format!("layer {layer}"),
                Line::Single(AddedPart::NormBias) => "norm bias".to_owned(),
                Line::Single(AddedPart::HeadBias) => "score bias".to_owned(),
                Line::Single(part) => part.to_string(),
            };
            sheet.text(&name, MARGIN + NAMES - 8.0, top + ROW / 2.0, end)?;
            match line {
                Line::Single(part) => self.bar(sheet, mlps, top, report.value(*part).unwrap_or(0.0))?,
                Line::Layer(layer) => {
                    for head in 0..self.heads {
                        let value = report.value(AddedPart::Head { layer: *layer, head }).unwrap_or(0.0);
                        let share = if self.most[0] > 0.0 { value / self.most[0] } else { 0.0 };
                        let share = f64::from(self.figure.curve.place(share.abs() as f32)) * share.signum();
                        sheet.rect(heads + ROW * head as f64, top, ROW - GAP, ROW - GAP, colour(share))?;
                    }
                    self.bar(sheet, mlps, top, report.value(AddedPart::Mlp(*layer)).unwrap_or(0.0))?;
                    if let Some(value) = report.value(AddedPart::AttentionBias(*layer)) {
                        self.bar(sheet, biases, top, value)?;
                    }
                }
            }
        }
        let first = self.lines.iter().position(|line| matches!(line, Line::Layer(_))).unwrap_or(0) as f64;
        let size = (ROW * self.heads as f64 - GAP, ROW * self.layers as f64 - GAP);
        super::page::frame(sheet, heads, TOP + ROW * first, size.0, size.1)?;
        self.legend(sheet, TOP + ROW * self.lines.len() as f64 + SPACE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::PromptToken;

    fn figure() -> AttributionFigure {
        let head = |layer, head| (AddedPart::Head { layer, head }, if head == 1 { -1.0 } else { 0.5 });
        let parts = vec![
            (AddedPart::Embedding, 2.0),
            (AddedPart::Position, 0.25),
            head(0, 0),
            head(0, 1),
            (AddedPart::AttentionBias(0), 0.125),
            (AddedPart::Mlp(0), -0.75),
            head(1, 0),
            head(1, 1),
            (AddedPart::AttentionBias(1), 0.0),
            (AddedPart::Mlp(1), 1.5),
            (AddedPart::NormBias, 0.0625),
        ];
        let report = AttributionReport {
            tokens: vec![PromptToken { id: 3, text: " a".into(), span: 0..2 }],
            target: (7, " mat".into()),
            against: None,
            score: parts.iter().map(|(_, value)| value).sum(),
            scores: [2.0, 0.0],
            parts,
            left_out: [0, 0],
            removed: None,
        };
        AttributionFigure::new("tiny", "“a”".into(), &Arc::new(report), ScaleCurve::default())
    }

    #[test]
    fn every_part_has_a_place_in_the_figure_and_a_word_for_who_does_not_see_it() {
        let svg = String::from_utf8(attribution_figure(&figure(), Format::Svg).unwrap()).unwrap();
        let title = "tiny, what the score of ‘ mat’ above the mean is made of";
        for words in [title, "\nlayer 1\n", "\nnorm bias\n", "\n+1.500\n", "\n+0.125\n", "the parts make the score"] {
            assert!(svg.contains(words), "{words}: {svg}");
        }
        assert!(svg.contains("Largest: embedding +2.000, MLP 1 +1.500, head 0.1 -1.000"), "{svg}");
        let png = image::load_from_memory(&attribution_figure(&figure(), Format::Png).unwrap()).unwrap();
        assert!(png.width() >= 2 * 560);
        let without = AttributionReport { parts: Vec::new(), ..(*figure().report).clone() };
        let none = AttributionFigure { report: Arc::new(without), ..figure() };
        assert!(matches!(attribution_figure(&none, Format::Svg), Err(ChartError::Empty(_))));
    }

    #[test]
    fn what_is_no_number_is_in_the_table_and_has_no_colour() {
        let mut report = (*figure().report).clone();
        report.parts[3].1 = f64::NAN;
        let broken = AttributionFigure { report: Arc::new(report), ..figure() };
        assert!(matches!(attribution_figure(&broken, Format::Png), Err(ChartError::NotFinite { index: 3, .. })));
        let table = String::from_utf8(attribution_figure(&broken, Format::Csv).unwrap()).unwrap();
        assert!(table.contains("head,0,1,NaN"), "{table}");
    }

    #[test]
    fn table_and_arrays_have_the_parts_and_the_score() {
        let report = figure().report;
        let table = String::from_utf8(attribution_figure(&figure(), Format::Csv).unwrap()).unwrap();
        assert_eq!(table.lines().count(), 1 + report.parts.len() + 2);
        assert!(table.contains("\nhead,1,1,-1\n") && table.contains("\nmlp,1,,1.5\n"), "{table}");
        let bytes = attribution_arrays(&report, &[], ArrayFormat::Safetensors).unwrap();
        let arrays = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(arrays.tensor("heads").unwrap().shape(), [2, 2]);
        assert_eq!(arrays.tensor("heads").unwrap().data()[4..8], (-1.0f32).to_le_bytes());
        assert_eq!(arrays.tensor("attention_biases").unwrap().shape(), [2]);
        assert!(arrays.tensor("head_bias").is_err() && arrays.tensor("norm_bias").is_ok());
    }
}
