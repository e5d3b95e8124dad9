//! The table of examples: what each says, what it costs before and after. Only what is in sight is drawn.

use super::Shown;
use crate::types::{JobId, LossOrder, LossRow, LossesReport};
use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, Theme, Type, space};
use crate::ui::widgets::{one_line, percent};
use egui::{Align2, Color32, Pos2, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};
use lucide_icons::Icon;

const HEAD: f32 = 26.0;
const ROW: f32 = 24.0;
const PLACE: f32 = 52.0;
const NUMBER: f32 = 68.0;
const CHANGE: f32 = 78.0;
const LABEL: f32 = 130.0;
/// Least room for what an example says.
const TEXT: f32 = 140.0;

/// What was worked out of a report: of which job and how many rows, in which order.
type Key = (JobId, usize, LossOrder);

/// What is kept from frame to frame.
#[derive(Default)]
pub(super) struct TableView {
    /// Rows in their order, and the largest change by size.
    sorted: Option<(Key, Vec<usize>, f64)>,
    /// The row that was opened in the last frame.
    at: Option<usize>,
    /// True when the rows were put in another order.
    is_new: bool,
}

/// A column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Place,
    Text,
    Label,
    Before,
    After,
    Change,
}

/// What is drawn where.
struct Sheet<'a> {
    shown: &'a Shown<'a>,
    /// The part that is in sight.
    view: Rect,
    /// Where the whole table begins.
    origin: Pos2,
    /// Columns with their left and right edges.
    columns: Vec<(Column, f32, f32)>,
    most: f64,
}

impl TableView {
    /// Shows the table; gives the row of the report that was clicked.
    pub fn show(&mut self, ui: &mut Ui, shown: &Shown<'_>, order: &mut LossOrder) -> Option<usize> {
        let report = shown.report;
        let key = (shown.job, report.rows.len(), *order);
        let (key, rows, most) = match self.sorted.take() {
            Some(kept) if kept.0 == key => kept,
            _ => {
                let changes = report.rows.iter().map(|row| row.change().abs()).filter(|change| change.is_finite());
                (key, order.sorted(&report.rows), changes.fold(f64::MIN_POSITIVE, f64::max))
            }
        };
        let columns = columns(!report.labels.is_empty());
        let fixed: f32 = columns.iter().map(|(_, width)| width).sum();
        let (mut clicked, mut sorts) = (None, None);
        let height = HEAD + ROW * rows.len() as f32 + space::S;
        let mut area = ScrollArea::both().id_salt("examples").auto_shrink(false);
        if std::mem::take(&mut self.is_new) {
            area = area.vertical_scroll_offset(0.0);
        }
        area.show_viewport(ui, |ui, viewport| {
            let size = vec2((fixed + TEXT).max(viewport.width()), height.max(viewport.height()));
            let (all, _) = ui.allocate_exact_size(size, Sense::hover());
            let view = Rect::from_min_size(all.min + viewport.min.to_vec2(), viewport.size());
            let sheet = Sheet { shown, view, origin: all.min, columns: placed(&columns, all), most };
            let first = (viewport.min.y / ROW).floor().max(0.0) as usize;
            let count = (viewport.height() / ROW).ceil() as usize + 1;
            for (line, place) in rows.iter().enumerate().skip(first).take(count) {
                if sheet.row(ui, line, *place) {
                    clicked = Some(*place);
                }
            }
            sorts = sheet.headings(ui, *order);
            // An example that was opened on the plane is brought into sight once.
            if shown.opened.is_some()
                && shown.opened != self.at
                && let Some(line) = rows.iter().position(|place| Some(*place) == shown.opened)
            {
                let top = all.top() + HEAD + ROW * line as f32;
                ui.scroll_to_rect(Rect::from_x_y_ranges(view.x_range(), top - HEAD..=top + ROW), None);
            }
        });
        self.at = clicked.or(shown.opened);
        self.sorted = Some((key, rows, most));
        if let Some(sorts) = sorts {
            (*order, self.is_new) = (sorts, true);
        }
        clicked
    }
}

/// Columns with their widths; the text has what is left.
fn columns(has_classes: bool) -> Vec<(Column, f32)> {
    let mut columns = vec![(Column::Place, PLACE), (Column::Text, 0.0)];
    if has_classes {
        columns.push((Column::Label, LABEL));
    }
    columns.extend([(Column::Before, NUMBER), (Column::After, NUMBER), (Column::Change, CHANGE)]);
    columns
}

fn placed(columns: &[(Column, f32)], all: Rect) -> Vec<(Column, f32, f32)> {
    let fixed: f32 = columns.iter().map(|(_, width)| width).sum();
    let mut left = all.left();
    let place = |(column, width): &(Column, f32)| {
        let width = if *column == Column::Text { all.width() - fixed - space::S } else { *width };
        left += width;
        (*column, left - width, left)
    };
    columns.iter().map(place).collect()
}

impl Sheet<'_> {
    /// True when the row was clicked.
    fn row(&self, ui: &Ui, line: usize, place: usize) -> bool {
        let (theme, report) = (ui.theme(), self.shown.report);
        let row = &report.rows[place];
        let top = self.origin.y + HEAD + ROW * line as f32;
        let rect = Rect::from_x_y_ranges(self.view.x_range(), top..=top + ROW);
        let response = ui.interact(rect, ui.scope_id().with(("example", place)), Sense::click());
        let on = self.shown.opened == Some(place);
        response.widget_info(|| WidgetInfo::selected(Role::Row, true, on, words(report, row)));
        let below = Rect::from_min_max(pos2(self.view.left(), self.view.top() + HEAD), self.view.max);
        let painter = ui.painter_at(below);
        if on {
            painter.rect_filled(rect, CHIP_RADIUS, theme.accent_soft());
        } else if response.hovered() {
            painter.rect_filled(rect, CHIP_RADIUS, theme.hover());
        }
        if response.has_focus() {
            painter.rect_stroke(rect, CHIP_RADIUS, Stroke::new(1.5, theme.accent()), StrokeKind::Inside);
        }
        let y = rect.center().y;
        let ink = if on { theme.accent_text() } else { theme.body() };
        for (column, left, right) in &self.columns {
            let at = pos2(right - space::S, y);
            let number = |words: String, ink: Color32| {
                painter.text(at, Align2::RIGHT_CENTER, words, Type::Caption.mono(), ink);
            };
            match column {
                Column::Place => number(row.place.to_string(), theme.caption()),
                Column::Text => self.text(&painter, &row.text, [left + space::S, *right], y, ink),
                Column::Label => self.text(&painter, &label(report, row), [left + space::S, *right], y, ink),
                Column::Before => number(cost(row, 0), ink),
                Column::After => number(cost(row, 1), ink),
                Column::Change => {
                    let change = row.change();
                    number(signed(change), ink_of(theme, change, ink));
                    let share = if change.is_finite() { (change.abs() / self.most).min(1.0) as f32 } else { 0.0 };
                    let bar = vec2((CHANGE - 2.0 * space::S) * share, 3.0);
                    let bar = Rect::from_min_size(pos2(left + space::S, rect.bottom() - 4.0), bar);
                    painter.rect_filled(bar, 1, ink_of(theme, change, theme.neutral(6)));
                }
            }
        }
        response.clicked()
    }

    fn text(&self, painter: &egui::Painter, text: &str, [left, right]: [f32; 2], y: f32, ink: Color32) {
        // A passage has more letters than a line; those that cannot be seen are not laid out.
        let beginning: String = text.trim_start().chars().take(240).collect();
        let galley = one_line(painter, &beginning, Type::Caption.sans(), ink, right - left - space::S);
        painter.galley(pos2(left, y - galley.size().y / 2.0), galley, ink);
    }

    /// The heads of the columns; gives the order of the one that was clicked.
    fn headings(&self, ui: &Ui, order: LossOrder) -> Option<LossOrder> {
        let theme = ui.theme();
        let line = Rect::from_min_size(self.view.min, vec2(self.view.width(), HEAD));
        ui.painter_at(self.view).rect_filled(line, 0, theme.surface());
        ui.painter_at(self.view).hline(line.x_range(), line.bottom(), Stroke::new(1.0, theme.hairline()));
        let has_classes = !self.shown.report.labels.is_empty();
        let mut clicked = None;
        for (column, left, right) in &self.columns {
            let (title, sorts, on, help) = heading(*column, order, has_classes);
            let place = Rect::from_x_y_ranges(*left..=*right, line.y_range()).intersect(self.view);
            if place.width() < 8.0 {
                continue;
            }
            let ink = if on { theme.body() } else { theme.caption() };
            let painter = ui.painter_at(place);
            let is_left = matches!(column, Column::Text | Column::Label);
            let (at, align) = match is_left {
                true => (pos2(left + space::S, line.center().y), Align2::LEFT_CENTER),
                false => (pos2(right - space::S, line.center().y), Align2::RIGHT_CENTER),
            };
            let words = painter.text(at, align, title, Type::Caption.sans(), ink);
            if on && !is_left {
                let icon = char::from(if order == LossOrder::Help { Icon::ArrowUp } else { Icon::ArrowDown });
                let at = pos2(words.left() - 2.0, line.center().y);
                painter.text(at, Align2::RIGHT_CENTER, icon, Type::Caption.icon(), ink);
            }
            let Some(sorts) = sorts else { continue };
            let response = ui.interact(place, ui.scope_id().with(("heading", title)), Sense::click());
            response.widget_info(|| WidgetInfo::selected(Role::Button, true, on, format!("Sort by {help}")));
            if response.has_focus() {
                painter.rect_stroke(place, CHIP_RADIUS, Stroke::new(1.5, theme.accent()), StrokeKind::Inside);
            }
            if response.clicked() {
                clicked = Some(sorts);
            }
            response.on_hover_text(format!("Sort by {help}"));
        }
        clicked
    }
}

/// A column's title, the order that a click on it makes, whether it is in order now, and what by.
fn heading(
    column: Column,
    order: LossOrder,
    has_classes: bool,
) -> (&'static str, Option<LossOrder>, bool, &'static str) {
    let is_change = matches!(order, LossOrder::Help | LossOrder::Harm);
    match column {
        Column::Place => ("#", Some(LossOrder::Place), order == LossOrder::Place, "place in the data"),
        Column::Text => ("Example", None, false, ""),
        Column::Label => ("Label (said)", None, false, ""),
        Column::Before if has_classes => {
            ("P before", Some(LossOrder::Before), order == LossOrder::Before, "probability of the label before")
        }
        Column::After if has_classes => {
            ("P after", Some(LossOrder::After), order == LossOrder::After, "probability of the label after")
        }
        Column::Before => ("Before", Some(LossOrder::Before), order == LossOrder::Before, "loss before"),
        Column::After => ("After", Some(LossOrder::After), order == LossOrder::After, "loss after"),
        Column::Change if order == LossOrder::Help => {
            ("Change", Some(LossOrder::Harm), is_change, "what was harmed most")
        }
        Column::Change => ("Change", Some(LossOrder::Help), is_change, "what was helped most"),
    }
}

/// The label, and what was said where that is another.
fn label(report: &LossesReport, row: &LossRow) -> String {
    let Some(told) = &row.told else { return String::new() };
    let right = report.label(told.label);
    let said = told.predictions.map(|said| said.map_or("no number", |class| report.label(class)));
    match said.map(|said| said == right) {
        [true, true] => right.to_owned(),
        _ if said[0] == said[1] => format!("{right} ({})", said[0]),
        _ => format!("{right} ({} → {})", said[0], said[1]),
    }
}

/// What a side says: nats a token, or the probability of the label.
fn cost(row: &LossRow, side: usize) -> String {
    match &row.told {
        _ if row.losses[side].is_nan() => "NaN".to_owned(),
        Some(told) => percent(told.probabilities[side] as f32),
        None => format!("{:.3}", row.losses[side]),
    }
}

/// A change in nats with its sign.
pub(super) fn signed(change: f64) -> String {
    if change.is_nan() { "NaN".to_owned() } else { format!("{change:+.3}").replace('-', "−") }
}

/// What costs less is good.
pub(super) fn ink_of(theme: &Theme, change: f64, otherwise: Color32) -> Color32 {
    if change.is_nan() {
        theme.danger()
    } else if change < 0.0 {
        theme.accent_text()
    } else if change > 0.0 {
        theme.warning()
    } else {
        otherwise
    }
}

/// An example for those who cannot see it.
fn words(report: &LossesReport, row: &LossRow) -> String {
    let text: String = row.text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(80).collect();
    let label = label(report, row);
    let label = if label.is_empty() { label } else { format!(", {label}") };
    let [before, after] = [0, 1].map(|side| cost(row, side));
    format!("Example {}: {text}{label}; {before} before, {after} after, {} nats", row.place, signed(row.change()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ToldClass;

    #[test]
    fn a_label_is_told_with_what_was_said_in_its_place() {
        let report = LossesReport {
            models: [String::new(), String::new()],
            data: String::new(),
            labels: ["low", "high"].map(str::to_owned).to_vec(),
            rows: Vec::new(),
            asked: 0,
            of: 0,
            cut: 0,
        };
        let row = |predictions| LossRow {
            place: 4,
            text: "a  b".to_owned(),
            count: 1,
            losses: [0.5, f64::NAN],
            told: Some(ToldClass { label: 0, probabilities: [0.25, f64::NAN], predictions }),
            tokens: Vec::new(),
            pixels: Vec::new(),
        };
        assert_eq!(label(&report, &row([Some(0), Some(0)])), "low");
        assert_eq!(label(&report, &row([Some(1), Some(1)])), "low (high)");
        assert_eq!(label(&report, &row([Some(1), Some(0)])), "low (high → low)");
        let told = words(&report, &row([Some(1), None]));
        assert_eq!(told, "Example 4: a b, low (high → no number); 25.0 % before, NaN after, NaN nats");
        assert_eq!((signed(-0.5), signed(0.25)), ("−0.500".to_owned(), "+0.250".to_owned()));
    }

    #[test]
    fn the_text_has_what_other_columns_leave() {
        let all = Rect::from_min_size(pos2(10.0, 0.0), vec2(700.0, 100.0));
        for has_classes in [false, true] {
            let placed = placed(&columns(has_classes), all);
            assert!(placed.windows(2).all(|pair| pair[0].2 == pair[1].1));
            assert!(placed[placed.len() - 1].2 <= all.right() && placed[1].2 - placed[1].1 > TEXT);
        }
    }
}
