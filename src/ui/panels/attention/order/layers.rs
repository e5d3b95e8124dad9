//! Layer by layer, how near the vector of the token that is followed stays to what it is as written: a line a change, or a table.

use super::colour;
use crate::chart::{linear_ticks, spread_labels};
use crate::types::{ChangedOrder, Reordering, WordOrderReport};
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, explain, segmented, visible_text};
use egui::{Align2, Color32, Grid, Pos2, Rect, RichText, Role, ScrollArea, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

const HEIGHT: f32 = 172.0;
/// Room for the numbers at the left and those under the lines.
const LEFT: f32 = 36.0;
const BELOW: f32 = 18.0;
const LABEL_GAP: f64 = 14.0;

const HELP: &str = "The cosine of the angle between the vector of the token that is followed as written and now, as it enters the first \
     block and as it leaves each. A token that was moved is followed to where it went.";

pub(super) fn show(is_table: &mut bool, focus: Reordering, ui: &mut Ui, report: &WordOrderReport) {
    ui.horizontal(|ui| {
        let token = visible_text(&report.tokens[report.token].text);
        explain(ui, &format!("Vector of ‘{token}’, cosine with that as written"), HELP);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            segmented(ui, is_table, &[(false, "Lines"), (true, "Table")]);
        });
    });
    if *is_table { table(ui, report) } else { lines(ui, report, focus) }
}

/// What a state is called.
fn state(place: usize) -> String {
    if place == 0 { "embedding".to_owned() } else { format!("block {}", place - 1) }
}

fn table(ui: &mut Ui, report: &WordOrderReport) {
    let theme = ui.theme();
    let states = report.changes.iter().map(|change| change.cosines.len()).max().unwrap_or(0);
    // The stage scrolls: what lies below its end has its height all the same.
    let rows = ScrollArea::both().id_salt("cosines").max_height(HEIGHT).min_scrolled_height(HEIGHT);
    rows.auto_shrink([false, true]).show(ui, |ui| {
        Grid::new("cosines by layer")
            .num_columns(report.changes.len() + 1)
            .striped(true)
            .min_row_height(16.0)
            .spacing(vec2(space::M, 2.0))
            .show(ui, |ui| {
                caption(ui, "State");
                for change in &report.changes {
                    caption(ui, change.how.name());
                }
                ui.end_row();
                for place in 0..states {
                    caption(ui, state(place));
                    for change in &report.changes {
                        let number =
                            change.cosines.get(place).map_or_else(String::new, |cosine| format!("{cosine:.4}"));
                        ui.label(RichText::new(number).font(Type::Caption.mono()).color(theme.body()));
                    }
                    ui.end_row();
                }
            });
    });
}

/// What is drawn where.
struct Frame {
    rect: Rect,
    low: f32,
    states: usize,
}

impl Frame {
    fn at(&self, place: usize, cosine: f32) -> Pos2 {
        pos2(self.x(place), self.y(cosine))
    }

    fn x(&self, place: usize) -> f32 {
        let share = place as f32 / (self.states - 1).max(1) as f32;
        self.rect.left() + share * self.rect.width()
    }

    fn y(&self, cosine: f32) -> f32 {
        self.rect.bottom() - (cosine - self.low) / (1.0 - self.low) * self.rect.height()
    }
}

fn lines(ui: &mut Ui, report: &WordOrderReport, focus: Reordering) {
    let theme = ui.theme();
    let (whole, response) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, summary(report)));
    let names = report.changes.iter().map(|change| change.how.name());
    let painter = ui.painter_at(whole);
    // The one in focus is written in bold, which takes more room.
    let width = |name: &str| painter.layout_no_wrap(name.to_owned(), Type::Caption.bold(), Color32::WHITE).size().x;
    let right = names.map(width).fold(0.0, f32::max) + space::S;
    let rect = Rect::from_min_max(
        pos2(whole.left() + LEFT, whole.top() + 6.0),
        pos2((whole.right() - right).max(whole.left() + LEFT + 40.0), whole.bottom() - BELOW),
    );
    let states = report.changes.iter().map(|change| change.cosines.len()).max().unwrap_or(0);
    let frame = Frame { rect, low: low(report), states };
    let grid = Stroke::new(1.0, theme.grid());
    for tick in linear_ticks(f64::from(frame.low), 1.0, 4).into_iter().filter(|tick| !tick.label.is_empty()) {
        let y = frame.y(tick.value as f32);
        painter.hline(rect.x_range(), y, grid);
        painter.text(
            pos2(rect.left() - 6.0, y),
            Align2::RIGHT_CENTER,
            tick.label,
            Type::Caption.mono(),
            theme.caption(),
        );
    }
    painter.hline(rect.x_range(), rect.bottom(), Stroke::new(1.0, theme.hairline()));
    for (place, align) in [(0, Align2::LEFT_TOP), (states.saturating_sub(1), Align2::RIGHT_TOP)] {
        let at = pos2(frame.x(place), rect.bottom() + 3.0);
        painter.text(at, align, state(place), Type::Caption.sans(), theme.caption());
    }
    // The change in focus lies over the others.
    let is_on = |change: &&ChangedOrder| change.how == focus;
    let others = report.changes.iter().filter(|change| !is_on(change));
    for change in others.chain(report.changes.iter().filter(is_on)) {
        let hue = colour(theme, change.how);
        let finite = change.cosines.iter().enumerate().filter(|(_, cosine)| cosine.is_finite());
        let points: Vec<Pos2> = finite.map(|(place, cosine)| frame.at(place, *cosine)).collect();
        let on = change.how == focus;
        for point in points.iter().filter(|_| states <= 40) {
            painter.circle_filled(*point, if on { 2.5 } else { 1.5 }, hue);
        }
        painter.line(points, Stroke::new(if on { 2.5 } else { 1.25 }, hue));
    }
    labels(&painter, report, &frame, focus, theme);
    let Some(pointer) = response.hover_pos().filter(|_| states > 0) else { return };
    let share = ((pointer.x - rect.left()) / rect.width().max(1.0)).clamp(0.0, 1.0);
    let place = (share * (states - 1) as f32).round() as usize;
    painter.vline(frame.x(place), rect.y_range(), Stroke::new(1.0, theme.line()));
    response.on_hover_ui_at_pointer(|ui| {
        ui.label(RichText::new(state(place)).font(Type::Caption.bold()).color(theme.body()));
        for change in &report.changes {
            let number = change.cosines.get(place).map_or_else(String::new, |cosine| format!("{cosine:.4}"));
            let words = RichText::new(format!("{number}  {}", change.how.name())).font(Type::Caption.mono());
            ui.label(words.color(colour(theme, change.how)));
        }
    });
}

/// The name of each line at its end.
fn labels(
    painter: &egui::Painter,
    report: &WordOrderReport,
    frame: &Frame,
    focus: Reordering,
    theme: &crate::ui::theme::Theme,
) {
    let rect = frame.rect;
    let end = |change: &ChangedOrder| {
        let last = change.cosines.iter().rev().find(|cosine| cosine.is_finite());
        f64::from(last.map_or(rect.bottom(), |cosine| frame.y(*cosine)))
    };
    let wishes: Vec<f64> = report.changes.iter().map(end).collect();
    let placed = spread_labels(&wishes, LABEL_GAP, f64::from(rect.top()), f64::from(rect.bottom()));
    for (change, y) in report.changes.iter().zip(placed) {
        let at = pos2(rect.right() + space::S, y as f32);
        let font = if change.how == focus { Type::Caption.bold() } else { Type::Caption.sans() };
        painter.text(at, Align2::LEFT_CENTER, change.how.name(), font, colour(theme, change.how));
    }
}

/// Where the lines' axis begins: a tenth at or below all of them.
fn low(report: &WordOrderReport) -> f32 {
    let cosines = report.changes.iter().flat_map(|change| &change.cosines).filter(|cosine| cosine.is_finite());
    let least = cosines.copied().fold(0.9, f32::min);
    ((least * 10.0).floor() / 10.0).max(-1.0)
}

/// The lines in words.
fn summary(report: &WordOrderReport) -> String {
    let ends = report.changes.iter().filter_map(|change| {
        let last = change.cosines.last()?;
        Some(format!("{} ends at {last:.3}", change.how.name().to_lowercase()))
    });
    format!("Cosine with the vector as written, layer by layer: {}", ends.collect::<Vec<_>>().join(", "))
}
