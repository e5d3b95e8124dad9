//! Small pictures of numbers as textures that are made anew only when their numbers change.

use crate::types::diverging;
use crate::ui::Theme;
use crate::ui::theme::{mix, rgb};
use egui::{Color32, ColorImage, Context, Painter, Rect, TextureHandle, TextureId, TextureOptions, pos2};

/// A texture with the stamp of what it shows.
#[derive(Default)]
pub struct Picture {
    texture: Option<TextureHandle>,
    stamp: Option<(u64, bool)>,
}

impl Picture {
    /// The texture of `make`'s picture, made anew when `stamp` or the theme has changed.
    pub fn texture(
        &mut self,
        ctx: &Context,
        stamp: u64,
        options: TextureOptions,
        make: impl FnOnce() -> ColorImage,
    ) -> TextureId {
        let theme = Theme::in_use(ctx);
        let stamp = Some((stamp, theme.is_dark()));
        match &mut self.texture {
            Some(texture) if self.stamp == stamp => texture.id(),
            Some(texture) => {
                texture.set(make(), options);
                self.stamp = stamp;
                texture.id()
            }
            None => {
                let texture = ctx.load_texture("digit picture", make(), options);
                self.stamp = stamp;
                self.texture.insert(texture).id()
            }
        }
    }
}

/// A stamp for values that are shared and never change in place.
pub fn stamp_of<T: ?Sized>(values: &std::sync::Arc<T>) -> u64 {
    std::sync::Arc::as_ptr(values).cast::<()>() as u64
}

/// Paints a texture, or a part of it, into `rect`.
pub fn paint(painter: &Painter, texture: TextureId, rect: Rect, part: Option<Rect>) {
    let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    painter.image(texture, rect, part.unwrap_or(whole), Color32::WHITE);
}

/// Ink of intensity `value` on the sheet.
pub fn ink(theme: &Theme, value: f32) -> Color32 {
    mix(theme.ground(), theme.body(), value)
}

/// How active something is, as a share of the layer's strongest: the same ink as on the sheet, for the input is only the
/// first of the pictures that a network makes.
pub fn activity(theme: &Theme, value: f32) -> Color32 {
    ink(theme, value)
}

/// A weight or contribution in `-1..=1`: blue is negative, orange positive, the background nothing.
pub fn signed(theme: &Theme, value: f32) -> Color32 {
    let ground = theme.ground();
    rgb(diverging(value, [ground.r(), ground.g(), ground.b()]))
}

/// An image of `width` columns from values and their colours.
pub fn image(width: usize, values: &[f32], colour: impl Fn(f32) -> Color32) -> ColorImage {
    ColorImage::new([width, values.len() / width.max(1)], values.iter().map(|v| colour(*v)).collect())
}

/// The largest magnitude, or 1 when there is none, so that it can be divided by.
pub fn largest(values: &[f32]) -> f32 {
    let most = values.iter().filter(|v| v.is_finite()).fold(0.0_f32, |most, v| most.max(v.abs()));
    if most > 0.0 { most } else { 1.0 }
}
