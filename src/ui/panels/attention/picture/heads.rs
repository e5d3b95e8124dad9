//! All layers × heads at once: where each looks in the picture from the chosen token.

use super::{MapKey, PictureView, Source, stage, weights_of};
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::panels::attention::look::Look;
use crate::ui::panels::attention::{Shown, overview};
use egui::{Rect, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, vec2};
use std::time::{Duration, Instant};

const EDGE: f32 = 22.0;
const GAP: f32 = 2.0;
/// Time a frame may spend on making small maps; the rest follows in the next frames.
const BUDGET: Duration = Duration::from_millis(2);

pub(super) fn show(view: &mut PictureView, look: Look, ui: &mut Ui, cx: &mut Cx<'_>, shown: &Shown) {
    let theme = ui.theme();
    let Some(report) = shown.report.picture.clone() else { return };
    let query = cx.selection.token.filter(|t| *t < shown.report.tokens.len()).unwrap_or(0);
    let cell = ((ui.available_width() - EDGE) / shown.heads as f32).clamp(10.0, 64.0).floor();
    let size = vec2(EDGE + cell * shown.heads as f32, EDGE + cell * shown.layers as f32);
    let (area, _) = ui.allocate_exact_size(size, Sense::hover());
    overview::grid(ui, area, (cx.selection.layer, cx.selection.head));
    overview::edges(ui, area, cell, shown, (cx.selection.layer, cx.selection.head));
    let began = Instant::now();
    for layer in 0..shown.layers {
        for head in 0..shown.heads {
            let corner = area.min + vec2(EDGE + cell * head as f32, EDGE + cell * layer as f32);
            let rect = Rect::from_min_size(corner, Vec2::splat(cell - GAP));
            if !ui.is_rect_visible(rect) {
                continue;
            }
            let key = MapKey { job: shown.job, source: Source::Head, layer, head, query, look };
            let made = view.maps.get(ui, &key);
            let texture = if made.is_some() || began.elapsed() > BUDGET {
                made
            } else {
                weights_of(key, shown).map(|weights| {
                    let patches = &weights[report.special_tokens..];
                    let most = patches.iter().fold(f32::MIN_POSITIVE, |most, w| most.max(*w));
                    let image = || stage::map_image(&report, patches, most, look);
                    view.maps.get_or_make(ui, &key, image)
                })
            };
            match texture {
                Some(texture) => {
                    let inner = stage::fit(&report, rect.size());
                    stage::small(ui, texture.id(), Rect::from_center_size(rect.center(), inner));
                }
                None if shown.report.pattern(layer, head).is_some() => ui.ctx().request_repaint(),
                None => drop(
                    ui.painter()
                        .line_segment([rect.left_bottom(), rect.right_top()], Stroke::new(1.0, theme.hairline())),
                ),
            }
            let response = ui.interact(rect, overview::grid_id().with((layer, head)), Sense::CLICK);
            let on = (cx.selection.layer, cx.selection.head) == (layer, head);
            response.widget_info(|| WidgetInfo::selected(Role::Cell, true, on, format!("Layer {layer} head {head}")));
            let line = if on {
                Stroke::new(2.0, theme.accent())
            } else if response.hovered() {
                Stroke::new(1.0, theme.body())
            } else {
                Stroke::new(1.0, theme.hairline())
            };
            ui.painter().rect_stroke(rect, 1, line, if on { StrokeKind::Outside } else { StrokeKind::Inside });
            if response.clicked() {
                cx.selection.layer = layer;
                cx.selection.head = head;
                if view.source == Source::Rollout {
                    view.source = Source::Head;
                }
            }
        }
    }
}
