//! The left column of the digits panel: which network, which pen, and where pictures come from.

use super::DigitsPanel;
use super::canvas::PEN_WIDTHS;
use crate::types::{Ability, Architecture, ModelInfo};
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, field, ghost_button, secondary_button, section, segmented};
use crate::ui::{Cx, PanelId, ShippedModel};
use egui::{Align2, CornerRadius, Role, Sense, Slider, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2};
use lucide_icons::Icon;
use std::path::PathBuf;

/// What happens to a drawing before a network sees it.
pub(super) const HOW_IT_IS_READ: &str = "The drawing is cut to its ink, scaled so that its longer side is 20 pixels, and \
    placed so that its centre of mass is in the middle: as the digits were that the networks learned from.";

fn grouped(number: u64) -> String {
    crate::chart::number_grouped(number)
}

/// The shipped network to open first: the perceptron, in which every neuron can be seen.
pub(super) fn preferred(shipped: &[ShippedModel]) -> Option<&ShippedModel> {
    let digits = || shipped.iter().filter(|m| m.kind.can(Ability::ReadDigits));
    digits().find(|m| m.name.contains("mlp")).or_else(|| digits().next())
}

/// One network that can be chosen.
struct Choice {
    name: String,
    sub: String,
    on: bool,
    act: Act,
}

enum Act {
    Activate(crate::types::ModelId),
    Open(PathBuf),
}

fn choices(cx: &Cx<'_>) -> Vec<Choice> {
    let active = cx.state.active(Ability::ReadDigits).map(|m| m.info.id);
    let open: Vec<&ModelInfo> =
        cx.state.models.values().map(|m| &m.info).filter(|i| i.can(Ability::ReadDigits)).collect();
    let mut choices: Vec<Choice> = open
        .iter()
        .map(|info| {
            let kind = match info.architecture {
                Architecture::DigitMlp => "perceptron",
                _ => "convolutional",
            };
            let state = if info.modified { ", not saved" } else { "" };
            let sub = format!("{kind}, {} weights{state}", grouped(info.parameters));
            Choice { name: info.name.clone(), sub, on: Some(info.id) == active, act: Act::Activate(info.id) }
        })
        .collect();
    let closed = cx.state.shipped.iter().filter(|m| m.kind.can(Ability::ReadDigits));
    for model in closed.filter(|m| !open.iter().any(|i| i.path == m.path && !i.modified)) {
        let sub = "comes with Fovea".to_owned();
        choices.push(Choice { name: model.name.clone(), sub, on: false, act: Act::Open(model.path.clone()) });
    }
    choices.sort_by(|a, b| b.name.cmp(&a.name));
    choices
}

impl DigitsPanel {
    pub(super) fn networks(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        section(ui, "Network", |ui| {
            let choices = choices(cx);
            if choices.is_empty() {
                caption(ui, "No network is open.");
            }
            ui.spacing_mut().item_spacing.y = space::XS;
            for choice in choices {
                if choice_row(ui, choice.on, &choice.name, &choice.sub) && !choice.on {
                    match choice.act {
                        Act::Activate(model) => cx.activate(model),
                        Act::Open(path) => cx.open_model(path),
                    }
                }
            }
            if ghost_button(ui, Some(Icon::TrendingDown), "Train your own").clicked() {
                cx.go_to(PanelId::FineTune);
            }
        });
    }

    pub(super) fn pen_controls(&mut self, ui: &mut Ui) {
        section(ui, "Pen", |ui| {
            segmented(ui, &mut self.pen.eraser, &[(false, "Pen"), (true, "Eraser")]);
            let help =
                "Width of the stroke in canvas units; the canvas is 280 wide. Strokes of MNIST digits are about 20.";
            field(ui, "Width", help, |ui| {
                ui.spacing_mut().slider_width = (ui.available_width() - 64.0).max(80.0);
                ui.add(Slider::new(&mut self.pen.width, PEN_WIDTHS).integer())
            });
            caption(
                ui,
                "The right mouse button erases. From the keyboard: arrow keys move, the space bar lowers and lifts the pen.",
            );
        });
    }

    pub(super) fn picture_controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        section(ui, "Picture", |ui| {
            if secondary_button(ui, Some(Icon::Image), "Open a picture").clicked() {
                self.ask_for_picture(cx);
            }
            caption(ui, "Or drop a PNG, JPEG or WebP file.");
        });
        section(ui, "How it is read", |ui| {
            caption(ui, HOW_IT_IS_READ);
        });
    }
}

/// A full-width row of two lines that can be chosen.
fn choice_row(ui: &mut Ui, on: bool, name: &str, sub: &str) -> bool {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 44.0), Sense::click());
    let round = CornerRadius::same(crate::ui::theme::RADIUS);
    let fill = if on {
        theme.accent_soft()
    } else if response.hovered() {
        theme.hover()
    } else {
        theme.raised()
    };
    let edge = if on || response.has_focus() { theme.accent() } else { theme.hairline() };
    ui.painter().rect(rect, round, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
    let left = rect.left() + space::M;
    ui.painter().text(pos2(left, rect.top() + 14.0), Align2::LEFT_CENTER, name, Type::Body.bold(), theme.body());
    let ink = if on { theme.body() } else { theme.caption() };
    ui.painter().text(pos2(left, rect.top() + 31.0), Align2::LEFT_CENTER, sub, Type::Caption.sans(), ink);
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, on, format!("{name}, {sub}")));
    response.on_hover_cursor(egui::CursorIcon::PointingHand).clicked()
}
