//! The table of heads: a row a head, a column a score. Only what is in sight is drawn.

use super::export::Scored;
use super::{Clicks, explain};
use crate::analysis::{AtlasHead, AtlasScore, HeadAtlas, head_words};
use crate::types::JobId;
use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, Type, space};
use crate::ui::widgets::significant;
use egui::{Align2, Pos2, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2};
use lucide_icons::Icon;

const HEAD: f32 = 26.0;
const ROW: f32 = 22.0;
const NAME: f32 = 60.0;
const COLUMN: f32 = 78.0;

/// What the order of rows depends on.
type Key = (JobId, Option<AtlasScore>, bool, String);

/// How heads are sorted.
pub(super) struct TableView {
    /// By which score; `None` by layer and head.
    sort: Option<AtlasScore>,
    /// From the largest down.
    is_falling: bool,
    /// Places of heads in the order of rows, and the largest value of each column, worked out once.
    rows: Option<(Key, Vec<usize>, Vec<f32>)>,
    /// The head that was chosen in the last frame.
    at: Option<(usize, usize)>,
    /// True when the rows were put in another order.
    is_new: bool,
}

impl Default for TableView {
    fn default() -> Self {
        Self { sort: Some(AtlasScore::Induction), is_falling: true, rows: None, at: None, is_new: false }
    }
}

/// What is drawn where.
struct Sheet<'a> {
    scored: &'a Scored<'a>,
    /// The part that is in sight.
    view: Rect,
    /// Where the whole table begins.
    origin: Pos2,
    most: &'a [f32],
}

impl TableView {
    /// By which score rows are sorted, `None` by layer and head, and whether from the largest down.
    pub fn sorting(&self) -> (Option<AtlasScore>, bool) {
        (self.sort, self.is_falling)
    }

    /// Sorts the rows.
    pub fn sort_by(&mut self, sort: Option<AtlasScore>, is_falling: bool) {
        (self.sort, self.is_falling) = (sort, is_falling);
    }

    /// Shows the table; gives what was clicked.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        scored: &Scored<'_>,
        is_found: &[bool],
        (job, filter): (JobId, &str),
    ) -> Clicks {
        let key = (job, self.sort, self.is_falling, filter.to_owned());
        let (key, rows, most) = match self.rows.take() {
            Some(kept) if kept.0 == key => kept,
            _ => (key, self.order(&scored.atlas, is_found), largest(scored)),
        };
        let (mut clicks, mut heading) = (Clicks::default(), None);
        let size = vec2(NAME + COLUMN * scored.scores.len() as f32, HEAD + ROW * rows.len() as f32 + space::S);
        let mut sheet = ScrollArea::both().id_salt("head atlas").auto_shrink(false);
        if std::mem::take(&mut self.is_new) {
            sheet = sheet.vertical_scroll_offset(0.0);
        }
        sheet.show_viewport(ui, |ui, viewport| {
            let (area, _) = ui.allocate_exact_size(size.max(viewport.size()), Sense::hover());
            let view = Rect::from_min_size(area.min + viewport.min.to_vec2(), viewport.size());
            let sheet = Sheet { scored, view, origin: area.min, most: &most };
            let first = (viewport.min.y / ROW).floor().max(0.0) as usize;
            let count = (viewport.height() / ROW).ceil() as usize + 1;
            for (row, place) in rows.iter().enumerate().skip(first).take(count) {
                let head = &scored.atlas.heads[*place];
                let response = sheet.row(ui, row, head);
                if response.clicked() {
                    clicks.chosen = Some((head.layer, head.head));
                }
                if response.double_clicked() {
                    clicks.opened = Some((head.layer, head.head));
                }
            }
            heading = sheet.headings(ui, self);
            // A head that is chosen elsewhere is brought into sight once; at first the order is.
            let is_other = self.at.is_some_and(|at| at != scored.chosen);
            let row = rows.iter().position(|place| {
                let head = &scored.atlas.heads[*place];
                (head.layer, head.head) == scored.chosen
            });
            if is_other && let Some(row) = row {
                let top = area.top() + HEAD + ROW * row as f32;
                let x = view.x_range();
                ui.scroll_to_rect(Rect::from_x_y_ranges(x, top - HEAD..=top + ROW), None);
            }
        });
        self.at = Some(clicks.chosen.unwrap_or(scored.chosen));
        self.rows = Some((key, rows, most));
        if let Some(sort) = heading {
            // The first click shows the most of a score, and layers from the first.
            self.is_falling = if self.sort == sort { !self.is_falling } else { sort.is_some() };
            (self.sort, self.is_new) = (sort, true);
        }
        clicks
    }

    fn order(&self, atlas: &HeadAtlas, is_found: &[bool]) -> Vec<usize> {
        let mut rows: Vec<usize> = (0..atlas.heads.len()).filter(|place| is_found[*place]).collect();
        if let Some(score) = self.sort.filter(|score| atlas.denominator(*score) > 0) {
            // A head without a number stands last, whichever way.
            let value = |place: &usize| atlas.heads[*place].value(score).filter(|value| !value.is_nan());
            rows.sort_by(|a, b| match (value(a), value(b)) {
                (Some(a), Some(b)) if self.is_falling => b.total_cmp(&a),
                (Some(a), Some(b)) => a.total_cmp(&b),
                (a, b) => b.is_some().cmp(&a.is_some()),
            });
        } else if self.sort.is_none() && self.is_falling {
            rows.reverse();
        }
        rows
    }
}

/// The largest value of each column by size, which has a full bar; shares end at 1.
fn largest(scored: &Scored<'_>) -> Vec<f32> {
    let most = |score: &AtlasScore| {
        let values = scored.atlas.heads.iter().filter_map(|head| head.value(*score)).filter(|v| v.is_finite());
        if score.is_share() { 1.0 } else { values.fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs())) }
    };
    scored.scores.iter().map(most).collect()
}

impl Sheet<'_> {
    /// Where a column begins.
    fn left(&self, column: usize) -> f32 {
        self.origin.x + NAME + COLUMN * column as f32
    }

    fn row(&self, ui: &Ui, row: usize, head: &AtlasHead) -> egui::Response {
        let theme = ui.theme();
        let top = self.origin.y + HEAD + ROW * row as f32;
        let rect = Rect::from_x_y_ranges(self.view.x_range(), top..=top + ROW);
        let response = ui.interact(rect, ui.scope_id().with((head.layer, head.head)), Sense::click());
        let on = (head.layer, head.head) == self.scored.chosen;
        response.widget_info(|| WidgetInfo::selected(Role::Row, true, on, head_words(head)));
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
        let cells = ui.painter_at(Rect::from_min_max(pos2(below.left() + NAME, below.top()), below.max));
        for (column, score) in self.scored.scores.iter().enumerate() {
            let left = self.left(column);
            if left > below.right() || left + COLUMN < below.left() {
                continue;
            }
            let value = head.value(*score);
            let share = value.filter(|v| v.is_finite()).map_or(0.0, |v| (v.abs() / self.most[column]).clamp(0.0, 1.0));
            let bar = Vec2::new((COLUMN - space::S) * share, 3.0);
            let fill = if on { theme.accent() } else { theme.neutral(6) };
            cells.rect_filled(Rect::from_min_size(pos2(left + space::S, rect.bottom() - 4.0), bar), 1, fill);
            let (words, ink) = match value {
                Some(value) if value.is_nan() => ("NaN".to_owned(), theme.danger()),
                Some(value) if score.is_share() => (format!("{value:.3}"), ink),
                Some(value) => (significant(f64::from(value)), ink),
                None => ("–".to_owned(), theme.caption()),
            };
            cells.text(pos2(left + COLUMN, y - 1.0), Align2::RIGHT_CENTER, words, Type::Caption.mono(), ink);
        }
        let name = format!("{}.{}", head.layer, head.head);
        let ink = if head.is_broken() { theme.danger() } else { ink };
        painter.text(pos2(rect.left() + space::S, y), Align2::LEFT_CENTER, name, Type::Body.mono(), ink);
        response.on_hover_text_at_pointer(format!("{}. Double-click looks at it.", super::sentence(&head_words(head))))
    }

    /// The heads of the columns; gives the one that was clicked.
    fn headings(&self, ui: &Ui, table: &TableView) -> Option<Option<AtlasScore>> {
        let theme = ui.theme();
        let line = Rect::from_min_size(self.view.min, vec2(self.view.width(), HEAD));
        ui.painter_at(self.view).rect_filled(line, 0, theme.surface());
        ui.painter_at(self.view).hline(line.x_range(), line.bottom(), Stroke::new(1.0, theme.hairline()));
        let mut clicked = None;
        let names = [None].into_iter().chain(self.scored.scores.iter().copied().map(Some));
        for (column, score) in names.enumerate() {
            let (left, width) = match column {
                0 => (line.left(), NAME),
                _ => (self.left(column - 1), COLUMN),
            };
            let whole = Rect::from_min_size(pos2(left, line.top()), vec2(width, HEAD));
            let room =
                if column == 0 { line } else { Rect::from_min_max(pos2(line.left() + NAME, line.top()), line.max) };
            let place = whole.intersect(room);
            if place.width() < 8.0 {
                continue;
            }
            let response = ui.interact(place, ui.scope_id().with(("heading", column)), Sense::click());
            let on = table.sort == score;
            let name = score.map_or_else(|| "layer and head".to_owned(), |score| score.name().to_lowercase());
            response.widget_info(|| WidgetInfo::selected(Role::Button, true, on, format!("Sort by {name}")));
            let ink = if on || response.hovered() { theme.body() } else { theme.caption() };
            let painter = ui.painter_at(room.intersect(self.view));
            let title = score.map_or("Head", AtlasScore::short);
            let y = line.center().y;
            let words = match column {
                0 => painter.text(pos2(left + space::S, y), Align2::LEFT_CENTER, title, Type::Caption.sans(), ink),
                _ => painter.text(pos2(left + width, y), Align2::RIGHT_CENTER, title, Type::Caption.sans(), ink),
            };
            if on {
                let icon = char::from(if table.is_falling { Icon::ArrowDown } else { Icon::ArrowUp });
                let (at, align) = match column {
                    0 => (words.right() + 2.0, Align2::LEFT_CENTER),
                    _ => (words.left() - 2.0, Align2::RIGHT_CENTER),
                };
                painter.text(pos2(at, y), align, icon, Type::Caption.icon(), ink);
            }
            if response.has_focus() {
                painter.rect_stroke(place, CHIP_RADIUS, Stroke::new(1.5, theme.accent()), StrokeKind::Inside);
            }
            if response.clicked() {
                clicked = Some(score);
            }
            if let Some(score) = score {
                let denominator = self.scored.atlas.denominator(score);
                response.on_hover_ui(|ui| explain(ui, score, denominator, self.scored.measured));
            }
        }
        clicked
    }
}
