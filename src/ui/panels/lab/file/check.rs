//! Repeating a run that was opened from a file, and telling whether the same comes out.

use super::super::scoring::Scoring;
use super::super::setup::{Card, Setup};
use super::Record;
use crate::ui::State;
use crate::ui::asked_model::short;

/// A run that is repeated.
pub(in super::super) struct Check {
    pub record: Record,
    /// The setup as it was taken back.
    pub setup: Setup,
    /// True once the prompts were given to the engine again.
    pub is_asked: bool,
    /// What came out.
    pub verdict: Option<Verdict>,
}

/// How a repeated run compares with its record.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Verdict {
    /// True when every logarithm is the same to the last bit.
    pub is_same: bool,
    pub words: String,
}

impl Check {
    pub fn new(record: Record, setup: Setup) -> Self {
        Self { record, setup, is_asked: false, verdict: None }
    }

    /// True when this setup asks the same, of whatever model.
    pub fn is_of(&self, setup: &Setup) -> bool {
        self.setup.of_any_model() == setup.of_any_model()
    }

    /// Compares once the scores are there.
    pub fn hear(&mut self, scoring: &Scoring, state: &State) {
        if self.verdict.is_none() && self.is_asked && !scoring.is_busy(state) {
            self.verdict = Some(verdict(&self.record, scoring, state));
        }
    }
}

fn verdict(record: &Record, scoring: &Scoring, state: &State) -> Verdict {
    let mut compared = 0;
    let (mut furthest, mut of) = (0.0f64, String::new());
    let mut differs = Vec::new();
    for card in &record.cards {
        let place = Card::ALL.iter().position(|kind| *kind == card.card).unwrap_or_default();
        let Some(shown) = scoring.slots.get(card.side).and_then(|side| side[place].shown.as_ref()) else {
            differs.push(format!("the {} prompt was not scored", card.card.title().to_lowercase()));
            continue;
        };
        if shown.request != card.request {
            differs.push(format!("the {} prompt is not the same", card.card.title().to_lowercase()));
            continue;
        }
        for (place, (then, now)) in card.log_probs().iter().zip(&shown.report.candidates).enumerate() {
            compared += 1;
            if then.to_bits() != now.log_prob.to_bits() {
                let distance = (then - now.log_prob).abs();
                if distance >= furthest || distance.is_nan() {
                    furthest = distance;
                    of = format!(
                        "‘{}’, {}",
                        card.answers.get(place).map_or("", String::as_str),
                        card.card.title().to_lowercase()
                    );
                }
            }
        }
    }
    let is_same = of.is_empty() && differs.is_empty() && compared > 0;
    let mut words = match (is_same, of.is_empty()) {
        (true, _) => format!("The same on this device, bit for bit: {compared} log-probabilities."),
        (false, true) => "The run could not be repeated as it was.".to_owned(),
        (false, false) => format!("Not the same: ln P is off by at most {furthest:.2e} ({of})."),
    };
    for reason in differs {
        words += &format!(" But {reason}.");
    }
    words += &other_models(record, scoring, state);
    Verdict { is_same, words }
}

/// Which models differ from the recorded ones, as far as it is known.
fn other_models(record: &Record, scoring: &Scoring, state: &State) -> String {
    let mut words = String::new();
    for (side, then) in record.models.iter().enumerate() {
        let shown = scoring.slots.get(side).and_then(|cards| cards[0].shown.as_ref());
        let Some(now) = shown.and_then(|shown| state.models.get(&shown.model)) else { continue };
        // The weights tell, and where they are not known the name does: a folder that is open twice has two names.
        let is_other = match &now.sha256 {
            Some(sha256) => *sha256 != then.sha256,
            None => now.info.name != then.name,
        };
        if is_other {
            words += &format!(
                " It was made with {} (weights {}…), now {} was asked.",
                then.name,
                short(&then.sha256),
                now.info.name
            );
        }
    }
    words
}
