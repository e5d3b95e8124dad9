//! Loss and scores of heads by step, low curves below each other on the axis of the scrubber.

use super::scrubber::{Axis, mark};
use crate::chart::number;
use crate::types::{RunSnapshot, TrainPoint};
use crate::ui::Themed;
use crate::ui::theme::{Type, mix, space};
use egui::{Align2, Color32, Rect, Role, Sense, Shape, Stroke, Ui, WidgetInfo, pos2, vec2};

const HEIGHT: f32 = 62.0;
const NAME: f32 = 16.0;
/// A rise from one snapshot to the next that is worth a mark.
const SUDDEN: f32 = 0.1;

/// The scores of heads that have a curve: id, name, and what it means.
const SCORES: [(&str, &str, &str); 3] = [
    (
        "induction_repeats",
        "Induction",
        "On random tokens said twice: the share of attention that goes to what came after the same token the first time. A line for \
         the best head of each layer; the bold one is the best of all.",
    ),
    (
        "previous_token",
        "Previous token",
        "The share of attention that goes to the token before. Induction heads need such a head below them.",
    ),
    ("duplicate_token", "Duplicate token", "The share of attention that goes to earlier places with the same token."),
];

/// Points of one line: step and value.
type Points = Vec<(usize, f64)>;

/// A low picture: its name, lines with their inks and widths, and the range of values.
struct Low<'a> {
    name: String,
    help: &'a str,
    lines: Vec<(Points, Color32, f32)>,
    range: (f64, f64),
    /// A step where something rises all at once, and in words.
    rise: Option<(usize, String)>,
}

/// The training loss with no more points than there are pixels.
#[derive(Default)]
pub(super) struct LossLine {
    key: (usize, usize),
    points: Points,
}

impl LossLine {
    /// At most a point a pixel of width: the lowest and the highest of each stretch of steps.
    fn of(&mut self, points: &[TrainPoint], width: usize) -> &Points {
        let key = (points.len(), width);
        if self.key != key {
            self.key = key;
            let stretch = (2 * points.len()).div_ceil(width.max(2)).max(1);
            self.points = points.chunks(stretch).flat_map(ends).collect();
        }
        &self.points
    }
}

fn ends(points: &[TrainPoint]) -> Points {
    let finite = || points.iter().filter(|point| point.loss.is_finite());
    let lowest = finite().min_by(|a, b| a.loss.total_cmp(&b.loss));
    let highest = finite().max_by(|a, b| a.loss.total_cmp(&b.loss));
    let mut both: Points = [lowest, highest].into_iter().flatten().map(|point| (point.step, point.loss)).collect();
    both.sort_by_key(|point| point.0);
    both.dedup();
    both
}

/// Shows them for the snapshots of a run.
pub(super) fn show(
    ui: &mut Ui,
    axis: &Axis,
    (snapshots, chosen): (&[RunSnapshot], usize),
    points: &[TrainPoint],
    loss: &mut LossLine,
) {
    let theme = ui.theme();
    let of = |value: fn(&RunSnapshot) -> Option<f64>| -> Points {
        snapshots.iter().filter_map(|snapshot| Some((snapshot.step, value(snapshot)?))).collect()
    };
    let validation = of(|snapshot| snapshot.validation_loss);
    let training = loss.of(points, axis.edges().span() as usize).clone();
    let faint = mix(theme.ground(), theme.category(0), 0.45);
    let lines = vec![(training, faint, 1.0), (validation, theme.category(0), 2.0)];
    let help = "Training loss of each batch, faint; loss on held-out data at each snapshot.";
    low(
        ui,
        axis,
        snapshots[chosen].step,
        &Low { range: range(&lines), name: "Loss".to_owned(), help, lines, rise: None },
    );
    let accuracy = of(|snapshot| snapshot.validation_accuracy);
    if !accuracy.is_empty() {
        let lines = vec![(accuracy, theme.category(2), 2.0)];
        let help = "Share of held-out examples that were classified rightly.";
        let name = "Validation accuracy".to_owned();
        low(ui, axis, snapshots[chosen].step, &Low { name, help, lines, range: (0.0, 1.0), rise: None });
    }
    for (hue, (id, name, help)) in SCORES.into_iter().enumerate() {
        let by_layer = layers(snapshots, id);
        let Some(best) = best_of(&by_layer) else { continue };
        let rise = (id == SCORES[0].0).then(|| sudden(&best)).flatten();
        let ink = theme.category(hue + 3);
        let faint = mix(theme.ground(), ink, 0.4);
        let mut lines: Vec<(Points, Color32, f32)> = by_layer.into_iter().map(|line| (line, faint, 1.0)).collect();
        lines.push((best, ink, 2.0));
        low(
            ui,
            axis,
            snapshots[chosen].step,
            &Low { name: format!("{name}, best head"), help, range: (0.0, end_of(&lines)), lines, rise },
        );
    }
}

/// The best head of each layer by step.
fn layers(snapshots: &[RunSnapshot], score: &str) -> Vec<Points> {
    let mut found: Vec<Points> = Vec::new();
    for snapshot in snapshots {
        let Some(heads) = &snapshot.heads else { continue };
        for (layer, (_, value)) in heads.highest(score).into_iter().enumerate() {
            if found.len() == layer {
                found.push(Vec::new());
            }
            found[layer].push((snapshot.step, f64::from(value)));
        }
    }
    found
}

/// The best of all layers by step.
fn best_of(layers: &[Points]) -> Option<Points> {
    let first = layers.first()?;
    let best = |at: usize| layers.iter().filter_map(|line| Some(line.get(at)?.1)).fold(0.0, f64::max);
    Some(first.iter().enumerate().map(|(at, (step, _))| (*step, best(at))).collect())
}

/// The step behind the steepest rise, where that is sudden.
fn sudden(best: &[(usize, f64)]) -> Option<(usize, String)> {
    let rise = |pair: &&[(usize, f64)]| pair[1].1 - pair[0].1;
    let pair = best.windows(2).max_by(|a, b| rise(a).total_cmp(&rise(b)))?;
    (rise(&pair) >= f64::from(SUDDEN)).then(|| {
        let words = format!("rises most here: {} → {}", number(pair[0].1), number(pair[1].1));
        (pair[1].0, words)
    })
}

/// The end of an axis of shares: a round number above all values.
fn end_of(lines: &[(Points, Color32, f32)]) -> f64 {
    let most = lines.iter().flat_map(|(points, ..)| points).map(|point| point.1).fold(0.0, f64::max);
    [0.02, 0.05, 0.1, 0.2, 0.5].into_iter().find(|end| *end >= most).unwrap_or(1.0)
}

fn range(lines: &[(Points, Color32, f32)]) -> (f64, f64) {
    let values = lines.iter().flat_map(|(points, ..)| points).map(|point| point.1).filter(|value| value.is_finite());
    let (lo, hi) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), value| (lo.min(value), hi.max(value)));
    if lo < hi { (lo, hi) } else { (lo.min(0.0), hi.max(1.0)) }
}

fn low(ui: &mut Ui, axis: &Axis, step: usize, low: &Low<'_>) {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    let x = axis.edges();
    let frame = Rect::from_x_y_ranges(x, rect.top() + NAME..=rect.bottom() - space::XS);
    let painter = ui.painter();
    let (lo, hi) = low.range;
    let y = |value: f64| frame.bottom() - (((value - lo) / (hi - lo)).clamp(0.0, 1.0) as f32) * frame.height();
    for value in [lo, hi] {
        painter.hline(x, y(value), Stroke::new(1.0, theme.grid()));
        let at = pos2(x.min - space::S, y(value));
        painter.text(at, Align2::RIGHT_CENTER, number(value), Type::Caption.mono(), theme.caption());
    }
    mark(ui, axis, step, frame);
    if let Some((step, _)) = &low.rise {
        let dashed = Shape::dashed_line(
            &[pos2(axis.at(*step), frame.top()), pos2(axis.at(*step), frame.bottom())],
            Stroke::new(1.0, theme.body()),
            3.0,
            3.0,
        );
        painter.extend(dashed);
    }
    for (points, ink, width) in &low.lines {
        let placed: Vec<egui::Pos2> = points.iter().map(|(step, value)| pos2(axis.at(*step), y(*value))).collect();
        if let [only] = placed.as_slice() {
            painter.circle_filled(*only, *width, *ink);
        }
        painter.add(Shape::line(placed, Stroke::new(*width, *ink)));
    }
    let now = low.lines.last().and_then(|(points, ..)| points.iter().rev().find(|point| point.0 <= step));
    let now = now.map_or_else(String::new, |(_, value)| format!(" {}", number(*value)));
    let at = pos2(x.min, rect.top() + NAME / 2.0);
    let name = format!("{}{now}", low.name);
    let written = painter.text(at, Align2::LEFT_CENTER, &name, Type::Caption.sans(), theme.body());
    let mut words = format!("{name} at this step");
    if let Some((_, rise)) = &low.rise {
        let at = pos2(written.right() + space::M, at.y);
        painter.text(at, Align2::LEFT_CENTER, rise, Type::Caption.sans(), theme.caption());
        words += &format!("; {rise}");
    }
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
    response.on_hover_text(low.help);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::HeadValues;

    fn snapshot(step: usize, layers: [[f32; 2]; 2]) -> RunSnapshot {
        let values = layers.map(|heads| heads.map(Some).to_vec()).to_vec();
        let heads = HeadValues { scores: [("induction_repeats".to_owned(), values)].into(), ..HeadValues::default() };
        RunSnapshot { step, heads: Some(heads), ..RunSnapshot::default() }
    }

    #[test]
    fn the_moment_of_induction_is_the_steepest_rise() {
        let snapshots = [
            snapshot(0, [[0.0, 0.02], [0.01, 0.0]]),
            snapshot(8, [[0.1, 0.0], [0.0, 0.1]]),
            snapshot(16, [[0.1, 0.0], [0.7, 0.1]]),
        ];
        let by_layer = layers(&snapshots, "induction_repeats");
        assert_eq!(by_layer.len(), 2);
        let best = best_of(&by_layer).unwrap();
        assert_eq!(
            best.iter().map(|(step, value)| (*step, *value as f32)).collect::<Vec<_>>(),
            [(0, 0.02), (8, 0.1), (16, 0.7)]
        );
        let (step, words) = sudden(&best).unwrap();
        assert!(step == 16 && words.contains("0.1 → 0.7"), "{words}");
        assert_eq!(sudden(&best[..2]), None, "a small rise is no moment");
        assert_eq!(best_of(&layers(&snapshots, "previous_token")), None);
    }

    #[test]
    fn a_long_loss_keeps_its_lowest_and_its_highest() {
        let point =
            |step: usize| TrainPoint { step, loss: if step == 777 { 99.0 } else { 1.0 }, ..TrainPoint::default() };
        let points: Vec<TrainPoint> = (1..=10_000).map(point).collect();
        let mut line = LossLine::default();
        let thinned = line.of(&points, 200);
        assert!(thinned.len() <= 202 && thinned.contains(&(777, 99.0)), "{}", thinned.len());
    }
}
