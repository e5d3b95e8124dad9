//! A map of layers and columns in signed colours.

use crate::chart::{LayerMapCell, LayerMapFigure, visible};
use crate::types::diverging;
use crate::ui::Themed;
use crate::ui::theme::{Theme, Type, rgb, space};
use crate::ui::widgets::{caption, legend, one_line};
use egui::epaint::TextShape;
use egui::{Align2, Color32, Rect, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};
use std::f32::consts::FRAC_PI_2;

/// Room for the names of layers.
const NAMES: f32 = 56.0;
/// Least and largest width and height of a cell.
const WIDTH: [f32; 2] = [12.0, 36.0];
const HEIGHT: [f32; 2] = [13.0, 26.0];
/// Height of names above that lie flat, and the most of those that stand.
const FLAT: f32 = 18.0;
const STANDING: f32 = 120.0;
/// Height from which each row is called a layer, and not only numbered.
const NAMED: f32 = 16.0;
const LEGEND: f32 = 52.0;
/// Room for the scale of colours and its unit.
const LEAST_WIDTH: f32 = 480.0;

/// The map, and what is said of its cells.
pub(super) struct Grid<'a> {
    pub figure: &'a LayerMapFigure,
    /// The words of a cell.
    pub words: &'a dyn Fn(usize, usize) -> String,
    /// True where the last column is of something else than the others.
    pub parts_last: bool,
}

impl Grid<'_> {
    /// What it takes at most, with what stands below it.
    pub fn most_width(&self) -> f32 {
        (NAMES + WIDTH[1] * self.figure.columns.len() as f32 + space::S).max(LEAST_WIDTH)
    }

    /// Shows it in so much height, if that is possible; gives the layer and column that were clicked.
    pub fn show(&self, ui: &mut Ui, chosen: Option<(usize, usize)>, height: f32) -> Option<(usize, usize)> {
        let (layers, columns) = (self.figure.layers.len(), self.figure.columns.len().max(1));
        let gap = if self.parts_last { space::S } else { 0.0 };
        let width = ((ui.available_width() - NAMES - gap) / columns as f32).clamp(WIDTH[0], WIDTH[1]).floor();
        let longest = self.figure.columns.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let is_flat = longest as f32 * 7.0 + 4.0 <= width.max(24.0);
        let head = if is_flat { FLAT } else { (longest as f32 * 7.5 + 8.0).min(STANDING) };
        let row = ((height - head - LEGEND) / layers.max(1) as f32).clamp(HEIGHT[0], HEIGHT[1]).floor();
        let size = vec2(NAMES + width * columns as f32 + gap, head + row * layers as f32);
        let (area, _) = ui.allocate_exact_size(size, Sense::hover());
        let left = |column: usize| {
            let behind = if self.parts_last && column + 1 == columns { gap } else { 0.0 };
            area.left() + NAMES + width * column as f32 + behind
        };
        self.columns(ui, area.top() + head, is_flat, width, &left);
        let mut clicked = None;
        for (layer, cells) in self.figure.layers.iter().enumerate() {
            let top = area.top() + head + row * layer as f32;
            let name = if row < NAMED { layer.to_string() } else { format!("layer {layer}") };
            let at = pos2(area.left() + NAMES - space::S, top + row / 2.0);
            ui.painter().text(at, Align2::RIGHT_CENTER, name, Type::Caption.sans(), ui.theme().caption());
            for (column, cell) in cells.iter().enumerate() {
                let rect = Rect::from_min_size(pos2(left(column), top), vec2(width, row)).shrink(0.5);
                if self.cell(ui, rect, (layer, column), cell, chosen) {
                    clicked = Some((layer, column));
                }
            }
        }
        self.legend(ui);
        clicked
    }

    /// The names of the columns: flat where they fit, else standing on their columns.
    fn columns(&self, ui: &Ui, bottom: f32, is_flat: bool, width: f32, left: &dyn Fn(usize) -> f32) {
        let (theme, painter) = (ui.theme(), ui.painter());
        let every = if is_flat { 1 } else { (10.0 / width).ceil() as usize };
        // Numbers are left out where they would touch.
        let every = if is_flat && width < 20.0 { (20.0 / width).ceil() as usize } else { every };
        let last = self.figure.columns.len().saturating_sub(1);
        for (column, name) in self.figure.columns.iter().enumerate() {
            if column % every != 0 && !(self.parts_last && column == last) {
                continue;
            }
            let middle = left(column) + width / 2.0;
            if is_flat {
                let at = pos2(middle, bottom - FLAT / 2.0);
                painter.text(at, Align2::CENTER_CENTER, name, Type::Caption.sans(), theme.caption());
            } else {
                let galley =
                    one_line(painter, &visible(name), Type::Caption.mono(), theme.caption(), STANDING - space::S);
                let at = pos2(middle - galley.size().y / 2.0, bottom - space::XS);
                painter.add(TextShape::new(at, galley, theme.caption()).with_angle(-FRAC_PI_2));
            }
        }
    }

    fn cell(
        &self,
        ui: &Ui,
        rect: Rect,
        place: (usize, usize),
        cell: &LayerMapCell,
        chosen: Option<(usize, usize)>,
    ) -> bool {
        let theme = ui.theme();
        let response = ui.interact(rect, ui.scope_id().with(("cell", place)), Sense::click());
        let is_chosen = chosen == Some(place);
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_chosen, (self.words)(place.0, place.1)));
        let painter = ui.painter();
        match cell.value {
            Some(value) if !cell.is_idle => {
                let share = if value.is_finite() { value / self.figure.most } else { 0.0 };
                painter.rect_filled(rect, 1, colour(theme, share));
                painter.rect_stroke(rect, 1, Stroke::new(1.0, theme.grid()), StrokeKind::Inside);
            }
            Some(_) => drop(painter.circle_filled(rect.center(), 1.0, theme.line())),
            None => {
                painter.rect_filled(rect, 1, theme.surface());
            }
        }
        if cell.is_estimated && cell.value.is_some() {
            painter.circle_filled(rect.left_top() + vec2(3.0, 3.0), 1.2, theme.caption());
        }
        if is_chosen || response.hovered() || response.has_focus() {
            painter.rect_stroke(rect, 1, Stroke::new(1.5, theme.accent()), StrokeKind::Outside);
        }
        response.on_hover_ui(|ui| drop(caption(ui, (self.words)(place.0, place.1)))).clicked()
    }

    fn legend(&self, ui: &mut Ui) {
        ui.add_space(space::XS);
        ui.horizontal(|ui| {
            ui.add_space(NAMES - ui.spacing().item_spacing.x);
            let theme = ui.theme();
            let marks = [-1.0, 0.0, 1.0f64].map(|share| (0.5 + share as f32 / 2.0, self.figure.mark(share)));
            legend(ui, 220.0, |place| colour(theme, f64::from(2.0 * place - 1.0)), &marks);
            caption(ui, self.figure.unit.as_str());
        });
    }
}

/// The colour of a share of the scale, from −1 to 1: nothing looks like the ground.
fn colour(theme: &Theme, share: f64) -> Color32 {
    let ground = theme.ground();
    rgb(diverging(share as f32, [ground.r(), ground.g(), ground.b()]))
}
