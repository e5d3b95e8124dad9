//! The model that answers beside the one in use: another open one, or the same without its adapter.

use crate::engine::{Command, Work};
use crate::types::{Ability, JobId, ModelId, ModelKind, model_name};
use crate::ui::asked_model::{AskedModel, Found};
use crate::ui::theme::Type;
use crate::ui::widgets::{caption, ghost_button};
use crate::ui::{Cx, OpenModel, ShippedModel, State, full_name};
use egui::{ComboBox, Ui};
use lucide_icons::Icon;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const HELP: &str = "A second model is asked the same with the same settings and the same seed, and its answer stands in a column beside, \
     with the differences marked. Edits that are on hold for both.";

/// Which one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum SecondModel {
    /// The one in use without its adapter.
    Base,
    /// Another one.
    Model(AskedModel),
}

/// The choice, and what comes of it.
#[derive(Default)]
pub(super) struct Second {
    pub chosen: Option<SecondModel>,
    /// What is put in use again once the other model is open: opening it would take its place.
    in_use: Option<ModelId>,
}

/// A model that can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub id: ModelId,
    /// True for the model in use without its adapter.
    is_base: bool,
}

impl Target {
    /// Has it do some work.
    pub fn start(self, job: JobId, work: Work) -> Command {
        Command::start(job, self.id, self.work(work))
    }

    /// The work as it is given to the engine.
    pub fn work(self, work: Work) -> Work {
        if self.is_base { Work::OnBase(Box::new(work)) } else { work }
    }

    /// Whether its tokens are those of the model in use, whatever they are.
    pub fn shares_tokens(self) -> bool {
        self.is_base
    }
}

impl Second {
    /// As it was in a session.
    pub fn restored(chosen: Option<SecondModel>) -> Self {
        Self { chosen, in_use: None }
    }

    /// The model to ask beside the one in use. One that is not open is named all the same: the engine says what is wrong with it.
    pub fn target(&self, state: &State) -> Option<Target> {
        let active = state.active(Ability::Continue)?;
        match self.chosen.as_ref()? {
            SecondModel::Base => active.info.adapter.is_some().then_some(Target { id: active.info.id, is_base: true }),
            SecondModel::Model(asked) => {
                let id = open_id(asked, state).or(asked.open.map(|(id, _)| id)).unwrap_or_else(ModelId::next);
                (id != active.info.id).then_some(Target { id, is_base: false })
            }
        }
    }

    /// Puts an open model beside, or one that is being opened; `None` is the model in use without its adapter.
    pub fn choose(&mut self, model: Option<ModelId>, state: &State) {
        let Some(id) = model else {
            self.chosen = Some(SecondModel::Base);
            return;
        };
        let asked = match state.models.get(&id) {
            Some(open) => AskedModel::of(open),
            None => {
                let path = state.jobs.values().find_map(|job| match &*job.work {
                    Work::Open(path) if job.model == Some(id) => Some(path.clone()),
                    _ => None,
                });
                let name = path.as_deref().map(model_name).unwrap_or_default();
                AskedModel { name, path, open: Some((id, 0)), ..AskedModel::default() }
            }
        };
        self.chosen = Some(SecondModel::Model(asked));
        self.in_use = state.active(Ability::Continue).map(|open| open.info.id).filter(|open| *open != id);
    }

    /// Opens a model to stand beside.
    fn open(&mut self, path: PathBuf, cx: &mut Cx<'_>) {
        let id = ModelId::next();
        let asked = AskedModel { name: model_name(&path), path: Some(path.clone()), ..AskedModel::default() };
        self.chosen = Some(SecondModel::Model(AskedModel { open: Some((id, 0)), ..asked }));
        self.in_use = cx.state.active(Ability::Continue).map(|open| open.info.id);
        cx.send(Command::start(JobId::next(), id, Work::Open(path)));
    }

    /// The model that was opened to stand beside does not take the place of the one in use.
    pub fn tick(&mut self, cx: &mut Cx<'_>) {
        let Some(in_use) = self.in_use else { return };
        let Some(SecondModel::Model(asked)) = &self.chosen else { return };
        let Some(id) = asked.open.map(|(id, _)| id).filter(|id| cx.state.models.contains_key(id)) else { return };
        let is_opening = |job: &&crate::ui::Job| job.model == Some(id) && matches!(&*job.work, Work::Open(_));
        if cx.state.active_jobs().any(|job| is_opening(&job)) {
            return;
        }
        if cx.state.active(Ability::Continue).is_some_and(|open| open.info.id == id) {
            cx.activate(in_use);
        }
        self.in_use = None;
    }

    /// The menu, beside what else stands in the row.
    pub fn menu(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let state = cx.state;
        let active = state.active(Ability::Continue);
        let words = self.words(active);
        let chevron = |ui: &Ui, rect: egui::Rect, visuals: &egui::style::WidgetVisuals, _: bool| {
            let (icon, ink) = (char::from(Icon::ChevronDown), visuals.fg_stroke.color);
            ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, icon, Type::Caption.icon(), ink);
        };
        let shown = if self.chosen.is_some() { format!("+ {words}") } else { "Beside".to_owned() };
        let combo = ComboBox::from_id_salt("model beside").selected_text(shown).width(ui.available_width());
        let mut opens = None;
        let response = combo.truncate().icon(chevron).show_ui(ui, |ui| {
            ui.set_min_width(220.0);
            if ui.selectable_label(self.chosen.is_none(), "No other model").clicked() {
                self.chosen = None;
            }
            if let Some(base) = active.and_then(base_words)
                && ui.selectable_label(self.chosen == Some(SecondModel::Base), base).clicked()
            {
                self.chosen = Some(SecondModel::Base);
            }
            for open in state.models.values().filter(|open| is_other(open, active)) {
                if ui.selectable_label(self.is(open, state), full_name(&open.info)).clicked() {
                    (self.chosen, self.in_use) = (Some(SecondModel::Model(AskedModel::of(open))), None);
                }
            }
            let closed = |shipped: &&ShippedModel| {
                shipped.kind == ModelKind::CausalLm && !state.models.values().any(|m| m.info.path == shipped.path)
            };
            for shipped in state.shipped.iter().filter(closed) {
                if ui.selectable_label(false, format!("Open {}", shipped.name)).clicked() {
                    opens = Some(shipped.path.clone());
                }
            }
        });
        let _ = response.response.on_hover_text(HELP).accessible_name(format!("Model beside: {words}"));
        if let Some(path) = opens {
            self.open(path, cx);
        }
    }

    /// What keeps the choice from being asked.
    pub fn trouble(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let state = cx.state;
        let Some(note) = self.note(state) else { return };
        caption(ui, note);
        let closed = match &self.chosen {
            Some(SecondModel::Model(asked)) if open_id(asked, state).is_none() => asked.folder(state),
            _ => None,
        };
        if let Some(path) = closed.filter(|_| state.opening().is_none())
            && ghost_button(ui, Some(Icon::FolderOpen), "Open it").clicked()
        {
            self.open(path, cx);
        }
    }

    fn is(&self, open: &OpenModel, state: &State) -> bool {
        matches!(&self.chosen, Some(SecondModel::Model(asked)) if open_id(asked, state) == Some(open.info.id))
    }

    /// What is chosen.
    fn words(&self, active: Option<&OpenModel>) -> String {
        match &self.chosen {
            None => "No other model".to_owned(),
            Some(SecondModel::Base) => active.and_then(base_words).unwrap_or_else(|| "Without its adapter".to_owned()),
            Some(SecondModel::Model(asked)) => asked.title(),
        }
    }

    /// Why nothing stands beside, though something is chosen.
    fn note(&self, state: &State) -> Option<String> {
        let active = state.active(Ability::Continue)?;
        match self.chosen.as_ref()? {
            SecondModel::Base if active.info.adapter.is_none() => {
                Some(format!("{} has no adapter, so nothing stands beside it.", active.info.name))
            }
            SecondModel::Base => None,
            SecondModel::Model(asked) => match open_id(asked, state) {
                Some(id) if id == active.info.id => {
                    Some("It is the one in use, so nothing stands beside it.".to_owned())
                }
                Some(_) => None,
                None if state.opening().is_some() => Some(format!("{} is being opened.", asked.name)),
                None => Some(format!("{} is not open.", asked.name)),
            },
        }
    }
}

/// The open model that is meant, as it is now.
fn open_id(asked: &AskedModel, state: &State) -> Option<ModelId> {
    if let Some(id) = asked.open.map(|(id, _)| id).filter(|id| state.models.contains_key(id)) {
        return Some(id);
    }
    match asked.find(state, Ability::Continue) {
        Found::Open(open) | Found::Unhashed(open) | Found::Other(open) => Some(open.info.id),
        Found::Closed => None,
    }
}

fn is_other(open: &OpenModel, active: Option<&OpenModel>) -> bool {
    open.info.can(Ability::Continue) && active.is_none_or(|active| active.info.id != open.info.id)
}

/// The model in use without its adapter, where it has one.
fn base_words(active: &OpenModel) -> Option<String> {
    let adapter = active.info.adapter.as_ref()?;
    Some(format!("{} without {}", active.info.name, adapter.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::asked_model::tests::{open, state};

    #[test]
    fn another_open_model_is_asked_and_never_the_one_in_use() {
        let (a, b) = (open("sprout", None), open("seedling", None));
        let (in_use, other) = (a.info.id, b.info.id);
        let asked = AskedModel::of(&b);
        let mut state = state(vec![a, b]);
        state.activate(in_use);
        let mut second = Second::default();
        assert_eq!(second.target(&state), None);
        second.choose(Some(other), &state);
        assert_eq!(second.target(&state), Some(Target { id: other, is_base: false }));
        assert_eq!(second.note(&state), None);
        state.activate(other);
        assert_eq!(second.target(&state), None, "it is the one in use now");
        assert!(second.note(&state).unwrap().contains("in use"));
        // Without an adapter there is no base to stand beside.
        second.choose(None, &state);
        assert_eq!(second.target(&state), None);
        assert!(second.note(&state).unwrap().contains("no adapter"));
        // After a restart it is known by its place.
        let kept: SecondModel =
            serde_json::from_str(&serde_json::to_string(&SecondModel::Model(asked)).unwrap()).unwrap();
        state.activate(in_use);
        let mut second = Second::restored(Some(kept));
        assert_eq!(second.target(&state), Some(Target { id: other, is_base: false }));
        state.models.remove(&other);
        assert!(second.note(&state).unwrap().contains("seedling is not open"));
        assert!(second.target(&state).is_some(), "asked all the same: its column says that it is closed");
        second.chosen = None;
        assert_eq!(second.note(&state), None);
    }
}
