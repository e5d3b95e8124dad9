//! Logit bias, as it is typed, and which tokens it hits.

use crate::engine::Work;
use crate::types::{Ability, BiasHit, BiasReport, JobId, ModelId};
use crate::ui::theme::Type;
use crate::ui::widgets::{TextArea, caption, field, visible_text};
use crate::ui::{Answer, Ask, Cx, Themed};
use egui::{RichText, Ui};
use std::collections::BTreeSet;

const HELP: &str = "Added to the logits of chosen tokens, one a line: a text in quotes or an id, = and a number, as in \" the\" = -5. \
     -inf keeps a token from ever being drawn.";

/// Hits that are told; of more, how many.
const TOLD: usize = 12;

/// The field, and what its lines mean to the model in use.
#[derive(Default)]
pub(super) struct BiasField {
    hits: Ask<(ModelId, String)>,
}

impl BiasField {
    pub(super) fn show(&mut self, lines: &mut String, ui: &mut Ui, cx: &mut Cx<'_>) {
        field(ui, "Logit bias", HELP, |ui| ui.add(TextArea::new(lines, 2).mono().hint("\" the\" = -5")));
        let model = cx.state.active(Ability::Continue).map(|model| model.info.id);
        let Some(model) = model.filter(|_| !lines.trim().is_empty()) else { return };
        let question = (model, lines.clone());
        self.hits.follow(question, 0.3, cx, |(model, lines)| (*model, Work::ReadBias(lines.clone())));
        let report = match self.hits.answer::<BiasReport>(cx.state) {
            Answer::New(report) | Answer::Old(report) => report,
            _ => return,
        };
        let theme = ui.theme();
        for hit in report.hits.iter().take(TOLD) {
            ui.label(RichText::new(words(hit)).font(Type::Caption.mono()).color(theme.caption()));
        }
        if report.hits.len() > TOLD {
            caption(ui, format!("and {} more", report.hits.len() - TOLD));
        }
        if let Some(error) = &report.error {
            for words in [&error.what, &error.why] {
                ui.label(RichText::new(words).font(Type::Caption.sans()).color(theme.danger()));
            }
        }
    }

    /// The jobs whose answers must be kept.
    pub(super) fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.hits.shows(shown);
    }
}

/// A token by its id and text, and what is added.
fn words(hit: &BiasHit) -> String {
    let bias = if hit.bias == f32::NEG_INFINITY { "never".to_owned() } else { format!("{:+}", hit.bias) };
    format!("{} {} {bias}", hit.id, visible_text(&hit.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_is_told_by_id_text_and_number() {
        let told = |bias| words(&BiasHit { id: 262, text: " the".into(), bias });
        assert_eq!(
            [told(-5.0), told(0.5), told(f32::NEG_INFINITY)],
            ["262 ·the -5", "262 ·the +0.5", "262 ·the never"]
        );
    }
}
