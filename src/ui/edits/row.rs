//! One edit of the list: grip, switch, words, factor, and what is wrong with it.

use super::list::ListedEdit;
use super::words::{factor, with_factor, words};
use crate::types::UserError;
use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, Type, space};
use crate::ui::widgets::{Reorder, RowMove, caption, icon_button};
use egui::{Align, DragValue, Frame, Id, Label, Layout, Margin, RichText, Role, Sense, Stroke, Ui, Vec2, WidgetInfo};
use lucide_icons::Icon;

const HANDLE: f32 = 14.0;
const SWITCH: f32 = 18.0;
const HEIGHT: f32 = 26.0;
const FACTOR: f32 = 48.0;
/// A factor beyond changes more than anybody can read.
const MOST: f64 = 10.0;

/// What is to be done to the list.
pub(super) enum Wish {
    Remove(usize),
    Move(RowMove),
}

pub(super) fn handle_id(base: Id, row: usize) -> Id {
    base.with(("handle", row))
}

pub(super) fn show(
    ui: &mut Ui,
    base: Id,
    row: usize,
    listed: &mut ListedEdit,
    order: &mut Reorder,
    fault: Option<&UserError>,
) -> Option<Wish> {
    let theme = ui.theme();
    let mut wish = None;
    let said = words(&listed.edit);
    let edge = if fault.is_some() && listed.on { theme.warning() } else { theme.hairline() };
    let frame = Frame::new().fill(theme.raised()).stroke(Stroke::new(1.0, edge)).corner_radius(CHIP_RADIUS);
    frame.inner_margin(Margin { left: 2, right: 2, top: 1, bottom: 1 }).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal(|ui| {
            ui.set_min_height(HEIGHT);
            ui.spacing_mut().item_spacing.x = space::XS;
            let name = format!("Move the edit {said}");
            if let Some(moved) = order.handle(ui, handle_id(base, row), row, HANDLE, &name) {
                wish = Some(Wish::Move(moved));
            }
            ui.scope(|ui| {
                ui.spacing_mut().icon_width = SWITCH - 2.0;
                ui.spacing_mut().interact_size = Vec2::new(SWITCH, 20.0);
                let response = ui.add_sized([SWITCH, 20.0], egui::Checkbox::without_text(&mut listed.on));
                let _ = response.accessible_name(format!("Use the edit {said}")).on_hover_text("Use this edit");
            });
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.spacing_mut().item_spacing.x = 2.0;
                if icon_button(ui, Icon::X, &format!("Remove the edit {said}")).clicked() {
                    wish = Some(Wish::Remove(row));
                }
                scaled(listed, &said, ui);
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    let ink = if listed.on { theme.body() } else { theme.neutral(7) };
                    let text = RichText::new(&said).font(Type::Body.sans()).color(ink);
                    let label = ui.add(Label::new(text).truncate().sense(Sense::hover()));
                    let name = format!("Edit: {said}");
                    label.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, &name));
                    let line = listed.edit.to_string();
                    label.on_hover_ui(|ui| {
                        ui.label(RichText::new(line).font(Type::Body.mono()));
                    });
                });
            });
        });
        if let Some(fault) = fault {
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing = Vec2::new(space::XS, 0.0);
                ui.spacing_mut().interact_size.y = 0.0;
                ui.add_space(2.0);
                let mark = RichText::new(char::from(Icon::TriangleAlert)).font(Type::Caption.icon());
                ui.label(mark.color(theme.warning()));
                let words = if listed.on {
                    "Runs are refused with it."
                } else {
                    "Switched off, it keeps no run from being made."
                };
                ui.label(RichText::new(&fault.what).font(Type::Caption.sans()).color(theme.warning())).on_hover_ui(
                    |ui| {
                        caption(ui, fault.why.as_str());
                        caption(ui, fault.next.as_str());
                        caption(ui, words);
                    },
                );
            });
        }
    });
    wish
}

/// What the values are multiplied with, where they are set to zero or scaled.
fn scaled(listed: &mut ListedEdit, said: &str, ui: &mut Ui) {
    let is_position = matches!(listed.edit.site.as_str(), "rotary" | "pos_embed");
    let Some(now) = factor(&listed.edit).filter(|_| !is_position) else { return };
    let mut value = now;
    ui.spacing_mut().button_padding.y = 1.0;
    ui.spacing_mut().interact_size.y = 20.0;
    let drag = DragValue::new(&mut value).range(-MOST..=MOST).speed(0.01).max_decimals(2).prefix("×");
    let response = ui.add_sized(Vec2::new(FACTOR, 20.0), drag);
    let name = format!("Factor of the edit {said}");
    let response = response
        .accessible_name(name)
        .on_hover_text("What the values are multiplied with: 0 is zero, 1 changes nothing");
    if response.changed() && value != now {
        listed.edit = with_factor(&listed.edit, (value * 100.0).round() / 100.0);
    }
}
