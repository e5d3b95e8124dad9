//! The whole pass in one picture: a column a part, from the token to the next one.

use super::StepsView;
use super::group::Group;
use super::vector::{self, Cells};
use crate::analysis::step_words;
use crate::types::{StepKind, StepsReport};
use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, Type};
use crate::ui::widgets::one_line;
use egui::{Align2, Rect, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

const HEIGHT: f32 = 110.0;
const HEAD: f32 = 20.0;
/// Between two columns, where the arrow is.
const GAP: f32 = 10.0;

/// Shows the picture; a click opens a part.
pub(super) fn show(view: &mut StepsView, ui: &mut Ui, report: &StepsReport) {
    let theme = ui.theme();
    let (whole, picture) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    picture.widget_info(|| WidgetInfo::labeled(Role::Image, true, step_words(report)));
    let count = Group::ALL.len() as f32;
    let width = ((whole.width() - GAP * (count - 1.0)) / count).min(96.0);
    for (place, group) in Group::ALL.into_iter().enumerate() {
        let left = whole.left() + place as f32 * (width + GAP);
        let rect = Rect::from_min_size(pos2(left, whole.top()), vec2(width, HEIGHT));
        let response = ui.interact(rect, ui.scope_id().with(("steps of", group)), Sense::click());
        let is_open = view.open == group;
        let words = format!("{} of the steps", group.name());
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_open, &words));
        if response.clicked() {
            (view.open, view.picked) = (group, None);
            ui.ctx().request_repaint();
        }
        let lit = response.hovered() || response.has_focus();
        let painter = ui.painter_at(whole.expand(2.0));
        let name_room = width + GAP - 2.0;
        let frame = Rect::from_min_max(rect.min + vec2(0.0, HEAD), rect.max);
        let fill = if is_open {
            theme.accent_soft()
        } else if lit {
            theme.hover()
        } else {
            theme.surface()
        };
        painter.rect_filled(frame, CHIP_RADIUS, fill);
        let edge = if is_open { theme.accent() } else { theme.hairline() };
        painter.rect_stroke(frame, CHIP_RADIUS, Stroke::new(1.0, edge), StrokeKind::Inside);
        let ink = if is_open { theme.accent_text() } else { theme.caption() };
        let name = one_line(&painter, group.name(), Type::Caption.sans(), ink, name_room);
        painter.galley(pos2(rect.center().x - name.size().x / 2.0, rect.top() + 1.0), name, ink);
        let inside = frame.shrink(4.0);
        column(ui, group, report, inside);
        if place > 0 {
            let (from, to) = (pos2(left - GAP + 2.0, frame.center().y), pos2(left - 2.0, frame.center().y));
            painter.line_segment([from, to], Stroke::new(1.0, theme.line()));
            for lean in [-2.5, 2.5] {
                painter.line_segment([to, to + vec2(-2.5, lean)], Stroke::new(1.0, theme.line()));
            }
        }
        response.on_hover_text(group.words(report));
    }
}

/// What stands for a part: its leading vector as cells, weights and probabilities as bars.
fn column(ui: &Ui, group: Group, report: &StepsReport, inside: Rect) {
    let theme = ui.theme();
    let painter = ui.painter().with_clip_rect(ui.clip_rect().intersect(inside));
    let Some(kind) = group.leading(report) else {
        painter.text(inside.center(), Align2::CENTER_CENTER, "none", Type::Caption.sans(), theme.caption());
        return;
    };
    let values = report.values_of(kind);
    match kind {
        StepKind::Pattern => vector::bars(&painter, theme, values, report.key, inside),
        StepKind::Logits => {
            let row = inside.height() / 6.0;
            for (place, top) in report.top.iter().take(6).enumerate() {
                let at = inside.min + vec2(0.0, row * place as f32);
                let bar = vec2((inside.width() * top.probability).max(1.0), row - 2.0);
                painter.rect_filled(Rect::from_min_size(at, bar), 1, theme.neutral(5));
                let ink = if place == 0 { theme.accent_text() } else { theme.body() };
                let text = one_line(&painter, &super::shown(&top.text), Type::Caption.mono(), ink, inside.width());
                painter.galley(at + vec2(1.0, (row - 2.0 - text.size().y) / 2.0), text, ink);
            }
        }
        _ => vector::paint(&painter, theme, values, Cells::filling(inside, values.len())),
    }
}
