//! Two columns as one table: of every answer, with no, one and all examples, what each column gives it and how far they are
//! apart.

use super::super::desk::Desk;
use super::super::scoring::Shown;
use super::super::setup::Card;
use super::CompareTab;
use super::row::probability;
use crate::ui::Themed;
use crate::ui::asked_model::AskedModel;
use crate::ui::edits::all_words;
use crate::ui::theme::{CHIP_RADIUS, Type, space};
use crate::ui::widgets::closable_error;
use crate::ui::widgets::{one_line, share_bar};
use crate::ui::{Cx, full_name};
use egui::{Align2, Color32, Rect, Response, Role, Sense, Ui, Vec2, WidgetInfo, pos2};
use lucide_icons::Icon;

const ROW: f32 = 22.0;
const HEAD: f32 = 24.0;
/// Room for a share.
const NUMBER: f32 = 62.0;
/// Room for a difference in points.
const POINTS: f32 = 62.0;
/// Most room for an answer; a longer one is cut.
const NAME: f32 = 150.0;

/// Places of the columns in a row.
struct Columns {
    name: Rect,
    sides: [Rect; 2],
    points: Rect,
}

impl Columns {
    fn of(rect: Rect) -> Self {
        let name = (rect.width() * 0.3).min(NAME);
        let points = Rect::from_min_max(pos2(rect.right() - POINTS, rect.top()), rect.max);
        let each = ((points.left() - rect.left() - name) / 2.0).max(0.0);
        let side = |place: f32| {
            let left = rect.left() + name + each * place + space::S;
            Rect::from_min_max(pos2(left, rect.top()), pos2(left + each - space::M, rect.bottom()))
        };
        let name = Rect::from_min_max(rect.min, pos2(rect.left() + name, rect.bottom()));
        Self { name, sides: [side(0.0), side(1.0)], points }
    }

    /// The column that a place belongs to.
    fn side_at(&self, x: f32) -> usize {
        usize::from(x > self.sides[1].left())
    }
}

/// What a scroll bar leaves.
fn width(ui: &Ui) -> f32 {
    ui.available_width() - space::S
}

/// A share with one decimal, all of a table alike.
fn share_words(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// What B has more than A, in signed points.
fn points_words(a: f64, b: f64) -> String {
    let tenths = ((b - a) * 1000.0).round();
    match tenths {
        0.0 => "±0.0".to_owned(),
        tenths => format!("{:+.1}", tenths / 10.0).replace('-', "−"),
    }
}

pub(super) fn show(tab: &mut CompareTab, desk: &Desk, ui: &mut Ui, cx: &mut Cx<'_>) {
    head(desk, ui, cx);
    for card in 0..Card::ALL.len() {
        group(tab, desk, ui, cx, card);
    }
    ui.add_space(space::XS);
}

/// The letters of the columns and the models they ask.
fn head(desk: &Desk, ui: &mut Ui, cx: &Cx<'_>) {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(width(ui), HEAD), Sense::hover());
    let columns = Columns::of(rect);
    let mut names = Vec::new();
    for (side, place) in columns.sides.into_iter().enumerate() {
        let model = desk.setup.sides[side].of_run.as_ref().map(AskedModel::title);
        let open = super::super::plan::model_of(&desk.setup.sides[side], cx.state).map(|m| full_name(&m.info));
        let name = open.or(model).unwrap_or_else(|| "no model".to_owned());
        let edited = &desk.setup.sides[side].edits;
        let edited = if edited.is_empty() { String::new() } else { format!(" · {}", all_words(edited)) };
        let words = format!("{} · {name}{edited}", ["A", "B"][side]);
        let galley = one_line(ui.painter(), &words, Type::Body.bold(), theme.accent_text(), place.width());
        ui.painter().galley(pos2(place.left(), rect.center().y - galley.size().y / 2.0), galley, theme.accent_text());
        names.push(words);
    }
    let at = columns.points.right_center();
    ui.painter().text(at, Align2::RIGHT_CENTER, "B − A", Type::Caption.sans(), theme.caption());
    let words = format!("Columns: {}, difference in points", names.join(", "));
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &words));
    let help = "The last column says how many percentage points B gives an answer more than A.";
    response.on_hover_text(format!("{}\n{help}", names.join("\n")));
}

/// The answers with so many examples.
fn group(tab: &mut CompareTab, desk: &Desk, ui: &mut Ui, cx: &mut Cx<'_>, card: usize) {
    title(tab, desk, ui, card);
    let errors: Vec<_> =
        (0..2).filter_map(|side| tab.scoring.problem(desk.plan.as_ref(), (side, card), cx.state)).collect();
    for (place, (job, error)) in errors.iter().enumerate() {
        if errors[..place].iter().all(|(_, other)| other != error) && closable_error(ui, error) {
            tab.scoring.closed.insert(*job);
        }
    }
    let is_current = |side| desk.plan.as_ref().is_some_and(|plan| tab.scoring.is_current(plan, side, card));
    let is_old = (0..2).any(|side| !is_current(side) || tab.scoring.slots[side][card].running(cx.state).is_some());
    let shown: [Option<Shown>; 2] = [0, 1].map(|side| tab.scoring.slots[side][card].shown.clone());
    let Some(any) = shown.iter().flatten().next() else {
        let busy = tab.scoring.is_busy(cx.state);
        crate::ui::widgets::caption(ui, if busy { "Scoring…" } else { "Not scored yet." });
        return;
    };
    let answers = any.answers.clone();
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        if is_old {
            // What is shown belongs to the question before.
            ui.set_opacity(0.5);
        }
        for (place, answer) in answers.iter().enumerate() {
            let is_selected = tab.picked.answer == Some(place);
            let is_right = *answer == desk.setup.expected && !answer.is_empty();
            let (response, columns) = one(ui, Card::ALL[card], answer, is_right, is_selected, &shown);
            if response.clicked() {
                let side = response.interact_pointer_pos().map_or(tab.picked.card.0, |at| columns.side_at(at.x));
                let same = is_selected && tab.picked.card == (side, card);
                tab.picked.answer = if same { None } else { Some(place) };
                tab.picked.card = (side, card);
            }
        }
        rest(ui, &shown);
    });
    ui.add_space(space::XS);
}

/// The name of the group, which shows its prompt when it is clicked, and what was left out.
fn title(tab: &mut CompareTab, desk: &Desk, ui: &mut Ui, card: usize) {
    let theme = ui.theme();
    let kind = Card::ALL[card];
    let plan = |side: usize| desk.plan.as_ref().and_then(|plan| plan.sides.get(side)?.cards.get(card));
    let shots: Vec<usize> = (0..2).map(|side| plan(side).map_or(0, |plan| plan.shots)).collect();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(width(ui), HEAD), Sense::click());
    let columns = Columns::of(rect);
    let is_picked = tab.picked.card.1 == card;
    let words = format!("{}: {} and {} examples", kind.title(), shots[0], shots[1]);
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_picked, &words));
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, CHIP_RADIUS, theme.hover());
    }
    ui.painter().hline(rect.x_range(), rect.top(), egui::Stroke::new(1.0, theme.grid()));
    let at = columns.name.left_center();
    ui.painter().text(at, Align2::LEFT_CENTER, kind.title(), Type::Body.bold(), theme.body());
    for (side, place) in columns.sides.into_iter().enumerate() {
        let tokens = tab.scoring.slots[side][card].shown.as_ref().map(|shown| shown.report.prompt_tokens);
        let cut = plan(side).map_or(0, |plan| plan.cut);
        let (words, ink) = match (cut, tokens) {
            (0, Some(tokens)) => (format!("{tokens} tokens"), theme.caption()),
            (0, None) => continue,
            (cut, _) => (format!("{cut} examples left out"), theme.warning()),
        };
        let galley = one_line(ui.painter(), &words, Type::Caption.sans(), ink, place.width());
        ui.painter().galley(pos2(place.left(), rect.center().y - galley.size().y / 2.0), galley, ink);
    }
    if response.clicked() {
        let side = response.interact_pointer_pos().map_or(tab.picked.card.0, |at| columns.side_at(at.x));
        tab.picked.card = (side, card);
    }
}

fn one(
    ui: &mut Ui,
    kind: Card,
    answer: &str,
    is_right: bool,
    is_selected: bool,
    shown: &[Option<Shown>; 2],
) -> (Response, Columns) {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(width(ui), ROW), Sense::click());
    let columns = Columns::of(rect);
    let scores = [0, 1].map(|side| {
        let shown = shown[side].as_ref()?;
        let place = shown.answers.iter().position(|other| other == answer)?;
        Some((shown.report.candidates.get(place)?, shown.report.best() == Some(place)))
    });
    let share = |side: usize| scores[side].map(|(score, _)| Shown::value(score));
    let points = share(0).zip(share(1)).map(|(a, b)| points_words(a, b));
    let in_words = |side: usize| share(side).map_or_else(|| "–".to_owned(), share_words);
    let mut words = format!("{answer}, {}: A {}, B {}", kind.title().to_lowercase(), in_words(0), in_words(1));
    if let Some(points) = &points {
        words += &format!(", difference {points} points");
    }
    if is_right {
        words += ", right answer";
    }
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_selected, &words));
    if is_selected {
        ui.painter().rect_filled(rect, CHIP_RADIUS, theme.accent_soft());
    } else if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, CHIP_RADIUS, theme.hover());
    }
    let mut left = columns.name.left();
    let y = rect.center().y;
    if is_right {
        let mark = char::from(Icon::Check);
        let drawn = ui.painter().text(pos2(left, y), Align2::LEFT_CENTER, mark, Type::Caption.icon(), theme.success());
        left = drawn.right() + 3.0;
    }
    let name = one_line(ui.painter(), answer, Type::Body.mono(), theme.body(), columns.name.right() - left);
    ui.painter().galley(pos2(left, y - name.size().y / 2.0), name, theme.body());
    for (side, place) in columns.sides.into_iter().enumerate() {
        let is_best = scores[side].is_some_and(|(_, is_best)| is_best);
        let hues = if is_best { (theme.accent(), theme.accent_text()) } else { (theme.neutral(6), theme.body()) };
        cell(ui, place, share(side), hues);
    }
    if let Some(points) = points {
        let ink = if points.starts_with('±') { theme.caption() } else { theme.body() };
        ui.painter().text(columns.points.right_center(), Align2::RIGHT_CENTER, points, Type::Body.mono(), ink);
    }
    let hover = response.on_hover_ui(|ui| {
        for (letter, score) in ["A", "B"].into_iter().zip(scores).filter_map(|(l, score)| Some((l, score?.0))) {
            crate::ui::widgets::caption(ui, format!("{letter}: {}, P {}", score.text, probability(score.log_prob)));
        }
        crate::ui::widgets::caption(ui, "Click to see its tokens at the right");
    });
    (hover, columns)
}

/// A bar and the number at its end.
fn cell(ui: &Ui, place: Rect, share: Option<f64>, (fill, ink): (Color32, Color32)) {
    let theme = ui.theme();
    let at = pos2(place.right(), place.center().y);
    let Some(share) = share else {
        ui.painter().text(at, Align2::RIGHT_CENTER, "–", Type::Body.mono(), theme.caption());
        return;
    };
    ui.painter().text(at, Align2::RIGHT_CENTER, share_words(share), Type::Body.mono(), ink);
    let (y, end) = (place.center().y, place.right() - NUMBER);
    let bar = Rect::from_min_max(pos2(place.left(), y - 3.0), pos2(end, y + 3.0));
    if bar.width() > 12.0 {
        share_bar(ui.painter(), theme, bar, share as f32, fill);
    }
}

/// The probability of everything that is none of the answers.
fn rest(ui: &mut Ui, shown: &[Option<Shown>; 2]) {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(width(ui), ROW), Sense::hover());
    let columns = Columns::of(rect);
    let mass = [0, 1].map(|side| shown[side].as_ref().map(|shown| shown.report.other_mass()));
    let words = |side: usize| mass[side].map_or_else(|| "–".to_owned(), share_words);
    response.widget_info(|| {
        WidgetInfo::labeled(Role::ListItem, true, format!("Anything else: P, A {}, B {}", words(0), words(1)))
    });
    let name = columns.name.left_center();
    ui.painter().text(name, Align2::LEFT_CENTER, "anything else", Type::Caption.sans(), theme.caption());
    for (side, place) in columns.sides.into_iter().enumerate() {
        cell(ui, place, mass[side], (theme.neutral(5), theme.caption()));
    }
    if let (Some(a), Some(b)) = (mass[0], mass[1]) {
        let at = columns.points.right_center();
        ui.painter().text(at, Align2::RIGHT_CENTER, points_words(a, b), Type::Body.mono(), theme.caption());
    }
    response.on_hover_text("The probability of everything else the model might have written: 1 − Σ P.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_numbers_of_the_table_have_one_decimal() {
        let words = [0.0, 1e-9, 0.000_4, 0.0342, 0.5, 1.0].map(share_words);
        assert_eq!(words, ["0.0 %", "0.0 %", "0.0 %", "3.4 %", "50.0 %", "100.0 %"]);
        let points = [(0.5, 0.625), (0.625, 0.5), (0.5, 0.500_1), (0.0, 1.0)].map(|(a, b)| points_words(a, b));
        assert_eq!(points, ["+12.5", "−12.5", "±0.0", "+100.0"]);
    }

    #[test]
    fn columns_stand_side_by_side_and_fill_the_row() {
        let rect = Rect::from_min_size(pos2(10.0, 0.0), Vec2::new(400.0, ROW));
        let columns = Columns::of(rect);
        assert!(columns.name.right() < columns.sides[0].left());
        assert!(
            columns.sides[0].right() < columns.sides[1].left() && columns.sides[1].right() <= columns.points.left()
        );
        assert!((columns.sides[0].width() - columns.sides[1].width()).abs() < 0.1);
        assert_eq!([columns.side_at(columns.sides[0].center().x), columns.side_at(columns.points.center().x)], [0, 1]);
    }
}
