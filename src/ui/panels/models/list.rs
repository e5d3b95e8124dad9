//! The list: a search, a field for any name, and the models in groups.

use super::entries::{Section, sections};
use super::{ModelsPanel, row};
use crate::hub::RepoId;
use crate::types::{UserError, bytes_in_words};
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::panels::adapter;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{self, caption, error_card, icon_button, secondary_button};
use egui::{Frame, Margin, RichText, ScrollArea, TextEdit, Ui};
use lucide_icons::Icon;

const FIELD_WIDTH: f32 = 280.0;

pub(super) fn stage(panel: &mut ModelsPanel, ui: &mut Ui, cx: &mut Cx<'_>) {
    Frame::new().inner_margin(Margin::symmetric(space::XL as i8, space::L as i8)).show(ui, |ui| {
        ui.set_max_width(ui.available_width().min(row::WIDEST));
        let free = cx.state.free_memory.map(|free| format!("{} of memory are free", bytes_in_words(free)));
        widgets::stage_header(ui, "Models", &free.unwrap_or_default(), |ui| {
            if secondary_button(ui, Some(Icon::FolderOpen), "Open folder…").on_hover_text("Ctrl+O").clicked() {
                cx.ask_for_model();
            }
            let file = secondary_button(ui, Some(Icon::FileBox), "Open file…");
            if file.on_hover_text("A model in GGUF. Ctrl+Shift+O").clicked() {
                cx.ask_for_model_file();
            }
            if cx.state.hub.is_there && icon_button(ui, Icon::RefreshCw, "Look through the cache again").clicked() {
                cx.list_models();
            }
        });
        ui.add_space(space::S);
        fields(panel, ui, cx);
        if let Some(error) = &panel.wrong_id {
            ui.add_space(space::S);
            error_card(ui, error);
        }
        ui.add_space(space::M);
        let columns = row::Columns::within(ui.available_width());
        columns.titles(ui);
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            let searching = !panel.typed.search.trim().is_empty();
            let mut sections = sections(cx.state, &panel.typed.search);
            sections.retain(|section| !(searching && section.entries.is_empty()));
            if sections.is_empty() {
                ui.add_space(space::M);
                caption(ui, "No model here has these words. Fetch any by its name, with the field above.");
            }
            adapters(ui, cx);
            for section in &sections {
                show_section(panel, ui, cx, &columns, section);
            }
            ui.add_space(space::XL);
        });
    });
}

/// The adapters of the models that are open.
fn adapters(ui: &mut Ui, cx: &mut Cx<'_>) {
    const WIDTH: f32 = 380.0;
    let open: Vec<_> = cx.state.models.values().filter(|model| model.info.adapter.is_some()).collect();
    let open: Vec<_> = open.into_iter().map(|model| model.info.clone()).collect();
    for info in open {
        ui.add_space(space::M);
        caption(ui, format!("Adapter on {}", info.name));
        ui.scope(|ui| {
            ui.set_max_width(WIDTH);
            adapter::show(ui, cx, &info);
        });
    }
}

/// The two fields above the list.
fn fields(panel: &mut ModelsPanel, ui: &mut Ui, cx: &mut Cx<'_>) {
    ui.horizontal(|ui| {
        let search =
            TextEdit::singleline(&mut panel.typed.search).hint_text(widgets::hint("Search")).desired_width(FIELD_WIDTH);
        named(&ui.add(search), "Search models");
        ui.add_space(space::L);
        let field =
            TextEdit::singleline(&mut panel.typed.id).hint_text(widgets::hint("owner/name, or the address of a model"));
        let field = ui.add(field.desired_width(FIELD_WIDTH));
        named(&field, "Name of a model on the hub");
        if field.changed() {
            panel.wrong_id = None;
        }
        let entered = field.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
        let ready = cx.state.hub.is_there && !panel.typed.id.trim().is_empty();
        let pressed = ui.add_enabled_ui(ready, |ui| {
            let button = secondary_button(ui, Some(Icon::Download), "Fetch from the hub");
            button.on_hover_text("Fetches it from huggingface.co, or from where HF_ENDPOINT says.").clicked()
        });
        if ready && (entered || pressed.inner) {
            match RepoId::parse(&panel.typed.id) {
                Ok(id) => {
                    panel.typed.id.clear();
                    panel.wrong_id = None;
                    cx.fetch(id);
                }
                Err(error) => panel.wrong_id = Some(UserError::from(error)),
            }
        }
    });
}

fn named(field: &egui::Response, name: &str) {
    let _ = field.clone().accessible_name(name);
}

fn show_section(panel: &mut ModelsPanel, ui: &mut Ui, cx: &mut Cx<'_>, columns: &row::Columns, section: &Section) {
    let theme = ui.theme();
    ui.add_space(space::M);
    ui.horizontal(|ui| {
        ui.label(RichText::new(section.title).font(Type::Strong.bold()).color(theme.body()));
        caption(ui, section.sub);
    });
    if section.entries.is_empty() {
        caption(ui, section.empty);
    }
    for entry in &section.entries {
        row::show(panel, ui, cx, columns, section.title, entry);
    }
}
