//! A bar over each token: how long the gradient there is, in proportion to the longest.

use super::super::labels::Labels;
use crate::types::ForgetReport;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{percent, significant, visible_text};
use egui::{Align2, Rect, RichText, Role, ScrollArea, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};
use serde::{Deserialize, Serialize};

/// Room for the numbers at the left.
const AXIS: f32 = 44.0;
/// Widths that a token takes.
const STEPS: std::ops::RangeInclusive<f32> = 9.0..=56.0;
/// Powers of ten that a logarithmic axis has at most.
const MOST_DECADES: i32 = 9;

/// How lengths are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Scale {
    /// In proportion.
    #[default]
    Linear,
    /// By their logarithms.
    Log,
}

/// Powers of ten below the longest that a logarithmic axis needs for all reports.
pub(super) fn decades<'a>(reports: impl Iterator<Item = &'a ForgetReport>) -> i32 {
    let shares = reports.flat_map(ForgetReport::shares).filter(|share| *share > 0.0);
    let least = shares.fold(0.1, f64::min);
    (-least.log10().floor() as i32).clamp(1, MOST_DECADES)
}

/// The height of a share of the longest, in `0..=1`.
fn height_of(share: f64, (scale, decades): (Scale, i32)) -> f32 {
    match scale {
        Scale::Linear => share as f32,
        Scale::Log if share > 0.0 => (1.0 + share.log10() / f64::from(decades)).clamp(0.0, 1.0) as f32,
        Scale::Log => 0.0,
    }
}

pub(super) fn show(ui: &mut Ui, side: usize, (model, report): (&str, &ForgetReport), how: (Scale, i32), height: f32) {
    let theme = ui.theme();
    let room = ui.available_width() - AXIS;
    let step = (room / report.tokens.len().max(1) as f32).clamp(*STEPS.start(), *STEPS.end());
    let labels = Labels::new(&report.tokens, step);
    let below = labels.height();
    let tall = (height - below).max(70.0);
    let shares = report.shares();
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        let (axis, _) = ui.allocate_exact_size(vec2(AXIS, tall + below), Sense::hover());
        let marks: Vec<(f64, String)> = match how {
            (Scale::Linear, _) => [0.0, 0.5, 1.0].map(|share| (share, format!("{share}"))).to_vec(),
            (Scale::Log, decades) => {
                let every = (decades as usize).div_ceil(4);
                (0..=decades).step_by(every).map(|tens| (10f64.powi(-tens), power(-tens))).collect()
            }
        };
        let y = |top: f32, share: f64| top + 6.0 + (tall - 6.0) * (1.0 - height_of(share, how));
        for (share, words) in &marks {
            let at = pos2(axis.right() - space::S, y(axis.top(), *share));
            ui.painter().text(at, Align2::RIGHT_CENTER, words, Type::Caption.mono(), theme.caption());
        }
        // The end is what all of it is about.
        let area = ScrollArea::horizontal().id_salt(("bars", side)).max_width(room).stick_to_right(true);
        area.show(ui, |ui| {
            let size = vec2(step * report.tokens.len() as f32, tall + below);
            let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
            let words = || {
                let each = report.tokens.iter().zip(&report.norms);
                let each: Vec<String> =
                    each.map(|(token, norm)| format!("{:?} {}", token.text, significant(*norm))).collect();
                format!("Gradient at each token, {model}: {}", each.join(", "))
            };
            response.widget_info(|| WidgetInfo::labeled(Role::Image, true, words()));
            let painter = ui.painter_at(rect.expand(1.0));
            for (share, _) in &marks {
                painter.hline(rect.x_range(), y(rect.top(), *share), Stroke::new(1.0, theme.grid()));
            }
            let under = response.hover_pos().map(|at| ((at.x - rect.left()) / step) as usize);
            let floor = rect.top() + tall;
            let ink = theme.category(if side == 0 { 0 } else { 3 });
            for (place, share) in shares.iter().enumerate() {
                let left = rect.left() + place as f32 * step;
                let gap = (step * 0.14).clamp(1.0, 4.0);
                // What is not nothing is never invisible, but for what lies below a logarithmic axis.
                let top = y(rect.top(), *share).min(if *share > 0.0 { floor - 1.0 } else { floor });
                let bar = Rect::from_min_max(pos2(left + gap, top), pos2(left + step - gap, floor));
                if under == Some(place) {
                    let column = Rect::from_min_max(pos2(left, rect.top()), pos2(left + step, floor));
                    painter.rect_filled(column, 0, theme.hover());
                }
                painter.rect_filled(bar, 1, ink);
            }
            painter.hline(rect.x_range(), floor, Stroke::new(1.0, theme.line()));
            let last = report.tokens.len().saturating_sub(1);
            let band = Rect::from_min_max(pos2(rect.left(), floor), rect.max);
            let colour = |place| (place == last).then(|| theme.accent_text());
            labels.paint(&painter, theme, band, colour);
            let Some(token) = under.and_then(|place| report.tokens.get(place).map(|token| (place, token))) else {
                return;
            };
            response.on_hover_ui_at_pointer(|ui| {
                let (place, token) = token;
                let text = format!("{} · token {}", visible_text(&token.text), place + 1);
                ui.label(RichText::new(text).font(Type::Caption.bold()).color(theme.body()));
                let words = match (report.norms.get(place), shares.get(place)) {
                    (Some(norm), Some(share)) => {
                        format!("‖∂L/∂x‖ {} · {} of the longest", significant(*norm), percent(*share as f32))
                    }
                    _ => format!("predicted: −ln P = {} nats", significant(report.loss)),
                };
                ui.label(RichText::new(words).font(Type::Caption.mono()).color(theme.body()));
            });
        });
    });
}

/// A power of ten in words.
fn power(tens: i32) -> String {
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    match tens {
        0 => "1".to_owned(),
        tens => format!("10⁻{}", RAISED[tens.unsigned_abs() as usize % 10]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logarithmic_axis_reaches_down_to_the_shortest() {
        let report = |norms: &[f64]| ForgetReport { norms: norms.to_vec(), ..ForgetReport::default() };
        let (a, b) = (report(&[1.0, 0.5]), report(&[2.0, 2e-3, 0.0]));
        assert_eq!(decades([&a].into_iter()), 1);
        assert_eq!(decades([&a, &b].into_iter()), 3);
        let log = (Scale::Log, 3);
        assert!((height_of(1.0, log) - 1.0).abs() < 1e-6 && (height_of(0.1, log) - 2.0 / 3.0).abs() < 1e-6);
        assert_eq!((height_of(0.0, log), height_of(1e-9, log)), (0.0, 0.0));
        assert_eq!(height_of(0.25, (Scale::Linear, 3)), 0.25);
    }
}
