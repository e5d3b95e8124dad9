//! One head, large: square cells with the tokens on both axes, their sums at the far edges, zoom, pan and a crosshair.

use super::look::Colours;
use super::plane::Plane;
use super::tokens::{HeadKey, TokensView};
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, Type, space};
use crate::ui::widgets::{click_modifiers, pooled_image, visible_text};
use egui::epaint::TextShape;
use egui::{
    Align2, Color32, FontId, Modifiers, Pos2, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo,
    pos2, vec2,
};

/// Room for the labels at the left and on top.
const LABELS: std::ops::RangeInclusive<f32> = 48.0..=92.0;
/// Width of a character of a label.
const LABEL_ADVANCE: f32 = 6.7;
const LABEL_SIZE: f32 = 11.0;
/// Least distance from label to label.
const LABEL_STEP: f32 = 13.0;
/// Characters of a label.
const LABEL_CHARS: usize = 12;
/// Points a cell grows to, at most.
const LARGEST_CELL: f32 = 64.0;
/// Height of the bars for sums, and their distance from the map.
const SUMS: f32 = 12.0;
const SUMS_GAP: f32 = 4.0;

/// Which part of the pattern is in sight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct View {
    /// 1 shows the whole pattern.
    zoom: f32,
    /// Upper left corner in shares of the whole pattern.
    corner: Vec2,
}

impl Default for View {
    fn default() -> Self {
        Self { zoom: 1.0, corner: Vec2::ZERO }
    }
}

impl View {
    pub(super) fn is_whole(self) -> bool {
        self.zoom <= 1.0
    }

    /// Zooms by `factor` and keeps `anchor` (in shares of the plot) where it is.
    fn zoom_at(&mut self, factor: f32, anchor: Vec2, most: f32) {
        let before = self.corner + anchor / self.zoom;
        self.zoom = (self.zoom * factor).clamp(1.0, most.max(1.0));
        self.corner = before - anchor / self.zoom;
        self.settle();
    }

    fn pan(&mut self, shares: Vec2) {
        self.corner -= shares / self.zoom;
        self.settle();
    }

    /// Moves no further than brings a token's row into sight; `tokens` are on a side.
    fn reveal(&mut self, row: usize, tokens: usize) {
        let (top, bottom) = (row as f32 / tokens as f32, (row + 1) as f32 / tokens as f32);
        self.corner.y = self.corner.y.min(top).max(bottom - 1.0 / self.zoom);
        self.settle();
    }

    fn settle(&mut self) {
        let most = 1.0 - 1.0 / self.zoom;
        self.corner = self.corner.clamp(Vec2::ZERO, Vec2::splat(most.max(0.0)));
    }
}

/// The picture's place on screen.
#[derive(Clone, Copy)]
struct Plot {
    rect: Rect,
    view: View,
    tokens: usize,
}

impl Plot {
    fn cell(&self) -> f32 {
        self.rect.width() * self.view.zoom / self.tokens as f32
    }

    /// Where the whole pattern would lie.
    fn whole(&self) -> Rect {
        let side = self.rect.width() * self.view.zoom;
        Rect::from_min_size(self.rect.min - self.view.corner * side, Vec2::splat(side))
    }

    fn token_at(&self, along: f32, start: f32) -> Option<usize> {
        let token = ((along - start) / self.cell()).floor();
        (token >= 0.0 && token < self.tokens as f32).then_some(token as usize)
    }

    /// Query (row) and key (column) under a point.
    fn cell_at(&self, at: Pos2) -> Option<(usize, usize)> {
        let whole = self.whole();
        Some((self.token_at(at.y, whole.top())?, self.token_at(at.x, whole.left())?))
    }

    fn row(&self, query: usize) -> Rect {
        let top = self.whole().top() + self.cell() * query as f32;
        Rect::from_x_y_ranges(self.rect.x_range(), top..=top + self.cell())
    }

    fn column(&self, key: usize) -> Rect {
        let left = self.whole().left() + self.cell() * key as f32;
        Rect::from_x_y_ranges(left..=left + self.cell(), self.rect.y_range())
    }
}

/// Shows the pattern; gives the query unit under the pointer.
pub(super) fn show(
    view: &mut TokensView,
    colours: &mut Colours,
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    plane: &Plane,
) -> Option<usize> {
    let theme = ui.theme();
    let tokens = plane.side();
    let texts: Vec<String> = plane.units.iter().map(|unit| label(&unit.name)).collect();
    let longest = texts.iter().map(|t| t.chars().count()).max().unwrap_or(0);
    let room = (longest as f32 * LABEL_ADVANCE + 10.0).clamp(*LABELS.start(), *LABELS.end());
    let edge = SUMS_GAP + SUMS;
    let side = (ui.available_width() - room - space::S - edge).min(ui.available_height() - room - edge).max(120.0);
    // A short sequence in a large window would have cells like floor tiles.
    let side = side.min(LARGEST_CELL * tokens as f32).floor();
    let (area, _) = ui.allocate_exact_size(vec2(ui.available_width(), side + room + edge), Sense::hover());
    let rect = Rect::from_min_size(area.min + Vec2::splat(room), Vec2::splat(side));
    let response = ui.interact(rect, ui.scope_id().with("large head"), Sense::click_and_drag());
    if view.painted.is_some_and(|(job, _)| job != plane.key.job) {
        // Another sequence has other tokens where the last one was zoomed in.
        view.sight = View::default();
    }
    steer(&mut view.sight, ui, &response, rect, tokens);
    let chosen = cx.selection.token.and_then(|token| plane.unit_of(token));
    if let Some(row) = chosen.filter(|_| view.map_at != chosen) {
        view.sight.reveal(row, tokens);
    }
    view.map_at = chosen;
    let plot = Plot { rect, view: view.sight, tokens };

    ui.painter().rect_filled(rect, 0, theme.ground());
    cells(view, colours, ui, plane, &plot);
    sums(ui, plane, &plot);
    view.pins.outlines(ui, &plot_cells(&plot, plane));
    ui.painter().rect_stroke(rect, 0, Stroke::new(1.0, theme.hairline()), StrokeKind::Outside);

    let under = response.hover_pos().and_then(|at| plot.cell_at(at).map(|cell| (at, cell)));
    let query = under.map(|(_, (q, _))| q).or(view.hovered).or(chosen).filter(|q| *q < tokens);
    if let Some(query) = query {
        let row = plot.row(query).intersect(rect);
        let line = Stroke::new(1.5, theme.accent());
        // Outside, so that the line does not hide a row that is only a few pixels high.
        ui.painter().with_clip_rect(rect.expand(2.0)).rect_stroke(row, 0, line, StrokeKind::Outside);
    }
    let key = under.map(|(_, (_, k))| k);
    labels(ui, &plot, &texts, query, key);
    describe(&response, plane, under.map(|(_, cell)| cell));

    cx.selection.words = plane.title();
    if let Some(query) = query {
        cx.selection.words += &format!(" · {:?}", plane.units[query].name);
    }
    let (at, (query, key)) = under?;
    crosshair(ui, &plot, (query, key), at, &texts, plane);
    if response.clicked() {
        let Modifiers { command, shift, .. } = click_modifiers(ui);
        if command {
            view.pins.toggle((plane.units[query].tokens.start, plane.units[key].tokens.start));
        } else {
            view.choose(plane, query, shift, &mut cx.selection.token);
        }
    }
    Some(query)
}

/// Wheel zooms about the pointer, drag moves, a double click shows everything.
fn steer(sight: &mut View, ui: &Ui, response: &Response, rect: Rect, tokens: usize) {
    let most = tokens as f32 * LARGEST_CELL / rect.width();
    if let Some(at) = response.hover_pos() {
        let (wheel, pinch) = ui.input(|i| (i.smooth_scroll_delta().y, i.zoom_delta()));
        let factor = pinch * (wheel * 0.006).exp();
        if factor != 1.0 {
            sight.zoom_at(factor, (at - rect.min) / rect.width(), most);
        }
    }
    if response.dragged() {
        sight.pan(response.drag_delta() / rect.width());
    }
    if response.double_clicked() {
        *sight = View::default();
    }
    // A shorter sequence may allow less than was zoomed in before.
    sight.zoom_at(1.0, Vec2::ZERO, most);
}

/// Where the cell of two tokens is, as far as it is in sight.
fn plot_cells<'a>(plot: &'a Plot, plane: &'a Plane) -> impl Fn((usize, usize)) -> Option<Rect> + 'a {
    |(query, key)| {
        let cell = plot.row(plane.unit_of(query)?).intersect(plot.column(plane.unit_of(key)?));
        let seen = cell.intersect(plot.rect);
        seen.is_positive().then_some(seen)
    }
}

/// What each column adds up to, below, and each row, at the right: as bars, the largest of each edge in full.
fn sums(ui: &Ui, plane: &Plane, plot: &Plot) {
    let theme = ui.theme();
    let most = |sums: &[f32]| sums.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let painter = ui.painter();
    let ink = theme.neutral(7);
    let (rows, columns) = (most(&plane.rows), most(&plane.columns));
    let (right, below) = (plot.rect.right() + SUMS_GAP, plot.rect.bottom() + SUMS_GAP);
    // Where several stand on one pixel, the highest shows.
    let edge = |along: egui::Rangef, start: f32, sums: &[f32], most: f32, bar: &mut dyn FnMut(f32, f32, f32)| {
        let step = plot.cell();
        let mut at = 0;
        while at < sums.len() {
            let count = (1.0 / step).ceil().max(1.0) as usize;
            let end = (at + count).min(sums.len());
            let highest = sums[at..end].iter().copied().fold(0.0, f32::max);
            let (from, to) = (start + step * at as f32, start + step * end as f32);
            if to > along.min && from < along.max && highest > 0.0 {
                bar(from.max(along.min), to.min(along.max), SUMS * highest / most);
            }
            at = end;
        }
    };
    edge(plot.rect.x_range(), plot.whole().left(), &plane.columns, columns, &mut |from, to, length| {
        let bar = Rect::from_min_max(pos2(from, below), pos2(to, below + length));
        painter.rect_filled(bar, 0, ink);
    });
    // Rows of weights add up to 1, which needs no picture.
    let least = plane.rows.iter().copied().fold(f32::INFINITY, f32::min);
    if rows - least <= 1e-3 * rows {
        return;
    }
    edge(plot.rect.y_range(), plot.whole().top(), &plane.rows, rows, &mut |from, to, length| {
        let bar = Rect::from_min_max(pos2(right, from), pos2(right + length, to));
        painter.rect_filled(bar, 0, ink);
    });
}

fn cells(view: &mut TokensView, colours: &mut Colours, ui: &Ui, plane: &Plane, plot: &Plot) {
    let pixels = plot.cell() * ui.ctx().pixels_per_point();
    // Powers of two, so that zooming makes a new picture only now and then.
    let pool = (1.0 / pixels).max(1.0).ceil() as usize;
    let pool = pool.next_power_of_two();
    let look = colours.look(ui.theme());
    let key = HeadKey { plane: plane.key, look, pool };
    let table = colours.table(ui.theme());
    let scale = plane.scale(look.scale);
    let texture = view
        .textures
        .get_or_make(ui, &key, || pooled_image(&scale.shares(plane.values(), plot.tokens), plot.tokens, pool, &table));
    view.painted = Some((plane.key.job, look));
    let covered = plot.tokens.div_ceil(pool) * pool;
    let side = plot.whole().width() * covered as f32 / plot.tokens as f32;
    let on_screen = Rect::from_min_size(plot.whole().min, Vec2::splat(side));
    let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    ui.painter().with_clip_rect(plot.rect).image(texture.id(), on_screen, uv, Color32::WHITE);
}

fn label(text: &str) -> String {
    let text = if text.is_empty() { "∅".to_owned() } else { visible_text(text) };
    if text.chars().count() <= LABEL_CHARS {
        return text;
    }
    text.chars().take(LABEL_CHARS - 1).chain(['…']).collect()
}

fn labels(ui: &Ui, plot: &Plot, texts: &[String], query: Option<usize>, key: Option<usize>) {
    let theme = ui.theme();
    let every = (LABEL_STEP / plot.cell()).ceil().max(1.0) as usize;
    let font = FontId::new(LABEL_SIZE, egui::FontFamily::Monospace);
    // Near a marked label the regular ones make room.
    let hidden = |i: usize, marked: Option<usize>| {
        marked.is_some_and(|m| m != i && (m as f32 - i as f32).abs() * plot.cell() < LABEL_STEP)
    };
    let in_sight = |i: usize, start: f32, range: egui::Rangef| {
        let middle = start + plot.cell() * (i as f32 + 0.5);
        range.contains(middle).then_some(middle)
    };
    for (i, text) in texts.iter().enumerate() {
        let regular = i % every == 0;
        if ((regular && !hidden(i, query)) || query == Some(i))
            && let Some(y) = in_sight(i, plot.whole().top(), plot.rect.y_range())
        {
            let ink = if query == Some(i) { theme.accent_text() } else { theme.caption() };
            let at = pos2(plot.rect.left() - 6.0, y);
            ui.painter().text(at, Align2::RIGHT_CENTER, text, font.clone(), ink);
        }
        if ((regular && !hidden(i, key)) || key == Some(i))
            && let Some(x) = in_sight(i, plot.whole().left(), plot.rect.x_range())
        {
            let ink = if key == Some(i) { theme.accent_text() } else { theme.caption() };
            let galley = ui.painter().layout_no_wrap(text.clone(), font.clone(), ink);
            let at = pos2(x, plot.rect.top() - 6.0);
            let turned = TextShape::new(at, galley, ink);
            ui.painter().add(turned.with_angle_and_anchor(-std::f32::consts::FRAC_PI_2, Align2::LEFT_CENTER));
        }
    }
    let corner = pos2(plot.rect.left() - 6.0, plot.rect.top() - 6.0);
    let small = FontId::new(10.0, egui::FontFamily::Proportional);
    ui.painter().text(corner, Align2::RIGHT_BOTTOM, "key →\nquery ↓", small, theme.neutral(6));
}

fn crosshair(ui: &Ui, plot: &Plot, (query, key): (usize, usize), at: Pos2, texts: &[String], plane: &Plane) {
    let theme = ui.theme();
    let painter = ui.painter().with_clip_rect(plot.rect.expand(1.0));
    let column = plot.column(key).intersect(plot.rect);
    painter.rect_stroke(column, 0, Stroke::new(1.0, theme.line()), StrokeKind::Outside);
    let words = format!("{} → {}", texts[query], texts[key]);
    let galley = ui.painter().layout_no_wrap(words, Type::Body.mono(), theme.body());
    let number = plane.number(plane.at(query, key));
    let number = ui.painter().layout_no_wrap(number, Type::Strong.mono(), theme.body());
    let sums = format!("row {} · column {}", plane.number(plane.rows[query]), plane.number(plane.columns[key]));
    let sums = ui.painter().layout_no_wrap(sums, Type::Caption.mono(), theme.caption());
    let width = galley.size().x.max(number.size().x).max(sums.size().x);
    let size = vec2(width, galley.size().y + number.size().y + sums.size().y) + vec2(16.0, 12.0);
    let mut corner = at + vec2(14.0, 14.0);
    let bounds = ui.clip_rect();
    if corner.x + size.x > bounds.right() {
        corner.x = at.x - 14.0 - size.x;
    }
    if corner.y + size.y > bounds.bottom() {
        corner.y = at.y - 14.0 - size.y;
    }
    let frame = Rect::from_min_size(corner, size);
    let painter = ui.painter();
    painter.rect(frame, CHIP_RADIUS, theme.hover(), Stroke::new(1.0, theme.neutral(5)), StrokeKind::Inside);
    let text_at = corner + vec2(8.0, 6.0);
    let below = vec2(0.0, galley.size().y);
    let last = below + vec2(0.0, number.size().y);
    painter.galley(text_at, galley, theme.body());
    painter.galley(text_at + below, number, theme.body());
    painter.galley(text_at + last, sums, theme.caption());
}

fn describe(response: &Response, plane: &Plane, under: Option<(usize, usize)>) {
    response.widget_info(|| {
        let mut words = plane.words();
        if let Some((query, key)) = under {
            let (from, to) = (&plane.units[query].name, &plane.units[key].name);
            words += &format!(", {from:?} looks at {to:?} with {}", plane.number(plane.at(query, key)));
        }
        WidgetInfo::labeled(Role::Image, true, words)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zooming_keeps_the_cell_under_the_pointer() {
        let mut view = View::default();
        let plot = |view| Plot { rect: Rect::from_min_size(pos2(10.0, 20.0), Vec2::splat(400.0)), view, tokens: 100 };
        let at = pos2(210.0, 120.0);
        let before = plot(view).cell_at(at);
        view.zoom_at(3.0, (at - pos2(10.0, 20.0)) / 400.0, 16.0);
        assert_eq!(plot(view).cell_at(at), before);
        assert_eq!(before, Some((25, 50)));
    }

    #[test]
    fn a_row_out_of_sight_is_brought_there_and_one_in_sight_moves_nothing() {
        let mut view = View { zoom: 4.0, corner: Vec2::ZERO };
        view.reveal(10, 100);
        assert_eq!(view.corner, Vec2::ZERO);
        view.reveal(79, 100);
        assert!((view.corner - vec2(0.0, 0.55)).length() < 1e-5, "{:?}", view.corner);
        view.reveal(20, 100);
        assert!((view.corner - vec2(0.0, 0.2)).length() < 1e-5, "{:?}", view.corner);
    }

    #[test]
    fn the_view_never_leaves_the_pattern() {
        let mut view = View::default();
        view.zoom_at(4.0, Vec2::splat(0.5), 8.0);
        view.pan(Vec2::splat(100.0));
        assert_eq!(view.corner, Vec2::ZERO);
        view.pan(Vec2::splat(-100.0));
        assert_eq!(view.corner, Vec2::splat(0.75));
        view.zoom_at(0.01, Vec2::ZERO, 8.0);
        assert_eq!(view, View::default());
    }
}
