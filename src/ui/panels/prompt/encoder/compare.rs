//! The stage while texts are compared: a square of cosine similarities; beside it the texts that are most alike.

use super::EncoderView;
use crate::types::{EmbeddingReport, diverging};
use crate::ui::Cx;
use crate::ui::PanelId;
use crate::ui::Themed;
use crate::ui::theme::{Theme, Type, rgb, space};
use crate::ui::widgets::{self, Stamp, caption, empty_state, secondary_button, share_bar};
use egui::{
    Align2, Color32, FontId, Rect, RichText, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2,
};
use lucide_icons::Icon;

const LARGEST_CELL: f32 = 72.0;
/// Cells below this hold no number.
const WITH_NUMBER: f32 = 38.0;
const SMALLEST_CELL: f32 = 14.0;
const ROW: f32 = 44.0;

pub(super) fn show(view: &mut EncoderView, ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = ui.theme();
    let report = view.job(cx.state).and_then(|job| cx.state.report::<EmbeddingReport>(job)).cloned();
    let Some(report) = report else {
        if view.running(cx.state).is_none() {
            let sentence = "An encoder turns a text into a vector. Texts that mean the same point the same way.";
            let title = "See which texts are alike";
            if empty_state(ui, Icon::ChartScatter, title, sentence, Some("Compare")) {
                view.run(cx);
            }
        }
        return;
    };
    let width = report.embeddings.first().map_or(0, |e| e.vector.len());
    let sub = format!("{} texts · {width} dimensions", report.texts.len());
    widgets::stage_header(ui, "Cosine similarity", &sub, |ui| {
        if secondary_button(ui, Some(Icon::Grid3x3), "See its attention").clicked() {
            cx.go_to(PanelId::Attention);
        }
    });
    let stamp = view.stamp(cx.state);
    if let Some(stamp) = &stamp {
        stamp.show(ui);
    }
    for (place, embedding) in report.embeddings.iter().enumerate().filter(|(_, e)| e.left_out > 0) {
        let words = format!(
            "Text {} was cut off behind {} tokens; {} more were left out.",
            place + 1,
            embedding.tokens,
            embedding.left_out
        );
        ui.label(RichText::new(words).font(Type::Caption.sans()).color(theme.warning()));
    }
    ui.add_space(space::S);
    let Some(similarities) = view.similarities(cx.state) else { return };
    Stamp::over(stamp.as_ref(), ui, |ui| {
        egui::ScrollArea::both().id_salt("similarities").auto_shrink(false).show(ui, |ui| {
            matrix(view, ui, cx, &report, &similarities);
            ui.add_space(space::M);
            let marks = [-1.0f32, -0.5, 0.0, 0.5, 1.0].map(|v| ((v + 1.0) / 2.0, format!("{v}")));
            widgets::legend(ui, 280.0, |place| colour(theme, place * 2.0 - 1.0), &marks);
        });
    });
}

fn colour(theme: &Theme, similarity: f32) -> Color32 {
    let ground = theme.ground();
    rgb(diverging(similarity, [ground.r(), ground.g(), ground.b()]))
}

fn matrix(view: &mut EncoderView, ui: &mut Ui, cx: &mut Cx<'_>, report: &EmbeddingReport, values: &[Vec<f32>]) {
    let theme = ui.theme();
    let count = values.len();
    let labels = (ui.available_width() * 0.34).clamp(140.0, 320.0);
    let top = 22.0;
    let room = (ui.available_width() - labels).min(ui.available_height() - top - 56.0);
    let cell = (room / count as f32).clamp(SMALLEST_CELL, LARGEST_CELL).floor();
    let size = vec2(labels + cell * count as f32, top + cell * count as f32);
    let (area, _) = ui.allocate_exact_size(size, Sense::hover());
    let corner = area.min + vec2(labels, top);
    let grid = Rect::from_min_size(corner, Vec2::splat(cell * count as f32));
    let response = ui.interact(grid, ui.scope_id().with("similarity cells"), Sense::click());
    let at = |p: egui::Pos2| {
        let place = ((p - corner) / cell).floor();
        let inside = |v: f32| (v >= 0.0 && v < count as f32).then_some(v as usize);
        Some((inside(place.y)?, inside(place.x)?))
    };
    view.hovered = response.hover_pos().and_then(at);
    for (row, line) in values.iter().enumerate() {
        for (column, value) in line.iter().enumerate() {
            let rect = Rect::from_min_size(corner + vec2(column as f32, row as f32) * cell, Vec2::splat(cell - 1.0));
            ui.painter().rect_filled(rect, 0, colour(theme, *value));
            if cell >= WITH_NUMBER {
                let font = FontId::new(12.0, egui::FontFamily::Monospace);
                ui.painter().text(
                    rect.center(),
                    Align2::CENTER_CENTER,
                    format!("{value:.2}"),
                    font,
                    theme.ink_on(colour(theme, *value)),
                );
            }
        }
        let name = Rect::from_min_size(pos2(area.left(), corner.y + row as f32 * cell), vec2(labels - 8.0, cell));
        label(view, ui, cx, report, row, name);
        let on = view.hovered.is_some_and(|(_, c)| c == row);
        let ink = if on { theme.accent_text() } else { theme.caption() };
        let above = pos2(corner.x + (row as f32 + 0.5) * cell, corner.y - 4.0);
        ui.painter().text(above, Align2::CENTER_BOTTOM, row + 1, Type::Caption.mono(), ink);
    }
    if let Some((row, column)) = view.hovered {
        let rect = Rect::from_min_size(corner + vec2(column as f32, row as f32) * cell, Vec2::splat(cell - 1.0));
        ui.painter().rect_stroke(rect, 0, Stroke::new(1.5, theme.accent()), StrokeKind::Outside);
    }
    let words = format!("Cosine similarities of {count} texts");
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, words.clone()));
    if response.clicked()
        && let Some((row, _)) = view.hovered
    {
        select(view, cx, report, row);
    }
    if let Some((row, column)) = view.hovered {
        response.on_hover_ui_at_pointer(|ui| {
            ui.set_max_width(360.0);
            ui.label(
                RichText::new(format!("{:.4}", values[row][column])).font(Type::Strong.mono()).color(theme.body()),
            );
            caption(ui, format!("{}  {}", row + 1, report.texts[row]));
            caption(ui, format!("{}  {}", column + 1, report.texts[column]));
        });
    }
}

/// One text at the left of its row; a click looks at it closer.
fn label(view: &mut EncoderView, ui: &mut Ui, cx: &mut Cx<'_>, report: &EmbeddingReport, row: usize, rect: Rect) {
    let theme = ui.theme();
    let response = ui.interact(rect, ui.scope_id().with(("similarity row", row)), Sense::click());
    let chosen = view.selected == Some(row);
    response.widget_info(|| {
        WidgetInfo::selected(Role::Row, true, chosen, format!("Text {}: {}", row + 1, report.texts[row]))
    });
    if chosen || response.hovered() {
        let fill = if chosen { theme.accent_soft() } else { theme.hover() };
        ui.painter().rect_filled(rect, 4, fill);
    }
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    let ink = if chosen { theme.accent_text() } else { theme.body() };
    let number = pos2(rect.left() + 22.0, rect.center().y);
    painter.text(number, Align2::RIGHT_CENTER, row + 1, Type::Caption.mono(), theme.caption());
    let room = rect.width() - 34.0;
    let text = cut(&painter, &report.texts[row], room, ink);
    painter.galley(pos2(rect.left() + 30.0, rect.center().y - text.size().y / 2.0), text, ink);
    if response.clicked() {
        select(view, cx, report, row);
    }
    let _ = response.on_hover_text(&report.texts[row]);
}

/// One line of text that ends in an ellipsis where it does not fit.
fn cut(painter: &egui::Painter, text: &str, width: f32, ink: Color32) -> std::sync::Arc<egui::Galley> {
    let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), Type::Body.sans(), ink);
    job.wrap = egui::text::TextWrapping::truncate_at_width(width);
    painter.layout_job(job)
}

fn select(view: &mut EncoderView, cx: &mut Cx<'_>, report: &EmbeddingReport, row: usize) {
    view.selected = if view.selected == Some(row) { None } else { Some(row) };
    if let Some(model) = EncoderView::model(cx.state) {
        cx.selection.text = Some((model.info.id, report.texts[row].clone()));
    }
}

/// The right column: the texts most alike to the chosen one.
pub(super) fn neighbours(view: &mut EncoderView, ui: &mut Ui, cx: &Cx<'_>) {
    let theme = ui.theme();
    ui.add_space(space::S);
    let report = view.job(cx.state).and_then(|job| cx.state.report::<EmbeddingReport>(job));
    let similarities = view.similarities(cx.state);
    let chosen = view.hovered.map(|(row, _)| row).or(view.selected);
    let chosen = chosen.filter(|c| report.is_some_and(|r| *c < r.texts.len()));
    let (Some(report), Some(similarities), Some(chosen)) = (report, similarities, chosen) else {
        caption(ui, "Hover over a row, or click a text to keep it here: this tells which others are most like it.");
        return;
    };
    ui.label(RichText::new(&report.texts[chosen]).font(Type::Strong.sans()).color(theme.body()));
    caption(ui, format!("{} tokens", report.embeddings[chosen].tokens));
    ui.add_space(space::S);
    let row = &similarities[chosen];
    let mut others: Vec<usize> = (0..row.len()).filter(|other| *other != chosen).collect();
    others.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
    for other in others {
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
        let text = &report.texts[other];
        response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, format!("{text} {:.3}", row[other])));
        let painter = ui.painter().with_clip_rect(ui.clip_rect().intersect(rect));
        let galley = cut(&painter, text, rect.width(), theme.body());
        painter.galley(pos2(rect.left(), rect.top() + 4.0), galley, theme.body());
        let bar =
            Rect::from_min_max(pos2(rect.left(), rect.top() + 28.0), pos2(rect.right() - 56.0, rect.top() + 36.0));
        share_bar(&painter, theme, bar, row[other].max(0.0), theme.accent());
        let number = pos2(rect.right(), rect.top() + 32.0);
        painter.text(number, Align2::RIGHT_CENTER, format!("{:.3}", row[other]), Type::Caption.mono(), theme.caption());
        let _ = response.on_hover_text(text);
    }
}
