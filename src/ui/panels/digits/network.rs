//! A multilayer perceptron as a diagram: every neuron with its activation, every connection with what it carries.

use super::Pick;
use super::probabilities::most_likely;
use crate::types::{Classification, LayerActivation, LayerWeights};
use crate::ui::Themed;
use crate::ui::theme::{Theme, Type, mix, space};
use crate::ui::widgets::unit_picture::{activity, largest, paint, signed};
use crate::ui::widgets::{caption, legend, significant};
use egui::{Align2, Painter, Pos2, Rect, Role, Sense, Stroke, TextureId, Ui, Vec2, WidgetInfo, pos2};

/// Contributions below this share of the layer's largest are not drawn.
const FAINTEST: f32 = 0.03;

/// What the diagram shows: the layers from the first weights to the output.
pub(super) struct Network<'a> {
    /// Weights of each layer, input side first.
    pub weights: &'a [LayerWeights],
    /// The network's answer, if it has read anything.
    pub answer: Option<&'a Classification>,
    /// The picture it reads.
    pub input: Option<TextureId>,
}

/// What the colours of the diagram stand for, with numbers.
pub(super) fn legends(ui: &mut Ui) {
    let theme = ui.theme();
    ui.columns_const(|[left, right]| {
        let share = "As a share of the largest in its layer.";
        let carried = "Weight × activation: what a connection adds to the neuron it ends at, as a share of the largest in its \
                       layer. Orange raises, blue lowers.";
        for (ui, name, help, with_sign, lowest) in
            [(left, "activation", share, false, "0"), (right, "contribution", carried, true, "-1")]
        {
            ui.spacing_mut().item_spacing.y = 2.0;
            caption(ui, name).on_hover_text(help);
            let colour = |share: f32| if with_sign { signed(theme, share * 2.0 - 1.0) } else { activity(theme, share) };
            let width = ui.available_width();
            legend(ui, width, colour, &[(0.0, lowest.to_owned()), (1.0, "1".to_owned())]);
        }
    });
}

/// One column of neurons.
struct Column {
    name: String,
    values: Vec<f32>,
    /// What `1` on the activity scale stands for.
    scale: f32,
    places: Vec<Pos2>,
    radius: f32,
}

impl Network<'_> {
    /// Draws the diagram into all the room there is. A click on a neuron changes `picked`.
    pub fn show(&self, ui: &mut Ui, picked: &mut Option<Pick>) {
        let theme = ui.theme();
        let size = Vec2::new(ui.available_width(), ui.available_height().max(160.0));
        let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
        let (input, columns) = self.layout(rect);
        let hovered = self.neurons_under_pointer(ui, &columns, picked);
        let focus = hovered.or(*picked);
        let painter = ui.painter_at(rect);
        self.input_lines(&painter, theme, input, &columns, focus);
        self.connections(&painter, theme, &columns, focus);
        self.input_picture(&painter, theme, input);
        self.neurons(&painter, theme, &columns, *picked, hovered);
        self.headings(&painter, theme, rect, input, &columns);
    }

    fn layout(&self, rect: Rect) -> (Rect, Vec<Column>) {
        let head = 22.0;
        let body = Rect::from_min_max(rect.min + Vec2::new(0.0, head), rect.max - Vec2::new(0.0, space::XS));
        let picture = (body.height() * 0.5).min(rect.width() * 0.2).clamp(64.0, 168.0);
        let left =
            Rect::from_center_size(pos2(rect.left() + picture / 2.0 + 1.0, body.center().y), Vec2::splat(picture));
        // Room at the right for the output's digit and percentage.
        let (first_x, last_x) = (left.right() + picture * 0.75, rect.right() - 84.0);
        let count = self.weights.len();
        let columns = self
            .weights
            .iter()
            .enumerate()
            .map(|(layer, weights)| {
                let units = weights.bias.len();
                let share = if count > 1 { layer as f32 / (count - 1) as f32 } else { 1.0 };
                let x = first_x + (last_x - first_x) * share;
                let step = (body.height() / units.max(1) as f32).min(34.0);
                let top = body.center().y - step * (units as f32 - 1.0) / 2.0;
                let places = (0..units).map(|i| pos2(x, top + step * i as f32)).collect();
                let values = self.values(layer);
                let is_output = layer + 1 == count;
                let scale = if is_output { 1.0 } else { largest(&values) };
                Column { name: weights.name.clone(), values, scale, places, radius: (step * 0.4).clamp(2.5, 11.0) }
            })
            .collect();
        (left, columns)
    }

    /// Activations of a layer; the output's are its probabilities. Zeros while nothing has been read.
    fn values(&self, layer: usize) -> Vec<f32> {
        let units = self.weights[layer].bias.len();
        let Some(answer) = self.answer else { return vec![0.0; units] };
        if layer + 1 == self.weights.len() {
            return answer.probabilities.clone();
        }
        let found = answer.layers.iter().find_map(|l| match l {
            LayerActivation::Units { name, values } if *name == self.weights[layer].name => Some(values.to_vec()),
            _ => None,
        });
        found.filter(|v| v.len() == units).unwrap_or_else(|| vec![0.0; units])
    }

    /// What each neuron of a layer receives from each of the layer before: weight × activation, `[outputs, inputs]`. The
    /// weights alone while nothing has been read.
    fn carried(&self, layer: usize, before: &[f32]) -> Vec<f32> {
        let weights = &self.weights[layer].values;
        if self.answer.is_none() {
            return weights.to_vec();
        }
        weights.chunks(before.len().max(1)).flat_map(|row| row.iter().zip(before).map(|(w, a)| w * a)).collect()
    }

    fn neurons_under_pointer(&self, ui: &Ui, columns: &[Column], picked: &mut Option<Pick>) -> Option<Pick> {
        let theme = ui.theme();
        let mut hovered = None;
        for (layer, column) in columns.iter().enumerate() {
            for (index, place) in column.places.iter().enumerate() {
                let pick = Pick { layer, index };
                let area = Rect::from_center_size(*place, Vec2::splat(column.radius * 2.0 + 2.0));
                let response = ui.interact(area, ui.scope_id().with(("neuron", layer, index)), Sense::click());
                let value = column.values.get(index).copied().unwrap_or(0.0);
                let words = format!("{} neuron {index}: {}", column.name, significant(f64::from(value)));
                response.widget_info(|| WidgetInfo::selected(Role::Button, true, *picked == Some(pick), &words));
                if response.clicked() {
                    *picked = if *picked == Some(pick) { None } else { Some(pick) };
                }
                if response.hovered() || response.has_focus() {
                    hovered = Some(pick);
                }
                if response.hovered() {
                    ui.ctx().set_cursor_icon(egui::CursorIcon::PointingHand);
                }
                response.on_hover_ui_at_pointer(|ui| {
                    ui.label(egui::RichText::new(&words).font(Type::Body.sans()).color(theme.body()));
                    let hint = "Click to see its weights";
                    ui.label(egui::RichText::new(hint).font(Type::Caption.sans()).color(theme.caption()));
                });
            }
        }
        hovered
    }

    /// One line from the picture to each neuron of the first layer: the sum over all pixels.
    fn input_lines(&self, painter: &Painter, theme: &Theme, input: Rect, columns: &[Column], focus: Option<Pick>) {
        let (Some(first), Some(weights)) = (columns.first(), self.weights.first()) else { return };
        let image = self.answer.map(|a| &a.input.0);
        let sums: Vec<f32> = match image {
            Some(image) => weights
                .values
                .chunks(image.len().max(1))
                .map(|row| row.iter().zip(image.iter()).map(|(w, x)| w * x).sum())
                .collect(),
            None => vec![0.0; first.places.len()],
        };
        let most = largest(&sums);
        for (index, (place, sum)) in first.places.iter().zip(&sums).enumerate() {
            let focused = focus.is_none_or(|p| p.layer != 0 || p.index == index);
            let share = sum / most * if focused { 1.0 } else { 0.15 };
            let colour = if image.is_some() { signed(theme, share) } else { theme.grid() };
            let from = pos2(input.right(), input.center().y + (place.y - input.center().y) * 0.35);
            painter.line_segment([from, *place], Stroke::new(1.0 + share.abs(), colour));
        }
    }

    fn connections(&self, painter: &Painter, theme: &Theme, columns: &[Column], focus: Option<Pick>) {
        for (layer, pair) in columns.windows(2).enumerate().map(|(i, pair)| (i + 1, pair)) {
            let (before, after) = (&pair[0], &pair[1]);
            let carried = self.carried(layer, &before.values);
            let most = largest(&carried);
            // Without an answer the weights alone are shown, and quietly.
            let strength = if self.answer.is_some() { 1.0 } else { 0.35 };
            for (to, row) in carried.chunks(before.places.len().max(1)).enumerate() {
                for (from, value) in row.iter().enumerate() {
                    let touches = focus.is_none_or(|p| {
                        (p.layer == layer && p.index == to) || (p.layer + 1 == layer && p.index == from)
                    });
                    let share = value / most * strength * if touches { 1.0 } else { 0.12 };
                    if share.abs() < FAINTEST {
                        continue;
                    }
                    let (Some(a), Some(b)) = (before.places.get(from), after.places.get(to)) else { continue };
                    painter.line_segment([*a, *b], Stroke::new(0.6 + 1.8 * share.abs(), signed(theme, share)));
                }
            }
        }
    }

    fn input_picture(&self, painter: &Painter, theme: &Theme, input: Rect) {
        painter.rect_filled(input, 0.0, theme.ground());
        if let Some(texture) = self.input {
            paint(painter, texture, input, None);
        }
        painter.rect_stroke(input, 0.0, Stroke::new(1.0, theme.line()), egui::StrokeKind::Outside);
    }

    fn neurons(
        &self,
        painter: &Painter,
        theme: &Theme,
        columns: &[Column],
        picked: Option<Pick>,
        hovered: Option<Pick>,
    ) {
        let best = self.answer.and_then(|a| most_likely(&a.probabilities));
        for (layer, column) in columns.iter().enumerate() {
            let is_output = layer + 1 == columns.len();
            for (index, place) in column.places.iter().enumerate() {
                let value = column.values.get(index).copied().unwrap_or(0.0);
                let pick = Some(Pick { layer, index });
                let edge = if picked == pick {
                    Stroke::new(2.5, theme.accent_text())
                } else if hovered == pick {
                    Stroke::new(2.0, theme.body())
                } else {
                    Stroke::new(1.0, theme.line())
                };
                painter.circle(*place, column.radius, activity(theme, value / column.scale), edge);
                if is_output {
                    let on = best == Some(index);
                    let (face, ink) = if on {
                        (Type::Strong.bold(), theme.accent_text())
                    } else {
                        (Type::Body.sans(), theme.caption())
                    };
                    let at = pos2(place.x + column.radius + 8.0, place.y);
                    painter.text(at, Align2::LEFT_CENTER, index.to_string(), face, ink);
                    if self.answer.is_some() && value >= 0.005 {
                        let percent = format!("{:.0} %", value * 100.0);
                        let ink = if on { theme.accent_text() } else { mix(theme.caption(), theme.ground(), 0.15) };
                        painter.text(
                            at + Vec2::new(18.0, 0.0),
                            Align2::LEFT_CENTER,
                            percent,
                            Type::Caption.mono(),
                            ink,
                        );
                    }
                }
            }
        }
    }

    fn headings(&self, painter: &Painter, theme: &Theme, rect: Rect, input: Rect, columns: &[Column]) {
        let face = Type::Caption.sans();
        let heading = |x: f32, text: String| {
            painter.text(pos2(x, rect.top()), Align2::CENTER_TOP, text, face.clone(), theme.caption());
        };
        // Left-aligned: a small picture is narrower than its name.
        painter.text(pos2(input.left(), rect.top()), Align2::LEFT_TOP, "784 pixels", face.clone(), theme.caption());
        for (i, column) in columns.iter().enumerate() {
            let Some(place) = column.places.first() else { continue };
            let what = if i + 1 == columns.len() { "output" } else { "hidden" };
            let units = column.places.len();
            heading(place.x.min(rect.right() - 64.0), format!("{} · {units} {what}", column.name));
        }
    }
}
