//! All layers × heads at once, small, on one scale.

use super::Shown;
use super::edited;
use super::look::Colours;
use super::plane::PlaneKey;
use super::tokens::{HeadKey, TokensView};
use super::ways::Way;
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::theme::Type;
use crate::ui::widgets::{caption, click_modifiers, pooled_image};
use egui::{
    Align2, Color32, FontId, Id, Rect, Role, Sense, Stroke, StrokeKind, TextureHandle, Ui, Vec2, WidgetInfo, pos2, vec2,
};
use std::time::{Duration, Instant};

const EDGE: f32 = 22.0;
const GAP: f32 = 2.0;
/// Time a frame may spend on making small pictures; the rest follows in the next frames.
const BUDGET: Duration = Duration::from_millis(2);
/// Pixels on a side of a small picture, at most.
const PIXELS: usize = 64;

/// The grid's place in the focus order.
pub(super) fn grid_id() -> Id {
    Id::unique("attention overview")
}

pub(super) fn show(view: &mut TokensView, colours: &mut Colours, ui: &mut Ui, cx: &mut Cx<'_>, shown: &Shown) {
    let width = ui.available_width();
    let cell = ((width - EDGE) / shown.heads as f32).clamp(10.0, 64.0).floor();
    let size = vec2(EDGE + cell * shown.heads as f32, EDGE + cell * shown.layers as f32);
    let (area, _) = ui.allocate_exact_size(size, Sense::hover());
    grid(ui, area, (cx.selection.layer, cx.selection.head));
    edges(ui, area, cell, shown, (cx.selection.layer, cx.selection.head));
    let began = Instant::now();
    let large_is_there = view.way == Way::Atlas || view.painted == Some((shown.job, colours.look(ui.theme())));
    let edited = edited::heads(cx.state, shown);
    for layer in 0..shown.layers {
        for head in 0..shown.heads {
            let corner = area.min + vec2(EDGE + cell * head as f32, EDGE + cell * layer as f32);
            let rect = Rect::from_min_size(corner, Vec2::splat(cell - GAP));
            if ui.is_rect_visible(rect) {
                let may_make = large_is_there && began.elapsed() < BUDGET;
                let texture = small(view, colours, ui, shown, (layer, head), may_make);
                let is_captured = shown.report.pattern(layer, head).is_some();
                let is_picked = view.planes.picked.contains(&(layer, head));
                let marks = Marks { is_captured, is_picked, is_edited: edited.contains(&(layer, head)) };
                if one(ui, cx, texture.as_ref(), marks, (layer, head), rect) {
                    view.planes.pick((layer, head));
                }
            }
        }
    }
}

/// The whole grid takes the focus, so that arrow keys go through it.
pub(super) fn grid(ui: &Ui, area: Rect, (layer, head): (usize, usize)) {
    let grid = ui.interact(area, grid_id(), Sense::focusable_noninteractive());
    grid.widget_info(|| {
        let words = format!("Heads: layer {layer} head {head} chosen");
        WidgetInfo::labeled(Role::Grid, true, words)
    });
    if grid.has_focus() {
        let arrows = egui::EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
        ui.memory_mut(|m| m.set_focus_lock_filter(grid_id(), arrows));
        if grid.gained_focus() {
            // The keys are locked to a widget from its second frame with the focus on.
            ui.ctx().request_repaint();
        }
    }
}

pub(super) fn edges(ui: &Ui, area: Rect, cell: f32, shown: &Shown, chosen: (usize, usize)) {
    let theme = ui.theme();
    let font = FontId::new(11.0, egui::FontFamily::Monospace);
    let every = if cell < 16.0 { 2 } else { 1 };
    let ink = |on: bool| if on { theme.accent_text() } else { theme.caption() };
    for head in (0..shown.heads).step_by(every) {
        let at = area.min + vec2(EDGE + cell * (head as f32 + 0.5) - GAP / 2.0, EDGE - 4.0);
        ui.painter().text(at, Align2::CENTER_BOTTOM, head, font.clone(), ink(head == chosen.1));
    }
    for layer in (0..shown.layers).step_by(every) {
        let at = area.min + vec2(EDGE - 6.0, EDGE + cell * (layer as f32 + 0.5) - GAP / 2.0);
        ui.painter().text(at, Align2::RIGHT_CENTER, layer, font.clone(), ink(layer == chosen.0));
    }
}

/// The small picture of a head; `None` where there is none yet, or the head was not captured.
fn small(
    view: &mut TokensView,
    colours: &mut Colours,
    ui: &Ui,
    shown: &Shown,
    (layer, head): (usize, usize),
    may_make: bool,
) -> Option<TextureHandle> {
    let tokens = shown.report.tokens.len();
    let look = colours.look(ui.theme());
    let plane = PlaneKey::of_head(shown.job, layer, head);
    let key = HeadKey { plane, look, pool: tokens.div_ceil(PIXELS).max(1) };
    let values = shown.report.pattern(layer, head)?;
    if !may_make {
        return view.textures.get(ui, &key).or_else(|| {
            ui.ctx().request_repaint();
            None
        });
    }
    let table = colours.table(ui.theme());
    Some(
        view.textures
            .get_or_make(ui, &key, || pooled_image(&look.scale.shares(values, tokens), tokens, key.pool, &table)),
    )
}

/// What is marked of a head.
struct Marks {
    is_captured: bool,
    is_picked: bool,
    is_edited: bool,
}

/// True when the head was picked, or let go, to be seen together with others.
fn one(
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    texture: Option<&TextureHandle>,
    Marks { is_captured, is_picked, is_edited }: Marks,
    (layer, head): (usize, usize),
    rect: Rect,
) -> bool {
    let theme = ui.theme();
    let response = ui.interact(rect, grid_id().with((layer, head)), Sense::CLICK);
    let on = (cx.selection.layer, cx.selection.head) == (layer, head);
    response.widget_info(|| {
        let picked = if is_picked { ", picked" } else { "" };
        let edited = if is_edited { ", edited" } else { "" };
        WidgetInfo::selected(Role::Cell, true, on, format!("Layer {layer} head {head}{picked}{edited}"))
    });
    ui.painter().rect_filled(rect, 1, theme.ground());
    let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    match texture {
        Some(texture) => drop(ui.painter().image(texture.id(), rect, whole, Color32::WHITE)),
        None if !is_captured => {
            let line = Stroke::new(1.0, theme.hairline());
            ui.painter().line_segment([rect.left_bottom(), rect.right_top()], line);
        }
        None => {}
    }
    let line = if on {
        Stroke::new(2.0, theme.accent())
    } else if response.hovered() {
        Stroke::new(1.0, theme.body())
    } else {
        Stroke::new(1.0, theme.hairline())
    };
    ui.painter().rect_stroke(rect, 1, line, if on { StrokeKind::Outside } else { StrokeKind::Inside });
    if is_picked {
        let corner = Rect::from_min_size(rect.right_top() - vec2(7.0, 0.0), Vec2::splat(7.0));
        ui.painter().rect(corner, 2, theme.warning(), Stroke::new(1.0, theme.ground()), StrokeKind::Inside);
    }
    if is_edited {
        // As a thing that is crossed out.
        let line = Stroke::new(1.5, theme.danger());
        ui.painter().line_segment([rect.left_bottom(), rect.right_top()], line);
    }
    let picks = response.clicked() && click_modifiers(ui).command;
    if response.clicked() && !picks {
        cx.selection.layer = layer;
        cx.selection.head = head;
    }
    response.context_menu(|ui| edited::head_menu((layer, head), ui, cx));
    response.on_hover_ui(|ui| {
        ui.label(
            egui::RichText::new(format!("Layer {layer} · head {head}")).font(Type::Body.bold()).color(theme.body()),
        );
        match texture {
            Some(texture) => {
                let (large, _) = ui.allocate_exact_size(Vec2::splat(200.0), Sense::hover());
                ui.painter().image(texture.id(), large, whole, Color32::WHITE);
                ui.painter().rect_stroke(large, 0, Stroke::new(1.0, theme.hairline()), StrokeKind::Outside);
            }
            None => drop(caption(ui, "Not captured: it did not fit into the memory set aside for patterns.")),
        }
    });
    picks
}
