//! What position does: how the product of this query and this key changes with the tokens between them, or how the rows of a
//! learned table resemble each other.

use super::vector::colour;
use crate::analysis::rotated_product;
use crate::types::{StepKind, StepsReport};
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, significant};
use egui::{Align2, Mesh, Rect, Role, Sense, Shape, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

/// Least and largest distance up to which products are drawn.
const REACH: [usize; 2] = [64, 1024];
/// Columns and rows of the pictures at most.
const COLUMNS: usize = 160;
const ROWS: usize = 48;

/// True when the model rotates queries and keys.
pub(super) fn rotates(report: &StepsReport) -> bool {
    !report.frequencies.is_empty()
}

/// True when the model adds a learned vector a position.
pub(super) fn learned(report: &StepsReport) -> bool {
    !report.positions.is_empty()
}

/// The page of a model that rotates.
pub(super) fn rotation(ui: &mut Ui, report: &StepsReport) {
    let first = |kinds: [StepKind; 2]| kinds.into_iter().map(|kind| report.values_of(kind)).find(|x| !x.is_empty());
    let query = first([StepKind::QueryNormed, StepKind::QueryProjected]).unwrap_or_default();
    let key = first([StepKind::KeyNormed, StepKind::KeyProjected]).unwrap_or_default();
    let reach = report.query.clamp(REACH[0], REACH[1]);
    let at = |distance: usize| rotated_product(query, key, &report.frequencies, distance as f64);
    let products: Vec<f64> = (0..=reach).map(at).collect();
    caption(
        ui,
        "The product q·k of this query and this key if the key stood d tokens before the query. Each pair of components gives \
         (q₁k₁ + q₂k₂) · cos(d·f) + (q₁k₂ − q₂k₁) · sin(d·f).",
    );
    curve(ui, &products, report.query.checked_sub(report.key), ("q·k", "d"));
    ui.add_space(space::S);
    caption(ui, "cos(d·f) of each pair: the fastest at the top, d from the left. Orange is 1, blue −1.");
    let rows = report.frequencies.len();
    let words = format!("Cosines of {rows} pairs over {reach} tokens");
    picture(ui, &words, [rows, reach + 1], |row, column| (column as f64 * report.frequencies[row]).cos() as f32);
}

/// The page of a model with a learned table.
pub(super) fn table(ui: &mut Ui, report: &StepsReport) {
    let count = report.tokens.len().max(1);
    let width = report.positions.len() / count;
    let row = |place: usize| &report.positions[place * width..(place + 1) * width];
    let own = row(report.query);
    let product = |place: usize| row(place).iter().zip(own).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    let products: Vec<f64> = (0..count).map(product).collect();
    caption(ui, format!("The product of the vector of position {} with that of every other.", report.query));
    curve(ui, &products, Some(report.key), ("p·p", "position"));
    ui.add_space(space::S);
    caption(ui, "The vectors of the positions, one a row. Orange raises, blue lowers.");
    let most = super::vector::scale(&report.positions);
    let words = format!("Table of {count} positions of {width} numbers");
    picture(ui, &words, [count, width], |place, column| row(place)[column] / most);
}

/// Numbers in a row as a line, one of them marked; says the number under the pointer.
fn curve(ui: &mut Ui, values: &[f64], marked: Option<usize>, (what, over): (&str, &str)) {
    let theme = ui.theme();
    let (room, response) = ui.allocate_exact_size(vec2(ui.available_width().min(560.0), 132.0), Sense::hover());
    let rect = Rect::from_min_max(room.min + vec2(46.0, 6.0), room.max - vec2(8.0, 18.0));
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (low, high) = (finite().fold(0.0, f64::min), finite().fold(0.0, f64::max));
    let span = (high - low).max(f64::MIN_POSITIVE);
    let last = (values.len() - 1).max(1) as f32;
    let x = |place: usize| rect.left() + rect.width() * place as f32 / last;
    let y = |value: f64| rect.bottom() - rect.height() * ((value - low) / span) as f32;
    let painter = ui.painter();
    painter.rect_stroke(rect, 0, Stroke::new(1.0, theme.hairline()), StrokeKind::Outside);
    painter.hline(rect.x_range(), y(0.0), Stroke::new(1.0, theme.line()));
    let font = Type::Caption.mono();
    for value in [low, high] {
        let align = if value == low { Align2::RIGHT_BOTTOM } else { Align2::RIGHT_TOP };
        let at = pos2(rect.left() - 4.0, if value == low { rect.bottom() } else { rect.top() });
        painter.text(at, align, significant(value), font.clone(), theme.caption());
    }
    let below = rect.bottom() + 3.0;
    painter.text(pos2(rect.left(), below), Align2::LEFT_TOP, format!("{over} 0"), font.clone(), theme.caption());
    painter.text(pos2(rect.right(), below), Align2::RIGHT_TOP, values.len() - 1, font.clone(), theme.caption());
    let numbers = values.iter().enumerate().filter(|(_, value)| value.is_finite());
    let line = numbers.map(|(place, value)| pos2(x(place), y(*value))).collect();
    painter.add(Shape::line(line, Stroke::new(1.5, theme.accent())));
    let marked = marked.filter(|place| values.get(*place).is_some_and(|value| value.is_finite()));
    if let Some(place) = marked {
        let at = pos2(x(place), y(values[place]));
        painter.vline(at.x, rect.y_range(), Stroke::new(1.0, theme.line()));
        painter.circle_filled(at, 4.0, theme.accent());
    }
    let told = |place: usize| format!("{over} {place}: {what} {}", significant(values[place]));
    let words = marked.map_or_else(String::new, |place| format!(", here {}", told(place)));
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("{what} over {over}{words}")));
    if let Some(at) = response.hover_pos() {
        let place = ((at.x - rect.left()) / rect.width() * last).round().clamp(0.0, last) as usize;
        response.on_hover_text_at_pointer(told(place.min(values.len() - 1)));
    }
}

/// A matrix `[rows, columns]` of numbers in −1..1, thinned where it is larger than the room has pixels.
fn picture(ui: &mut Ui, words: &str, [rows, columns]: [usize; 2], value: impl Fn(usize, usize) -> f32) {
    let theme = ui.theme();
    let (shown_rows, shown_columns) = (rows.min(ROWS), columns.min(COLUMNS));
    let width = ui.available_width().min(560.0) - 54.0;
    let height = (shown_rows as f32 * 6.0).clamp(24.0, 168.0);
    let (room, response) = ui.allocate_exact_size(vec2(width + 54.0, height), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, words));
    let rect = Rect::from_min_size(room.min + vec2(46.0, 0.0), vec2(width, height));
    let cell = vec2(width / shown_columns as f32, height / shown_rows as f32);
    let mut mesh = Mesh::default();
    for row in 0..shown_rows {
        for column in 0..shown_columns {
            let share = value(row * rows / shown_rows, column * columns / shown_columns);
            let corner = rect.min + vec2(column as f32 * cell.x, row as f32 * cell.y);
            mesh.add_colored_rect(Rect::from_min_size(corner, cell), colour(theme, share));
        }
    }
    ui.painter().add(Shape::mesh(mesh));
    ui.painter().rect_stroke(rect, 0, Stroke::new(1.0, theme.hairline()), StrokeKind::Outside);
}
