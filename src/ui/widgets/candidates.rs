//! Bars of the most likely next tokens.

use super::token_strip::visible_text;
use super::{percent, share_bar};
use crate::types::Candidate;
use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, Type};
use egui::{Align2, Rect, Role, Sense, Ui, Vec2, WidgetInfo, pos2};

const ROW: f32 = 24.0;
const TEXT_WIDTH: f32 = 92.0;
const NUMBER_WIDTH: f32 = 56.0;

/// Shows candidates as bars: text at the left, bar, percentage; `chosen` in the accent; the rest of the mass as a grey bar.
/// Gives the place of one that was clicked.
pub fn candidate_bars(ui: &mut Ui, top: &[Candidate], chosen: u32, clickable: bool) -> Option<usize> {
    let theme = ui.theme();
    let width = ui.available_width().clamp(220.0, 360.0);
    let mut clicked = None;
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for (place, candidate) in top.iter().enumerate() {
            let sense = if clickable { Sense::click() } else { Sense::hover() };
            let (rect, response) = ui.allocate_exact_size(Vec2::new(width, ROW), sense);
            let (text, share) = (visible_text(&candidate.text), percent(candidate.probability));
            response.widget_info(|| {
                let role = if clickable { Role::Button } else { Role::ListItem };
                WidgetInfo::selected(role, true, candidate.id == chosen, format!("{text} {share}"))
            });
            if clickable && (response.hovered() || response.has_focus()) {
                ui.painter().rect_filled(rect, CHIP_RADIUS, theme.hover());
            }
            let is_chosen = candidate.id == chosen;
            let colour = if is_chosen { theme.accent() } else { theme.neutral(6) };
            bar_row(ui, rect, &text, candidate.probability, colour, is_chosen);
            if response.clicked() {
                clicked = Some(place);
            }
        }
        let rest = (1.0 - top.iter().map(|c| c.probability).sum::<f32>()).max(0.0);
        let (rect, response) = ui.allocate_exact_size(Vec2::new(width, ROW), Sense::hover());
        let name = format!("all others {}", percent(rest));
        response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, &name));
        bar_row(ui, rect, "all others", rest, theme.neutral(4), false);
    });
    clicked
}

fn bar_row(ui: &Ui, rect: Rect, text: &str, share: f32, colour: egui::Color32, strong: bool) {
    let theme = ui.theme();
    let painter = ui.painter().with_clip_rect(ui.clip_rect().intersect(rect));
    let ink = if strong { theme.accent_text() } else { theme.body() };
    let text_clip = Rect::from_min_size(rect.min, Vec2::new(TEXT_WIDTH, rect.height()));
    painter.with_clip_rect(painter.clip_rect().intersect(text_clip)).text(
        pos2(rect.left() + 4.0, rect.center().y),
        Align2::LEFT_CENTER,
        text,
        Type::Body.mono(),
        ink,
    );
    let bar = Rect::from_min_max(
        pos2(rect.left() + TEXT_WIDTH + 8.0, rect.center().y - 5.0),
        pos2(rect.right() - NUMBER_WIDTH - 8.0, rect.center().y + 5.0),
    );
    share_bar(&painter, theme, bar, share, colour);
    let at = pos2(rect.right() - 4.0, rect.center().y);
    painter.text(at, Align2::RIGHT_CENTER, percent(share), Type::Caption.mono(), theme.caption());
}
