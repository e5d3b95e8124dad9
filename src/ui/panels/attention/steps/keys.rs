//! The table of keys: product, scaled, bounded, masked, weight.

use super::{Pick, Place, Pointed, shown};
use crate::types::{JobId, StepKind, StepsReport};
use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, Type};
use crate::ui::widgets::{one_line, share_bar, significant};
use egui::{Align2, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

const ROW: f32 = 22.0;
/// Width of the place of a key, of a number, and of a number where there is room.
const PLACE: f32 = 34.0;
const NUMBER: f32 = 60.0;
const WIDE_NUMBER: f32 = 88.0;
/// Least width of a name, and of the column of names where there is room.
const NAME: f32 = 38.0;
const NAMES: f32 = 120.0;
const COLUMNS: [(StepKind, &str); 5] = [
    (StepKind::Product, "q·k"),
    (StepKind::Scaled, "scaled"),
    (StepKind::Capped, "capped"),
    (StepKind::Scores, "score"),
    (StepKind::Pattern, "weight"),
];

/// Widths of the columns.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Widths {
    names: f32,
    number: f32,
}

impl Widths {
    /// Of `columns` numbers beside names of which the longest takes `longest`: no wider than that needs, so that a number is read
    /// in one line with its name.
    fn of(room: f32, columns: usize, longest: f32) -> Self {
        let columns = columns.max(1) as f32;
        let least = NUMBER.min((room - PLACE - NAME) / columns);
        let names = (room - PLACE - least * columns).min(longest.max(NAMES));
        let number = ((room - PLACE - names) / columns).clamp(least, WIDE_NUMBER.max(least));
        Self { names, number }
    }

    fn whole(self, columns: usize) -> f32 {
        PLACE + self.names + self.number * columns as f32
    }
}

/// Shows the table; `in_sight` is the place whose key was brought into sight last.
pub(super) fn show(
    in_sight: &mut Option<Place>,
    ui: &mut Ui,
    report: &StepsReport,
    focus: Option<Pick>,
    height: f32,
) -> Pointed {
    let theme = ui.theme();
    let there = COLUMNS.into_iter().filter(|(kind, _)| report.step(*kind).is_some());
    let columns: Vec<(StepKind, &str)> = there.collect();
    let letters = report.tokens.iter().map(|token| token.text.chars().count()).max().unwrap_or(0);
    let letter = one_line(ui.painter(), "0", Type::Body.mono(), theme.body(), f32::INFINITY).size().x;
    let room = ui.available_width() - 12.0;
    let widths = Widths::of(room, columns.len(), letters as f32 * letter + NAME);
    let (width, numbers) = (widths.whole(columns.len()), widths.number);
    let (head, _) = ui.allocate_exact_size(vec2(width, 18.0), Sense::hover());
    let right = |column: usize| head.left() + width - (columns.len() - 1 - column) as f32 * numbers;
    ui.painter().text(
        head.left_center() + vec2(PLACE, 0.0),
        Align2::LEFT_CENTER,
        "key",
        Type::Caption.sans(),
        theme.caption(),
    );
    for (place, (_, name)) in columns.iter().enumerate() {
        let at = pos2(right(place) - 6.0, head.center().y);
        ui.painter().text(at, Align2::RIGHT_CENTER, name, Type::Caption.sans(), theme.caption());
    }
    let table = Table { report, columns: &columns, numbers, focus };
    let here =
        Place { inspection: JobId(0), layer: report.layer, head: report.head, query: report.query, key: report.key };
    ui.spacing_mut().item_spacing.y = 0.0;
    let mut area = ScrollArea::vertical().id_salt("keys").max_height(height - 20.0).auto_shrink([false, true]);
    if *in_sight != Some(here) {
        let is_same_query = in_sight.is_some_and(|before| Place { key: here.key, ..before } == here);
        if !is_same_query {
            area = area.vertical_scroll_offset((report.key as f32 * ROW - height / 2.0).max(0.0));
        }
        *in_sight = Some(here);
    }
    let mut pointed = Pointed::default();
    area.show_rows(ui, ROW, report.tokens.len(), |ui, rows| {
        for key in rows {
            pointed = pointed.and(table.row(ui, key, width));
        }
    });
    pointed
}

struct Table<'a> {
    report: &'a StepsReport,
    columns: &'a [(StepKind, &'a str)],
    numbers: f32,
    focus: Option<Pick>,
}

impl Table<'_> {
    fn row(&self, ui: &mut Ui, key: usize, width: f32) -> Pointed {
        let (theme, report) = (ui.theme(), self.report);
        let (rect, response) = ui.allocate_exact_size(vec2(width, ROW), Sense::click());
        let is_hidden = report.values_of(StepKind::Scores).get(key) == Some(&f32::MIN);
        let weight = report.values_of(StepKind::Pattern).get(key).copied().unwrap_or(0.0);
        let text = report.tokens.get(key).map_or_else(String::new, |token| shown(&token.text));
        let is_chosen = key == report.key;
        response.widget_info(|| {
            let told = if is_hidden { "hidden".to_owned() } else { format!("weight {weight:.4}") };
            WidgetInfo::selected(Role::Button, true, is_chosen, format!("Key {key} {text}: {told}"))
        });
        let painter = ui.painter().with_clip_rect(ui.clip_rect().intersect(rect));
        let fill = if is_chosen { Some(theme.accent_soft()) } else { response.hovered().then(|| theme.hover()) };
        if let Some(fill) = fill {
            painter.rect_filled(rect, CHIP_RADIUS, fill);
        }
        let (middle, ink) = (rect.center().y, if is_hidden { theme.caption() } else { theme.body() });
        painter.text(
            pos2(rect.left() + PLACE - 6.0, middle),
            Align2::RIGHT_CENTER,
            key,
            Type::Caption.mono(),
            theme.caption(),
        );
        let right = |column: usize| rect.right() - (self.columns.len() - 1 - column) as f32 * self.numbers;
        let room = right(0) - self.numbers - rect.left() - PLACE;
        let name = one_line(&painter, &text, Type::Body.mono(), ink, room);
        painter.galley(pos2(rect.left() + PLACE, middle - name.size().y / 2.0), name, ink);
        let mut under = None;
        for (place, (kind, _)) in self.columns.iter().enumerate() {
            let cell =
                Rect::from_min_max(pos2(right(place) - self.numbers, rect.top()), pos2(right(place), rect.bottom()));
            if response.hover_pos().is_some_and(|at| cell.contains(at)) {
                under = Some(Pick { kind: *kind, index: key });
            }
            self.number(ui, *kind, key, cell, is_hidden);
        }
        let focused = response.has_focus().then_some(Pick { kind: StepKind::Pattern, index: key });
        let hovered = under.or(focused);
        let clicked = response.clicked().then(|| under.unwrap_or(Pick { kind: StepKind::Pattern, index: key }));
        Pointed { hovered, clicked, key: response.clicked().then_some(key) }
    }

    fn number(&self, ui: &Ui, kind: StepKind, key: usize, cell: Rect, is_hidden: bool) {
        let theme = ui.theme();
        let value = self.report.values_of(kind).get(key).copied().unwrap_or(f32::NAN);
        let words = match kind {
            StepKind::Scores if is_hidden => "hidden".to_owned(),
            StepKind::Pattern => format!("{value:.3}"),
            _ => significant(f64::from(value)),
        };
        if kind == StepKind::Pattern {
            let bar = Rect::from_min_max(
                pos2(cell.left() + 4.0, cell.bottom() - 4.0),
                pos2(cell.right() - 4.0, cell.bottom() - 2.0),
            );
            share_bar(ui.painter(), theme, bar, value, theme.accent());
        }
        let is_focus = self.focus == Some(Pick { kind, index: key });
        if is_focus {
            let edge = Stroke::new(1.5, theme.accent());
            ui.painter().rect_stroke(cell.shrink(1.0), CHIP_RADIUS, edge, StrokeKind::Inside);
        }
        let ink = if is_hidden { theme.caption() } else { theme.body() };
        let at = pos2(cell.right() - 6.0, cell.center().y - if kind == StepKind::Pattern { 1.5 } else { 0.0 });
        ui.painter().text(at, Align2::RIGHT_CENTER, words, Type::Caption.mono(), ink);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_near_their_names_however_wide_the_window_is() {
        for room in [260.0, 420.0, 700.0, 1600.0] {
            for columns in [4, 5] {
                let widths = Widths::of(room, columns, 150.0);
                assert!(widths.whole(columns) <= room + 0.01, "{room}: {widths:?}");
                assert!(widths.names >= NAME && widths.names <= 150.0, "{room}: {widths:?}");
                assert!(widths.number >= 30.0 && widths.number <= WIDE_NUMBER, "{room}: {widths:?}");
            }
        }
        assert_eq!(Widths::of(1600.0, 4, 150.0), Widths { names: 150.0, number: WIDE_NUMBER });
    }
}
