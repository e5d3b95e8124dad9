//! A convolutional network as pictures: the feature maps of each convolution, then the neurons after them.

use super::Pick;
use crate::types::{Classification, LayerActivation};
use crate::ui::Themed;
use crate::ui::theme::{Theme, Type, space};
use crate::ui::widgets::significant;
use crate::ui::widgets::unit_picture::{Picture, activity, image, largest, paint, stamp_of};
use egui::{
    Color32, ColorImage, Rect, RichText, Role, ScrollArea, Sense, Stroke, StrokeKind, TextureOptions, Ui, Vec2,
    WidgetInfo, pos2, vec2,
};

/// Narrowest and widest tile of a feature map, in points.
const TILE: std::ops::RangeInclusive<f32> = 30.0..=68.0;
const GAP: f32 = 4.0;
/// Maps in a row: the counts are powers of two, so rows end evenly.
const PER_ROW: usize = 16;

/// The textures of the maps, one a layer.
#[derive(Default)]
pub(super) struct MapGallery {
    layers: Vec<Picture>,
}

impl MapGallery {
    /// Shows every layer of `answer`. A click on a map or neuron changes `picked`.
    pub fn show(&mut self, ui: &mut Ui, answer: &Classification, picked: &mut Option<Pick>) {
        self.layers.resize_with(answer.layers.len().max(self.layers.len()), Picture::default);
        ScrollArea::vertical().id_salt("feature maps").auto_shrink([false, false]).show(ui, |ui| {
            ui.spacing_mut().item_spacing = vec2(GAP, space::XS);
            for (layer, (activation, picture)) in answer.layers.iter().zip(&mut self.layers).enumerate() {
                match activation {
                    LayerActivation::Maps { name, channels, height, width, values } => {
                        let title = format!("{name} · {channels} feature maps of {width} × {height}");
                        heading(ui, &title, largest(values));
                        let shape = [*channels, *height, *width];
                        maps(ui, layer, shape, name, values, picture, picked);
                    }
                    LayerActivation::Units { name, values } => {
                        heading(ui, &format!("{name} · {} neurons", values.len()), largest(values));
                        units(ui, layer, name, values, picked);
                    }
                }
                ui.add_space(space::M);
            }
        });
    }
}

fn heading(ui: &mut Ui, title: &str, strongest: f32) {
    let theme = ui.theme();
    ui.horizontal(|ui| {
        ui.label(RichText::new(title).font(Type::Caption.bold()).color(theme.body()));
        let scale = format!("strongest {}", significant(f64::from(strongest)));
        ui.label(RichText::new(scale).font(Type::Caption.sans()).color(theme.caption()));
    });
}

fn maps(
    ui: &mut Ui,
    layer: usize,
    [channels, height, width]: [usize; 3],
    name: &str,
    values: &std::sync::Arc<[f32]>,
    picture: &mut Picture,
    picked: &mut Option<Pick>,
) {
    let theme = ui.theme();
    if channels * height * width != values.len() || values.is_empty() {
        return;
    }
    // All maps of a layer are one tall texture.
    let most = largest(values);
    let texture = picture.texture(ui.ctx(), stamp_of(values), TextureOptions::NEAREST, || -> ColorImage {
        image(width, values, |v| activity(theme, v / most))
    });
    let side = tile_side(ui.available_width(), channels);
    let strongest: Vec<f32> =
        values.chunks(height * width).map(|map| map.iter().copied().fold(0.0, f32::max)).collect();
    ui.horizontal_wrapped(|ui| {
        ui.set_max_width((PER_ROW as f32 * (side + GAP)).min(ui.available_width()));
        ui.spacing_mut().item_spacing = vec2(GAP, GAP);
        for (index, strongest) in strongest.into_iter().enumerate() {
            let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::click());
            let part = Rect::from_min_max(
                pos2(0.0, index as f32 / channels as f32),
                pos2(1.0, (index + 1) as f32 / channels as f32),
            );
            paint(ui.painter(), texture, rect, Some(part));
            let words = format!("{name} map {index}, strongest {}", significant(f64::from(strongest)));
            pickable(ui, rect, response, Pick { layer, index }, words, picked);
        }
    });
}

fn units(ui: &mut Ui, layer: usize, name: &str, values: &[f32], picked: &mut Option<Pick>) {
    let theme = ui.theme();
    let most = largest(values);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(2.0, 2.0);
        for (index, value) in values.iter().enumerate() {
            let (rect, response) = ui.allocate_exact_size(Vec2::splat(16.0), Sense::click());
            ui.painter().rect_filled(rect, 2.0, activity(theme, value / most));
            let words = format!("{name} neuron {index}: {}", significant(f64::from(*value)));
            pickable(ui, rect, response, Pick { layer, index }, words, picked);
        }
    });
}

fn pickable(ui: &Ui, rect: Rect, response: egui::Response, pick: Pick, words: String, picked: &mut Option<Pick>) {
    let theme = ui.theme();
    let on = *picked == Some(pick);
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, on, &words));
    let stroke = if on {
        Stroke::new(2.0, theme.accent_text())
    } else if response.hovered() || response.has_focus() {
        Stroke::new(2.0, theme.body())
    } else {
        Stroke::new(1.0, theme.hairline())
    };
    ui.painter().rect_stroke(rect, 2.0, stroke, StrokeKind::Outside);
    if response.clicked() {
        *picked = if on { None } else { Some(pick) };
    }
    response.on_hover_text(words).on_hover_cursor(egui::CursorIcon::PointingHand);
}

/// The widest tile with which a layer's maps fill whole rows of sixteen, or as many as there are.
fn tile_side(available: f32, channels: usize) -> f32 {
    let per_row = channels.clamp(1, PER_ROW) as f32;
    ((available - GAP * (per_row - 1.0)) / per_row - 0.5).floor().clamp(*TILE.start(), *TILE.end())
}

/// What 0 and 1 of a map look like, for a legend.
pub(super) fn legend_colour(theme: &Theme) -> impl Fn(f32) -> Color32 + '_ {
    |share| activity(theme, share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_fill_the_row_within_limits() {
        assert_eq!(tile_side(800.0, 16), 45.0);
        assert_eq!(tile_side(100.0, 16), *TILE.start());
        assert_eq!(tile_side(2000.0, 8), *TILE.end());
    }
}
