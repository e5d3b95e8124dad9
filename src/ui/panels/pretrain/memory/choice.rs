//! Which model is looked at: the one chosen, as long as it is open, else the first that suits.

use crate::engine::Work;
use crate::types::{Ability, ModelId};
use crate::ui::theme::Type;
use crate::ui::widgets::field;
use crate::ui::{Cx, Job, OpenModel, State, full_name};
use egui::{ComboBox, Ui};
use lucide_icons::Icon;
use std::path::PathBuf;

/// Which of a model's weights a question is about. While it learns they are others at every moment: it is asked once then, and again when it
/// has ended.
pub(super) fn weights_of(state: &State, open: &OpenModel) -> u64 {
    let learns = |job: &Job| job.model == Some(open.info.id) && matches!(*job.work, Work::Train(_));
    if state.active_jobs().any(learns) { u64::MAX } else { open.weights_version }
}

/// A choice among the models that can do something.
pub(super) struct Choice {
    ability: Ability,
    chosen: Option<ModelId>,
    /// A shipped model that is being opened to be looked at.
    opening: Option<PathBuf>,
    /// Nobody is to be looked at.
    is_none: bool,
}

impl Choice {
    pub fn of(ability: Ability) -> Self {
        Self { ability, chosen: None, opening: None, is_none: false }
    }

    /// Takes the model whose opening was asked for, once it is open.
    pub fn tick(&mut self, state: &State) {
        let Some(path) = &self.opening else { return };
        if let Some(open) = state.models.values().find(|open| open.info.path == *path) {
            (self.chosen, self.opening) = (Some(open.info.id), None);
        }
    }

    /// The model that is looked at: the one chosen, else the first for which `suits` holds.
    pub fn model<'a>(&self, state: &'a State, suits: impl Fn(&OpenModel) -> bool) -> Option<&'a OpenModel> {
        if self.is_none {
            return None;
        }
        let can = |open: &&OpenModel| open.info.can(self.ability);
        let chosen = self.chosen.and_then(|id| state.models.get(&id)).filter(can);
        chosen.or_else(|| state.models.values().rev().filter(can).find(|open| suits(open)))
    }

    /// Opens a shipped model and looks at it.
    pub fn open(&mut self, path: PathBuf, cx: &mut Cx<'_>) {
        cx.open_model(path.clone());
        (self.opening, self.is_none) = (Some(path), false);
    }

    /// The menu: who can, what is shipped and can, and nobody where that is possible.
    pub fn menu(
        &mut self,
        ui: &mut Ui,
        cx: &mut Cx<'_>,
        (label, help): (&str, &str),
        shown: Option<ModelId>,
        or_none: bool,
    ) {
        let name = shown.and_then(|id| cx.state.models.get(&id)).map(|open| full_name(&open.info));
        let mut to_open = None;
        field(ui, label, help, |ui| {
            let combo = ComboBox::from_id_salt(("memory model", label))
                .selected_text(name.unwrap_or_else(|| "None".to_owned()));
            let combo = combo.width(ui.available_width()).truncate().icon(|ui, rect, visuals, _| {
                let icon = char::from(Icon::ChevronDown);
                let (at, ink) = (rect.center(), visuals.fg_stroke.color);
                ui.painter().text(at, egui::Align2::CENTER_CENTER, icon, Type::Caption.icon(), ink);
            });
            combo
                .show_ui(ui, |ui| {
                    if or_none && ui.selectable_label(shown.is_none(), "None").clicked() {
                        (self.chosen, self.is_none) = (None, true);
                    }
                    for open in cx.state.models.values().filter(|open| open.info.can(self.ability)) {
                        if ui.selectable_label(shown == Some(open.info.id), full_name(&open.info)).clicked() {
                            (self.chosen, self.is_none) = (Some(open.info.id), false);
                        }
                    }
                    let is_open = |path: &PathBuf| cx.state.models.values().any(|open| open.info.path == *path);
                    // What a folder's network can besides is known once it is open; recurrent ones are not shipped.
                    let shipped = cx
                        .state
                        .shipped
                        .iter()
                        .filter(|model| self.ability == Ability::Continue && model.kind.can(self.ability));
                    for model in shipped.filter(|model| !is_open(&model.path)) {
                        if ui.selectable_label(false, format!("Open {}", model.name)).clicked() {
                            to_open = Some(model.path.clone());
                        }
                    }
                })
                .response
        });
        if let Some(path) = to_open {
            self.open(path, cx);
        }
    }
}
