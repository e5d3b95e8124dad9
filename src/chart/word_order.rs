//! What other orders of a text change: all numbers as a table, and the vector of one token layer by layer as lines.

use super::ink::{AXIS, GRID, MUTED, hue};
use super::lines::spread_labels;
use super::page::{MARGIN, TITLE, begin, caption};
use super::sheet::{Align, Draw, Sheet, TextLook, picture};
use super::table::Rows;
use super::text::{visible, width};
use super::ticks::{linear_ticks, number};
use super::{ChartError, Format};
use crate::types::{ChangedOrder, Reordering, WordOrderReport};
use plotters::prelude::DrawingBackend;
use std::sync::Arc;

const SIZE: (f64, f64) = (760.0, 440.0);
const BODY: f64 = 12.0;
const LABEL_GAP: f64 = 16.0;
const LEFT: f64 = MARGIN + 56.0;
const TOP: f64 = MARGIN + TITLE + 44.0;
const BOTTOM: f64 = SIZE.1 - MARGIN - 40.0;

/// What a figure is of.
#[derive(Clone, Debug)]
pub struct WordOrderFigure {
    /// What it shows, such as `sprout, word order`.
    pub title: String,
    /// Of which text.
    pub caption: String,
    /// What is drawn.
    pub report: Arc<WordOrderReport>,
}

/// Draws the lines, or writes the table.
///
/// # Errors
/// [`ChartError::Empty`] when nothing was compared, and the encoders' own.
pub fn word_order_figure(figure: &WordOrderFigure, format: Format) -> Result<Vec<u8>, ChartError> {
    if format == Format::Csv {
        return word_order_table(&figure.report);
    }
    let cosines = || figure.report.changes.iter().flat_map(|change| &change.cosines);
    if !cosines().any(|cosine| cosine.is_finite()) {
        return Err(ChartError::Empty("no vectors were compared"));
    }
    let least = cosines().copied().filter(|cosine| cosine.is_finite()).fold(0.9, f32::min);
    let low = f64::from((least * 10.0).floor() / 10.0).max(-1.0);
    let states = figure.report.changes.iter().map(|change| change.cosines.len()).max().unwrap_or(0);
    picture(&Lines { figure, low, states }, format)
}

struct Lines<'a> {
    figure: &'a WordOrderFigure,
    /// Where the vertical axis begins; it ends at 1.
    low: f64,
    states: usize,
}

impl Lines<'_> {
    fn right(&self) -> f64 {
        let widest = self.figure.report.changes.iter().map(|change| width(change.how.name(), BODY, false));
        SIZE.0 - MARGIN - 10.0 - widest.fold(0.0, f64::max)
    }

    fn x(&self, state: usize) -> f64 {
        LEFT + state as f64 / (self.states - 1).max(1) as f64 * (self.right() - LEFT)
    }

    fn y(&self, cosine: f64) -> f64 {
        BOTTOM - (cosine - self.low) / (1.0 - self.low) * (BOTTOM - TOP)
    }

    fn points(&self, change: &ChangedOrder) -> Vec<[f64; 2]> {
        let finite = change.cosines.iter().enumerate().filter(|(_, cosine)| cosine.is_finite());
        finite.map(|(state, cosine)| [self.x(state), self.y(f64::from(*cosine))]).collect()
    }

    fn axes_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let end = TextLook { size: BODY, bold: false, color: MUTED, align: Align::End, upward: false };
        let middle = TextLook { align: Align::Middle, ..end };
        let right = self.right();
        for tick in linear_ticks(self.low, 1.0, 6) {
            let y = self.y(tick.value);
            sheet.line(&[[LEFT, y], [right, y]], 0.8, GRID, 1.0)?;
            sheet.text(&tick.label, LEFT - 8.0, y, end)?;
        }
        sheet.line(&[[LEFT, TOP], [LEFT, BOTTOM], [right, BOTTOM]], 1.0, AXIS, 1.0)?;
        // The first state is what enters the first block, each other what leaves one.
        let every = self.states.div_ceil(16).max(1);
        for state in (0..self.states).step_by(every) {
            let name = if state == 0 { "emb.".to_owned() } else { (state - 1).to_string() };
            sheet.text(&name, self.x(state), BOTTOM + 8.0 + BODY / 2.0, middle)?;
        }
        let token = &self.figure.report.tokens[self.figure.report.token].text;
        let name = format!("cosine of ‘{}’ with its vector as written", visible(token));
        sheet.text("block", LEFT.midpoint(right), SIZE.1 - MARGIN - BODY / 2.0 + 4.0, middle)?;
        sheet.text(&name, MARGIN + BODY / 2.0, TOP.midpoint(BOTTOM), TextLook { upward: true, ..middle })
    }
}

impl Draw for Lines<'_> {
    fn size(&self) -> (u32, u32) {
        let words = width(&self.figure.title, TITLE, true).max(width(&self.figure.caption, BODY, false));
        ((words + 2.0 * MARGIN).max(SIZE.0).ceil() as u32, SIZE.1 as u32)
    }

    fn description(&self) -> (String, String) {
        let ends = self.figure.report.changes.iter().filter_map(|change| {
            let last = f64::from(*change.cosines.last()?);
            Some(format!("{} ends at {}", change.how.name().to_lowercase(), number(last)))
        });
        let words = format!(
            "Lines of the cosine between a token's vector as written and in another order, over {} states: {}. {}",
            self.states,
            ends.collect::<Vec<_>>().join(", "),
            &self.figure.caption
        );
        (self.figure.title.clone(), words)
    }

    fn draw<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let (width, height) = self.size();
        begin(sheet, (f64::from(width), f64::from(height)), &self.figure.title)?;
        caption(sheet, &self.figure.caption)?;
        self.axes_on(sheet)?;
        let changes = &self.figure.report.changes;
        let colour = |how: Reordering| hue(Reordering::ALL.iter().position(|other| *other == how).unwrap_or(0));
        for change in changes {
            let points = self.points(change);
            sheet.line(&points, 1.8, colour(change.how), 1.0)?;
            for [x, y] in points {
                sheet.dot(x, y, 2.4, colour(change.how))?;
            }
        }
        let ends = changes.iter().map(|change| self.points(change).last().map_or(BOTTOM, |point| point[1]));
        let placed = spread_labels(&ends.collect::<Vec<_>>(), LABEL_GAP, TOP, BOTTOM);
        for (change, y) in changes.iter().zip(placed) {
            let color = colour(change.how);
            let look = TextLook { size: BODY, bold: false, color, align: Align::Start, upward: false };
            sheet.text(change.how.name(), self.right() + 10.0, y, look)?;
        }
        Ok(())
    }
}

/// A row a number: of which reading, what it is, of which layer, head or token where it is of one, and its value in full precision.
/// Reading `as_written` has probabilities alone; layer -1 is what enters the first block.
///
/// # Errors
/// The encoder's own.
pub(super) fn word_order_table(report: &WordOrderReport) -> Result<Vec<u8>, ChartError> {
    let mut rows = Rows::new();
    rows.write(["reading", "quantity", "layer", "head", "token", "value"].map(str::to_owned))?;
    let mut row = |reading: &str, quantity: &str, place: [Option<String>; 3], value: String| {
        let [layer, head, token] = place.map(Option::unwrap_or_default);
        rows.write([reading.to_owned(), quantity.to_owned(), layer, head, token, value])
    };
    let token = |text: &str| [None, None, Some(text.to_owned())];
    let followed = || Some(report.tokens[report.token].text.clone());
    for said in report.said.iter().flatten() {
        row("as_written", "probability", token(&said.text), said.probability.to_string())?;
    }
    for change in &report.changes {
        let how = change.how.id();
        if let Some(said) = &change.said {
            row(how, "kl_nats", [None, None, None], said.kl.to_string())?;
            for (before, now) in report.said.iter().flatten().zip(&said.written) {
                row(how, "probability", token(&before.text), now.to_string())?;
            }
            let is_new = |id: u32| !report.said.iter().flatten().any(|before| before.id == id);
            for (candidate, before) in said.top.iter().filter(|(candidate, _)| is_new(candidate.id)) {
                row("as_written", "probability", token(&candidate.text), before.to_string())?;
                row(how, "probability", token(&candidate.text), candidate.probability.to_string())?;
            }
        }
        for (place, cosine) in change.cosines.iter().enumerate() {
            let layer = Some((place as i64 - 1).to_string());
            row(how, "cosine", [layer, None, followed()], cosine.to_string())?;
        }
        if let Some(pooled) = change.pooled {
            row(how, "cosine_of_text", [None, None, None], pooled.to_string())?;
        }
        for (layer, heads) in change.heads.iter().enumerate() {
            for (head, distance) in heads.iter().enumerate() {
                let place = [Some(layer.to_string()), Some(head.to_string()), None];
                row(how, "total_variation", place, distance.to_string())?;
            }
        }
    }
    rows.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Candidate, ChangedAnswer, ChangedOrder, PromptToken, Reordering};

    fn report() -> WordOrderReport {
        let candidate = |id: u32, text: &str, probability| Candidate { id, text: text.into(), probability };
        let said = ChangedAnswer {
            kl: 0.5,
            written: vec![0.25],
            top: vec![(candidate(4, " hen", 0.75), 0.125), (candidate(3, " egg", 0.25), 0.5)],
        };
        let change = ChangedOrder {
            how: Reordering::ShuffledOff,
            said: Some(said),
            cosines: vec![1.0, 0.5],
            pooled: Some(0.25),
            heads: vec![vec![0.0, 0.125]],
        };
        WordOrderReport {
            tokens: vec![PromptToken { id: 0, text: "the,".into(), span: 0..4 }],
            token: 0,
            swap: None,
            order: vec![0],
            positions: None,
            said: Some(vec![candidate(3, " egg", 0.5)]),
            changes: vec![change],
            without: None,
            left_out: None,
        }
    }

    #[test]
    fn lines_have_names_axes_and_a_description() {
        let report = report();
        let figure = WordOrderFigure {
            title: "tiny, word order".into(),
            caption: "“the,”, 1 token".into(),
            report: report.into(),
        };
        let svg = String::from_utf8(word_order_figure(&figure, Format::Svg).unwrap()).unwrap();
        for words in [
            "tiny, word order",
            "1 token",
            "\nShuffled, positions off\n",
            "cosine of ‘the,’ with its vector as written",
            "\nemb.\n",
            "shuffled, positions off ends at 0.5",
        ] {
            assert!(svg.contains(words), "{words}: {svg}");
        }
        assert_eq!(svg.matches("<circle ").count(), 2, "a dot a state");
        let png = image::load_from_memory(&word_order_figure(&figure, Format::Png).unwrap()).unwrap();
        assert_eq!((png.width(), png.height()), (2 * SIZE.0 as u32, 2 * SIZE.1 as u32));
    }

    #[test]
    fn vectors_that_are_no_numbers_are_refused_as_a_picture() {
        let mut report = report();
        report.changes[0].cosines = vec![f32::NAN];
        let figure = WordOrderFigure { title: String::new(), caption: String::new(), report: report.into() };
        assert!(matches!(word_order_figure(&figure, Format::Svg), Err(ChartError::Empty(_))));
    }

    #[test]
    fn every_number_has_a_row_that_says_what_it_is() {
        let report = report();
        let table = String::from_utf8(word_order_table(&report).unwrap()).unwrap();
        let expected = "reading,quantity,layer,head,token,value\n\
                        as_written,probability,,, egg,0.5\n\
                        shuffled_positions_off,kl_nats,,,,0.5\n\
                        shuffled_positions_off,probability,,, egg,0.25\n\
                        as_written,probability,,, hen,0.125\n\
                        shuffled_positions_off,probability,,, hen,0.75\n\
                        shuffled_positions_off,cosine,-1,,\"the,\",1\n\
                        shuffled_positions_off,cosine,0,,\"the,\",0.5\n\
                        shuffled_positions_off,cosine_of_text,,,,0.25\n\
                        shuffled_positions_off,total_variation,0,0,,0\n\
                        shuffled_positions_off,total_variation,0,1,,0.125\n";
        assert_eq!(table, expected);
    }
}
