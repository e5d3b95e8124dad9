//! What is forgotten of a text: how much the last token's loss still depends on each token before, for one model or for two side by side.

mod bars;

use super::choice::{Choice, weights_of};
use crate::engine::{ForgetSpec, PromptInput, Work};
use crate::types::{Ability, ForgetReport, JobId, ModelId};
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{
    Stamp, TextArea, caption, empty_state, error_card, field, secondary_button, section, segmented, significant,
    stage_header, visible_text,
};
use crate::ui::{Answer, Ask, Cx, OpenModel, State, Themed, full_name};
use bars::Scale;
use egui::{Id, RichText, ScrollArea, Ui};
use lucide_icons::Icon;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Seconds without typing before the text is read.
const REST_S: f64 = 0.35;
/// Between what is shown and the bar that scrolls it.
const BESIDE_BAR: f32 = 8.0;
const TEXT: &str = "My watch is lost, so I asked her what time is it";
const WHAT: &str = "Each bar is the length of the gradient ‖∂L/∂x‖ of L = −ln P(last token) with respect to what the model reads of a token, \
     as a share of the longest. Where it is nothing, another token there would change nothing at the end.";
const ANSWERS: &str = "A network that reads word by word hands on what it remembers, and less of it with every word. Open a model that \
     continues text, and see on which tokens its last word still depends.";

/// What survives a restart.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Saved {
    text: String,
    scale: Scale,
}

impl Default for Saved {
    fn default() -> Self {
        Self { text: TEXT.to_owned(), scale: Scale::default() }
    }
}

/// One that is asked: the model, which of its weights, and the text.
type Question = (ModelId, u64, String);

/// The bars of one model or two.
pub(super) struct Forget {
    saved: Saved,
    choices: [Choice; 2],
    asks: [Ask<Question>; 2],
}

impl Default for Forget {
    fn default() -> Self {
        let choice = || Choice::of(Ability::Continue);
        Self { saved: Saved::default(), choices: [choice(), choice()], asks: Default::default() }
    }
}

impl Forget {
    /// The models side by side: first one that hands a state on, then one that attends, unless others were chosen.
    fn models<'a>(&self, state: &'a State) -> [Option<&'a OpenModel>; 2] {
        let [first, second] = &self.choices;
        let is_recurrent = |open: &OpenModel| open.info.can(Ability::Remember);
        let attends = |open: &OpenModel| open.info.can(Ability::Attend);
        let first = first.model(state, is_recurrent);
        let is_first = |open: &OpenModel| first.is_some_and(|first| first.info.id == open.info.id);
        let second = second.model(state, |open| attends(open) && !is_first(open));
        match (first, second) {
            (None, Some(only)) => [Some(only), None],
            (first, second) => [first, second.filter(|open| !is_first(open))],
        }
    }

    pub fn controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        section(ui, "Text", |ui| {
            let help = "Its last token is the one that is predicted; the bars stand over all others.";
            field(ui, "What is read", help, |ui| {
                ui.add(TextArea::new(&mut self.saved.text, 3).id(Id::unique("text to forget")).hint("what time is it"))
            });
            if self.saved.text != TEXT && secondary_button(ui, Some(Icon::RotateCcw), "What time is it").clicked() {
                TEXT.clone_into(&mut self.saved.text);
            }
        });
        section(ui, "Models", |ui| {
            let shown = self.models(cx.state).map(|model| model.map(|open| open.info.id));
            let [first, second] = &mut self.choices;
            first.menu(
                ui,
                cx,
                ("First model", "The upper bars: a recurrent model, where one is open."),
                shown[0],
                true,
            );
            second.menu(ui, cx, ("Second model", "The lower bars: a transformer, where one is open."), shown[1], true);
            if shown
                .iter()
                .flatten()
                .all(|id| !cx.state.models.get(id).is_some_and(|open| open.info.can(Ability::Remember)))
            {
                caption(
                    ui,
                    "No recurrent model is open. An LSTM that was trained in this panel can be looked at here.",
                );
            }
        });
    }

    pub fn footer(&self, ui: &mut Ui) {
        caption(ui, "The bars follow what is typed.");
    }

    /// True when networks are to be trained first.
    pub fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) -> bool {
        let models = self
            .models(cx.state)
            .map(|model| model.map(|open| (open.info.id, weights_of(cx.state, open), full_name(&open.info))));
        if models.iter().flatten().next().is_none() {
            return self.empty(ui, cx);
        }
        for (ask, model) in self.asks.iter_mut().zip(&models) {
            let Some((id, weights, _)) = model else { continue };
            let question = (*id, *weights, self.saved.text.clone());
            ask.follow(question, REST_S, cx, |(id, _, text)| {
                let prompt = PromptInput::Text(text.clone());
                (*id, Work::Forget(ForgetSpec { prompt, edits: Vec::new() }))
            });
            if ask.is_due() {
                ui.ctx().request_repaint_after(std::time::Duration::from_millis(100));
            }
        }
        stage_header(ui, "What the last token depends on", "", |ui| {
            segmented(ui, &mut self.saved.scale, &[(Scale::Linear, "Linear"), (Scale::Log, "Logarithmic")]);
        });
        caption(ui, WHAT);
        ui.add_space(space::S);
        let count = models.iter().flatten().count();
        let height = ui.available_height() / count as f32;
        let reports: [Option<Arc<ForgetReport>>; 2] = [0, 1].map(|side| {
            models[side].as_ref()?;
            match self.asks[side].answer::<ForgetReport>(cx.state) {
                Answer::New(report) | Answer::Old(report) => Some(Arc::clone(report)),
                _ => None,
            }
        });
        let decades = bars::decades(reports.iter().flatten().map(Arc::as_ref));
        let scale = self.saved.scale;
        ScrollArea::vertical().id_salt("forgotten").auto_shrink(false).show(ui, |ui| {
            ui.set_max_width(ui.available_width() - BESIDE_BAR);
            for (side, (report, model)) in reports.iter().zip(&models).enumerate() {
                let Some((_, _, name)) = model else { continue };
                let ask = &self.asks[side];
                let stamp = ask.job().and_then(|job| Stamp::of(cx.state, job));
                let theme = ui.theme();
                ui.horizontal(|ui| {
                    ui.label(RichText::new(name).font(Type::Body.bold()).color(theme.body()));
                    if let Some(report) = report
                        && let Some(last) = report.tokens.last()
                    {
                        let words = format!("−ln P({}) = {} nats", visible_text(&last.text), significant(report.loss));
                        caption(ui, words);
                    }
                });
                match ask.answer::<ForgetReport>(cx.state) {
                    Answer::Failed(error) => error_card(ui, error),
                    Answer::Waiting => {
                        caption(ui, "Reading.");
                    }
                    Answer::Nothing => {}
                    Answer::New(_) | Answer::Old(_) => {
                        let Some(report) = report else { continue };
                        // Less the line above it and what lies between.
                        let height = (height - 60.0).clamp(110.0, 320.0);
                        Stamp::over(stamp.as_ref(), ui, |ui| {
                            bars::show(ui, side, (name, report), (scale, decades), height);
                        });
                    }
                }
                ui.add_space(space::M);
            }
        });
        false
    }

    /// Nobody can be asked: what to do next.
    fn empty(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) -> bool {
        let shipped = cx.state.shipped.iter().find(|model| model.kind.can(Ability::Continue));
        let shipped = shipped.map(|model| (format!("Open {}", model.name), model.path.clone()));
        let title = "What is forgotten of a text?";
        match shipped {
            Some((words, path)) => {
                if empty_state(ui, Icon::History, title, ANSWERS, Some(&words)) {
                    self.choices[1].open(path, cx);
                }
                false
            }
            None => empty_state(ui, Icon::History, title, ANSWERS, Some("Train networks")),
        }
    }

    pub fn tick(&mut self, cx: &mut Cx<'_>) {
        self.choices.iter_mut().for_each(|choice| choice.tick(cx.state));
    }

    /// Reads the text again.
    pub fn again(&mut self, cx: &mut Cx<'_>) {
        self.asks.iter_mut().for_each(|ask| ask.forget(cx));
    }

    pub fn current_job(&self) -> Option<JobId> {
        self.asks.iter().find_map(Ask::job)
    }

    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.asks.iter().for_each(|ask| ask.shows(shown));
    }

    pub fn save(&self) -> Saved {
        self.saved.clone()
    }

    pub fn restore(&mut self, saved: Saved) {
        self.saved = saved;
    }
}
