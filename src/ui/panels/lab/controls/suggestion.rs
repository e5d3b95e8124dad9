//! A word about the open model, where another one that is at hand shows more.

use crate::types::Ability;
use crate::ui::theme::space;
use crate::ui::widgets::{caption, secondary_button};
use crate::ui::{Cx, ShippedModel, State};
use egui::Ui;
use lucide_icons::Icon;

/// Suggests a shipped model that infers tasks from examples while a shipped one that does not is open.
pub(super) fn show(ui: &mut Ui, cx: &mut Cx<'_>) {
    let Some((open, better)) = better(cx.state) else { return };
    caption(ui, format!("{open} was not trained on tasks; {} was.", better.name));
    if secondary_button(ui, Some(Icon::Box), &format!("Use {}", better.name)).clicked() {
        cx.open_model(better.path.clone());
    }
    ui.add_space(space::S);
}

/// The open model's name, and the model to suggest.
fn better(state: &State) -> Option<(&str, &ShippedModel)> {
    let open = &state.active(Ability::Continue)?.info;
    let is_shipped = state.shipped.iter().any(|model| model.path == open.path);
    if !is_shipped || open.held_out.is_some() {
        return None;
    }
    state.shipped.iter().find(|model| model.few_shot).map(|better| (open.name.as_str(), better))
}
