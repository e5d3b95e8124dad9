//! Ten bars: how likely the network takes each digit to be.

use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, Type, space};
use crate::ui::widgets::caption;
use egui::{Align2, CornerRadius, Rect, Role, Sense, Ui, Vec2, WidgetInfo, pos2};

const ROW: f32 = 22.0;
const DIGIT_WIDTH: f32 = 20.0;
const NUMBER_WIDTH: f32 = 68.0;

/// Shows the bars, the most likely one in the accent; without probabilities an empty scale.
pub(super) fn show(ui: &mut Ui, probabilities: Option<&[f32]>) {
    ui.spacing_mut().item_spacing.y = 2.0;
    caption(ui, "Probability of each digit");
    let best = probabilities.and_then(most_likely);
    for digit in 0..10 {
        let value = probabilities.and_then(|p| p.get(digit)).copied();
        row(ui, digit, value, best == Some(digit));
    }
}

/// The digit with the highest probability.
pub(super) fn most_likely(probabilities: &[f32]) -> Option<usize> {
    (0..probabilities.len()).max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]))
}

fn row(ui: &mut Ui, digit: usize, value: Option<f32>, best: bool) {
    let theme = ui.theme();
    let width = ui.available_width().max(120.0);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(width, ROW), Sense::hover());
    let painter = ui.painter();
    let (face, ink) = if best { (Type::Strong.bold(), theme.accent_text()) } else { (Type::Body.sans(), theme.body()) };
    let middle = rect.center().y;
    painter.text(pos2(rect.left(), middle), Align2::LEFT_CENTER, digit.to_string(), face, ink);

    let track = Rect::from_min_max(
        pos2(rect.left() + DIGIT_WIDTH, middle - 5.0),
        pos2(rect.right() - NUMBER_WIDTH, middle + 5.0),
    );
    let round = CornerRadius::same(CHIP_RADIUS.min(3));
    painter.rect_filled(track, round, theme.raised());
    let share = value.unwrap_or(0.0).clamp(0.0, 1.0);
    if share > 0.001 {
        let mut bar = track;
        bar.set_width((track.width() * share).max(2.0));
        painter.rect_filled(bar, round, if best { theme.accent() } else { theme.line() });
    }
    let number = value.map_or_else(|| "–".to_owned(), percent);
    let ink = if best { theme.accent_text() } else { theme.caption() };
    painter.text(pos2(rect.right() - space::XS, middle), Align2::RIGHT_CENTER, number.clone(), Type::Body.mono(), ink);

    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, format!("Digit {digit}: {number}"));
        info.value = value.map(|v| f64::from(v) * 100.0);
        info
    });
}

/// A probability as a percentage that never rounds to certainty.
fn percent(probability: f32) -> String {
    let percent = f64::from(probability) * 100.0;
    // In single precision the softmax of a sure network is exactly one.
    if percent >= 99.95 {
        ">99.9 %".to_owned()
    } else if percent > 0.0 && percent < 0.05 {
        "<0.1 %".to_owned()
    } else {
        format!("{percent:.1} %")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_do_not_claim_certainty() {
        for (value, text) in
            [(0.5, "50.0 %"), (0.9999, ">99.9 %"), (0.0001, "<0.1 %"), (0.0, "0.0 %"), (1.0, ">99.9 %")]
        {
            assert_eq!(percent(value), text);
        }
    }

    #[test]
    fn the_most_likely_digit_is_found_even_beside_nan() {
        assert_eq!(most_likely(&[0.1, 0.7, 0.2]), Some(1));
        assert_eq!(most_likely(&[]), None);
    }
}
