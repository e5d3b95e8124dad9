//! The steps of a run's snapshots on one axis, of which one is chosen: by a click, by dragging, by the arrow keys, or by playing.

use crate::chart::number_grouped;
use crate::types::RunSnapshot;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use egui::{Align2, EventFilter, Key, Modifiers, Rangef, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

const HEIGHT: f32 = 36.0;
const TICK: f32 = 4.0;
const KNOB: f32 = 6.0;
/// Room that a number takes.
const NUMBER: f32 = 44.0;

/// Where steps lie between the edges of a picture.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    x: Rangef,
    last: f32,
    is_log: bool,
}

impl Axis {
    /// For the steps from 0 to the last between two edges; equal distances are equal ratios where `is_log`, after adding 1 to each
    /// step, so that step 0 has a place.
    pub fn new(x: Rangef, last: usize, is_log: bool) -> Self {
        Self { x, last: last.max(1) as f32, is_log }
    }

    /// The same steps between other edges.
    pub fn within(&self, x: Rangef) -> Self {
        Self { x, ..*self }
    }

    /// The edges.
    pub fn edges(&self) -> Rangef {
        self.x
    }

    /// Where a step lies.
    pub fn at(&self, step: usize) -> f32 {
        let step = step as f32;
        let share = if self.is_log { step.ln_1p() / self.last.ln_1p() } else { step / self.last };
        self.x.min + share.clamp(0.0, 1.0) * self.x.span()
    }

    /// The snapshot whose step lies nearest to a place.
    fn nearest(&self, x: f32, snapshots: &[RunSnapshot]) -> Option<usize> {
        let distance = |snapshot: &RunSnapshot| (self.at(snapshot.step) - x).abs();
        (0..snapshots.len()).min_by(|a, b| distance(&snapshots[*a]).total_cmp(&distance(&snapshots[*b])))
    }
}

/// Shows the steps and gives the place of the one that was chosen, if one was.
pub(super) fn show(ui: &mut Ui, axis: &Axis, snapshots: &[RunSnapshot], chosen: usize) -> Option<usize> {
    let theme = ui.theme();
    let width = ui.available_width();
    let (rect, response) = ui.allocate_exact_size(vec2(width, HEIGHT), Sense::click_and_drag());
    let (y, painter) = (rect.top() + KNOB + 4.0, ui.painter());
    let x = axis.edges();
    painter.hline(x, y, Stroke::new(2.0, theme.neutral(4)));
    painter.hline(Rangef::new(x.min, axis.at(snapshots[chosen].step)), y, Stroke::new(2.0, theme.accent()));
    let mut numbered = f32::NEG_INFINITY;
    for (place, snapshot) in snapshots.iter().enumerate() {
        let at = axis.at(snapshot.step);
        let ink = if place <= chosen { theme.accent() } else { theme.neutral(7) };
        if snapshot.weights.is_some() {
            painter.circle_filled(pos2(at, y), TICK - 1.0, ink);
        } else {
            // There are no weights to look into.
            painter.circle(pos2(at, y), TICK - 1.0, theme.ground(), Stroke::new(1.0, ink));
        }
        if at - numbered >= NUMBER {
            let words = number_grouped(snapshot.step as u64);
            let below = pos2(at, y + KNOB + space::XS);
            painter.text(below, Align2::CENTER_TOP, words, Type::Caption.mono(), theme.caption());
            numbered = at;
        }
    }
    let knob = pos2(axis.at(snapshots[chosen].step), y);
    painter.circle_filled(knob, KNOB, theme.accent());
    if response.has_focus() {
        painter.circle_stroke(knob, KNOB + 2.0, Stroke::new(1.5, theme.accent_text()));
    }
    response.widget_info(|| {
        let step = number_grouped(snapshots[chosen].step as u64);
        let words = format!("Step of the run, {step} now, {} of {} snapshots", chosen + 1, snapshots.len());
        let mut info = WidgetInfo::labeled(Role::Slider, true, words);
        info.value = Some(snapshots[chosen].step as f64);
        info
    });
    let response = response.on_hover_text("What the run was at a step. Left and right go from one to the next.");
    let mut moved = None;
    if response.clicked() || response.dragged() {
        response.request_focus();
        moved = response.interact_pointer_pos().and_then(|pointer| axis.nearest(pointer.x, snapshots));
    }
    if response.has_focus() {
        let filter = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    }
    // The keys are free where nothing has the focus.
    if ui.memory(|memory| memory.focused().is_none_or(|id| id == response.id)) && !egui::Popup::is_any_open(ui.ctx()) {
        let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        let last = snapshots.len() - 1;
        let now = moved.unwrap_or(chosen);
        for (key, place) in [
            (Key::ArrowLeft, now.saturating_sub(1)),
            (Key::ArrowRight, last.min(now + 1)),
            (Key::Home, 0),
            (Key::End, last),
        ] {
            if pressed(key) {
                moved = Some(place);
            }
        }
    }
    moved.filter(|place| *place != chosen)
}

/// Marks the chosen step in a picture on the same axis.
pub(super) fn mark(ui: &Ui, axis: &Axis, step: usize, rect: Rect) {
    ui.painter().vline(axis.at(step), rect.y_range(), Stroke::new(1.0, ui.theme().accent()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_lie_in_order_and_the_nearest_is_found() {
        let snapshots: Vec<RunSnapshot> =
            [0, 1, 10, 100].map(|step| RunSnapshot { step, ..RunSnapshot::default() }).into();
        for is_log in [false, true] {
            let axis = Axis::new(Rangef::new(10.0, 110.0), 100, is_log);
            assert_eq!((axis.at(0), axis.at(100), axis.at(500)), (10.0, 110.0, 110.0));
            assert!(axis.at(1) < axis.at(10));
            for (place, snapshot) in snapshots.iter().enumerate() {
                assert_eq!(axis.nearest(axis.at(snapshot.step), &snapshots), Some(place));
            }
        }
        let spread = |is_log| Axis::new(Rangef::new(0.0, 1.0), 100, is_log).at(10);
        assert!(spread(true) > 0.5 && spread(false) == 0.1);
    }
}
