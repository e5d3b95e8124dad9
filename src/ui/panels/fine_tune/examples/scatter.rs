//! Every example as a point: what it costs before across, after upwards, on logarithmic axes. Below the line on which nothing changes
//! it costs less.

use super::Shown;
use super::table::signed;
use crate::chart::{log_ticks, number_grouped};
use crate::types::{JobId, LossRow};
use crate::ui::Themed;
use crate::ui::theme::{RADIUS, Theme, Type, space};
use crate::ui::widgets::caption;
use egui::epaint::Mesh;
use egui::{Align2, Color32, Pos2, Rect, RichText, Role, Sense, Shape, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2};
use std::sync::Arc;

/// How near the pointer must be to a point.
const NEAR: f32 = 12.0;
/// Half the side of a point.
const DOT: f32 = 2.5;
/// Losses below stand at the edge: a ten-thousandth of a nat is as good as nothing.
const LEAST: f64 = 1e-4;
const LEFT: f32 = 46.0;
const BELOW: f32 = 34.0;

/// What is kept from frame to frame.
#[derive(Default)]
pub(super) struct Scatter {
    drawn: Option<(Key, Arc<Mesh>)>,
}

/// Of which job and how many rows, where, and in which theme.
type Key = (JobId, usize, Rect, bool);

/// Both axes, each from the least to the most there is on it, and where they are drawn.
#[derive(Clone, Copy)]
struct Axes {
    rect: Rect,
    /// Of before, then of after.
    spans: [(f64, f64); 2],
}

impl Axes {
    fn of(rows: &[Arc<LossRow>], rect: Rect) -> Self {
        let span = |side: usize| {
            let losses = rows.iter().map(|row| row.losses[side]).filter(|loss| loss.is_finite());
            let (lo, hi) = losses.fold((f64::INFINITY, 0.0_f64), |(lo, hi), loss| (lo.min(loss), hi.max(loss)));
            let lo = if lo.is_finite() { lo.max(LEAST) } else { 0.1 };
            let hi = hi.max(lo * 1.5);
            // A little room around the outermost points.
            let room = (hi / lo).powf(0.05);
            (lo / room, hi * room)
        };
        Self { rect, spans: [span(0), span(1)] }
    }

    /// The share of an axis at which a loss stands; beyond its ends where it does.
    fn share(&self, side: usize, loss: f64) -> f32 {
        let (lo, hi) = self.spans[side];
        ((loss / lo).ln() / (hi / lo).ln()) as f32
    }

    fn place(&self, [x, y]: [f32; 2]) -> Pos2 {
        pos2(self.rect.left() + x * self.rect.width(), self.rect.bottom() - y * self.rect.height())
    }

    /// Where an example stands: at the edge where its loss is next to nothing.
    fn at(&self, losses: [f64; 2]) -> Pos2 {
        self.place([0, 1].map(|side| self.share(side, losses[side].max(self.spans[side].0)).clamp(0.0, 1.0)))
    }

    /// The ends of the line on which nothing changes, which may lie outside.
    fn diagonal(&self) -> [Pos2; 2] {
        let [(a, b), (c, d)] = self.spans;
        [a.min(c), b.max(d)].map(|loss| self.place([self.share(0, loss), self.share(1, loss)]))
    }
}

impl Scatter {
    /// Shows the plane; gives the row of the report that was clicked.
    pub fn show(&mut self, ui: &mut Ui, shown: &Shown<'_>, size: Vec2) -> Option<usize> {
        let (theme, rows) = (ui.theme(), &shown.report.rows);
        let (all, response) = ui.allocate_exact_size(size, Sense::click());
        let rect = Rect::from_min_max(
            pos2(all.left() + LEFT, all.top() + space::XS),
            pos2(all.right() - space::S, all.bottom() - BELOW),
        );
        let axes = Axes::of(rows, rect);
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, words(shown)));
        if !ui.is_rect_visible(all) || rect.width() < 40.0 || rect.height() < 40.0 {
            return None;
        }
        grid(ui, theme, &axes, shown.report.unit());
        let key = (shown.job, rows.len(), rect, theme.is_dark());
        let mesh = match self.drawn.take() {
            Some((of, mesh)) if of == key => mesh,
            _ => Arc::new(dots(rows, &axes, theme)),
        };
        ui.painter_at(rect.expand(DOT + 4.0)).add(Shape::mesh(Arc::clone(&mesh)));
        self.drawn = Some((key, mesh));
        let painter = ui.painter_at(rect.expand(DOT + 6.0));
        if let Some(row) = shown.opened.and_then(|row| rows.get(row)) {
            painter.circle_stroke(axes.at(row.losses), DOT + 4.0, Stroke::new(2.0, theme.accent()));
        }
        let pointer = response.hover_pos()?;
        let distance = |row: &LossRow| axes.at(row.losses).distance(pointer);
        let places = (0..rows.len()).filter(|place| !rows[*place].change().is_nan());
        let nearest = places.min_by(|a, b| distance(&rows[*a]).total_cmp(&distance(&rows[*b])))?;
        let row = &rows[nearest];
        if distance(row) > NEAR {
            return None;
        }
        painter.circle_stroke(axes.at(row.losses), DOT + 3.0, Stroke::new(1.0, theme.body()));
        response.clone().on_hover_ui_at_pointer(|ui| {
            ui.set_max_width(320.0);
            let text: String = row.text.trim().chars().take(160).collect();
            ui.label(RichText::new(text).font(Type::Caption.sans()).color(theme.body()));
            let [before, after] = row.losses;
            caption(ui, format!("{before:.4} → {after:.4} {}, {}", shown.report.unit(), signed(row.change())));
        });
        response.clicked().then_some(nearest)
    }
}

/// Frame, ticks, names, and the diagonal on which nothing changes.
fn grid(ui: &Ui, theme: &Theme, axes: &Axes, unit: &str) {
    let (painter, rect) = (ui.painter(), axes.rect);
    painter.rect(rect, RADIUS, theme.ground(), Stroke::new(1.0, theme.hairline()), StrokeKind::Inside);
    let lines = ui.painter_at(rect);
    for (side, length) in [rect.width() / 56.0, rect.height() / 36.0].into_iter().enumerate() {
        let (lo, hi) = axes.spans[side];
        let named = log_ticks(lo, hi, (length as usize).max(2)).into_iter().filter(|tick| !tick.label.is_empty());
        for tick in named {
            let (font, ink, stroke) = (Type::Caption.sans(), theme.caption(), Stroke::new(1.0, theme.grid()));
            let share = axes.share(side, tick.value);
            if side == 0 {
                let x = axes.place([share, 0.0]).x;
                lines.vline(x, rect.y_range(), stroke);
                painter.text(pos2(x, rect.bottom() + 3.0), Align2::CENTER_TOP, &tick.label, font, ink);
            } else {
                let y = axes.place([0.0, share]).y;
                lines.hline(rect.x_range(), y, stroke);
                painter.text(pos2(rect.left() - 5.0, y), Align2::RIGHT_CENTER, &tick.label, font, ink);
            }
        }
    }
    lines.line_segment(axes.diagonal(), Stroke::new(1.0, theme.line()));
    let name = |words: String, at: Pos2, align: Align2| {
        painter.text(at, align, words, Type::Caption.sans(), theme.caption());
    };
    name(format!("before, {unit}"), pos2(rect.center().x, rect.bottom() + BELOW), Align2::CENTER_BOTTOM);
    name("after ↑".to_owned(), rect.left_top() + Vec2::new(space::S, space::XS), Align2::LEFT_TOP);
    name("helped".to_owned(), rect.right_bottom() - Vec2::new(space::S, space::XS), Align2::RIGHT_BOTTOM);
}

/// All points as one shape: ten thousand by themselves would cost a frame.
fn dots(rows: &[Arc<LossRow>], axes: &Axes, theme: &Theme) -> Mesh {
    let mut mesh = Mesh::default();
    for row in rows.iter().filter(|row| !row.change().is_nan()) {
        let ink = hue(theme, row.change());
        mesh.add_colored_rect(Rect::from_center_size(axes.at(row.losses), Vec2::splat(2.0 * DOT)), ink);
    }
    mesh
}

fn hue(theme: &Theme, change: f64) -> Color32 {
    let ink = if change < 0.0 {
        theme.accent()
    } else if change > 0.0 {
        theme.warning()
    } else {
        theme.neutral(6)
    };
    // Many lie over each other.
    ink.gamma_multiply(0.75)
}

/// The plane for those who cannot see it.
fn words(shown: &Shown<'_>) -> String {
    let report = shown.report;
    let beyond = report.rows.iter().filter(|row| row.losses.iter().any(|loss| *loss < LEAST)).count();
    let mut words = format!("Loss before against loss after, an example a point. {}", report.in_words());
    if beyond > 0 {
        words += &format!(" {} below {LEAST} stand at the edge.", number_grouped(beyond as u64));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(losses: [f64; 2]) -> Arc<LossRow> {
        let (text, tokens, pixels) = (String::new(), Vec::new(), Vec::new());
        Arc::new(LossRow { place: 0, text, count: 1, losses, told: None, tokens, pixels })
    }

    #[test]
    fn what_does_not_change_stands_on_the_line_and_what_costs_more_above_it() {
        let rows = [row([0.5, 2.0]), row([4.0, 4.0]), row([0.0, 1.0]), row([f64::NAN, 1.0])];
        let axes = Axes::of(&rows, Rect::from_min_size(Pos2::ZERO, Vec2::splat(100.0)));
        let [from, to] = axes.diagonal();
        // Twice the area of the triangle of a point and the line: its sign tells the side.
        let side = |at: Pos2| (to.x - from.x) * (at.y - from.y) - (to.y - from.y) * (at.x - from.x);
        assert!(side(axes.at([4.0, 4.0])).abs() < 1.0);
        assert!(side(axes.at([0.5, 2.0])) < 0.0 && side(axes.at([4.0, 2.0])) > 0.0);
        assert_eq!(axes.at([0.0, 1.0]).x, axes.at([1e-9, 1.0]).x, "at the edge");
        assert_eq!(dots(&rows, &axes, Theme::dark()).vertices.len(), 3 * 4, "what is no number has no place");
        let alone = Axes::of(&rows[3..], axes.rect);
        assert!(alone.spans.iter().all(|(lo, hi)| lo < hi && *lo > 0.0));
    }
}
