//! The line that says what a result was made with, and that it is old when it is.

use super::caption;
use crate::types::{Ability, JobId, Sampling};
use crate::ui::theme::{Type, space};
use crate::ui::{State, Themed};
use egui::{RichText, Ui};

/// Opacity of a result that was made before something changed.
const OLD: f32 = 0.6;

/// What a result was made with: model, settings, time; and why it is old, if it is.
pub struct Stamp {
    words: Vec<String>,
    time: Option<String>,
    old: Option<String>,
}

impl Stamp {
    /// The stamp of a job's result; `None` where no model is known of it.
    #[must_use]
    pub fn of(state: &State, job: JobId) -> Option<Self> {
        let job = state.job(job)?;
        let made = job.made.as_ref()?;
        Some(Self {
            words: vec![made.model.clone()],
            time: state.time_of_day(job.started_s),
            old: state.changed_since(job),
        })
    }

    /// The stamp of a result that outlived its job; `old` says why it is old, if it is.
    #[must_use]
    pub fn kept(model: &str, old: Option<String>) -> Self {
        Self { words: vec![model.to_owned()], time: None, old }
    }

    /// The same where the model in use for this is meant: a result of another one is old.
    #[must_use]
    pub fn in_use(state: &State, job: JobId, ability: Ability) -> Option<Self> {
        let old = state.job(job).and_then(|job| state.changed_in_use(job, ability));
        Self::of(state, job).map(|stamp| Self { old, ..stamp })
    }

    /// Adds a setting, such as `seed 7`.
    #[must_use]
    pub fn with(mut self, words: impl Into<String>) -> Self {
        self.words.push(words.into());
        self
    }

    /// Adds how tokens were drawn.
    #[must_use]
    pub fn drawn(mut self, sampling: &Sampling) -> Self {
        self.words.extend(drawn(sampling));
        self
    }

    /// Says that the result is old, for this reason, where it is not so already.
    #[must_use]
    pub fn old_where(mut self, is_old: bool, why: &str) -> Self {
        if is_old && self.old.is_none() {
            self.old = Some(why.to_owned());
        }
        self
    }

    /// True when something has changed since.
    #[must_use]
    pub fn is_old(&self) -> bool {
        self.old.is_some()
    }

    /// The words, in one line.
    #[must_use]
    pub fn text(&self) -> String {
        let parts = self.words.iter().chain(self.time.iter());
        parts.map(String::as_str).collect::<Vec<_>>().join(" · ")
    }

    /// The same as short as a list needs it: time, model, seed.
    #[must_use]
    pub fn short(&self, sampling: &Sampling) -> String {
        let seed = drawn(sampling).swap_remove(0);
        self.time.iter().chain(self.words.first()).cloned().chain([seed]).collect::<Vec<_>>().join(" · ")
    }

    /// The line.
    pub fn show(&self, ui: &mut Ui) {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = egui::vec2(space::S, 0.0);
            ui.spacing_mut().interact_size.y = 0.0;
            caption(ui, self.text()).on_hover_text("What this was made with, and when.");
            if let Some(why) = &self.old {
                let words = RichText::new("made before the last change").font(Type::Caption.sans());
                ui.label(words.color(ui.theme().warning())).on_hover_text(why);
            }
        });
    }

    /// Shows the result: dimmed where it is old.
    pub fn over<R>(stamp: Option<&Self>, ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> R {
        if stamp.is_some_and(Self::is_old) {
            ui.scope(|ui| {
                ui.multiply_opacity(OLD);
                add(ui)
            })
            .inner
        } else {
            add(ui)
        }
    }
}

/// How tokens were drawn, as short as it can be said.
fn drawn(sampling: &Sampling) -> Vec<String> {
    let is_greedy = sampling.temperature <= 0.0;
    let mut words = match is_greedy {
        true => vec!["temperature 0".to_owned()],
        false => vec![format!("seed {}", sampling.seed), format!("temperature {}", sampling.temperature)],
    };
    let mut add = |matters: bool, text: String| words.extend(matters.then_some(text));
    // What cuts the unlikely off does not matter to the likeliest.
    add(!is_greedy && sampling.top_k > 0, format!("top-k {}", sampling.top_k));
    add(!is_greedy && sampling.top_p < 1.0, format!("top-p {}", sampling.top_p));
    add(!is_greedy && sampling.min_p > 0.0, format!("min-p {}", sampling.min_p));
    add(sampling.repetition_penalty != 1.0, format!("repetition {}", sampling.repetition_penalty));
    add(sampling.presence_penalty != 0.0, format!("presence {}", sampling.presence_penalty));
    add(sampling.frequency_penalty != 0.0, format!("frequency {}", sampling.frequency_penalty));
    add(!sampling.bias.trim().is_empty(), "logit bias".to_owned());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_to_a_draw_is_not_said() {
        let greedy = Sampling { seed: 7, top_k: 40, ..Sampling::default() };
        assert_eq!(drawn(&greedy), ["temperature 0"], "the likeliest token is taken, whatever the seed");
        let free = Sampling { temperature: 0.8, seed: 7, ..Sampling::default() };
        assert_eq!(drawn(&free), ["seed 7", "temperature 0.8"]);
        assert_eq!(drawn(&Sampling { top_k: 40, top_p: 0.9, ..free })[2..], ["top-k 40", "top-p 0.9"]);
        let punished = Sampling { presence_penalty: 0.5, min_p: 0.1, bias: "5 = 1".into(), ..Sampling::default() };
        assert_eq!(drawn(&punished), ["temperature 0", "presence 0.5", "logit bias"]);
    }
}
