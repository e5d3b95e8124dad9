//! A word about the open model, where another one shows more.

use crate::types::{Ability, ModelInfo, count_in_words};
use crate::ui::theme::space;
use crate::ui::widgets::{caption, secondary_button};
use crate::ui::{Cx, PanelId, ShippedModel, State};
use egui::Ui;
use lucide_icons::Icon;

/// The smallest model with which Brown et al. 2020 tried examples has 125 million parameters; those that were trained on running text
/// alone and have fewer than this make little of them.
const LARGE: u64 = 100_000_000;

/// Suggests a shipped model that infers tasks from examples while a shipped one that does not is open.
pub(super) fn for_examples(ui: &mut Ui, cx: &mut Cx<'_>) {
    let Some((open, better)) = better(cx.state) else { return };
    caption(ui, format!("{open} was not trained on tasks; {} was.", better.name));
    if secondary_button(ui, Some(Icon::Box), &format!("Use {}", better.name)).clicked() {
        cx.open_model(better.path.clone());
    }
    ui.add_space(space::S);
}

/// Says so where a task is beyond small models and a small one is open.
pub(super) fn for_large(ui: &mut Ui, cx: &mut Cx<'_>) {
    let Some(open) = open(cx.state).filter(|open| open.parameters < LARGE) else { return };
    let (least, has) = (count_in_words(LARGE), count_in_words(open.parameters));
    caption(ui, format!("This asks for a model of {least} parameters or more; {} has {has}.", open.name));
    if secondary_button(ui, Some(Icon::Boxes), "Show models").clicked() {
        cx.go_to(PanelId::Models);
    }
    ui.add_space(space::S);
}

/// Offers the encoder that comes along while none is open.
pub(super) fn for_blanks(ui: &mut Ui, cx: &mut Cx<'_>) {
    let Some(encoder) = encoder(cx.state) else { return };
    ui.add_space(space::M);
    caption(ui, format!("{} fills blanks and compares texts by their meaning.", encoder.name));
    if secondary_button(ui, Some(Icon::Box), &format!("Use {}", encoder.name)).clicked() {
        cx.open_model(encoder.path.clone());
    }
}

/// The encoder that comes along, where none is open.
pub(super) fn encoder(state: &State) -> Option<&ShippedModel> {
    let is_open = state.models.values().any(|open| open.info.can(Ability::Embed));
    state.shipped.iter().find(|model| model.kind.can(Ability::Embed)).filter(|_| !is_open)
}

fn open(state: &State) -> Option<&ModelInfo> {
    state.active(Ability::Continue).map(|model| &model.info)
}

/// The open model's name, and the model to suggest.
fn better(state: &State) -> Option<(&str, &ShippedModel)> {
    let open = open(state)?;
    let is_shipped = state.shipped.iter().any(|model| model.path == open.path);
    if !is_shipped || open.held_out.is_some() {
        return None;
    }
    state.shipped.iter().find(|model| model.few_shot).map(|better| (open.name.as_str(), better))
}
