//! The lists among the steps of a token: the keys that matter most with what became of their products, and the likeliest answers.

use super::ChartError;
use super::ink::{AXIS, GRID, MUTED, TEXT, hue};
use super::sheet::{Align, Sheet, TextLook};
use super::steps::BODY;
use super::ticks::{number, number_grouped};
use crate::types::{StepKind, StepsReport};
use plotters::prelude::DrawingBackend;

/// Height of a line of a list.
pub(super) const ROW: f64 = 18.0;
/// Keys that are told, at most.
const KEYS: usize = 14;
const ANSWERS: usize = 12;
const PLACE: f64 = 30.0;
const NUMBER: f64 = 54.0;
const TOKEN: f64 = 108.0;
const ANSWER: f64 = 78.0;
const SCORES: [(StepKind, &str); 4] = [
    (StepKind::Product, "q·k"),
    (StepKind::Scaled, "scaled"),
    (StepKind::Capped, "capped"),
    (StepKind::Scores, "score"),
];

/// Gives a text that fits into so much room.
type Short<'a> = dyn Fn(&str, f64) -> String + 'a;

/// The keys with the largest weights.
pub(super) struct Keys {
    columns: Vec<&'static str>,
    rows: Vec<Row>,
    notes: Vec<String>,
}

struct Row {
    place: String,
    token: String,
    numbers: Vec<String>,
    weight: f32,
    is_chosen: bool,
}

impl Keys {
    pub fn new(report: &StepsReport, short: &Short<'_>) -> Self {
        let weights = report.values_of(StepKind::Pattern);
        let is_hidden = |key: &usize| report.values_of(StepKind::Scores).get(*key) == Some(&f32::MIN);
        let mut order: Vec<usize> = (0..weights.len()).filter(|key| !is_hidden(key)).collect();
        let hidden = weights.len() - order.len();
        // A weight that is not a number stands first: it is what a person has to see.
        order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]));
        let mut told: Vec<usize> = order.iter().copied().take(KEYS).collect();
        if !told.contains(&report.key) && report.key < weights.len() {
            told.truncate(KEYS - 1);
            told.push(report.key);
        }
        let columns: Vec<(StepKind, &str)> =
            SCORES.into_iter().filter(|(kind, _)| report.step(*kind).is_some()).collect();
        let row = |key: &usize| Row {
            place: key.to_string(),
            token: report.tokens.get(*key).map_or_else(String::new, |token| short(&token.text, TOKEN)),
            numbers: columns.iter().map(|(kind, _)| told_number(report, *kind, *key)).collect(),
            weight: weights[*key],
            is_chosen: *key == report.key,
        };
        let rest: f32 = order.iter().filter(|key| !told.contains(key)).map(|key| weights[*key]).sum();
        let scale = number(report.scale);
        let capped = if report.step(StepKind::Capped).is_some() { ", then capped" } else { "" };
        let told_apart = order.iter().filter(|key| told.contains(key)).count();
        let others = (order.len() > told_apart).then(|| {
            let count = number_grouped((order.len() - told_apart) as u64);
            format!("{count} other keys have {} together", percent(rest))
        });
        let hidden = (hidden > 0).then(|| format!("{} hidden by the mask have none", number_grouped(hidden as u64)));
        let below: Vec<String> = others.into_iter().chain(hidden).collect();
        let mut notes = vec![format!("scaled = {scale} · q·k{capped}; weight = exp(score) / Σ exp(score)")];
        if !below.is_empty() {
            notes.push(below.join("; "));
        }
        Self { columns: columns.iter().map(|(_, name)| *name).collect(), rows: told.iter().map(row).collect(), notes }
    }

    pub fn height(&self) -> f64 {
        ROW * (1 + self.rows.len() + self.notes.len()) as f64
    }

    pub fn draw<B: DrawingBackend>(
        &self,
        sheet: &mut Sheet<'_, B>,
        (left, top): (f64, f64),
        inside: f64,
    ) -> Result<(), ChartError> {
        let text = TextLook { size: BODY, bold: false, color: TEXT, align: Align::Start, upward: false };
        let (small, number) = (TextLook { color: MUTED, ..text }, TextLook { align: Align::End, ..text });
        let names = left + PLACE;
        let right = |column: usize| names + TOKEN + 6.0 + NUMBER * (column + 1) as f64;
        let weight = right(self.columns.len());
        let middle = |row: usize| top + ROW * (row as f64 + 0.5);
        sheet.text("key", names, middle(0), small)?;
        for (column, name) in self.columns.iter().chain(&["weight"]).enumerate() {
            sheet.text(name, right(column), middle(0), TextLook { align: Align::End, ..small })?;
        }
        for (place, row) in self.rows.iter().enumerate() {
            let y = middle(place + 1);
            sheet.line(&[[left, y - ROW / 2.0], [left + inside, y - ROW / 2.0]], 0.6, GRID, 1.0)?;
            sheet.text(&row.place, names - 8.0, y, TextLook { align: Align::End, ..small })?;
            let own = TextLook { bold: row.is_chosen, ..text };
            sheet.text(&row.token, names, y, own)?;
            for (column, words) in row.numbers.iter().enumerate() {
                sheet.text(words, right(column), y, number)?;
            }
            sheet.text(&format!("{:.3}", row.weight), weight, y, TextLook { bold: row.is_chosen, ..number })?;
            let ink = if row.is_chosen { hue(0) } else { AXIS };
            let room = left + inside - weight - 8.0;
            let share = f64::from(row.weight).clamp(0.0, 1.0);
            sheet.rect(weight + 8.0, y - 4.0, (room * share).max(0.5), 8.0, ink)?;
        }
        for (place, words) in self.notes.iter().enumerate() {
            sheet.text(words, left, middle(1 + self.rows.len() + place), small)?;
        }
        Ok(())
    }
}

fn told_number(report: &StepsReport, kind: StepKind, key: usize) -> String {
    match report.values_of(kind).get(key) {
        Some(value) if kind == StepKind::Scores && *value == f32::MIN => "hidden".to_owned(),
        Some(value) => number(f64::from(*value)),
        None => String::new(),
    }
}

fn percent(share: f32) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A likely answer, or a line of what stands below all of them.
pub(super) enum Bar {
    Answer { text: String, score: String, share: f32, is_first: bool },
    Note(String),
}

pub(super) fn answers(report: &StepsReport, what: &str, short: &Short<'_>) -> Vec<Bar> {
    let scores = report.values_of(StepKind::Logits);
    let told = report.top.iter().take(ANSWERS);
    let bar = |(place, top): (usize, &crate::types::Candidate)| Bar::Answer {
        text: short(&top.text, ANSWER),
        score: scores.get(top.id as usize).map_or_else(String::new, |score| number(f64::from(*score))),
        share: top.probability,
        is_first: place == 0,
    };
    let rest = 1.0 - told.clone().map(|top| top.probability).sum::<f32>();
    let mut bars = vec![Bar::Note(format!("{what}, score and share"))];
    bars.extend(told.enumerate().map(bar));
    if report.top.len() < scores.len() || report.top.len() > ANSWERS {
        bars.push(Bar::Note(format!("all others: {}", percent(rest.max(0.0)))));
    }
    bars
}

pub(super) fn answers_on<B: DrawingBackend>(
    sheet: &mut Sheet<'_, B>,
    bars: &[Bar],
    (left, top): (f64, f64),
    inside: f64,
) -> Result<(), ChartError> {
    let text = TextLook { size: BODY, bold: false, color: TEXT, align: Align::Start, upward: false };
    let small = TextLook { color: MUTED, ..text };
    let (score_right, share_left) = (left + ANSWER + 40.0, left + inside - 42.0);
    for (row, bar) in bars.iter().enumerate() {
        let y = top + ROW * (row as f64 + 0.5);
        match bar {
            Bar::Note(words) => sheet.text(words, left, y, small)?,
            Bar::Answer { text: name, score, share, is_first } => {
                sheet.text(name, left, y, TextLook { bold: *is_first, ..text })?;
                sheet.text(score, score_right, y, TextLook { align: Align::End, ..small })?;
                let room = share_left - score_right - 12.0;
                let ink = if *is_first { hue(0) } else { AXIS };
                let long = (room * f64::from(*share).clamp(0.0, 1.0)).max(0.5);
                sheet.rect(score_right + 6.0, y - 4.0, long, 8.0, ink)?;
                let right = TextLook { align: Align::End, bold: *is_first, ..text };
                sheet.text(&percent(*share), left + inside, y, right)?;
            }
        }
    }
    Ok(())
}
