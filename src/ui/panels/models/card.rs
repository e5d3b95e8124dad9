//! The card of one model: its figures, and the table of its tensors below them.

use super::{ModelsPanel, description, table};
use crate::types::{ModelCard, Precision, bytes_in_words, count_in_words};
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{self, caption, error_card, icon_button, secondary_button};
use egui::{Frame, Label, Margin, RichText, Ui};
use lucide_icons::Icon;
use serde::{Deserialize, Serialize};

const PARAMETERS_HELP: &str = "Numbers that training has set. A matrix that is used twice counts once.";
const WEIGHTS_HELP: &str = "Memory of the weights alone: 4 bytes for each parameter in F32, 2 in F16.";
const KV_HELP: &str = "What one more token of context takes: a key and a value for every key-value head of every layer, \
     2 · layers · key-value heads · head width numbers of 4 bytes.";
const FLOPS_HELP: &str = "Additions and multiplications for one token that sees only itself: 2 for each weight of a matrix, \
     the head's included.";
const FULL_HELP: &str = "The same with a full context. Attention adds 4 · layers · heads · head width for every token that is \
     seen: a query times every key, and every value times its share.";

const STORED_HELP: &str = "The element type that most bytes of the weights have.";

/// What stands below the figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Below {
    /// The tensors.
    #[default]
    Tensors,
    /// What the makers say.
    Description,
}

pub(super) fn stage(panel: &mut ModelsPanel, ui: &mut Ui, cx: &mut Cx<'_>) {
    let folder = panel.typed.folder.clone().unwrap_or_default();
    Frame::new().inner_margin(Margin::symmetric(space::XL as i8, space::L as i8)).show(ui, |ui| {
        // A table wider than this tears names and figures apart.
        ui.set_max_width(ui.available_width().min(1180.0));
        let title = panel.shown.as_ref().map_or_else(|| crate::types::model_name(&folder), |s| s.card.name.clone());
        let runs = panel.shown.as_ref().is_some_and(|shown| shown.card.architecture.is_some());
        let mut back = false;
        ui.horizontal(|ui| {
            back = icon_button(ui, Icon::ArrowLeft, "Back to the list").clicked();
            let sub = panel.shown.as_ref().map(|shown| shown.card.architecture_name.as_str()).unwrap_or_default();
            widgets::stage_header(ui, &title, sub, |ui| {
                let is_open = cx.state.models.values().any(|model| model.info.path == folder);
                let verb = if is_open { "Use" } else { "Open" };
                let button = ui.add_enabled_ui(runs, |ui| secondary_button(ui, None, verb)).inner;
                if button.on_disabled_hover_text("Fovea cannot run this architecture.").clicked() {
                    cx.open_model(folder.clone());
                }
                if icon_button(ui, Icon::Copy, "Copy the path").clicked() {
                    ui.ctx().copy_text(folder.display().to_string());
                    cx.toast("Copied the path");
                }
            });
        });
        if back {
            panel.close_card();
            return;
        }
        ui.add_space(space::S);
        if let Some(error) = &panel.failed {
            error_card(ui, error);
            return;
        }
        let Some(shown) = &panel.shown else {
            caption(ui, "Reading the folder");
            return;
        };
        figures(ui, &shown.card);
        ui.add_space(space::M);
        if let Some(text) = &shown.card.text {
            let choices = [(Below::Tensors, "Tensors"), (Below::Description, "What its makers say")];
            widgets::segmented(ui, &mut panel.typed.below, &choices);
            ui.add_space(space::S);
            if panel.typed.below == Below::Description {
                description::show(ui, text);
                return;
            }
        }
        match shown.tensors.clone() {
            Ok(tensors) => table::show(panel, ui, cx, &tensors),
            Err(error) => error_card(ui, &error),
        }
    });
}

/// One figure of the card.
struct Figure {
    name: &'static str,
    value: String,
    help: &'static str,
}

fn all(card: &ModelCard) -> Vec<Figure> {
    let mut all = Vec::new();
    let mut add = |name, help, value: Option<String>| all.extend(value.map(|value| Figure { name, value, help }));
    add("parameters", PARAMETERS_HELP, card.parameters.map(count_in_words));
    let heads = card.layers.zip(card.heads).map(|(layers, heads)| match card.kv_heads {
        Some(kv) if kv != heads => format!("{layers} × {heads} ({kv} kv)"),
        _ => format!("{layers} × {heads}"),
    });
    add("layers × heads", "", heads);
    if card.heads.is_none() && card.architecture.is_some_and(|known| !known.attends()) {
        add("layers, no attention", "", card.layers.map(|layers| layers.to_string()));
    }
    add("hidden width", "", card.hidden.map(|n| n.to_string()));
    add("context, tokens", "", card.context.map(|n| n.to_string()));
    add("vocabulary", "", card.vocabulary.map(|n| n.to_string()));
    add("stored as", STORED_HELP, card.types.first().map(|most| most.name.clone()));
    add("weights in F32", WEIGHTS_HELP, card.weight_bytes(Precision::F32).map(bytes_in_words));
    add("weights in F16", WEIGHTS_HELP, card.weight_bytes(Precision::F16).map(bytes_in_words));
    add("KV cache a token", KV_HELP, card.kv_cache_bytes(Precision::F32).map(bytes_in_words));
    add("FLOP a token", FLOPS_HELP, card.flops_per_token(0).map(count_in_words));
    let full = card.context.and_then(|context| card.flops_per_token(context));
    add("at full context", FULL_HELP, full.map(count_in_words));
    if card.is_causal {
        add("chat template", "", Some(if card.has_chat_template { "yes" } else { "no" }.to_owned()));
    }
    add("licence", "As its card says.", card.licence.clone());
    all
}

fn figures(ui: &mut Ui, card: &ModelCard) {
    let theme = ui.theme();
    let figures = all(card);
    let columns = ((ui.available_width() / 140.0) as usize).clamp(3, 7);
    for line in figures.chunks(columns) {
        widgets::row(ui, columns, |cells| {
            for (cell, figure) in cells.iter_mut().zip(line) {
                let shown = cell.vertical(|ui| {
                    ui.spacing_mut().item_spacing.y = 0.0;
                    let value = RichText::new(&figure.value).font(Type::Strong.mono()).color(theme.body());
                    ui.add(Label::new(value).truncate());
                    caption(ui, figure.name)
                });
                if !figure.help.is_empty() {
                    shown.inner.on_hover_text(figure.help);
                }
            }
        });
        ui.add_space(space::S);
    }
}
