//! Bars of classes with their probabilities.

use super::{caption, percent, share_bar};
use crate::types::ClassProbability;
use crate::ui::Themed;
use crate::ui::theme::Type;
use egui::{Align2, Rect, Role, Sense, Ui, Vec2, WidgetInfo, pos2};

/// Classes that are shown.
const SHOWN: usize = 10;
const ROW: f32 = 38.0;

/// Shows classes as bars, the first in the accent, and what is left of the mass in words. They come likeliest first.
pub fn class_bars(ui: &mut Ui, classes: &[ClassProbability]) {
    for (place, class) in classes.iter().take(SHOWN).enumerate() {
        row(ui, class, place == 0);
    }
    if classes.len() > SHOWN {
        let rest: f32 = classes.iter().skip(SHOWN).map(|class| class.probability).sum();
        caption(ui, format!("{} others: {}", classes.len() - SHOWN, percent(rest)));
    }
}

fn row(ui: &mut Ui, class: &ClassProbability, best: bool) {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::hover());
    let number = percent(class.probability);
    response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, format!("{} {number}", class.label)));
    let painter = ui.painter().with_clip_rect(ui.clip_rect().intersect(rect));
    let ink = if best { theme.accent_text() } else { theme.body() };
    let face = if best { Type::Body.bold() } else { Type::Body.sans() };
    let words = Rect::from_min_max(rect.min, pos2(rect.right() - 64.0, rect.bottom()));
    let named = painter.with_clip_rect(painter.clip_rect().intersect(words));
    named.text(pos2(rect.left(), rect.top() + 11.0), Align2::LEFT_CENTER, &class.label, face, ink);
    let at = pos2(rect.right(), rect.top() + 11.0);
    painter.text(at, Align2::RIGHT_CENTER, number, Type::Caption.mono(), theme.caption());
    let bar = Rect::from_min_max(pos2(rect.left(), rect.top() + 23.0), pos2(rect.right(), rect.top() + 30.0));
    share_bar(&painter, theme, bar, class.probability, if best { theme.accent() } else { theme.neutral(6) });
    let _ = response.on_hover_text(&class.label);
}
