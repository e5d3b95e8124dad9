//! One answer in a card: its share as a bar, its probability, and what changed.

use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, Type};
use crate::ui::widgets::{one_line, percent, share_bar, significant};
use egui::{Align2, Rect, Response, Role, Sense, Stroke, Ui, Vec2, WidgetInfo, pos2};
use lucide_icons::Icon;

const HEIGHT: f32 = 48.0;
const BAR: f32 = 6.0;
/// Changes below this many points are none to the eye.
const LEAST_POINTS: f64 = 0.05;

/// What a row shows.
pub(super) struct Row<'a> {
    pub text: &'a str,
    /// True for the right answer.
    pub is_right: bool,
    /// True for the likeliest.
    pub is_best: bool,
    pub is_selected: bool,
    /// Share among the answers, in `0..=1`.
    pub share: f64,
    /// ln P.
    pub log_prob: f64,
    /// The share in the run before.
    pub before: Option<f64>,
}

/// A probability with three significant digits, as a percentage where that can be read.
pub(in super::super) fn probability(log_prob: f64) -> String {
    let p = log_prob.exp();
    if p >= 1e-4 {
        return format!("{} %", significant(p * 100.0));
    }
    // Worked out from the logarithm: exp of it may be nothing.
    let log10 = log_prob / std::f64::consts::LN_10;
    let exponent = log10.floor();
    if log10.is_finite() { format!("{:.2}e{exponent:.0}", 10f64.powf(log10 - exponent)) } else { "0".to_owned() }
}

/// A change of a share in signed percentage points; `None` where it rounds to nothing.
fn points(before: f64, now: f64) -> Option<String> {
    let points = (now - before) * 100.0;
    (points.abs() >= LEAST_POINTS).then(|| format!("{points:+.1}").replace('-', "−"))
}

pub(super) fn show(ui: &mut Ui, row: &Row<'_>) -> Response {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), HEIGHT), Sense::click());
    let change = row.before.map(|before| (before, points(before, row.share)));
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, row.is_selected, words(row, change.as_ref())));
    if !ui.is_rect_visible(rect) {
        return response;
    }
    let painter = ui.painter();
    let back = rect.expand2(Vec2::new(6.0, 0.0));
    if row.is_selected {
        painter.rect_filled(back, CHIP_RADIUS, theme.accent_soft());
    } else if response.hovered() || response.has_focus() {
        painter.rect_filled(back, CHIP_RADIUS, theme.hover());
    }
    let share = percent(row.share as f32);
    let ink = if row.is_best { theme.accent_text() } else { theme.body() };
    let (top, bottom) = (rect.top() + 11.0, rect.bottom() - 11.0);
    let number = painter.text(pos2(rect.right(), top), Align2::RIGHT_CENTER, share, Type::Body.mono(), ink);
    let mut left = rect.left();
    if row.is_right {
        let mark = char::from(Icon::Check);
        let drawn = painter.text(pos2(left, top), Align2::LEFT_CENTER, mark, Type::Caption.icon(), theme.success());
        left = drawn.right() + 3.0;
    }
    let name = one_line(painter, row.text, Type::Body.mono(), ink, number.left() - 6.0 - left);
    painter.galley(pos2(left, top - name.size().y / 2.0), name, ink);

    let bar = Rect::from_center_size(rect.center(), Vec2::new(rect.width(), BAR));
    let colour = if row.is_best { theme.accent() } else { theme.neutral(6) };
    share_bar(painter, theme, bar, row.share as f32, colour);
    if let Some((before, Some(_))) = &change {
        let x = bar.left() + bar.width() * before.clamp(0.0, 1.0) as f32;
        painter.vline(x.min(bar.right() - 1.0), bar.expand(2.0).y_range(), Stroke::new(2.0, theme.body()));
    }

    let raw = format!("P {}", probability(row.log_prob));
    painter.text(pos2(rect.left(), bottom), Align2::LEFT_CENTER, raw, Type::Caption.mono(), theme.caption());
    change_on(ui, rect, bottom, change.as_ref());
    response
}

/// The signed points with their arrow, at the right edge.
fn change_on(ui: &Ui, rect: Rect, y: f32, change: Option<&(f64, Option<String>)>) {
    let theme = ui.theme();
    let at = pos2(rect.right(), y);
    match change {
        None => {}
        Some((_, None)) => {
            ui.painter().text(at, Align2::RIGHT_CENTER, "±0", Type::Caption.mono(), theme.caption());
        }
        Some((_, Some(points))) => {
            let (icon, ink) = if points.starts_with('+') {
                (Icon::ArrowUp, theme.accent_text())
            } else {
                (Icon::ArrowDown, theme.warning())
            };
            let number = ui.painter().text(at, Align2::RIGHT_CENTER, points, Type::Caption.mono(), ink);
            let arrow_at = pos2(number.left() - 2.0, y);
            ui.painter().text(arrow_at, Align2::RIGHT_CENTER, char::from(icon), Type::Caption.icon(), ink);
        }
    }
}

/// The row in words.
fn words(row: &Row<'_>, change: Option<&(f64, Option<String>)>) -> String {
    let mut words = format!("{}: share {}, P {}", row.text, percent(row.share as f32), probability(row.log_prob));
    match change {
        Some((_, Some(points))) => words += &format!(", {points} points"),
        Some((_, None)) => words += ", unchanged",
        None => {}
    }
    if row.is_right {
        words += ", right answer";
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_keep_three_digits_however_small() {
        let words = |p: f64| probability(p.ln());
        assert_eq!([words(0.5), words(0.012_34), words(0.000_321)], ["50.0 %", "1.23 %", "0.0321 %"]);
        assert_eq!(words(2.1e-7), "2.10e-7");
        // exp(-2000) is no number a computer can hold.
        assert_eq!(probability(-2000.0), "2.58e-869");
        assert_eq!(probability(f64::NEG_INFINITY), "0");
    }

    #[test]
    fn changes_are_signed_points() {
        assert_eq!(points(0.25, 0.375).as_deref(), Some("+12.5"));
        assert_eq!(points(0.375, 0.25).as_deref(), Some("−12.5"));
        assert_eq!(points(0.25, 0.250_2), None);
    }
}
