//! The sum of all parts, the part that is chosen with what is lost without it, and the largest.

use super::bars::{NUMBER, signed_bar};
use crate::types::{AddedPart, AttributionReport, UserError};
use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, RADIUS, Type, space};
use crate::ui::widgets::{caption, error_card, explain, one_line};
use egui::{Align2, Frame, Rect, RichText, Role, Sense, Ui, WidgetInfo, pos2, vec2};
use lucide_icons::Icon;

/// Least and largest width.
pub(super) const WIDTH: [f32; 2] = [212.0, 380.0];
/// Parts that are listed.
const MOST: usize = 16;
const ROW: f32 = 20.0;
/// Room for the name of a part.
const NAME: f32 = 92.0;

const SUM_HELP: &str = "The sum of all parts, the score that the model has, and what is missing between them. Less than a ten-thousandth \
     of the largest part is rounding.";
const CHOOSE: &str = "Choose a head or an MLP to see what is lost without it.";
const DIFFER: &str = "The two differ: what a part adds is what it writes towards the score itself. What later layers read of it counts as \
     theirs, and when it is removed they make up for it or lose what they built on.";

/// What is known of the score without the part that is chosen.
pub(super) struct Without<'a> {
    pub report: Option<&'a AttributionReport>,
    pub error: Option<UserError>,
    /// True where it was asked and then stopped.
    pub is_stopped: bool,
}

/// True where an answer is of this score and this part.
pub(super) fn is_of(without: &AttributionReport, report: &AttributionReport, chosen: Option<AddedPart>) -> bool {
    let part = without.removed.map(|removed| removed.part);
    part.is_some() && part == chosen && without.target == report.target && without.score == report.score
}

/// All of them; gives the part that was clicked.
pub(super) fn show(
    ui: &mut Ui,
    report: &AttributionReport,
    chosen: Option<AddedPart>,
    without: &Without<'_>,
) -> Option<AddedPart> {
    sums(ui, report);
    ui.add_space(space::XS);
    card(ui, report, chosen, without);
    ui.add_space(space::S);
    largest(ui, report, chosen)
}

/// Whether the parts make the score.
pub(super) fn sums(ui: &mut Ui, report: &AttributionReport) {
    let theme = ui.theme();
    let sum = report.score - report.remainder();
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        let count = report.parts.len();
        line(ui, &format!("{count} parts together"), &format!("{sum:+.4}"));
        line(ui, "the model's score", &format!("{:+.4}", report.score));
        let (mark, colour, words) = if report.is_whole() {
            (Icon::Check, theme.success(), "missing, which is rounding")
        } else {
            (Icon::CircleAlert, theme.warning(), "missing: the parts do not make the score")
        };
        let words = format!("{:+.1e} {words}", report.remainder());
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::XS;
            ui.label(RichText::new(char::from(mark)).font(Type::Caption.icon()).color(colour));
            ui.label(RichText::new(words).font(Type::Caption.sans()).color(colour)).on_hover_text(SUM_HELP);
        });
    });
}

/// The part that is chosen, and what is lost without it.
pub(super) fn card(ui: &mut Ui, report: &AttributionReport, chosen: Option<AddedPart>, without: &Without<'_>) {
    let frame = Frame::new().fill(ui.theme().raised()).corner_radius(RADIUS).inner_margin(space::S);
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        match chosen.and_then(|part| Some((part, report.value(part)?))) {
            Some((part, value)) if part.removal().is_some() => beside(ui, (part, value), without),
            _ => drop(caption(ui, CHOOSE)),
        }
    });
}

/// What a part adds, and what is lost without it.
fn beside(ui: &mut Ui, (part, value): (AddedPart, f64), without: &Without<'_>) {
    let theme = ui.theme();
    let name = capital(&part.to_string());
    ui.label(RichText::new(name).font(Type::Body.bold()).color(theme.body()));
    ui.spacing_mut().item_spacing.y = 2.0;
    line(ui, "adds to the score", &format!("{value:+.4}"));
    match (without.report.and_then(|report| Some((report.score, report.removed?))), &without.error) {
        (Some((score, removed)), _) => {
            line(ui, "lost when it is removed", &format!("{:+.4}", score - removed.score));
            caption(ui, format!("The score goes from {score:+.3} to {:+.3}.", removed.score));
            ui.add_space(space::XS);
            caption(ui, DIFFER);
        }
        (None, Some(error)) => error_card(ui, error),
        (None, None) => line(ui, "lost when it is removed", if without.is_stopped { "stopped" } else { "…" }),
    }
}

/// A name at the left, a number at the right.
fn line(ui: &mut Ui, name: &str, number: &str) {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 17.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{name}: {number}")));
    let painter = ui.painter();
    painter.text(rect.left_center(), Align2::LEFT_CENTER, name, Type::Caption.sans(), theme.caption());
    painter.text(rect.right_center(), Align2::RIGHT_CENTER, number, Type::Body.mono(), theme.body());
}

/// The largest parts, each with a bar; gives the one that was clicked.
pub(super) fn largest(ui: &mut Ui, report: &AttributionReport, chosen: Option<AddedPart>) -> Option<AddedPart> {
    explain(ui, "Largest parts", "By how much they add or take away. Bars are shares of the largest.");
    let parts = report.sorted();
    let shown = parts.len().min(MOST);
    let mut clicked = None;
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for (part, value) in &parts[..shown] {
            let can_be = part.removal().is_some();
            if row(ui, (&part.to_string(), *value), report.largest(), can_be, chosen == Some(*part)) {
                clicked = Some(*part);
            }
        }
        if parts.len() > shown {
            let rest: f64 = parts[shown..].iter().map(|(_, value)| value).sum();
            row(ui, (&format!("{} others", parts.len() - shown), rest), report.largest(), false, false);
        }
    });
    clicked
}

/// True where it was clicked.
fn row(ui: &mut Ui, (name, value): (&str, f64), most: f64, can_be: bool, is_chosen: bool) -> bool {
    let theme = ui.theme();
    let sense = if can_be { Sense::click() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), sense);
    response.widget_info(|| {
        let role = if can_be { Role::Button } else { Role::ListItem };
        WidgetInfo::selected(role, true, is_chosen, format!("{name} adds {value:+.4}"))
    });
    if is_chosen || can_be && (response.hovered() || response.has_focus()) {
        ui.painter().rect_filled(rect, CHIP_RADIUS, theme.hover());
    }
    let ink = if is_chosen { theme.accent_text() } else { theme.body() };
    let words = one_line(ui.painter(), name, Type::Caption.sans(), ink, NAME - space::S);
    let at = pos2(rect.left() + 4.0, rect.center().y - words.size().y / 2.0);
    ui.painter().galley(at, words, ink);
    let bar = Rect::from_min_max(pos2(rect.left() + NAME, rect.top()), pos2(rect.right() - 4.0, rect.bottom()));
    debug_assert!(bar.width() > NUMBER, "room for a bar");
    signed_bar(ui, bar, value, most);
    response.clicked()
}

fn capital(words: &str) -> String {
    words.chars().take(1).flat_map(char::to_uppercase).chain(words.chars().skip(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::RemovedPart;

    #[test]
    fn an_answer_of_another_score_or_part_is_not_shown() {
        let part = AddedPart::Head { layer: 1, head: 0 };
        let report = AttributionReport {
            tokens: Vec::new(),
            target: (3, " a".into()),
            against: None,
            parts: vec![(part, 1.0)],
            score: 1.0,
            scores: [1.0, 0.0],
            left_out: [0, 0],
            removed: None,
        };
        let removed = Some(RemovedPart { part, score: 0.5, scores: [0.5, 0.0] });
        let without = AttributionReport { removed, ..report.clone() };
        assert!(is_of(&without, &report, Some(part)));
        assert!(!is_of(&without, &report, Some(AddedPart::Mlp(1))) && !is_of(&without, &report, None));
        assert!(!is_of(&report, &report, None), "it is without no part");
        let other = AttributionReport { score: 2.0, ..report };
        assert!(!is_of(&without, &other, Some(part)));
    }
}
