//! A bar to the left or right of nothing.

use crate::types::diverging;
use crate::ui::Themed;
use crate::ui::theme::{Theme, Type, rgb};
use egui::{Align2, Color32, Rect, Stroke, Ui, pos2};

/// Room for the number behind a bar.
pub(super) const NUMBER: f32 = 52.0;

/// The colour of a share of the largest, from −1 to 1: nothing looks like the ground.
pub(super) fn colour(theme: &Theme, share: f64) -> Color32 {
    let ground = theme.ground();
    rgb(diverging(share as f32, [ground.r(), ground.g(), ground.b()]))
}

/// A bar of `value`, whose length is a share of `most`, with its number at the right.
pub(super) fn signed_bar(ui: &Ui, rect: Rect, value: f64, most: f64) {
    let theme = ui.theme();
    let painter = ui.painter();
    let room = Rect::from_min_max(rect.min, pos2(rect.right() - NUMBER, rect.bottom()));
    let middle = room.center().x.round();
    let share = if most > 0.0 && value.is_finite() { (value / most).clamp(-1.0, 1.0) as f32 } else { 0.0 };
    // What is not nothing is never invisible.
    let length = if share == 0.0 { 0.0 } else { (share.abs() * room.width() / 2.0).max(1.0) };
    let (left, right) = if share < 0.0 { (middle - length, middle) } else { (middle, middle + length) };
    let half = (rect.height() * 0.3).min(5.0);
    let y = rect.center().y;
    painter.vline(middle, rect.y_range(), Stroke::new(1.0, theme.line()));
    let bar = Rect::from_min_max(pos2(left, y - half), pos2(right, y + half));
    painter.rect_filled(bar, 1, colour(theme, f64::from(share.signum())));
    let number = if value.is_finite() { format!("{value:+.3}") } else { "NaN".to_owned() };
    painter.text(pos2(rect.right(), y), Align2::RIGHT_CENTER, number, Type::Caption.mono(), theme.body());
}
