//! The arithmetic of one token in one head as a figure: the parts of the pass from left to right in two rows, each with its
//! numbers.

use super::ink::{AXIS, MUTED, TEXT};
use super::page::{CAPTION, MARGIN, TITLE, begin, frame, visible_title};
use super::sheet::{Align, Draw, Sheet, TextLook, picture};
use super::steps_lists::{self, Bar, Keys};
use super::text::{fitted, for_pixels, visible, width, wrapped};
use super::ticks::number;
use super::{ChartError, Format, steps_values};
use crate::types::{StepKind, StepsReport, diverging};
use plotters::prelude::{DrawingBackend, RGBColor};
use std::sync::Arc;

/// One part of the pass.
#[derive(Clone, Debug, PartialEq)]
pub struct StepsPart {
    /// Its name, such as `q, k`.
    pub name: &'static str,
    /// What happens in it.
    pub words: String,
    /// Its steps, in order; the model has some of them.
    pub kinds: Vec<StepKind>,
    /// What stands there where the model has none.
    pub nothing: &'static str,
}

/// The arithmetic of one token in one head.
#[derive(Clone, Debug)]
pub struct StepsFigure {
    /// What it shows, such as `sprout, layer 3, head 5: ‘bank’ looks at ‘river’`.
    pub title: String,
    /// Lines below the title: of which prompt it is.
    pub captions: Vec<String>,
    /// The same in words, for those who do not see it.
    pub words: String,
    /// The parts, in the order of the pass.
    pub parts: Vec<StepsPart>,
    /// What the scores are of, such as `next token`.
    pub answers: Option<&'static str>,
    /// The numbers.
    pub report: Arc<StepsReport>,
}

/// Draws the steps, or writes them: a row a number.
///
/// # Errors
/// [`ChartError::Empty`] without steps, and the encoders' own.
pub fn steps_figure(figure: &StepsFigure, format: Format) -> Result<Vec<u8>, ChartError> {
    if figure.report.steps.is_empty() || figure.parts.is_empty() {
        return Err(ChartError::Empty("there are no steps"));
    }
    if format == Format::Csv {
        return steps_values::table(figure);
    }
    picture(&Steps::new(figure, format), format)
}

/// Size of what is written in a part.
pub(super) const BODY: f64 = 10.5;
const HEADING: f64 = 13.0;
const LINE: f64 = BODY + 3.5;
/// Parts beside each other; the one of keys is as wide as two.
const COLUMNS: usize = 6;
const COLUMN: f64 = 224.0;
const GAP: f64 = 22.0;
const PAD: f64 = 9.0;
/// Cells of a strip, which stand in one line, and of a line of a block, which is drawn where there is room below.
const CELLS: usize = 56;
const BLOCK: usize = 28;
const STRIP: f64 = 12.0;
/// Cells are no wider than this, however few there are.
const WIDEST_CELL: f64 = 14.0;
/// Height of a vector: its name, its cells, its first numbers, and room below.
const VECTOR: f64 = LINE + STRIP + 4.0 + LINE + 7.0;
const WIDTH: f64 = 2.0 * MARGIN + COLUMNS as f64 * COLUMN + (COLUMNS - 1) as f64 * GAP;
const FOOT: &str = "Cells: blue below 0, orange above it, in full colour at the ± behind the name; where numbers share a cell, the one \
     furthest from 0 shows. Below them the first numbers of the vector; before the ± how many there are.";

/// A vector of a part.
struct Vector {
    kind: StepKind,
    name: String,
    size: String,
    numbers: String,
}

/// What stands in a part.
enum Content {
    Vectors(Vec<Vector>),
    Keys(Keys),
    Answers(Vec<Bar>),
}

/// A part, laid out.
struct Card {
    name: String,
    words: Vec<String>,
    content: Content,
    /// What others have here and this model has not.
    absent: Vec<String>,
    /// Which columns of its row it takes.
    column: usize,
    columns: usize,
    row: usize,
}

struct Steps<'a> {
    figure: &'a StepsFigure,
    title: String,
    captions: Vec<String>,
    cards: Vec<Card>,
    foot: Vec<String>,
}

impl<'a> Steps<'a> {
    fn new(figure: &'a StepsFigure, format: Format) -> Self {
        let readable = |text: &str| if format == Format::Svg { text.to_owned() } else { for_pixels(text) };
        let (mut column, mut row) = (0, 0);
        let mut cards = Vec::new();
        for (place, part) in figure.parts.iter().enumerate() {
            let columns = if part.kinds.contains(&StepKind::Pattern) { 2 } else { 1 };
            if column + columns > COLUMNS {
                (column, row) = (0, row + 1);
            }
            let inside = across(columns) - 2.0 * PAD;
            let lines = |text: &str| wrapped(&readable(&visible_title(text)), BODY, inside);
            let (content, absent) = content(part, figure, &readable, inside);
            let name = format!("{}  {}", place + 1, part.name);
            let absent = absent.into_iter().flat_map(lines).collect();
            cards.push(Card { name, words: lines(&part.words), content, absent, column, columns, row });
            column += columns;
        }
        let room = WIDTH - 2.0 * MARGIN;
        let lines = |text: &String| wrapped(&readable(&visible_title(text)), CAPTION, room);
        Self {
            figure,
            title: fitted(&readable(&visible_title(&figure.title)), TITLE, true, room),
            captions: figure.captions.iter().flat_map(lines).collect(),
            cards,
            foot: wrapped(FOOT, BODY, room),
        }
    }

    /// Where the first row begins.
    fn top(&self) -> f64 {
        MARGIN + TITLE + 6.0 + (CAPTION + 5.0) * self.captions.len() as f64 + 10.0
    }

    fn rows(&self) -> usize {
        self.cards.last().map_or(0, |card| card.row + 1)
    }

    /// Top and height of a row, whose parts are as high as the highest.
    fn row(&self, row: usize) -> (f64, f64) {
        let height = |row: usize| self.cards.iter().filter(|c| c.row == row).map(Card::height).fold(0.0, f64::max);
        (self.top() + (0..row).map(|row| height(row) + GAP).sum::<f64>(), height(row))
    }

    fn bottom(&self) -> f64 {
        let (top, height) = self.row(self.rows().saturating_sub(1));
        top + height
    }

    /// Arrows from part to part.
    fn arrows_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        for pair in self.cards.windows(2) {
            let (top, height) = self.row(pair[0].row);
            let (end, begin) = (pair[0].left() + across(pair[0].columns), pair[1].left());
            let path = if pair[0].row == pair[1].row {
                let y = top + HEADING / 2.0 + PAD;
                vec![[end + 4.0, y], [begin - 4.0, y]]
            } else {
                let (x, next, below) = (end - COLUMN / 2.0, begin + COLUMN / 2.0, top + height + GAP / 2.0);
                vec![[x, top + height + 3.0], [x, below], [next, below], [next, top + height + GAP - 3.0]]
            };
            sheet.line(&path, 1.0, AXIS, 1.0)?;
            let tip = path[path.len() - 1];
            let back =
                if pair[0].row == pair[1].row { [[-4.0, -3.0], [-4.0, 3.0]] } else { [[-3.0, -4.0], [3.0, -4.0]] };
            for [x, y] in back {
                sheet.line(&[[tip[0] + x, tip[1] + y], tip], 1.0, AXIS, 1.0)?;
            }
        }
        Ok(())
    }

    fn card_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>, card: &Card) -> Result<(), ChartError> {
        let (top, height) = self.row(card.row);
        frame(sheet, card.left(), top, across(card.columns), height)?;
        let (left, inside) = (card.left() + PAD, across(card.columns) - 2.0 * PAD);
        let name = TextLook { size: HEADING, bold: true, color: TEXT, align: Align::Start, upward: false };
        sheet.text(&card.name, left, top + PAD + HEADING / 2.0, name)?;
        let words = TextLook { size: BODY, bold: false, color: MUTED, ..name };
        let mut y = top + PAD + HEADING + 5.0;
        for line in &card.words {
            sheet.text(line, left, y + LINE / 2.0, words)?;
            y += LINE;
        }
        y = top + card.head();
        match &card.content {
            Content::Vectors(vectors) => {
                let spare = (height - card.height()) / vectors.len().max(1) as f64;
                for vector in vectors {
                    y += self.vector_on(sheet, vector, (left, y), (inside, spare))?;
                }
            }
            Content::Keys(keys) => {
                keys.draw(sheet, (left, y), inside)?;
                y += keys.height();
            }
            Content::Answers(bars) => {
                steps_lists::answers_on(sheet, bars, (left, y), inside)?;
                y += steps_lists::ROW * bars.len() as f64;
            }
        }
        for line in &card.absent {
            sheet.text(line, left, y + LINE / 2.0, words)?;
            y += LINE;
        }
        Ok(())
    }

    /// Gives the height that it took.
    fn vector_on<B: DrawingBackend>(
        &self,
        sheet: &mut Sheet<'_, B>,
        vector: &Vector,
        (left, top): (f64, f64),
        (inside, spare): (f64, f64),
    ) -> Result<f64, ChartError> {
        let name = TextLook { size: BODY, bold: true, color: TEXT, align: Align::Start, upward: false };
        let small = TextLook { bold: false, color: MUTED, ..name };
        sheet.text(&vector.name, left, top + LINE / 2.0, name)?;
        sheet.text(&vector.size, left + inside, top + LINE / 2.0, TextLook { align: Align::End, ..small })?;
        let values = self.figure.report.values_of(vector.kind);
        let grid = Grid::of(values.len(), inside, spare);
        let (most, pooled) = (largest(values), grid.pooled(values));
        for (place, value) in pooled.iter().enumerate() {
            let [r, g, b] = diverging(value / most, [255; 3]);
            let (x, y) = ((place % grid.columns) as f64, (place / grid.columns) as f64);
            let [wide, high] = grid.cell;
            sheet.rect(left + wide * x, top + LINE + high * y, wide, high, RGBColor(r, g, b))?;
        }
        let lines = pooled.len().div_ceil(grid.columns).max(1) as f64;
        let (wide, high) = (grid.cell[0] * pooled.len().min(grid.columns) as f64, grid.cell[1] * lines);
        frame(sheet, left, top + LINE, wide, high)?;
        sheet.text(&vector.numbers, left, top + LINE + high + 4.0 + LINE / 2.0, small)?;
        Ok(VECTOR - STRIP + high)
    }
}

/// How a vector is cut into cells.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Grid {
    columns: usize,
    /// Numbers that share a cell.
    pool: usize,
    /// Width and height of a cell.
    cell: [f64; 2],
}

impl Grid {
    /// A strip; a block of squares where so much height is to spare that more numbers have a cell of their own.
    fn of(count: usize, inside: f64, spare: f64) -> Self {
        let side = inside / BLOCK as f64;
        let lines = ((STRIP + spare) / side) as usize;
        if count > CELLS && lines * BLOCK > CELLS {
            return Self { columns: BLOCK, pool: count.div_ceil(lines * BLOCK), cell: [side, side] };
        }
        let pool = count.div_ceil(CELLS).max(1);
        let wide = (inside / count.div_ceil(pool).max(1) as f64).min(WIDEST_CELL);
        Self { columns: CELLS, pool, cell: [wide, STRIP] }
    }

    /// The number of each cell: of those that share it the one furthest from 0.
    fn pooled(self, values: &[f32]) -> Vec<f32> {
        let furthest = |part: &[f32]| part.iter().copied().fold(0.0, |a: f32, b| if b.abs() > a.abs() { b } else { a });
        values.chunks(self.pool).map(furthest).collect()
    }
}

/// The largest magnitude.
fn largest(values: &[f32]) -> f32 {
    values.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()))
}

/// Width of so many columns.
fn across(columns: usize) -> f64 {
    columns as f64 * COLUMN + (columns - 1) as f64 * GAP
}

impl Card {
    fn left(&self) -> f64 {
        MARGIN + self.column as f64 * (COLUMN + GAP)
    }

    /// Height of its name and its words.
    fn head(&self) -> f64 {
        PAD + HEADING + 5.0 + LINE * self.words.len() as f64 + 7.0
    }

    fn height(&self) -> f64 {
        let content = match &self.content {
            Content::Vectors(vectors) => VECTOR * vectors.len() as f64,
            Content::Keys(keys) => keys.height(),
            Content::Answers(bars) => steps_lists::ROW * bars.len() as f64,
        };
        self.head() + content + LINE * self.absent.len() as f64 + PAD
    }
}

/// What stands in a part, and what it has not, with the reason.
fn content(
    part: &StepsPart,
    figure: &StepsFigure,
    readable: &dyn Fn(&str) -> String,
    inside: f64,
) -> (Content, Vec<&'static str>) {
    let report = &*figure.report;
    let absent = report.absent.iter().filter(|(kind, _)| part.kinds.contains(kind)).map(|(_, words)| *words);
    let mut absent: Vec<&str> = absent.collect();
    let there: Vec<StepKind> = part.kinds.iter().copied().filter(|kind| report.step(*kind).is_some()).collect();
    if there.is_empty() && absent.is_empty() {
        absent.push(part.nothing);
    }
    let short = |text: &str, room: f64| fitted(&readable(&visible(text)), BODY, false, room);
    let content = if there.contains(&StepKind::Pattern) {
        Content::Keys(Keys::new(report, &short))
    } else if there.contains(&StepKind::Logits) {
        Content::Answers(steps_lists::answers(report, figure.answers.unwrap_or("answer"), &short))
    } else {
        Content::Vectors(there.into_iter().map(|kind| vector(report, kind, inside)).collect())
    };
    (content, absent)
}

fn vector(report: &StepsReport, kind: StepKind, inside: f64) -> Vector {
    let values = report.values_of(kind);
    let size = format!("{} · ±{}", values.len(), number(f64::from(largest(values))));
    let mut numbers = String::new();
    for value in values {
        let longer = format!("{numbers}{}{}", if numbers.is_empty() { "" } else { "   " }, number(f64::from(*value)));
        if width(&format!("{longer}   …"), BODY, false) > inside {
            numbers.push_str("   …");
            break;
        }
        numbers = longer;
    }
    let room = inside - width(&size, BODY, false) - 8.0;
    Vector { kind, name: fitted(kind.title(), BODY, true, room), size, numbers }
}

impl Draw for Steps<'_> {
    fn size(&self) -> (u32, u32) {
        let foot = 10.0 + LINE * self.foot.len() as f64;
        (WIDTH.ceil() as u32, (self.bottom() + foot + MARGIN - 6.0).ceil() as u32)
    }

    fn description(&self) -> (String, String) {
        (self.figure.title.clone(), format!("{} {}", self.figure.words, self.figure.captions.join(" ")))
    }

    fn draw<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let (width, height) = self.size();
        begin(sheet, (f64::from(width), f64::from(height)), &self.title)?;
        let small = TextLook { size: CAPTION, bold: false, color: MUTED, align: Align::Start, upward: false };
        for (line, words) in self.captions.iter().enumerate() {
            let y = MARGIN + TITLE + 6.0 + (CAPTION + 5.0) * line as f64 + CAPTION / 2.0;
            sheet.text(words, MARGIN, y, small)?;
        }
        self.arrows_on(sheet)?;
        for card in &self.cards {
            self.card_on(sheet, card)?;
        }
        for (line, words) in self.foot.iter().enumerate() {
            let y = self.bottom() + 10.0 + LINE * (line as f64 + 0.5);
            sheet.text(words, MARGIN, y, TextLook { size: BODY, ..small })?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "steps_tests.rs"]
mod tests;
