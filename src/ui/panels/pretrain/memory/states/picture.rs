//! Units of every layer as rows, tokens as columns, as textures that a thread makes once for each answer and part.

use super::super::labels::Labels;
use crate::types::{ColorMap, StatePart, StatesReport, UserError};
use crate::ui::Themed;
use crate::ui::reader::Reader;
use crate::ui::theme::{Theme, Type, rgb, space};
use crate::ui::widgets::unit_picture::signed;
use crate::ui::widgets::{significant, visible_text};
use egui::{
    Align2, Color32, ColorImage, Rect, Response, RichText, Role, ScrollArea, Sense, Stroke, StrokeKind, TextureFilter,
    TextureHandle, TextureOptions, Ui, WidgetInfo, pos2, vec2,
};
use std::sync::{Arc, Weak};

/// Room for the names of layers at the left.
const AXIS: f32 = 60.0;
/// Widths that a token takes.
const STEPS: std::ops::RangeInclusive<f32> = 8.0..=48.0;
/// Height that a unit takes at most.
const TALLEST: f32 = 12.0;
const GAP: f32 = 10.0;
/// Values that are painted at once; of more, a thread makes the picture.
const FEW: usize = 30_000;
/// Pixels on a side of a texture at most: of more units or tokens, the value farthest from nothing shows.
const SIDE: usize = 2048;

/// How values are coloured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    /// From −`most` to `most`, else from 0 to 1.
    pub is_signed: bool,
    pub most: f32,
}

impl Scale {
    pub fn colour(self, theme: &Theme, value: f32) -> Color32 {
        if self.is_signed { signed(theme, value / self.most) } else { rgb(ColorMap::Viridis.at(value)) }
    }
}

/// What a picture is of.
struct Key {
    report: Weak<StatesReport>,
    part: StatePart,
    is_dark: bool,
}

impl Key {
    fn is_of(&self, report: &Arc<StatesReport>, part: StatePart, theme: &Theme) -> bool {
        std::ptr::eq(self.report.as_ptr(), Arc::as_ptr(report)) && self.part == part && self.is_dark == theme.is_dark()
    }
}

/// The textures, one a layer.
#[derive(Default)]
pub(super) struct StatesPicture {
    layers: Vec<TextureHandle>,
    key: Option<Key>,
    making: Reader<Made>,
    /// The scale of what is painted.
    scale: Option<Scale>,
}

/// A picture of each layer, and its scale.
type Made = (Scale, Vec<ColorImage>);

/// The values of a part in each layer, and the units there.
fn values(report: &StatesReport, part: StatePart) -> impl Iterator<Item = (usize, &[f32])> {
    report.layers.iter().map(move |layer| {
        let own = layer.parts.iter().find(|(of, _)| *of == part);
        (layer.units, own.map_or(&[][..], |(_, values)| values.as_slice()))
    })
}

/// Gates lie in 0..1, what is new and what is handed on in −1..1; a cell may hold more.
fn scale_of(report: &StatesReport, part: StatePart) -> Scale {
    match part {
        StatePart::InputGate | StatePart::ForgetGate | StatePart::OutputGate => Scale { is_signed: false, most: 1.0 },
        StatePart::Candidate | StatePart::Hidden => Scale { is_signed: true, most: 1.0 },
        StatePart::Cell => {
            let all = values(report, StatePart::Cell).flat_map(|(_, values)| values.iter());
            let most = all.filter(|value| value.is_finite()).fold(1.0, |most: f32, value| most.max(value.abs()));
            Scale { is_signed: true, most }
        }
    }
}

impl StatesPicture {
    /// The scale of what is painted, once something is.
    pub fn scale(&self) -> Option<Scale> {
        self.scale
    }

    /// What [`Self::make`] made.
    pub fn show(&self, ui: &mut Ui, model: &str, report: &Arc<StatesReport>, part: StatePart) {
        let theme = ui.theme();
        let units: usize = report.layers.iter().map(|layer| layer.units).sum();
        let room = ui.available_width() - AXIS;
        let step = (room / report.tokens.len().max(1) as f32).clamp(*STEPS.start(), *STEPS.end());
        let labels = Labels::new(&report.tokens, step);
        let below = labels.height();
        let gaps = GAP * report.layers.len().saturating_sub(1) as f32;
        let bar = 12.0;
        let tall = ((ui.available_height() - below - gaps - bar).max(80.0) / units.max(1) as f32).min(TALLEST);
        let size = vec2(step * report.tokens.len() as f32, tall * units as f32 + gaps + below);
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            let (axis, _) = ui.allocate_exact_size(vec2(AXIS, size.y), Sense::hover());
            let mut top = axis.top();
            for (number, layer) in report.layers.iter().enumerate() {
                let height = tall * layer.units as f32;
                let at = pos2(axis.right() - space::S, top);
                ui.painter().text(
                    at,
                    Align2::RIGHT_TOP,
                    format!("layer {number}"),
                    Type::Caption.sans(),
                    theme.caption(),
                );
                let words = format!("{} units", layer.units);
                let at = at + vec2(0.0, 15.0);
                if height >= 30.0 {
                    ui.painter().text(at, Align2::RIGHT_TOP, words, Type::Caption.sans(), theme.caption());
                }
                top += height + GAP;
            }
            ScrollArea::horizontal().id_salt("states").max_width(room).show(ui, |ui| {
                let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
                let words = format!(
                    "{} of {model}: {} layers, {} tokens",
                    super::words(part).0,
                    report.layers.len(),
                    report.tokens.len()
                );
                response.widget_info(|| WidgetInfo::labeled(Role::Image, true, words.clone()));
                let painter = ui.painter_at(rect.expand(1.0));
                let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
                let mut places = Vec::with_capacity(report.layers.len());
                let mut top = rect.top();
                for layer in &report.layers {
                    let height = tall * layer.units as f32;
                    places.push(Rect::from_min_size(pos2(rect.left(), top), vec2(rect.width(), height)));
                    top += height + GAP;
                }
                for (texture, place) in self.layers.iter().zip(&places) {
                    painter.image(texture.id(), *place, whole, Color32::WHITE);
                }
                for place in &places {
                    painter.rect_stroke(*place, 0, Stroke::new(1.0, theme.hairline()), StrokeKind::Outside);
                }
                let band = Rect::from_min_max(pos2(rect.left(), rect.bottom() - below), rect.max);
                labels.paint(&painter, theme, band, |_| None);
                hover(&response, (report, part), &places, [step, tall]);
            });
        });
    }

    /// Makes the textures anew where they are of something else; until a thread has, what was there before stays.
    pub fn make(&mut self, ui: &Ui, report: &Arc<StatesReport>, part: StatePart) {
        let theme = ui.theme();
        if self.key.as_ref().is_some_and(|key| key.is_of(report, part, theme)) {
            if let Some(Ok(made)) = self.making.poll() {
                self.take(ui, made);
            }
            return;
        }
        self.key = Some(Key { report: Arc::downgrade(report), part, is_dark: theme.is_dark() });
        let count: usize = values(report, part).map(|(_, values)| values.len()).sum();
        if count <= FEW {
            self.making.stop();
            self.take(ui, images(report, part, theme));
            return;
        }
        let (shared, ctx) = (Arc::clone(report), ui.ctx().clone());
        let work = move |_: &dyn Fn() -> bool| Ok::<_, UserError>(images(&shared, part, theme));
        if self.making.start(work, move || ctx.request_repaint()).is_err() {
            // Without a thread it takes a frame longer.
            self.take(ui, images(report, part, theme));
        }
    }

    fn take(&mut self, ui: &Ui, (scale, images): Made) {
        let options = TextureOptions { magnification: TextureFilter::Nearest, ..TextureOptions::LINEAR };
        self.scale = Some(scale);
        self.layers.truncate(images.len());
        for (place, image) in images.into_iter().enumerate() {
            match self.layers.get_mut(place) {
                Some(texture) => texture.set(image, options),
                None => self.layers.push(ui.ctx().load_texture("states", image, options)),
            }
        }
    }
}

/// A picture of each layer: a row a unit, a column a token.
fn images(report: &StatesReport, part: StatePart, theme: &Theme) -> Made {
    let scale = scale_of(report, part);
    // Colours are looked up: mixing one for each value takes longer than all else.
    const TABLE: usize = 512;
    let ends = if scale.is_signed { [-scale.most, scale.most] } else { [0.0, 1.0] };
    let span = ends[1] - ends[0];
    let value_at = |at: usize| ends[0] + span * at as f32 / (TABLE - 1) as f32;
    let table: Vec<Color32> = (0..TABLE).map(|at| scale.colour(theme, value_at(at))).collect();
    let colour = |value: f32| {
        let place = ((value - ends[0]) / span).clamp(0.0, 1.0) * (TABLE - 1) as f32;
        if place.is_nan() { theme.danger() } else { table[place.round() as usize] }
    };
    let tokens = report.tokens.len();
    let layers = values(report, part)
        .map(|(units, values)| {
            let (wide, high) = (tokens.div_ceil(SIDE).max(1), units.div_ceil(SIDE).max(1));
            let [columns, rows] = [tokens.div_ceil(wide), units.div_ceil(high)];
            let mut farthest = vec![0.0f32; columns * rows];
            for (token, row) in values.chunks_exact(units.max(1)).enumerate() {
                for (unit, value) in row.iter().enumerate() {
                    let cell = &mut farthest[unit / high * columns + token / wide];
                    if value.abs() > cell.abs() || value.is_nan() {
                        *cell = *value;
                    }
                }
            }
            ColorImage::new([columns, rows], farthest.into_iter().map(colour).collect())
        })
        .collect();
    (scale, layers)
}

/// Says token, unit and value under the pointer.
fn hover(response: &Response, (report, part): (&StatesReport, StatePart), places: &[Rect], [step, tall]: [f32; 2]) {
    let Some(at) = response.hover_pos() else { return };
    let Some((number, place)) = places.iter().enumerate().find(|(_, place)| place.contains(at)) else { return };
    let token = ((at.x - place.left()) / step) as usize;
    let unit = ((at.y - place.top()) / tall) as usize;
    let Some((units, values)) = values(report, part).nth(number) else { return };
    let (Some(value), Some(text)) = (values.get(token * units + unit), report.tokens.get(token)) else { return };
    response.clone().on_hover_ui_at_pointer(|ui| {
        let theme = ui.theme();
        let words = format!("{} · token {}", visible_text(&text.text), token + 1);
        ui.label(RichText::new(words).font(Type::Caption.bold()).color(theme.body()));
        let words = format!("layer {number} · unit {unit} · {} {}", part.letter(), significant(f64::from(*value)));
        ui.label(RichText::new(words).font(Type::Caption.mono()).color(theme.body()));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{LayerStates, PromptToken};

    fn report(tokens: usize, units: usize, value: impl Fn(usize, usize) -> f32) -> StatesReport {
        let token = |place: usize| PromptToken { id: place as u32, text: "a".to_owned(), span: place..place + 1 };
        let values = (0..tokens).flat_map(|t| (0..units).map(move |u| (t, u))).map(|(t, u)| value(t, u)).collect();
        let layer = LayerStates { units, parts: vec![(StatePart::Hidden, values)] };
        StatesReport { tokens: (0..tokens).map(token).collect(), layers: vec![layer] }
    }

    #[test]
    fn rows_are_units_and_columns_are_tokens() {
        let theme = Theme::dark();
        let scale = Scale { is_signed: true, most: 1.0 };
        let of = report(3, 2, |token, unit| if (token, unit) == (2, 1) { 1.0 } else { 0.0 });
        let image = images(&of, StatePart::Hidden, theme).1.remove(0);
        assert_eq!(image.size, [3, 2]);
        let bright: Vec<usize> = (0..6).filter(|at| image.pixels[*at] != image.pixels[0]).collect();
        assert_eq!(bright, [5]);
        assert_eq!(image.pixels[5], scale.colour(theme, 1.0));
    }

    #[test]
    fn no_spike_is_lost_where_there_are_more_units_than_pixels() {
        let theme = Theme::light();
        let scale = Scale { is_signed: true, most: 1.0 };
        let of = report(2, SIDE * 2, |token, unit| if (token, unit) == (1, 4001) { -1.0 } else { 0.1 });
        let image = images(&of, StatePart::Hidden, theme).1.remove(0);
        assert_eq!(image.size, [2, SIDE]);
        assert_eq!(image.pixels[2000 * 2 + 1], scale.colour(theme, -1.0));
    }
}
