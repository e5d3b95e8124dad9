//! How one number was made: formula, terms from the largest on, sum and remainder.

use super::Pick;
use super::vector::colour;
use crate::types::{Term, TermsReport};
use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, RADIUS, Type, space};
use crate::ui::widgets::{caption, one_line, significant};
use egui::{Align2, Frame, Margin, Rect, RichText, Role, ScrollArea, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

const ROW: f32 = 20.0;

/// The terms in a card of at most `height`; gives the number of a term that was clicked.
pub(super) fn card(ui: &mut Ui, terms: Option<&TermsReport>, height: f32) -> Option<Pick> {
    let theme = ui.theme();
    let card = Frame::new().fill(theme.surface()).stroke(Stroke::new(1.0, theme.hairline())).corner_radius(RADIUS);
    card.inner_margin(Margin::same(10)).show(ui, |ui| show(ui, terms, height - 24.0)).inner
}

/// The same without a card.
pub(super) fn show(ui: &mut Ui, terms: Option<&TermsReport>, height: f32) -> Option<Pick> {
    let theme = ui.theme();
    let Some(terms) = terms else {
        caption(ui, "Point at a number to see the sum that made it.");
        return None;
    };
    let mut clicked = None;
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 3.0;
        let top = ui.cursor().top();
        let value = significant(f64::from(terms.value));
        let title = format!("{} [{}] = {value}", terms.kind.title(), terms.index);
        ui.label(RichText::new(title).font(Type::Body.bold()).color(theme.body()));
        caption(ui, shown_formula(&terms.formula));
        if !terms.facts.is_empty() {
            let facts: Vec<String> =
                terms.facts.iter().map(|(name, value)| format!("{name} {}", number(*value))).collect();
            ui.label(RichText::new(facts.join(" · ")).font(Type::Caption.mono()).color(theme.caption()));
        }
        if terms.terms.is_empty() {
            return;
        }
        ui.add_space(space::XS);
        let most = terms.terms.first().map_or(1.0, |term| term.value.abs()).max(f64::MIN_POSITIVE);
        // What the lines below the list and the margins of the card take.
        let lines = 2 + usize::from(terms.count > terms.terms.len()) + usize::from(terms.made != terms.sum);
        let others = ui.cursor().top() - top + lines as f32 * 21.0 + 12.0;
        let room = (height - others).clamp(2.0 * ROW, 24.0 * ROW);
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            let area = ScrollArea::vertical().id_salt("terms").max_height(room).auto_shrink([false, true]);
            area.show_rows(ui, ROW, terms.terms.len(), |ui, rows| {
                for term in &terms.terms[rows] {
                    clicked = row(ui, term, most).or(clicked);
                }
            });
        });
        ui.add_space(space::XS);
        if terms.count > terms.terms.len() {
            line(ui, &format!("{} smaller terms", terms.count - terms.terms.len()), &number(terms.rest()));
        }
        let words = if terms.count == 1 { "1 term".to_owned() } else { format!("Sum of {} terms", terms.count) };
        line(ui, &words, &number(terms.sum));
        if terms.made != terms.sum {
            line(ui, "and from it", &number(terms.made));
        }
        let help = "What the model has less what the terms make. It adds in 24 bits and in an order of its own.";
        line(ui, "Remainder", &number(terms.remainder())).on_hover_text(help);
    });
    clicked
}

/// A formula may name a token, whose spaces are to be seen.
fn shown_formula(formula: &str) -> String {
    formula.replace("‘ ", "‘·").replace('\n', "↵")
}

fn number(value: f64) -> String {
    if value <= f64::from(f32::MIN) { "the lowest number".to_owned() } else { significant(value) }
}

fn line(ui: &mut Ui, name: &str, value: &str) -> egui::Response {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 18.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{name} {value}")));
    ui.painter().text(rect.left_center(), Align2::LEFT_CENTER, name, Type::Caption.sans(), theme.caption());
    ui.painter().text(rect.right_center(), Align2::RIGHT_CENTER, value, Type::Caption.mono(), theme.body());
    response
}

/// Gives the number that the term comes of, if it was clicked.
fn row(ui: &mut Ui, term: &Term, most: f64) -> Option<Pick> {
    let theme = ui.theme();
    let from = term.from.map(|(kind, index)| Pick { kind, index });
    let sense = if from.is_some() { Sense::click() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width() - 10.0, ROW), sense);
    let (name, value) = (shown_formula(&term.name), number(term.value));
    response.widget_info(|| {
        let role = if from.is_some() { Role::Button } else { Role::ListItem };
        WidgetInfo::labeled(role, true, format!("{name} {value}"))
    });
    let painter = ui.painter().with_clip_rect(ui.clip_rect().intersect(rect));
    if from.is_some() && (response.hovered() || response.has_focus()) {
        painter.rect_filled(rect, CHIP_RADIUS, theme.hover());
    }
    let clicked = from.filter(|_| response.clicked());
    // From the middle of the bar's room: to the right what raises, to the left what lowers.
    let (numbers, bars) = (58.0, if rect.width() > 240.0 { 44.0 } else { 32.0 });
    let room = Rect::from_min_max(
        pos2(rect.right() - numbers - bars, rect.top()),
        pos2(rect.right() - numbers, rect.bottom()),
    );
    let share = (term.value / most).clamp(-1.0, 1.0) as f32;
    let end = room.center().x + room.width() / 2.0 * share;
    let bar = Rect::from_two_pos(pos2(room.center().x, rect.top() + 6.0), pos2(end, rect.bottom() - 6.0));
    painter.rect_filled(bar, 0, colour(theme, 0.8 * share.signum()));
    painter.vline(room.center().x, rect.y_range(), Stroke::new(1.0, theme.hairline()));
    let font = Type::Caption.mono();
    let left = one_line(&painter, &name, font.clone(), theme.body(), room.left() - rect.left() - 4.0);
    painter.galley(pos2(rect.left(), rect.center().y - left.size().y / 2.0), left, theme.body());
    painter.text(rect.right_center(), Align2::RIGHT_CENTER, value, font, theme.body());
    let mut words = match term.factors {
        Some([number, weight]) => format!("{name}: {} × {}", significant(number), significant(weight)),
        None => name,
    };
    if let Some(Pick { kind, index }) = from {
        words += &format!("\nClick to see what made {kind} [{index}].");
    }
    response.on_hover_text(words);
    clicked
}
