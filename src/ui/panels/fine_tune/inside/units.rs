//! Of a network that tells classes apart: what its first layer looks for, and what held-out examples were taken for.

use crate::types::{Confusion, DIGIT_SIDE, LayerWeights};
use crate::ui::Themed;
use crate::ui::theme::{Type, mix, space};
use crate::ui::widgets::caption;
use crate::ui::widgets::unit_picture::{Picture, image, largest, paint, signed, stamp_of};
use egui::{Align2, Role, ScrollArea, Sense, Stroke, StrokeKind, TextureOptions, Ui, Vec2, WidgetInfo, vec2};
use std::sync::Arc;

/// Of a picture of a neuron, and of a kernel.
const NEURON: f32 = 56.0;
const KERNEL: f32 = 36.0;
const CELL: Vec2 = vec2(30.0, 18.0);
const NAME: f32 = 60.0;
/// More classes are told in words.
const MOST: usize = 20;

/// Pictures of the first layer.
#[derive(Default)]
pub(super) struct Units {
    pictures: Vec<Picture>,
}

impl Units {
    /// The weights into each neuron or map of the first layer, on one scale.
    pub fn show(&mut self, ui: &mut Ui, weights: &Arc<Vec<LayerWeights>>) {
        let theme = ui.theme();
        let Some(first) = weights.first() else { return };
        let width = first.shape.iter().skip(1).product::<usize>().max(1);
        let columns = first.shape.last().copied().filter(|_| first.shape.len() == 4).unwrap_or(DIGIT_SIDE);
        if width % columns != 0 {
            return;
        }
        let side = if first.shape.len() == 4 { KERNEL } else { NEURON };
        let most = largest(&first.values);
        self.pictures.resize_with(first.values.len() / width, Picture::default);
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = Vec2::splat(space::XS);
            for (place, (values, picture)) in first.values.chunks_exact(width).zip(&mut self.pictures).enumerate() {
                let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
                let stamp = stamp_of(weights) ^ (place as u64) << 48;
                let texture = picture.texture(ui.ctx(), stamp, TextureOptions::NEAREST, || {
                    image(columns, values, |v| signed(theme, v / most))
                });
                paint(ui.painter(), texture, rect, None);
                ui.painter().rect_stroke(rect, 0.0, Stroke::new(1.0, theme.hairline()), StrokeKind::Outside);
                let words = format!("Weights of {} {place}", first.name);
                response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
            }
        });
        caption(ui, "Orange speaks for a unit, blue against it; all on one scale.");
    }
}

/// Rows are what examples are, columns what they were taken for.
pub(super) fn confusion(ui: &mut Ui, confusion: &Confusion) {
    let theme = ui.theme();
    let Confusion { labels, counts } = confusion;
    let right: usize = (0..labels.len()).map(|class| counts[class][class]).sum();
    let all: usize = counts.iter().flatten().sum();
    if all == 0 {
        caption(ui, "Nothing was held out.");
        return;
    }
    if labels.len() > MOST {
        caption(ui, format!("{right} of {all} right; {} classes are too many for a table.", labels.len()));
        return;
    }
    caption(ui, format!("{right} of {all} right. Rows: what it is. Columns: what it was taken for."));
    let most = counts.iter().flatten().copied().max().unwrap_or(0).max(1);
    let size = vec2(NAME + labels.len() as f32 * CELL.x, (labels.len() + 1) as f32 * CELL.y);
    ScrollArea::horizontal().id_salt("taken for").show(ui, |ui| {
        let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
        let painter = ui.painter();
        let cell = |row: usize, column: usize| {
            let at = rect.min + vec2(NAME + column as f32 * CELL.x, (row + 1) as f32 * CELL.y);
            egui::Rect::from_min_size(at, CELL).shrink(0.5)
        };
        let name = |label: &str| label.chars().take(7).collect::<String>();
        for (class, label) in labels.iter().enumerate() {
            let above = cell(0, class).center() - vec2(0.0, CELL.y);
            let beside = egui::pos2(rect.left(), cell(class, 0).center().y);
            let short: String = label.chars().take(4).collect();
            painter.text(above, Align2::CENTER_CENTER, short, Type::Caption.mono(), theme.caption());
            painter.text(beside, Align2::LEFT_CENTER, name(label), Type::Caption.mono(), theme.caption());
        }
        let mut pointed = None;
        for (class, row) in counts.iter().enumerate() {
            for (said, count) in row.iter().enumerate() {
                let rect = cell(class, said);
                let hue = theme.category(if class == said { 2 } else { 1 });
                let share = (*count as f32 / most as f32).sqrt() * 0.6;
                let fill = if *count == 0 { theme.surface() } else { mix(theme.surface(), hue, share) };
                painter.rect_filled(rect, 2.0, fill);
                if *count > 0 {
                    let at = rect.center();
                    painter.text(at, Align2::CENTER_CENTER, count.to_string(), Type::Caption.mono(), theme.body());
                }
                if response.hover_pos().is_some_and(|pointer| rect.contains(pointer)) {
                    pointed = Some(format!("{} taken for {}: {count}", labels[class], labels[said]));
                }
            }
        }
        let words = format!("What held-out examples were taken for: {right} of {all} right");
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
        if let Some(words) = pointed {
            response.on_hover_text_at_pointer(words);
        }
    });
}
