//! The regions of the window, and the key that goes from one to the next.

use super::App;
use egui::{Context, Id, Rect};

/// Rectangles of the regions in the order in which F6 goes through them, as of this frame: top bar, rail, controls, stage,
/// inspector, status bar.
#[derive(Default)]
pub(super) struct Regions {
    rects: Vec<Rect>,
}

impl Regions {
    pub(super) fn begin(&mut self) {
        self.rects.clear();
    }

    pub(super) fn note(&mut self, rect: Rect) {
        self.rects.push(rect);
    }
}

impl App {
    /// Gives the keyboard to the first thing in the next region that can have it; backwards where `back` is true. Regions without
    /// such a thing are passed over.
    pub(super) fn next_region(&self, ctx: &Context, back: bool) {
        let rects = &self.regions.rects;
        let count = rects.len();
        if count == 0 {
            return;
        }
        let first = |region: usize| first_in(ctx, rects[region]);
        let here = ctx.memory(egui::Memory::focused).and_then(|id| place_of(ctx, id));
        let at = here.and_then(|at| rects.iter().position(|rect| rect.contains(at)));
        let mut region = at.unwrap_or(if back { 0 } else { count - 1 });
        for _ in 0..count {
            region = if back { region + count - 1 } else { region + 1 } % count;
            if let Some(id) = first(region) {
                ctx.memory_mut(|memory| memory.request_focus(id));
                return;
            }
        }
    }
}

/// Where a widget was in the last frame.
fn place_of(ctx: &Context, id: Id) -> Option<egui::Pos2> {
    ctx.viewport(|viewport| viewport.prev_pass.widgets.get(id).map(|widget| widget.rect.center()))
}

/// The uppermost widget within a rectangle that can have the keyboard, as of the last frame; of several the one at the left.
fn first_in(ctx: &Context, region: Rect) -> Option<Id> {
    ctx.viewport(|viewport| {
        let widgets = viewport.prev_pass.widgets.layers().flat_map(|(_, widgets)| widgets.iter());
        let inside = widgets.filter(|widget| {
            let within = region.contains_rect(widget.rect) && widget.rect != region;
            widget.enabled && widget.sense.is_focusable() && within
        });
        let place = |widget: &&egui::WidgetRect| (widget.rect.top().round() as i32, widget.rect.left().round() as i32);
        inside.min_by_key(place).map(|widget| widget.id)
    })
}
