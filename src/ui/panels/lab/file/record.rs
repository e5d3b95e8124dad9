//! A run as it is exported: everything that is needed to repeat it, and every token with its probability.

use super::super::setup::{Card, Setup};
use super::{VERSION, localised, portable};
use crate::types::{ModelInfo, ScoreReport, ScoreRequest};
use crate::ui::State;
use crate::ui::asked_model::AskedModel;
use serde::{Deserialize, Serialize};

/// A model, named by what it is and not by where it lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct RecordedModel {
    pub name: String,
    /// Of the weights, in hexadecimal digits.
    pub sha256: String,
    pub architecture: String,
    pub precision: String,
    pub parameters: u64,
}

/// One card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct RecordedCard {
    /// Column, from 0.
    pub side: usize,
    pub card: Card,
    /// The answers by their own names.
    pub answers: Vec<String>,
    pub request: ScoreRequest,
    pub report: ScoreReport,
    /// The bits of each answer's ln P in hexadecimal digits: decimal digits are not always read back to the same number.
    pub bits: Vec<String>,
}

impl RecordedCard {
    pub fn new(side: usize, card: Card, answers: Vec<String>, request: ScoreRequest, report: ScoreReport) -> Self {
        let bits = report.candidates.iter().map(|score| format!("{:016x}", score.log_prob.to_bits())).collect();
        Self { side, card, answers, request, report, bits }
    }

    /// ln P of every answer, exactly as it was.
    pub fn log_probs(&self) -> Vec<f64> {
        let exact = |(place, bits): (usize, &String)| {
            let read = u64::from_str_radix(bits, 16).map(f64::from_bits).ok();
            read.or_else(|| Some(self.report.candidates.get(place)?.log_prob)).unwrap_or(f64::NAN)
        };
        self.bits.iter().enumerate().map(exact).collect()
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Record {
    fovea_run: u64,
    /// Version of the program that wrote it.
    pub fovea: String,
    /// Date and time of day.
    pub date: String,
    /// The device it was computed on.
    pub device: String,
    /// By column.
    pub models: Vec<RecordedModel>,
    /// Names of the models that columns ask, where it is not the one in use.
    asked: Vec<Option<String>>,
    pub setup: Setup,
    pub cards: Vec<RecordedCard>,
}

impl Record {
    pub fn new(setup: &Setup, models: Vec<RecordedModel>, cards: Vec<RecordedCard>, state: &State) -> Self {
        let (setup, asked) = portable(setup, state);
        let device = state.device.as_ref().map_or_else(String::new, |device| device.name.clone());
        let date = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M %:z").to_string();
        Self {
            fovea_run: VERSION,
            fovea: env!("CARGO_PKG_VERSION").to_owned(),
            date,
            device,
            models,
            asked,
            setup,
            cards,
        }
    }

    /// The setup, asking the models of the run and no others.
    pub fn setup(&self, state: &State) -> Setup {
        let mut setup = localised(self.setup.clone(), &self.asked, state);
        let model = |model: &RecordedModel| AskedModel {
            name: model.name.clone(),
            sha256: Some(model.sha256.clone()),
            ..AskedModel::default()
        };
        setup.ask_again(&self.models.iter().map(model).collect::<Vec<_>>(), state);
        setup
    }
}

impl RecordedModel {
    pub fn new(info: &ModelInfo, sha256: &str) -> Self {
        Self {
            name: info.name.clone(),
            sha256: sha256.to_owned(),
            architecture: info.architecture.config_name().to_owned(),
            precision: info.element_type(),
            parameters: info.parameters,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::types::{CandidateScore, ScoredToken};

    pub fn record(log_probs: &[f64]) -> Record {
        let setup = Setup::default();
        let answers: Vec<String> = setup.answers();
        let score = |(text, log_prob): (&String, &f64)| CandidateScore {
            text: text.clone(),
            tokens: vec![
                ScoredToken { id: 5, text: format!(" {text}"), log_prob: log_prob * 0.75 },
                ScoredToken { id: 6, text: "\n".into(), log_prob: log_prob * 0.25 },
            ],
            log_prob: *log_prob,
            mean_log_prob: log_prob / 2.0,
            share: 0.5,
            calibrated: None,
        };
        let report = ScoreReport {
            candidates: answers.iter().zip(log_probs).map(score).collect(),
            prompt_tokens: 46,
            elapsed_ms: 3.0,
        };
        let request = setup.request(0, Card::Few, 0, &answers);
        let card = RecordedCard::new(0, Card::Few, answers, request, report);
        let model = RecordedModel {
            name: "sprout".into(),
            sha256: "ab".repeat(32),
            architecture: "LlamaForCausalLM".into(),
            precision: "F16".into(),
            parameters: 5_800_000,
        };
        let record = Record::new(&setup, vec![model], vec![card], &State::default());
        Record { date: "2026-01-02 03:04 +00:00".into(), device: "CPU (Flex)".into(), ..record }
    }

    #[test]
    fn logarithms_come_back_to_the_last_bit() {
        let values = [-1.234_567_890_123_456_7e-3, -0.1 - 0.2, -1e-300, -std::f64::consts::PI * 1e3];
        for pair in values.chunks(2) {
            let text = serde_json::to_string(&record(pair)).unwrap();
            let again: Record = serde_json::from_str(&text).unwrap();
            let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&again.cards[0].log_probs()), bits(pair));
        }
    }
}
