//! The settings of how tokens are drawn.

use super::bias::BiasField;
use super::controls::fresh_seed;
use super::presets::{self, SamplingPreset};
use crate::types::{Ability, Sampling};
use crate::ui::theme::{CONTROL_HEIGHT, Type};
use crate::ui::widgets::{self, TextArea, field, section};
use crate::ui::{Cx, Themed};
use egui::{CollapsingHeader, DragValue, RichText, Slider, Ui};
use lucide_icons::Icon;
use serde::{Deserialize, Serialize};

const TEMPERATURE_HELP: &str = "Divides the logits before the softmax: p ∝ exp(logit / temperature). 0 always takes the most \
     likely token; higher values make unlikely tokens likelier.";
const TOP_K_HELP: &str = "Draws only from the k most likely tokens; 0 keeps all.";
const TOP_P_HELP: &str =
    "Draws only from the smallest set of tokens whose probabilities add up to p (nucleus sampling); 1 keeps all.";
const MIN_P_HELP: &str = "Draws only from tokens at least this share as likely as the likeliest; 0 keeps all. Unlike top-p it \
     keeps many tokens where the model is unsure, and few where it is sure.";
const REPETITION_HELP: &str = "Makes tokens that stood before less likely, those of the prompt too: divides their positive logits \
     and multiplies their negative ones. 1 changes nothing.";
const PRESENCE_HELP: &str = "Taken off the logit of every token that was generated before, once.";
const FREQUENCY_HELP: &str = "Taken off the logit of a token for each time it was generated before.";
const SEED_HELP: &str = "Start of the random numbers: the same seed gives the same text.";
const MAX_HELP: &str = "Stops after this many new tokens.";
const STOP_HELP: &str = "Stops as soon as the output holds one of these, one a line; \\n is a line break.";
const SAMPLES_HELP: &str =
    "Continues the prompt this many times, each with the next seed, and tells how far the texts agree.";

/// How tokens are drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(in super::super) struct Drawn {
    pub sampling: Sampling,
    /// Stop strings as typed: one a line, `\n` for a line break.
    pub stop: String,
}

impl Default for Drawn {
    fn default() -> Self {
        let sampling = Sampling { temperature: 0.8, top_k: 40, max_new_tokens: 160, ..Sampling::default() };
        Self { sampling, stop: String::new() }
    }
}

/// What the settings remember beside themselves.
#[derive(Default)]
pub(super) struct Drawing {
    pub presets: Vec<SamplingPreset>,
    /// The name of a preset that is being typed.
    name: String,
    pub bias: BiasField,
}

impl Drawing {
    pub(super) fn new(presets: Vec<SamplingPreset>) -> Self {
        Self { presets, ..Self::default() }
    }
}

/// The settings; `samples` is how many are drawn at once, where that is a choice.
pub(super) fn show(
    drawing: &mut Drawing,
    drawn: &mut Drawn,
    samples: Option<&mut usize>,
    ui: &mut Ui,
    cx: &mut Cx<'_>,
) {
    section(ui, "Sampling", |ui| {
        presets::show(&mut drawing.presets, &mut drawing.name, drawn, ui, cx);
        let Drawn { sampling, stop } = drawn;
        field(ui, "Temperature", TEMPERATURE_HELP, |ui| {
            widgets::slider(ui, Slider::new(&mut sampling.temperature, 0.0..=2.0).fixed_decimals(2).step_by(0.05))
        });
        field(ui, "Top-p", TOP_P_HELP, |ui| {
            widgets::slider(ui, Slider::new(&mut sampling.top_p, 0.05..=1.0).fixed_decimals(2).step_by(0.01))
        });
        let context = cx.state.active(Ability::Continue).and_then(|m| m.info.shape.context()).unwrap_or(4096);
        widgets::row(ui, 2, |columns| {
            field(&mut columns[0], "Top-k", TOP_K_HELP, |ui| {
                number(ui, DragValue::new(&mut sampling.top_k).range(0..=1000).speed(0.3))
            });
            field(&mut columns[1], "New tokens, at most", MAX_HELP, |ui| {
                number(ui, DragValue::new(&mut sampling.max_new_tokens).range(1..=context))
            });
        });
        widgets::row(ui, 2, |columns| {
            field(&mut columns[0], "Seed", SEED_HELP, |ui| number(ui, DragValue::new(&mut sampling.seed).speed(0.2)));
            columns[1].add_space(20.0);
            if widgets::secondary_button(&mut columns[1], Some(Icon::Dices), "New seed").clicked() {
                sampling.seed = fresh_seed();
            }
        });
        if let Some(samples) = samples {
            widgets::row(ui, 2, |columns| {
                field(&mut columns[0], "Samples", SAMPLES_HELP, |ui| {
                    number(ui, DragValue::new(samples).range(1..=100).speed(0.1))
                });
            });
        }
        field(ui, "Stop strings", STOP_HELP, |ui| ui.add(TextArea::new(stop, 1).mono().hint("None")));
        // Settings that change what is drawn are never out of sight.
        let changed = changed(sampling);
        let name =
            if changed == 0 { "Penalties and bias".into() } else { format!("Penalties and bias ({changed} set)") };
        let title = RichText::new(name).font(Type::Body.bold()).color(ui.theme().body());
        CollapsingHeader::new(title).id_salt("penalties").show(ui, |ui| {
            penalties(sampling, ui);
            drawing.bias.show(&mut sampling.bias, ui, cx);
        });
    });
}

/// How many of the folded settings change anything.
fn changed(sampling: &Sampling) -> usize {
    let &Sampling { min_p, repetition_penalty, presence_penalty, frequency_penalty, .. } = sampling;
    let numbers = [min_p > 0.0, repetition_penalty != 1.0, presence_penalty != 0.0, frequency_penalty != 0.0];
    numbers.into_iter().filter(|is_set| *is_set).count() + usize::from(!sampling.bias.trim().is_empty())
}

fn penalties(sampling: &mut Sampling, ui: &mut Ui) {
    widgets::row(ui, 2, |columns| {
        field(&mut columns[0], "Min-p", MIN_P_HELP, |ui| {
            number(ui, DragValue::new(&mut sampling.min_p).range(0.0..=1.0).speed(0.005).fixed_decimals(2))
        });
        field(&mut columns[1], "Repetition penalty", REPETITION_HELP, |ui| {
            let value = DragValue::new(&mut sampling.repetition_penalty);
            number(ui, value.range(0.1..=5.0).speed(0.01).fixed_decimals(2))
        });
    });
    widgets::row(ui, 2, |columns| {
        field(&mut columns[0], "Presence penalty", PRESENCE_HELP, |ui| {
            let value = DragValue::new(&mut sampling.presence_penalty);
            number(ui, value.range(-10.0..=10.0).speed(0.01).fixed_decimals(2))
        });
        field(&mut columns[1], "Frequency penalty", FREQUENCY_HELP, |ui| {
            let value = DragValue::new(&mut sampling.frequency_penalty);
            number(ui, value.range(-10.0..=10.0).speed(0.01).fixed_decimals(2))
        });
    });
}

fn number(ui: &mut Ui, value: DragValue<'_>) -> egui::Response {
    let size = egui::vec2(ui.available_width(), CONTROL_HEIGHT);
    ui.add_sized(size, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_settings_that_change_something_are_counted() {
        assert_eq!(changed(&Sampling::default()), 0);
        let set = Sampling { min_p: 0.1, frequency_penalty: -0.5, bias: "5 = 1".into(), ..Sampling::default() };
        assert_eq!(changed(&set), 3);
    }
}
