//! What a recurrent model keeps of a text: gates and states of every unit as a picture over time.

mod picture;

use super::choice::{Choice, weights_of};
use crate::engine::{PromptInput, Work};
use crate::types::{Ability, JobId, ModelId, StatePart, StatesReport};
use crate::ui::theme::space;
use crate::ui::widgets::{
    Stamp, TextArea, caption, empty_state, error_card, field, legend, section, segmented, significant, stage_header,
};
use crate::ui::{Answer, Ask, Cx, Themed, full_name};
use egui::{Id, Ui};
use lucide_icons::Icon;
use picture::StatesPicture;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Seconds without typing before the text is read.
const REST_S: f64 = 0.35;
const TEXT: &str = "what time is it";
const ANSWERS: &str = "A recurrent network keeps what it has read in a vector that it changes with every token. None is open: train an LSTM \
     or an RNN here, or open one that was saved.";

/// What survives a restart.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Saved {
    text: String,
    part: StatePart,
}

impl Default for Saved {
    fn default() -> Self {
        Self { text: TEXT.to_owned(), part: StatePart::Hidden }
    }
}

/// The model, which of its weights, and the text.
type Question = (ModelId, u64, String);

/// The picture.
pub(super) struct States {
    saved: Saved,
    choice: Choice,
    ask: Ask<Question>,
    picture: StatesPicture,
}

impl Default for States {
    fn default() -> Self {
        Self {
            saved: Saved::default(),
            choice: Choice::of(Ability::Remember),
            ask: Ask::default(),
            picture: StatesPicture::default(),
        }
    }
}

/// A part in words, with its letter, and what it is.
fn words(part: StatePart) -> (&'static str, &'static str) {
    match part {
        StatePart::InputGate => ("Input i", "Input gate σ(i): how much of what is new enters the cell."),
        StatePart::ForgetGate => ("Forget f", "Forget gate σ(f): how much of the cell stays; 1 keeps everything."),
        StatePart::Candidate => ("New g", "Candidate tanh(g): what would enter the cell."),
        StatePart::OutputGate => ("Output o", "Output gate σ(o): how much of the cell is handed on."),
        StatePart::Cell => ("Cell c", "Cell: c = f · c before + i · g. It is not bounded."),
        StatePart::Hidden => {
            ("Hidden h", "Hidden state: what the layer hands on, to the next token and to the next layer.")
        }
    }
}

impl States {
    pub fn controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        section(ui, "Text", |ui| {
            let help = "It is read token by token, from left to right.";
            field(ui, "What is read", help, |ui| {
                ui.add(
                    TextArea::new(&mut self.saved.text, 3).id(Id::unique("text whose states are watched")).hint(TEXT),
                )
            });
        });
        section(ui, "Model", |ui| {
            let shown = self.choice.model(cx.state, |_| true).map(|open| open.info.id);
            self.choice.menu(ui, cx, ("Recurrent model", "An LSTM or an RNN that is open."), shown, false);
            if shown.is_none() {
                caption(
                    ui,
                    "No recurrent model is open. A transformer has no such states: attention looks at all tokens anew.",
                );
            }
        });
    }

    pub fn footer(&self, ui: &mut Ui) {
        caption(ui, "The picture follows what is typed.");
    }

    /// True when networks are to be trained first.
    pub fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) -> bool {
        let model = self.choice.model(cx.state, |_| true);
        let Some((id, weights, name)) =
            model.map(|open| (open.info.id, weights_of(cx.state, open), full_name(&open.info)))
        else {
            return empty_state(
                ui,
                Icon::Grid3x3,
                "What does a recurrent network keep?",
                ANSWERS,
                Some("Train networks"),
            );
        };
        self.ask.follow((id, weights, self.saved.text.clone()), REST_S, cx, |(id, _, text)| {
            (*id, Work::WatchStates(PromptInput::Text(text.clone())))
        });
        if self.ask.is_due() {
            ui.ctx().request_repaint_after(std::time::Duration::from_millis(100));
        }
        stage_header(ui, "Hidden states over time", "", |_| {});
        let stamp = self.ask.job().and_then(|job| Stamp::of(cx.state, job));
        let report: Option<Arc<StatesReport>> = match self.ask.answer::<StatesReport>(cx.state) {
            Answer::New(report) | Answer::Old(report) => Some(Arc::clone(report)),
            Answer::Failed(error) => {
                error_card(ui, error);
                None
            }
            Answer::Waiting => {
                caption(ui, format!("{name} reads."));
                None
            }
            Answer::Nothing => None,
        };
        if let Some(stamp) = &stamp {
            stamp.show(ui);
        }
        let Some(report) = report else { return false };
        let Some(parts) =
            report.layers.first().map(|layer| layer.parts.iter().map(|(part, _)| *part).collect::<Vec<_>>())
        else {
            return false;
        };
        // A tanh network has no gates; what was chosen comes back with one that has.
        let mut part = if parts.contains(&self.saved.part) { self.saved.part } else { StatePart::Hidden };
        ui.add_space(space::XS);
        ui.horizontal_wrapped(|ui| {
            let choices: Vec<(StatePart, &str)> = parts.iter().map(|part| (*part, words(*part).0)).collect();
            if segmented(ui, &mut part, &choices) {
                self.saved.part = part;
            }
            self.picture.make(ui, &report, part);
            ui.add_space(space::M);
            self.legend(ui);
        });
        caption(ui, words(part).1);
        ui.add_space(space::XS);
        Stamp::over(stamp.as_ref(), ui, |ui| self.picture.show(ui, &name, &report, part));
        false
    }

    fn legend(&self, ui: &mut Ui) {
        let theme = ui.theme();
        let Some(scale) = self.picture.scale() else { return };
        let end = significant(f64::from(scale.most));
        if scale.is_signed {
            let marks = [(0.0, format!("−{end}")), (0.5, "0".to_owned()), (1.0, end)];
            legend(ui, 160.0, |share| scale.colour(theme, (2.0 * share - 1.0) * scale.most), &marks);
        } else {
            let marks = [(0.0, "0".to_owned()), (0.5, "0.5".to_owned()), (1.0, "1".to_owned())];
            legend(ui, 160.0, |share| scale.colour(theme, share), &marks);
        }
    }

    pub fn tick(&mut self, cx: &mut Cx<'_>) {
        self.choice.tick(cx.state);
    }

    /// Reads the text again.
    pub fn again(&mut self, cx: &mut Cx<'_>) {
        self.ask.forget(cx);
    }

    pub fn current_job(&self) -> Option<JobId> {
        self.ask.job()
    }

    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.ask.shows(shown);
    }

    pub fn save(&self) -> Saved {
        self.saved.clone()
    }

    pub fn restore(&mut self, saved: Saved) {
        self.saved = saved;
    }
}
