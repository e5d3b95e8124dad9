//! A vector as cells in colour, of which each can be pointed at.

use super::{Pick, Pointed};
use crate::types::{StepKind, diverging};
use crate::ui::theme::{CHIP_RADIUS, Type, rgb, space};
use crate::ui::widgets::{caption, significant};
use crate::ui::{Theme, Themed};
use egui::{
    Color32, Mesh, Painter, Pos2, Rect, RichText, Role, Sense, Shape, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

/// Cells that are drawn at most; of more numbers several share one, the largest of which shows.
const MOST_CELLS: usize = 4096;
/// Numbers told beside the cells.
const LEADING: usize = 4;

/// How a vector is cut into cells.
#[derive(Clone, Copy)]
pub(super) struct Cells {
    pub rect: Rect,
    pub columns: usize,
    pub side: f32,
    /// Numbers that share a cell.
    pub pool: usize,
}

impl Cells {
    /// Cells of even size that fill a rectangle, row by row.
    pub(super) fn filling(rect: Rect, count: usize) -> Self {
        let pool = count.div_ceil(MOST_CELLS / 4).max(1);
        let cells = count.div_ceil(pool).max(1);
        let mut side = (rect.area() / cells as f32).sqrt().min(rect.width());
        let columns = |side: f32| ((rect.width() / side) as usize).max(1);
        while cells.div_ceil(columns(side)) as f32 * side > rect.height() + 0.01 {
            side *= 0.97;
        }
        Self { rect, columns: columns(side), side, pool }
    }

    fn place(self, cell: usize) -> Rect {
        let (row, column) = (cell / self.columns, cell % self.columns);
        let corner = self.rect.min + vec2(column as f32, row as f32) * self.side;
        Rect::from_min_size(corner, vec2(self.side, self.side))
    }

    fn at(self, at: Pos2) -> Option<usize> {
        let place = (at - self.rect.min) / self.side;
        let column = place.x.floor() as usize;
        (place.x >= 0.0 && place.y >= 0.0 && column < self.columns).then(|| place.y as usize * self.columns + column)
    }
}

/// The place of the number with the largest magnitude among those of a cell.
fn largest_in(values: &[f32], cell: usize, pool: usize) -> Option<usize> {
    let start = cell * pool;
    let part = values.get(start..(start + pool).min(values.len()))?;
    let by_size = |a: &(usize, &f32), b: &(usize, &f32)| a.1.abs().total_cmp(&b.1.abs());
    part.iter().enumerate().max_by(by_size).map(|(place, _)| start + place)
}

/// The largest magnitude, by which a vector is coloured.
pub(super) fn scale(values: &[f32]) -> f32 {
    values.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()))
}

pub(super) fn colour(theme: &Theme, share: f32) -> Color32 {
    let ground = theme.ground();
    rgb(diverging(share, [ground.r(), ground.g(), ground.b()]))
}

/// Paints the cells.
pub(super) fn paint(painter: &Painter, theme: &Theme, values: &[f32], cells: Cells) {
    let most = scale(values);
    let mut mesh = Mesh::default();
    let gap = if cells.side > 5.0 { 0.5 } else { 0.0 };
    for cell in 0..values.len().div_ceil(cells.pool) {
        let Some(index) = largest_in(values, cell, cells.pool) else { continue };
        mesh.add_colored_rect(cells.place(cell).shrink(gap), colour(theme, values[index] / most));
    }
    painter.add(Shape::mesh(mesh));
}

/// A step as a heading with its largest numbers, and its cells below.
pub(super) fn show(ui: &mut Ui, kind: StepKind, note: &str, values: &[f32], focus: Option<Pick>) -> Pointed {
    let mut pointed = heading(ui, kind, note, values, focus);
    let theme = ui.theme();
    let pool = values.len().div_ceil(MOST_CELLS).max(1);
    let count = values.len().div_ceil(pool);
    let side: f32 = match count {
        0..=128 => 10.0,
        129..=1024 => 7.0,
        _ => 5.0,
    };
    let width = ui.available_width().max(side);
    let columns = ((width / side) as usize).max(1);
    let rows = count.div_ceil(columns);
    let (rect, response) = ui.allocate_exact_size(vec2(width, rows as f32 * side), Sense::click());
    let cells = Cells { rect, columns, side, pool };
    if ui.is_rect_visible(rect) {
        paint(ui.painter(), theme, values, cells);
        ui.painter().rect_stroke(
            Rect::from_min_size(rect.min, vec2(columns.min(count) as f32 * side, rows as f32 * side)),
            0,
            Stroke::new(1.0, theme.hairline()),
            StrokeKind::Outside,
        );
    }
    let words = describe(kind, values);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, words.clone()));
    if let Some(focus) = focus.filter(|focus| focus.kind == kind) {
        let place = cells.place(focus.index / pool);
        ui.painter().rect_stroke(place, 0, Stroke::new(1.5, theme.accent()), StrokeKind::Outside);
    }
    let under = response.hover_pos().and_then(|at| largest_in(values, cells.at(at)?, pool));
    if let Some(index) = under {
        let pick = Pick { kind, index };
        pointed.hovered = Some(pick);
        if response.clicked() {
            pointed.clicked = Some(pick);
        }
        response.on_hover_text_at_pointer(format!(
            "{} [{index}] = {}",
            kind.title(),
            significant(f64::from(values[index]))
        ));
    }
    ui.add_space(space::S);
    pointed
}

fn describe(kind: StepKind, values: &[f32]) -> String {
    let largest = largest_in(values, 0, values.len().max(1));
    let most = largest
        .map_or_else(String::new, |index| format!(", largest {} at {index}", significant(f64::from(values[index]))));
    format!("{}: {} numbers{most}", kind.title(), values.len())
}

/// The name of a step, how many numbers it has, and its largest ones, each of which can be pointed at.
fn heading(ui: &mut Ui, kind: StepKind, note: &str, values: &[f32], focus: Option<Pick>) -> Pointed {
    let theme = ui.theme();
    let mut pointed = Pointed::default();
    let spacing = ui.spacing().clone();
    // Before the row begins, whose lines are as high as a control otherwise.
    ui.spacing_mut().item_spacing = vec2(space::S, 2.0);
    ui.spacing_mut().interact_size.y = 0.0;
    ui.spacing_mut().button_padding = vec2(4.0, 0.0);
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(kind.title()).font(Type::Body.bold()).color(theme.body())).on_hover_text(note);
        let end = significant(f64::from(scale(values)));
        caption(ui, format!("{} · ±{end}", values.len()))
            .on_hover_text("How many numbers it has, and where their colours end.");
        let mut order: Vec<usize> = (0..values.len()).collect();
        let lead = LEADING.min(order.len());
        if lead < order.len() {
            order.select_nth_unstable_by(lead, |a, b| values[*b].abs().total_cmp(&values[*a].abs()));
        }
        order.truncate(lead);
        order.sort_by(|a, b| values[*b].abs().total_cmp(&values[*a].abs()));
        for index in order {
            let pick = Pick { kind, index };
            let number = significant(f64::from(values[index]));
            let ink = if focus == Some(pick) { theme.accent_text() } else { theme.caption() };
            let text = RichText::new(format!("[{index}] {number}")).font(Type::Caption.mono()).color(ink);
            let button = ui.add(egui::Button::new(text).frame_when_inactive(false).corner_radius(CHIP_RADIUS));
            button
                .widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("{} {index}: {number}", kind.title())));
            if button.hovered() || button.has_focus() {
                pointed.hovered = Some(pick);
            }
            if button.clicked() {
                pointed.clicked = Some(pick);
            }
        }
    });
    *ui.spacing_mut() = spacing;
    pointed
}

/// Bars of weights, side by side.
pub(super) fn bars(painter: &Painter, theme: &Theme, weights: &[f32], chosen: usize, rect: Rect) {
    let most = scale(weights);
    let width = rect.width() / weights.len().max(1) as f32;
    let mut mesh = Mesh::default();
    // Several weights may share a pixel: the largest shows, because all begin at the same line.
    for (place, weight) in weights.iter().enumerate() {
        let left = rect.left() + place as f32 * width;
        let top = rect.bottom() - rect.height() * weight / most;
        let ink = if place == chosen { theme.accent() } else { theme.neutral(7) };
        let bar = Rect::from_min_max(
            pos2(left, top),
            pos2(left + width.max(1.0) - if width > 3.0 { 1.0 } else { 0.0 }, rect.bottom()),
        );
        mesh.add_colored_rect(bar, ink);
    }
    painter.add(Shape::mesh(mesh));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_cell_and_every_cell_its_number() {
        for count in [1, 7, 48, 576, 5000] {
            let cells = Cells::filling(Rect::from_min_size(pos2(10.0, 20.0), vec2(44.0, 84.0)), count);
            let shown = count.div_ceil(cells.pool);
            assert!((0..shown).all(|cell| cells.rect.expand(0.5).contains_rect(cells.place(cell))), "{count}");
            assert!((0..shown).all(|cell| cells.at(cells.place(cell).center()) == Some(cell)), "{count}");
        }
    }

    #[test]
    fn a_cell_of_several_numbers_shows_the_largest() {
        let values = [0.1, -3.0, 2.0, 0.5, 0.0];
        assert_eq!([0, 1, 2].map(|cell| largest_in(&values, cell, 2)), [Some(1), Some(2), Some(4)]);
        assert_eq!(largest_in(&values, 3, 2), None);
    }
}
