//! The picture, large, with weights over it.

use super::{MapKey, PictureView, Source, name_of};
use crate::types::PictureReport;
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::panels::attention::Shown;
use crate::ui::panels::attention::look::Look;
use crate::ui::panels::attention::ways::{self, Way};
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{self, Stamp, caption, segmented, significant};
use egui::{Color32, ColorImage, Rect, RichText, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2};

const WHOLE: Rect = Rect { min: pos2(0.0, 0.0), max: pos2(1.0, 1.0) };

pub(in super::super) fn show(
    view: &mut PictureView,
    way: &mut Way,
    look: Look,
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    shown: &Shown,
) {
    let theme = ui.theme();
    let Some(report) = shown.report.picture.clone() else { return };
    view.context.get_or_insert_with(|| ui.ctx().clone());
    let query = cx.selection.token.filter(|t| *t < shown.report.tokens.len()).unwrap_or(0);
    let (layer, head) = (cx.selection.layer, cx.selection.head);
    let title = match view.source {
        Source::Head => format!("Layer {layer} · head {head}"),
        Source::Layer => format!("Layer {layer} · mean of heads"),
        Source::Rollout => "Rollout through all layers".to_owned(),
    };
    let sub = format!("from {}", name_of(query, &report));
    widgets::stage_header(ui, &title, &sub, |ui| {
        let sources = [(Source::Head, "Head"), (Source::Layer, "Layer"), (Source::Rollout, "Rollout")];
        segmented(ui, &mut view.source, &sources);
    });
    if let Some(stamp) = Stamp::of(cx.state, shown.job) {
        stamp.show(ui);
    }
    ways::choose_for_picture(way, ui);
    ui.add_space(space::XS);
    let key = MapKey { job: shown.job, source: view.source, layer, head, query, look };
    let Some(weights) = view.weights(key, shown) else {
        caption(ui, "This layer was not captured: the patterns do not fit into the memory set aside for them.");
        return;
    };
    let patches = &weights[report.special_tokens..];
    let most = patches.iter().fold(f32::MIN_POSITIVE, |most, w| most.max(*w));
    special_tokens(ui, cx, &report, &weights, query);
    ui.add_space(space::XS);
    let side = vec2(ui.available_width(), ui.available_height() - 56.0);
    let aspect = report.seen.width as f32 / report.seen.height as f32;
    let height = side.y.min(side.x / aspect).max(120.0).floor();
    let (rect, response) = ui.allocate_exact_size(vec2((height * aspect).floor(), height), Sense::click());
    paint(view, ui, (&report, patches, most), key, rect);

    let cell = vec2(rect.width() / report.grid[1] as f32, rect.height() / report.grid[0] as f32);
    let under = response.hover_pos().and_then(|at| {
        let place = ((at - rect.min) / cell).floor();
        let inside = |v: f32, count: usize| (v >= 0.0 && v < count as f32).then_some(v as usize);
        Some(inside(place.y, report.grid[0])? * report.grid[1] + inside(place.x, report.grid[1])?)
    });
    let outline = |patch: usize, line: Stroke| {
        let place = vec2((patch % report.grid[1]) as f32, (patch / report.grid[1]) as f32);
        ui.painter().rect_stroke(Rect::from_min_size(rect.min + place * cell, cell), 0, line, StrokeKind::Outside);
    };
    if let Some(patch) = under {
        outline(patch, Stroke::new(1.0, theme.body()));
    }
    if let Some(patch) = query.checked_sub(report.special_tokens) {
        outline(patch, Stroke::new(2.0, theme.accent()));
    }
    let words = format!("Attention over the picture from {}", name_of(query, &report));
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, words.clone()));
    if let Some(patch) = under.filter(|_| response.clicked()) {
        let token = patch + report.special_tokens;
        cx.selection.token = if query == token { None } else { Some(token) };
    }
    view.hovered = under.map(|patch| patch + report.special_tokens);
    cx.selection.words = format!("{title} · {sub}");
    if let Some(patch) = under {
        let tip = format!("{}: {}", name_of(patch + report.special_tokens, &report), share(patches[patch]));
        response.on_hover_ui_at_pointer(|ui| {
            ui.label(RichText::new(tip).font(Type::Body.sans()).color(theme.body()));
            caption(ui, "Click to see where this patch looks.");
        });
    }
    ui.add_space(space::S);
    let marks = [0.0f32, 0.25, 0.5, 1.0].map(|s| (look.place(s), share(s * most)));
    widgets::legend(ui, 260.0, |place| look.over_picture(place), &marks);
}

fn share(weight: f32) -> String {
    if weight == 0.0 { "0".to_owned() } else { significant(f64::from(weight)) }
}

/// The tokens that are no patches: what they keep, and a way to look from them.
fn special_tokens(ui: &mut Ui, cx: &mut Cx<'_>, report: &PictureReport, weights: &[f32], query: usize) {
    let row = vec2(ui.available_width(), 34.0);
    ui.allocate_ui_with_layout(row, egui::Layout::left_to_right(egui::Align::Center), |ui| {
        caption(ui, "Look from");
        let names: Vec<String> = (0..report.special_tokens).map(|token| name_of(token, report)).collect();
        let mut choices: Vec<(usize, &str)> = names.iter().enumerate().map(|(i, name)| (i, name.as_str())).collect();
        if query >= report.special_tokens {
            choices.push((query, "patch"));
        }
        let mut chosen = query;
        if segmented(ui, &mut chosen, &choices) {
            cx.selection.token = Some(chosen);
        }
        caption(ui, "or click a patch.");
        let kept: f32 = weights[..report.special_tokens].iter().sum();
        let words = format!("{} goes to {}", widgets::percent(kept), names.join(" and "));
        caption(ui, words).on_hover_text("Weight on tokens that are no patches has no place in the picture.");
    });
}

/// The picture, and over it the weights as a share of the largest.
fn paint(
    view: &mut PictureView,
    ui: &Ui,
    (report, patches, most): (&PictureReport, &[f32], f32),
    key: MapKey,
    rect: Rect,
) {
    let theme = ui.theme();
    let size = [report.seen.width, report.seen.height];
    let seen = view.seen.get_or_make(ui, &key.job, || ColorImage::from_rgb(size, &report.seen.rgb));
    ui.painter().image(seen.id(), rect, WHOLE, Color32::WHITE);
    let look = key.look;
    let map = view.cover.get_or_make(ui, &key, || cover_image(report, patches, most, look));
    let covering = Color32::from_white_alpha((view.strength * 255.0).round() as u8);
    ui.painter().image(map.id(), rect, WHOLE, covering);
    ui.painter().rect_stroke(rect, 0, Stroke::new(1.0, theme.hairline()), StrokeKind::Outside);
}

/// One pixel a patch, as it is laid over the picture.
fn cover_image(report: &PictureReport, patches: &[f32], most: f32, look: Look) -> ColorImage {
    let pixels = patches.iter().map(|weight| look.cover(weight / most)).collect();
    ColorImage::new([report.grid[1], report.grid[0]], pixels)
}

/// One pixel a patch, in the colours of the cover, so that one legend serves both.
pub(super) fn map_image(report: &PictureReport, patches: &[f32], most: f32, look: Look) -> ColorImage {
    let pixels = patches.iter().map(|weight| look.over_picture(look.place(weight / most))).collect();
    ColorImage::new([report.grid[1], report.grid[0]], pixels)
}

/// A small map in `rect`.
pub(super) fn small(ui: &Ui, texture: egui::TextureId, rect: Rect) {
    ui.painter().image(texture, rect, WHOLE, Color32::WHITE);
}

/// Room of a small map, keeping the patches' shape.
pub(super) fn fit(report: &PictureReport, room: Vec2) -> Vec2 {
    let aspect = report.grid[1] as f32 / report.grid[0] as f32;
    let height = room.y.min(room.x / aspect);
    vec2(height * aspect, height)
}
