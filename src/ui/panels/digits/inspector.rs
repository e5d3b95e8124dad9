//! One neuron or feature map in full: its weights as pictures, and how its value comes about.

use super::Pick;
use super::maps::legend_colour;
use crate::types::{Classification, DIGIT_SIDE, LayerActivation, LayerWeights};
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::unit_picture::{Picture, activity, image, largest, paint, signed, stamp_of};
use crate::ui::widgets::{caption, legend, segmented, significant};
use egui::{Align2, Rect, RichText, Role, Sense, Stroke, StrokeKind, TextureOptions, Ui, Vec2, WidgetInfo, pos2, vec2};
use std::sync::Arc;

/// What the picture of a neuron shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum View {
    /// The weights themselves.
    #[default]
    Weights,
    /// Each weight times what comes in through it for this drawing.
    Contributions,
}

/// The inspector's pictures and its choice of view.
#[derive(Default)]
pub(super) struct Inspector {
    view: View,
    weights: Picture,
    map: Picture,
}

/// What the inspector looks at.
pub(super) struct Subject<'a> {
    pub pick: Pick,
    /// All layers, input side first.
    pub weights: &'a Arc<Vec<LayerWeights>>,
    pub answer: Option<&'a Arc<Classification>>,
}

impl Subject<'_> {
    fn layer(&self) -> Option<&LayerWeights> {
        self.weights.get(self.pick.layer)
    }

    /// The weights into the picked neuron or map.
    fn row(&self) -> Option<&[f32]> {
        let layer = self.layer()?;
        let width = layer.shape.iter().skip(1).product::<usize>();
        layer.values.get(self.pick.index * width..(self.pick.index + 1) * width)
    }

    /// What comes into the layer, where it is a plain row of numbers.
    fn incoming(&self) -> Option<Vec<f32>> {
        let answer = self.answer?;
        if self.pick.layer == 0 {
            return Some(answer.input.0.to_vec());
        }
        match answer.layers.get(self.pick.layer - 1)? {
            LayerActivation::Units { values, .. } => Some(values.to_vec()),
            LayerActivation::Maps { .. } => None,
        }
    }

    /// The neuron's value; for an output neuron its probability.
    fn value(&self) -> Option<f32> {
        let answer = self.answer?;
        if self.pick.layer + 1 == self.weights.len() {
            return answer.probabilities.get(self.pick.index).copied();
        }
        match answer.layers.get(self.pick.layer)? {
            LayerActivation::Units { values, .. } => values.get(self.pick.index).copied(),
            LayerActivation::Maps { .. } => None,
        }
    }

    fn is_output(&self) -> bool {
        self.pick.layer + 1 == self.weights.len()
    }
}

impl Inspector {
    /// Shows the subject in the width there is.
    pub fn show(&mut self, ui: &mut Ui, subject: &Subject<'_>) {
        let theme = ui.theme();
        let Some(layer) = subject.layer() else { return };
        let kind = if layer.shape.len() == 4 { "map" } else { "neuron" };
        let title = format!("{} · {kind} {}", layer.name, subject.pick.index);
        ui.label(RichText::new(title).font(Type::Strong.bold()).color(theme.body()));
        if layer.shape.len() == 4 {
            self.feature_map(ui, subject, layer);
        } else {
            self.neuron(ui, subject, layer);
        }
    }

    fn neuron(&mut self, ui: &mut Ui, subject: &Subject<'_>, layer: &LayerWeights) {
        let theme = ui.theme();
        let Some(row) = subject.row() else { return };
        let incoming = subject.incoming().filter(|v| v.len() == row.len());
        let bias = layer.bias.get(subject.pick.index).copied().unwrap_or(0.0);
        ui.scope(|ui| self.sum(ui, subject, row, incoming.as_deref(), bias));
        ui.add_space(space::S);
        if incoming.is_some() {
            let views = [(View::Weights, "Weights"), (View::Contributions, "Weight × input")];
            segmented(ui, &mut self.view, &views);
        }
        let (values, stamp) = match (&incoming, self.view) {
            (Some(incoming), View::Contributions) => {
                let products: Vec<f32> = row.iter().zip(incoming).map(|(w, x)| w * x).collect();
                (products, subject.answer.map_or(0, stamp_of))
            }
            _ => (row.to_vec(), stamp_of(subject.weights)),
        };
        let most = largest(&values);
        if values.len() == DIGIT_SIDE * DIGIT_SIDE {
            let stamp = stamp ^ (subject.pick.index as u64) << 48 ^ (subject.pick.layer as u64) << 56;
            let side = ui.available_width().min(280.0);
            let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
            let texture = self.weights.texture(ui.ctx(), stamp, TextureOptions::NEAREST, || {
                image(DIGIT_SIDE, &values, |v| signed(theme, v / most))
            });
            paint(ui.painter(), texture, rect, None);
            ui.painter().rect_stroke(rect, 0.0, Stroke::new(1.0, theme.hairline()), StrokeKind::Outside);
            response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "Weights of the 784 pixels"));
            pixel_readout(ui, rect, &response, &values);
            scale(ui, most);
            caption(ui, "Each square is one pixel of the input: orange speaks for this neuron, blue against it.");
        } else {
            bars(ui, subject, &values, most);
            scale(ui, most);
        }
    }

    /// The sum that makes the neuron's value, in numbers.
    fn sum(&self, ui: &mut Ui, subject: &Subject<'_>, row: &[f32], incoming: Option<&[f32]>, bias: f32) {
        let theme = ui.theme();
        let line = |ui: &mut Ui, name: &str, value: String| {
            ui.horizontal(|ui| {
                caption(ui, name);
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    ui.label(RichText::new(value).font(Type::Body.mono()).color(theme.body()));
                });
            });
        };
        ui.spacing_mut().item_spacing.y = 2.0;
        // Rows of text, not of controls.
        ui.spacing_mut().interact_size.y = 18.0;
        if let Some(incoming) = incoming {
            let sum: f32 = row.iter().zip(incoming).map(|(w, x)| w * x).sum();
            line(ui, "Σ weight × input", significant(f64::from(sum)));
            line(ui, "+ bias", significant(f64::from(bias)));
            let name = if subject.is_output() { "= logit" } else { "= before ReLU" };
            line(ui, name, significant(f64::from(sum + bias)));
        } else {
            line(ui, "Bias", significant(f64::from(bias)));
        }
        if let Some(value) = subject.value() {
            let name = if subject.is_output() { "after softmax: probability" } else { "after ReLU: activation" };
            line(ui, name, significant(f64::from(value)));
        }
    }

    fn feature_map(&mut self, ui: &mut Ui, subject: &Subject<'_>, layer: &LayerWeights) {
        let theme = ui.theme();
        let map = subject.answer.and_then(|a| match a.layers.get(subject.pick.layer)? {
            LayerActivation::Maps { height, width, values, .. } => {
                let size = height * width;
                let own = values.get(subject.pick.index * size..(subject.pick.index + 1) * size)?;
                Some((own, *width, largest(values), stamp_of(values)))
            }
            LayerActivation::Units { .. } => None,
        });
        if let Some((values, width, most, stamp)) = map {
            caption(ui, "Where the kernel answers, after ReLU");
            let side = ui.available_width().min(280.0);
            let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
            let stamp = stamp ^ (subject.pick.index as u64) << 48 ^ (subject.pick.layer as u64) << 56;
            let texture = self.map.texture(ui.ctx(), stamp, TextureOptions::NEAREST, || {
                image(width, values, |v| activity(theme, v / most))
            });
            paint(ui.painter(), texture, rect, None);
            ui.painter().rect_stroke(rect, 0.0, Stroke::new(1.0, theme.hairline()), StrokeKind::Outside);
            response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "Feature map"));
            pixel_readout(ui, rect, &response, values);
            let marks = [(0.0, "0".to_owned()), (1.0, significant(f64::from(most)))];
            legend(ui, side, legend_colour(theme), &marks);
            ui.add_space(space::S);
        }
        kernels(ui, subject, layer);
    }
}

/// The kernels into a map, one for each map of the layer before.
fn kernels(ui: &mut Ui, subject: &Subject<'_>, layer: &LayerWeights) {
    let theme = ui.theme();
    let (Some(row), [_, inputs, rows, columns]) = (subject.row(), layer.shape.as_slice()) else { return };
    let (inputs, rows, columns) = (*inputs, *rows, *columns);
    let title = if inputs == 1 {
        format!("Its {columns} × {rows} kernel")
    } else {
        format!("Its {inputs} kernels, one for each map of the layer before")
    };
    caption(ui, title);
    let most = largest(row);
    let side = if inputs == 1 { 120.0 } else { 36.0 };
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(space::XS, space::XS);
        for (input, kernel) in row.chunks(rows * columns).enumerate() {
            let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
            let cell = vec2(side / columns as f32, side / rows as f32);
            for (i, weight) in kernel.iter().enumerate() {
                let at = rect.min + vec2((i % columns) as f32 * cell.x, (i / columns) as f32 * cell.y);
                let square = Rect::from_min_size(at, cell);
                ui.painter().rect_filled(square, 0.0, signed(theme, weight / most));
                if inputs == 1 {
                    let number = format!("{weight:.2}");
                    let face = Type::Caption.mono();
                    // On a strong colour the ground reads better than the text colour, in both themes.
                    let ink = if (weight / most).abs() > 0.6 { theme.ground() } else { theme.body() };
                    ui.painter().text(square.center(), Align2::CENTER_CENTER, number, face, ink);
                }
            }
            ui.painter().rect_stroke(rect, 0.0, Stroke::new(1.0, theme.hairline()), StrokeKind::Outside);
            let numbers = kernel.iter().map(|w| format!("{w:.2}")).collect::<Vec<_>>().join(", ");
            let words = format!("Kernel on map {input}: {numbers}");
            response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
            if inputs > 1 {
                response.on_hover_text(words);
            }
        }
    });
    scale(ui, most);
    let bias = layer.bias.get(subject.pick.index).copied().unwrap_or(0.0);
    caption(ui, format!("Bias {}", significant(f64::from(bias))));
}

/// One bar for each input of a neuron, left of the middle for negative, right for positive.
fn bars(ui: &mut Ui, subject: &Subject<'_>, values: &[f32], most: f32) {
    let theme = ui.theme();
    let before = subject.pick.layer.checked_sub(1).and_then(|l| subject.weights.get(l));
    let from = before.map_or("input", |l| l.name.as_str());
    let labelled = values.len() <= 32;
    let height = if labelled { 18.0 } else { 4.0 };
    caption(ui, format!("From each of the {} neurons of {from}", values.len()));
    ui.spacing_mut().item_spacing.y = 1.0;
    for (index, value) in values.iter().enumerate() {
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
        let label_width = if labelled { 24.0 } else { 0.0 };
        let number_width = if labelled { 60.0 } else { 0.0 };
        let (left, right) = (rect.left() + label_width, rect.right() - number_width);
        let middle = (left + right) / 2.0;
        let share = value / most;
        let end = middle + share * (right - left) / 2.0;
        let half = (height / 2.0 - 4.0).max(1.5);
        let y = rect.center().y;
        let bar = Rect::from_min_max(pos2(middle.min(end), y - half), pos2(middle.max(end), y + half));
        let full = if share < 0.0 { -1.0 } else { 1.0 };
        ui.painter().rect_filled(bar, 2.0, signed(theme, full));
        ui.painter().vline(middle, rect.y_range(), Stroke::new(1.0, theme.line()));
        let words = significant(f64::from(*value));
        if labelled {
            let (face, ink) = (Type::Caption.mono(), theme.caption());
            ui.painter().text(pos2(rect.left(), y), Align2::LEFT_CENTER, index.to_string(), face.clone(), ink);
            ui.painter().text(pos2(rect.right(), y), Align2::RIGHT_CENTER, &words, face, theme.body());
        }
        let words = format!("{from} {index}: {words}");
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
        if !labelled {
            response.on_hover_text(words);
        }
    }
    ui.add_space(space::S);
}

fn scale(ui: &mut Ui, most: f32) {
    let theme = ui.theme();
    let number = significant(f64::from(most));
    let marks = [(0.0, format!("-{number}")), (0.5, "0".to_owned()), (1.0, number)];
    let width = ui.available_width().min(280.0);
    legend(ui, width, |share| signed(theme, share * 2.0 - 1.0), &marks);
}

fn pixel_readout(ui: &Ui, rect: Rect, response: &egui::Response, values: &[f32]) {
    let theme = ui.theme();
    let Some(at) = response.hover_pos() else { return };
    let side = (values.len() as f32).sqrt() as usize;
    let place = |offset: f32, size: f32| ((offset / size * side as f32) as usize).min(side.saturating_sub(1));
    let (column, row) = (place(at.x - rect.left(), rect.width()), place(at.y - rect.top(), rect.height()));
    let Some(value) = values.get(row * side + column) else { return };
    let cell = rect.width() / side as f32;
    let square = Rect::from_min_size(rect.min + vec2(column as f32, row as f32) * cell, Vec2::splat(cell));
    ui.painter().rect_stroke(square, 0.0, Stroke::new(1.0, theme.body()), StrokeKind::Inside);
    let words = format!("row {row}, column {column}: {}", significant(f64::from(*value)));
    response.clone().on_hover_text_at_pointer(words);
}
