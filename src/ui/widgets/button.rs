//! Buttons. Every one has a name that a screen reader tells.

use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, Type};
use egui::{Button, Color32, Response, RichText, Role, Stroke, Ui, Vec2, WidgetInfo};
use lucide_icons::Icon;

fn icon_text(icon: Icon, color: Color32) -> RichText {
    RichText::new(char::from(icon)).font(Type::Body.icon()).color(color)
}

fn labelled(ui: &mut Ui, icon: Option<Icon>, text: &str, ink: Color32, fill: Color32, edge: Stroke) -> Response {
    let words = RichText::new(text).font(Type::Body.sans()).color(ink);
    let button = match icon {
        Some(icon) => Button::new((icon_text(icon, ink), words)),
        None => Button::new(words),
    };
    let response = ui.add(button.fill(fill).stroke(edge));
    named(&response, text);
    response
}

fn named(response: &Response, name: &str) {
    let enabled = response.enabled();
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, name));
}

/// The one thing to do here, in the accent colour.
pub fn primary_button(ui: &mut Ui, icon: Icon, text: &str) -> Response {
    let theme = ui.theme();
    labelled(ui, Some(icon), text, theme.on_accent(), theme.accent(), Stroke::NONE)
}

/// Any other thing to do.
pub fn secondary_button(ui: &mut Ui, icon: Option<Icon>, text: &str) -> Response {
    let theme = ui.theme();
    labelled(ui, icon, text, theme.body(), theme.raised(), Stroke::new(1.0, theme.hairline()))
}

/// Something that ends or deletes.
pub fn danger_button(ui: &mut Ui, icon: Icon, text: &str) -> Response {
    let theme = ui.theme();
    labelled(ui, Some(icon), text, theme.danger(), theme.danger_soft(), Stroke::NONE)
}

/// A button without a frame until the pointer is on it.
pub fn ghost_button(ui: &mut Ui, icon: Option<Icon>, text: &str) -> Response {
    let theme = ui.theme();
    labelled(ui, icon, text, theme.body(), Color32::TRANSPARENT, Stroke::NONE)
}

/// A square button with an icon only; `name` is its tooltip and what a screen reader tells.
pub fn icon_button(ui: &mut Ui, icon: Icon, name: &str) -> Response {
    let theme = ui.theme();
    let ink = if ui.is_enabled() { theme.caption() } else { theme.neutral(6) };
    let button = Button::new(icon_text(icon, ink)).frame_when_inactive(false).min_size(Vec2::splat(24.0));
    let response = ui
        .scope(|ui| {
            ui.spacing_mut().button_padding = Vec2::splat(4.0);
            ui.add(button.corner_radius(CHIP_RADIUS))
        })
        .inner;
    named(&response, name);
    response.on_hover_text(name)
}

/// A row of choices of which one is chosen. Returns true when the choice changed.
pub fn segmented<T: PartialEq + Copy>(ui: &mut Ui, value: &mut T, choices: &[(T, &str)]) -> bool {
    let theme = ui.theme();
    let mut changed = false;
    egui::Frame::new()
        .fill(theme.ground())
        .stroke(Stroke::new(1.0, theme.hairline()))
        .corner_radius(crate::ui::theme::RADIUS)
        .inner_margin(2)
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            ui.horizontal(|ui| {
                let mut shown: Vec<&(T, &str)> = choices.iter().collect();
                if ui.layout().prefer_right_to_left() {
                    // The first choice stands at the left, wherever the row does.
                    shown.reverse();
                }
                for (choice, name) in shown {
                    let on = *choice == *value;
                    let ink = if on { theme.body() } else { theme.caption() };
                    let fill = if on { theme.hover() } else { Color32::TRANSPARENT };
                    let words = RichText::new(*name).font(Type::Body.sans()).color(ink);
                    let button = Button::new(words).fill(fill).stroke(Stroke::NONE).corner_radius(CHIP_RADIUS);
                    let response = ui.add(button.min_size(Vec2::new(0.0, 22.0)));
                    let enabled = response.enabled();
                    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, enabled, on, *name));
                    if response.clicked() && !on {
                        *value = *choice;
                        changed = true;
                    }
                }
            });
        });
    changed
}
