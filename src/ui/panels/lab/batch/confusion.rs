//! How often each label was said for each: rows are right answers, columns what the model said.

use crate::types::BatchReport;
use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, Type, mix, space};
use crate::ui::widgets::caption;
use egui::{Align2, Color32, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2};

const CELL: Vec2 = Vec2::new(64.0, 26.0);
const GAP: f32 = 2.0;
const NAME: f32 = 96.0;
/// Labels up to which the table is shown; more do not fit.
const MOST: usize = 24;

/// Shows the table. Gives the cell that was clicked: right label, label said.
pub(super) fn show(
    ui: &mut Ui,
    report: &BatchReport,
    labels: &[String],
    chosen: Option<(usize, usize)>,
) -> Option<(usize, usize)> {
    let theme = ui.theme();
    if labels.len() > MOST {
        caption(ui, format!("{} labels are too many for a confusion table.", labels.len()));
        return None;
    }
    caption(ui, "Rows: right answer. Columns: what the model said. Click a cell to see its rows.");
    let counts = report.confusion(labels);
    let most = counts.iter().flatten().copied().max().unwrap_or(0).max(1);
    let mut clicked = None;
    let height = (CELL.y + GAP) * (labels.len() + 1) as f32;
    ScrollArea::both()
        .id_salt("confusion")
        .max_height(height.min((ui.available_height() * 0.45).max(3.0 * (CELL.y + GAP))))
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing = Vec2::splat(GAP);
            // A row is as high as its cells, as the height above counts, and not as high as a button.
            ui.spacing_mut().interact_size.y = CELL.y;
            ui.horizontal(|ui| {
                ui.add_space(NAME + GAP);
                for label in labels {
                    name(ui, label, CELL, Align2::CENTER_CENTER);
                }
            });
            for (right, row) in counts.iter().enumerate() {
                ui.horizontal(|ui| {
                    name(ui, &labels[right], Vec2::new(NAME, CELL.y), Align2::LEFT_CENTER);
                    for (said, count) in row.iter().enumerate() {
                        let (rect, response) = ui.allocate_exact_size(CELL, Sense::click());
                        let on = chosen == Some((right, said));
                        let words = format!("{} for {}: {count}", labels[said], labels[right]);
                        response.widget_info(|| WidgetInfo::selected(Role::Button, true, on, &words));
                        let hue = theme.category(if right == said { 2 } else { 1 });
                        let share = (*count as f32 / most as f32).sqrt() * 0.6;
                        let fill = if *count == 0 { theme.surface() } else { mix(theme.surface(), hue, share) };
                        ui.painter().rect_filled(rect, CHIP_RADIUS, fill);
                        if on || response.hovered() || response.has_focus() {
                            let line = Stroke::new(1.5, if on { theme.accent() } else { theme.line() });
                            ui.painter().rect_stroke(rect, CHIP_RADIUS, line, StrokeKind::Inside);
                        }
                        let ink: Color32 = if *count == 0 { theme.caption() } else { theme.body() };
                        ui.painter().text(rect.center(), Align2::CENTER_CENTER, count, Type::Body.mono(), ink);
                        if response.on_hover_text(words).clicked() {
                            clicked = Some((right, said));
                        }
                    }
                });
            }
        });
    clicked
}

fn name(ui: &mut Ui, text: &str, size: Vec2, align: Align2) {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    let clip = Rect::from_min_max(rect.min, pos2(rect.right() - space::XS, rect.bottom()));
    let painter = ui.painter().with_clip_rect(ui.clip_rect().intersect(clip));
    let at = align.pos_in_rect(&rect);
    painter.text(at, align, text, Type::Caption.sans(), theme.caption());
    response.on_hover_text(text);
}
