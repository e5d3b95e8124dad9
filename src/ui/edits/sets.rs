//! Lists under names, and lists in files.

use super::list::EditSet;
use super::{Edits, OPEN, file_to_open};
use crate::ui::theme::space;
use crate::ui::widgets::{caption, ghost_button, hint, icon_button};
use crate::ui::{Cx, OpenModel};
use egui::{Popup, PopupCloseBehavior, TextEdit, Ui};
use lucide_icons::Icon;

const WIDTH: f32 = 240.0;

impl Edits {
    /// The button that opens the menu of sets and files.
    pub(super) fn sets_button(&mut self, open: Option<&OpenModel>, ui: &mut Ui, cx: &mut Cx<'_>) {
        let button = icon_button(ui, Icon::Bookmark, "Sets of edits");
        Popup::menu(&button).close_behavior(PopupCloseBehavior::CloseOnClickOutside).show(|ui| {
            ui.set_width(WIDTH);
            if self.sets.is_empty() {
                caption(ui, "No set is kept yet: a list of edits under a name, to come back to.");
            }
            self.list_of_sets(ui, cx);
            if !self.list.is_empty() {
                self.keep_field(ui);
            }
            ui.separator();
            if ghost_button(ui, Some(Icon::FolderOpen), "Open edits…").clicked() {
                cx.pick(OPEN, file_to_open());
                ui.close();
            }
            let can_be = !self.list.is_empty();
            let save = ui.add_enabled_ui(can_be, |ui| ghost_button(ui, Some(Icon::Save), "Save the edits…").clicked());
            if save.inner {
                self.ask_to_save(open, cx);
                ui.close();
            }
        });
    }

    fn list_of_sets(&mut self, ui: &mut Ui, cx: &Cx<'_>) {
        let (mut chosen, mut dropped) = (None, None);
        for (place, set) in self.sets.iter().enumerate() {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = space::XS;
                let name = format!("{} · {}", set.name, set.edits.len());
                let is_it = set.edits == self.list;
                let lines: Vec<String> = set.edits.iter().map(|listed| listed.edit.to_string()).collect();
                if ui.selectable_label(is_it, name).on_hover_text(lines.join("\n")).clicked() {
                    chosen = Some(set.edits.clone());
                }
                if icon_button(ui, Icon::Trash2, &format!("Delete the set {}", set.name)).clicked() {
                    dropped = Some(place);
                }
            });
        }
        if let Some(list) = chosen {
            self.take_list(list, cx.state.now_s);
            ui.close();
        }
        if let Some(place) = dropped {
            self.sets.remove(place);
        }
    }

    /// A name to keep the list under.
    fn keep_field(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::XS;
            let edit = TextEdit::singleline(&mut self.name).hint_text(hint("Keep these edits as…"));
            let field = ui.add(edit.desired_width(WIDTH - 40.0));
            let _ = field.clone().accessible_name("Name of the set");
            let entered = field.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
            let can_be = !self.name.trim().is_empty();
            let pressed = ui.add_enabled_ui(can_be, |ui| icon_button(ui, Icon::Save, "Keep the set").clicked()).inner;
            if can_be && (pressed || entered) {
                let set = EditSet { name: self.name.trim().to_owned(), edits: self.list.clone() };
                match self.sets.iter_mut().find(|known| known.name == set.name) {
                    Some(known) => *known = set,
                    None => self.sets.push(set),
                }
                self.name.clear();
            }
        });
    }
}
