//! The picture of a large map, made away from the frame where it is large: until it is there, the one before is shown.

use super::plane::Plane;
use super::tokens::HeadKey;
use crate::ui::reader::Reader;
use crate::ui::widgets::{ColorTable, TextureCache, pooled_image};
use egui::{ColorImage, TextureHandle, Ui};
use std::sync::Arc;

/// Cells up to which a picture is made in the frame that asks.
const AT_ONCE: usize = 600 * 600;

/// The picture on its way, and the one that was shown last.
#[derive(Default)]
pub(super) struct Sharp {
    asked: Option<HeadKey>,
    making: Reader<(HeadKey, ColorImage)>,
    last: Option<(HeadKey, TextureHandle)>,
}

impl Sharp {
    /// The picture of a plane, or of the one before it in the same sequence, with how many cells on a side are one of its
    /// pixels.
    pub fn texture(
        &mut self,
        textures: &mut TextureCache<HeadKey>,
        ui: &Ui,
        key: HeadKey,
        plane: &Arc<Plane>,
        table: &ColorTable,
    ) -> Option<(TextureHandle, usize)> {
        if let Some(Ok((made, image))) = self.making.poll() {
            let _kept = textures.get_or_make(ui, &made, || image);
        }
        let found = textures.get(ui, &key).or_else(|| {
            let is_small = plane.values().len() <= AT_ONCE;
            is_small.then(|| textures.get_or_make(ui, &key, || picture(plane, key, table)))
        });
        if let Some(texture) = found {
            self.last = Some((key, texture.clone()));
            return Some((texture, key.pool));
        }
        if self.asked != Some(key) || !self.making.is_busy() {
            let (plane, table, ctx) = (Arc::clone(plane), table.clone(), ui.ctx().clone());
            self.asked = Some(key);
            let make = move |_: &dyn Fn() -> bool| Ok((key, picture(&plane, key, &table)));
            // Without a thread the frame has to do it.
            if self.making.start(make, move || ctx.request_repaint()).is_err() {
                self.asked = None;
            }
        }
        let (of, texture) = self.last.as_ref().filter(|(of, _)| of.plane.job == key.plane.job)?;
        Some((texture.clone(), of.pool))
    }
}

fn picture(plane: &Plane, key: HeadKey, table: &ColorTable) -> ColorImage {
    let scale = plane.scale(key.look.scale);
    pooled_image(&scale.shares(plane.values(), plane.side()), plane.side(), key.pool, table)
}
