//! The table of tensors. Only the rows in sight are laid out: large models have thousands.

use super::ModelsPanel;
use crate::types::{TensorEntry, bytes_in_words, printable};
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, Type, space};
use crate::ui::widgets::caption;
use egui::{Align2, Rect, Role, ScrollArea, Sense, Stroke, TextEdit, Ui, Vec2, WidgetInfo, pos2};
use lucide_icons::Icon;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const ROW: f32 = 24.0;
const SHAPE: f32 = 150.0;
const DTYPE: f32 = 64.0;
const BYTES: f32 = 84.0;

/// What the rows are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    #[default]
    Name,
    Shape,
    Dtype,
    Bytes,
}

/// How the table is looked at. Survives a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct TensorView {
    pub filter: String,
    pub order: Order,
    pub reversed: bool,
    /// Bars of the histogram stand for the logarithm of their counts.
    pub log_counts: bool,
}

impl TensorView {
    /// Indices of the rows to show. The list comes in the order of names.
    pub fn rows(&self, tensors: &[TensorEntry]) -> Vec<usize> {
        let words: Vec<String> = self.filter.to_lowercase().split_whitespace().map(str::to_owned).collect();
        let fits = |tensor: &TensorEntry| {
            let text = format!("{} {} {}", tensor.name.to_lowercase(), shape(tensor), tensor.dtype.to_lowercase());
            words.iter().all(|word| text.contains(word))
        };
        let mut rows: Vec<usize> = (0..tensors.len()).filter(|row| fits(&tensors[*row])).collect();
        let compare = |a: &usize, b: &usize| {
            let (x, y) = (&tensors[*a], &tensors[*b]);
            let order = match self.order {
                Order::Name => a.cmp(b),
                Order::Shape => x.shape.cmp(&y.shape),
                Order::Dtype => x.dtype.cmp(&y.dtype),
                Order::Bytes => x.bytes.cmp(&y.bytes),
            };
            if self.reversed { order.reverse() } else { order }
        };
        // Equal ones stay in the order of their names, whichever way.
        rows.sort_by(compare);
        rows
    }

    /// A click on a heading: that order, or the other way round.
    pub fn click(&mut self, order: Order) {
        // Whoever orders by size looks for the largest.
        let first = order == Order::Bytes;
        self.reversed = if self.order == order { !self.reversed } else { first };
        self.order = order;
    }
}

pub(super) fn shape(tensor: &TensorEntry) -> String {
    if tensor.shape.is_empty() {
        return "scalar".to_owned();
    }
    tensor.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("×")
}

pub(super) fn show(panel: &mut ModelsPanel, ui: &mut Ui, cx: &mut Cx<'_>, tensors: &Arc<Vec<TensorEntry>>) {
    let rows = panel.typed.tensors.rows(tensors);
    ui.horizontal(|ui| {
        let field =
            TextEdit::singleline(&mut panel.typed.tensors.filter).hint_text(crate::ui::widgets::hint("Filter tensors"));
        let _ = ui.add(field.desired_width(280.0)).accessible_name("Filter tensors");
        let words = format!("{} of {} tensors. Click one to see its values.", rows.len(), tensors.len());
        caption(ui, words);
    });
    ui.add_space(space::XS);
    headings(&mut panel.typed.tensors, ui);
    let chosen = panel.clicked.as_ref().map(|clicked| clicked.name.clone());
    let mut clicked = None;
    ui.spacing_mut().item_spacing.y = 0.0;
    ScrollArea::vertical().auto_shrink(false).show_rows(ui, ROW, rows.len(), |ui, range| {
        for row in &rows[range] {
            let tensor = &tensors[*row];
            if line(ui, tensor, chosen.as_deref() == Some(&tensor.name)) {
                clicked = Some(tensor.name.clone());
            }
        }
    });
    if let Some(name) = clicked {
        panel.measure(name, cx);
    }
}

/// Left edges of the columns after the name, and the right edge.
fn edges(rect: Rect) -> [f32; 4] {
    let right = rect.right() - space::M;
    [right - BYTES - DTYPE - SHAPE, right - BYTES - DTYPE, right - BYTES, right]
}

fn headings(view: &mut TensorView, ui: &mut Ui) {
    let theme = ui.theme();
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::hover());
    let [shape, dtype, bytes, right] = edges(rect);
    let columns = [
        (Order::Name, "Name", rect.left(), shape),
        (Order::Shape, "Shape", shape, dtype),
        (Order::Dtype, "Type", dtype, bytes),
        (Order::Bytes, "Bytes", bytes, right),
    ];
    for (order, title, from, to) in columns {
        let place = Rect::from_x_y_ranges(from..=to - space::XS, rect.y_range());
        let response = ui.interact(place, ui.scope_id().with(("heading", title)), Sense::click());
        let on = view.order == order;
        response
            .widget_info(|| WidgetInfo::selected(Role::Button, true, on, format!("Order by {}", title.to_lowercase())));
        let ink = if response.hovered() || on { theme.body() } else { theme.caption() };
        let painter = ui.painter();
        let is_number = order == Order::Bytes;
        let (at, align) = if is_number { (to, Align2::RIGHT_CENTER) } else { (from + space::S, Align2::LEFT_CENTER) };
        let words = painter.text(pos2(at, rect.center().y), align, title, Type::Caption.sans(), ink);
        if on {
            let icon = char::from(if view.reversed { Icon::ArrowDown } else { Icon::ArrowUp });
            let (at, align) = if is_number {
                (words.left() - 4.0, Align2::RIGHT_CENTER)
            } else {
                (words.right() + 4.0, Align2::LEFT_CENTER)
            };
            painter.text(pos2(at, rect.center().y), align, icon, Type::Caption.icon(), ink);
        }
        if response.has_focus() {
            painter.rect_stroke(place, CHIP_RADIUS, Stroke::new(1.5, theme.accent()), egui::StrokeKind::Inside);
        }
        if response.clicked() {
            view.click(order);
        }
    }
    ui.painter().hline(rect.x_range(), rect.bottom(), Stroke::new(1.0, theme.hairline()));
}

/// One row; true when it was clicked.
fn line(ui: &mut Ui, tensor: &TensorEntry, on: bool) -> bool {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::click());
    let words = format!("Tensor {}, {}, {}", printable(&tensor.name), shape(tensor), printable(&tensor.dtype));
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, on, &words));
    if !ui.is_rect_visible(rect) {
        return false;
    }
    let fill = match (on, response.hovered()) {
        (true, _) => Some(theme.accent_soft()),
        (false, true) => Some(theme.hover()),
        (false, false) => None,
    };
    let painter = ui.painter();
    if let Some(fill) = fill {
        painter.rect_filled(rect, CHIP_RADIUS, fill);
    }
    if response.has_focus() {
        painter.rect_stroke(rect, CHIP_RADIUS, Stroke::new(1.5, theme.accent()), egui::StrokeKind::Inside);
    }
    let [shape_at, dtype_at, _, right] = edges(rect);
    let y = rect.center().y;
    let font = Type::Caption.mono();
    let name_place = Rect::from_x_y_ranges(rect.left()..=shape_at, rect.y_range());
    let clipped = painter.with_clip_rect(name_place.intersect(painter.clip_rect()));
    clipped.text(
        pos2(rect.left() + space::S, y),
        Align2::LEFT_CENTER,
        printable(&tensor.name),
        font.clone(),
        theme.body(),
    );
    let left = |at: f32, words: &str| {
        painter.text(pos2(at + space::S, y), Align2::LEFT_CENTER, words, font.clone(), theme.caption());
    };
    left(shape_at, &shape(tensor));
    left(dtype_at, &tensor.dtype);
    let bytes = bytes_in_words(tensor.bytes);
    painter.text(pos2(right, y), Align2::RIGHT_CENTER, bytes, font.clone(), theme.caption());
    response.clicked()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors() -> Vec<TensorEntry> {
        [("a.w", &[8usize, 2][..], 64), ("a.b", &[8], 32), ("c.w", &[2, 2], 16)]
            .map(|(name, shape, bytes)| TensorEntry {
                name: name.into(),
                shape: shape.to_vec(),
                dtype: "F32".into(),
                bytes,
                file: String::new(),
            })
            .to_vec()
    }

    #[test]
    fn rows_are_filtered_and_ordered() {
        let mut view = TensorView::default();
        assert_eq!(view.rows(&tensors()), [0, 1, 2]);
        view.click(Order::Bytes);
        assert_eq!(view.rows(&tensors()), [0, 1, 2], "the largest first");
        view.click(Order::Bytes);
        assert_eq!(view.rows(&tensors()), [2, 1, 0]);
        view.click(Order::Shape);
        assert_eq!(view.rows(&tensors()), [2, 1, 0]);
        view = TensorView { filter: "W 2×".into(), ..TensorView::default() };
        assert_eq!(view.rows(&tensors()), [2]);
    }
}
