//! The stage: heading, choices, token strip, the large head.

use super::look::Colours;
use super::plane::{self, Over, Plane, Planed};
use super::tokens::TokensView;
use super::ways::Way;
use super::{Shown, causes, choices, large, layers, lines, order, parts, steps, strip};
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::theme::space;
use crate::ui::widgets::{self, Stamp, caption, icon_button};
use egui::Ui;
use lucide_icons::Icon;
use std::sync::Arc;

/// Least width of the tokens beside the map.
const BESIDE: f32 = 300.0;

/// True when the head on show is to be switched off.
pub(super) fn stage(view: &mut TokensView, colours: &mut Colours, ui: &mut Ui, cx: &mut Cx<'_>, shown: &Shown) -> bool {
    let mut switches_off = false;
    let title = title(view, cx);
    let sub = format!("{} tokens", shown.report.tokens.len());
    let wide = ui.available_width() > 480.0;
    widgets::stage_header(ui, &title, &sub, |ui| {
        if view.way == Way::Map
            && !view.sight.is_whole()
            && icon_button(ui, Icon::Maximize, "Show the whole pattern").clicked()
        {
            view.sight = large::View::default();
        }
        if view.way.is_of_planes() {
            switches_off = icon_button(ui, Icon::PowerOff, "Switch this head off").clicked();
        }
        if wide && view.way == Way::Map {
            caption(ui, "Scroll to zoom, drag to move");
        }
    });
    view.begin(&shown.report.tokens);
    let stamp = match view.way {
        Way::Map | Way::Lines | Way::Steps | Way::Contexts => Stamp::of(cx.state, shown.job),
        Way::Atlas => view.atlas.stamp(cx.state, shown),
        Way::Order => view.order.stamp(cx.state),
        Way::Layers => view.layers.stamp(cx.state),
        Way::Parts => view.parts.stamp(cx.state),
        Way::Causes => view.causes.stamp(cx, shown),
    };
    if let Some(stamp) = &stamp {
        stamp.show(ui);
    }
    choices::show(&mut view.way, &mut view.planes, shown.report.picture.is_some(), ui);
    Stamp::over(stamp.as_ref(), ui, |ui| match view.way {
        Way::Map | Way::Lines => planes(view, colours, ui, cx, shown),
        Way::Contexts => {}
        Way::Atlas => {
            if view.atlas.show(ui, cx, shown) {
                view.way = Way::Map;
            }
        }
        Way::Steps => steps::show(view, colours, ui, cx, shown),
        Way::Layers => layers::show(view, colours, ui, cx, shown),
        Way::Parts => parts::show(view, colours, ui, cx, shown),
        Way::Causes => causes::show(view, colours, ui, cx, shown),
        Way::Order => {
            if order::show(view, colours, ui, cx, shown) {
                view.way = Way::Map;
            }
        }
    });
    switches_off
}

/// What is seen, at the beginning of a line.
fn title(view: &TokensView, cx: &Cx<'_>) -> String {
    let head = || format!("Layer {} · head {}", cx.selection.layer, cx.selection.head);
    match view.way {
        Way::Order => return "Word order".to_owned(),
        Way::Layers => return "What each layer would say".to_owned(),
        Way::Parts => return "What a score is made of".to_owned(),
        Way::Causes => return "What an answer depends on".to_owned(),
        _ => {}
    }
    let seen = view.planes.seen;
    if !view.way.is_of_planes() || seen.over == Over::Head {
        return head();
    }
    let words = plane::title(seen.over, cx.selection.layer, cx.selection.head);
    words.chars().take(1).flat_map(char::to_uppercase).chain(words.chars().skip(1)).collect()
}

/// What heads, together or alone, do with the units.
fn planes(view: &mut TokensView, colours: &mut Colours, ui: &mut Ui, cx: &mut Cx<'_>, shown: &Shown) {
    ui.add_space(space::XS);
    let plane = match view.planes.get(&ui.ctx().clone(), cx, shown) {
        Planed::Ready(plane) => plane,
        Planed::Computing(words) => {
            ui.horizontal(|ui| {
                ui.spinner();
                caption(ui, words);
            });
            return;
        }
        Planed::Missing(words) => {
            caption(ui, words);
            return;
        }
    };
    if plane.has_nan() {
        let words = match view.planes.broken(cx, shown) {
            Some(site) => format!("Some values are not a number. The first site of the pass that has them is {site}."),
            None => "Some values are not a number, so there are no colours for them.".to_owned(),
        };
        ui.label(egui::RichText::new(words).color(ui.theme().warning()));
    }
    let hovered = match view.way {
        Way::Lines => lines::show(view, colours, ui, cx, &plane),
        _ => patterns(view, colours, ui, cx, &plane),
    };
    if hovered != view.hovered {
        // Strip, map and inspector follow in the next frame.
        view.hovered = hovered;
        ui.ctx().request_repaint();
    }
}

fn patterns(
    view: &mut TokensView,
    colours: &mut Colours,
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    plane: &Arc<Plane>,
) -> Option<usize> {
    if ui.available_width() - BESIDE - space::XL > 0.8 * ui.available_height() {
        return beside(view, colours, ui, cx, plane);
    }
    let in_strip = strip::show(view, colours, ui, cx, plane, (ui.available_height() * 0.24).clamp(52.0, 132.0));
    ui.add_space(space::S);
    large::show(view, colours, ui, cx, plane).or(in_strip)
}

/// The map takes the height; the tokens flow in the room that is left at its right.
fn beside(
    view: &mut TokensView,
    colours: &mut Colours,
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    plane: &Arc<Plane>,
) -> Option<usize> {
    let height = ui.available_height();
    let right = (ui.available_width() - height - space::XL).max(BESIDE);
    let mut hovered = (None, None);
    ui.horizontal_top(|ui| {
        ui.allocate_ui(egui::vec2(ui.available_width() - right - space::XL, height), |ui| {
            hovered.1 = large::show(view, colours, ui, cx, plane);
        });
        ui.add_space(space::L);
        ui.vertical(|ui| {
            caption(ui, "Tokens of the run, tinted by the attention of the one in focus");
            hovered.0 = strip::show(view, colours, ui, cx, plane, height - space::XL);
        });
    });
    hovered.1.or(hovered.0)
}
