//! What stands out on the curves, drawn over the plot: the best validation, an early end, a loss that was no number.

use crate::chart::{CurveFigure, Mark, curve_marks};
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use egui::{Align2, Rect, Stroke, Ui, pos2, vec2};
use egui_plot::PlotTransform;

/// Of a ring around a value.
const RADIUS: f32 = 6.0;
const LINE: f32 = 16.0;
/// How often a name gives way to those before it.
const MOST_MOVES: usize = 4;

/// Draws the marks; `place` brings one to plot units.
pub(super) fn paint(
    ui: &Ui,
    figure: &CurveFigure<'_>,
    transform: &PlotTransform,
    place: impl Fn(&Mark) -> (f64, Option<f64>),
) {
    let theme = ui.theme();
    let frame = *transform.frame();
    let painter = ui.painter_at(frame);
    let (mut in_margin, mut placed) = (0, Vec::<Rect>::new());
    for mark in curve_marks(figure) {
        let (x, y) = place(&mark);
        let x = transform.position_from_point_x(x);
        let ink = if mark.is_trouble { theme.danger() } else { theme.body() };
        let y = match y.map(|y| transform.position_from_point_y(y)) {
            Some(y) => {
                painter.circle_stroke(pos2(x, y), RADIUS, Stroke::new(1.5, ink));
                // Above its ring, unless that is out of sight.
                if y - RADIUS - LINE < frame.top() { y + RADIUS + LINE / 2.0 } else { y - RADIUS - LINE / 2.0 }
            }
            None => {
                painter.vline(x, frame.y_range(), Stroke::new(1.5, ink));
                in_margin += 1;
                frame.top() + LINE * in_margin as f32
            }
        };
        let is_right = x > frame.center().x;
        let align = if is_right { Align2::RIGHT_CENTER } else { Align2::LEFT_CENTER };
        let at = pos2(if is_right { x - RADIUS } else { x + RADIUS }, y);
        let galley = painter.layout_no_wrap(mark.label, Type::Caption.sans(), ink);
        let mut rect = align.anchor_size(at, galley.size());
        // All of it in sight, and below what is there already.
        rect =
            rect.translate(vec2((frame.left() - rect.left()).max(0.0) - (rect.right() - frame.right()).max(0.0), 0.0));
        for _ in 0..MOST_MOVES {
            if placed.iter().any(|other| other.intersects(rect)) {
                rect = rect.translate(vec2(0.0, LINE));
            }
        }
        placed.push(rect);
        // Words on lines are hard to read.
        painter.rect_filled(rect.expand2(vec2(space::XS / 2.0, 0.0)), 2.0, theme.ground().gamma_multiply(0.8));
        painter.galley(rect.min, galley, ink);
    }
}
