//! Errors, progress and legends.

use super::{caption, icon_button};
use crate::types::{JobId, UserError, bytes_in_words};
use crate::ui::Themed;
use crate::ui::theme::{RADIUS, Theme, Type, space};
use crate::ui::{Cx, Job};
use egui::{Color32, CornerRadius, Rect, RichText, Role, Sense, Stroke, Ui, Vec2, WidgetInfo};
use lucide_icons::Icon;

/// The error of a job, if it ended with one, until it is closed. True while it is shown.
pub fn job_error(ui: &mut Ui, cx: &mut Cx<'_>, job: JobId) -> bool {
    let Some(error) = cx.state.error(job) else { return false };
    if card(ui, error, true) {
        cx.dismiss(job);
    }
    ui.add_space(space::S);
    true
}

/// An error that is no job's, with a button that closes it. True when that was pressed.
pub fn closable_error(ui: &mut Ui, error: &UserError) -> bool {
    card(ui, error, true)
}

/// An error where it arose: what happened, why, what to do; details are folded.
pub fn error_card(ui: &mut Ui, error: &UserError) {
    card(ui, error, false);
}

/// The card. True when it was closed.
fn card(ui: &mut Ui, error: &UserError, can_close: bool) -> bool {
    let mut is_closed = false;
    let theme = ui.theme();
    egui::Frame::new()
        .fill(theme.danger_soft())
        .stroke(Stroke::new(1.0, theme.danger()))
        .corner_radius(RADIUS)
        .inner_margin(space::M)
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = space::XS;
            ui.horizontal_top(|ui| {
                ui.label(RichText::new(char::from(Icon::CircleAlert)).font(Type::Body.icon()).color(theme.danger()));
                let what =
                    egui::Label::new(RichText::new(&error.what).font(Type::Body.bold()).color(theme.body())).wrap();
                if can_close {
                    let width = ui.available_width() - 28.0;
                    ui.allocate_ui(Vec2::new(width, 0.0), |ui| {
                        ui.set_width(width);
                        ui.add(what);
                    });
                    is_closed = icon_button(ui, Icon::X, "Close the error").clicked();
                } else {
                    ui.add(what);
                }
            });
            for text in [&error.why, &error.next] {
                if !text.is_empty() {
                    ui.label(RichText::new(text).font(Type::Body.sans()).color(theme.body()));
                }
            }
            if !error.detail.is_empty() {
                egui::CollapsingHeader::new(RichText::new("Details").font(Type::Caption.sans()))
                    .id_salt(("error detail", &error.what))
                    .show(ui, |ui| {
                        let text = RichText::new(&error.detail).font(Type::Caption.mono()).color(theme.body());
                        ui.add(egui::Label::new(text).wrap().selectable(true));
                    });
            }
        });
    is_closed
}

/// A running job's bar with rate, time left and a stop button; nothing for the first 300 ms, and nothing once it ended.
pub fn job_progress(ui: &mut Ui, cx: &mut Cx<'_>, id: JobId) {
    const SILENT_S: f64 = 0.3;
    let Some(job) = cx.state.job(id).filter(|j| j.is_active()) else { return };
    let age_s = cx.state.now_s - job.started_s;
    if age_s < SILENT_S {
        ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(SILENT_S - age_s));
        return;
    }
    let stop = ui
        .horizontal(|ui| {
            let right = 32.0;
            ui.vertical(|ui| {
                ui.set_width((ui.available_width() - right).max(80.0));
                ui.spacing_mut().item_spacing.y = space::XS;
                caption(ui, progress_words(job));
                progress_bar(ui, job.progress.as_ref().and_then(super::super::Progress::share), "Progress");
            });
            icon_button(ui, Icon::Square, "Stop").clicked()
        })
        .inner;
    if stop {
        cx.cancel(id);
    }
}

fn progress_words(job: &Job) -> String {
    let Some(p) = &job.progress else { return job.words().to_owned() };
    let mut words = if p.label.is_empty() { job.words().to_owned() } else { p.label.clone() };
    if p.unit == "bytes" && p.total > 0 {
        words += &format!(" · {} of {}", bytes_in_words(p.done), bytes_in_words(p.total));
    } else if p.total > 0 {
        words += &format!(" · {} of {} {}", p.done, p.total, p.unit);
    }
    if p.rate > 0.0 && p.unit != "bytes" {
        words += &format!(" · {} {}/s", significant(p.rate), p.unit);
    }
    if let Some(left) = p.left_s().filter(|s| *s >= 1.0) {
        words += &format!(" · {} left", seconds(left));
    }
    words
}

/// A thin bar filled to `share`; a short piece of it where that is not known.
pub fn progress_bar(ui: &mut Ui, share: Option<f32>, name: &str) {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 4.0), Sense::hover());
    let round = CornerRadius::same(2);
    ui.painter().rect_filled(rect, round, theme.neutral(4));
    let filled = share.map_or_else(
        || {
            // Not known how much there is: a short piece that says 'something goes on'.
            Rect::from_min_size(rect.min, Vec2::new(rect.width() * 0.2, rect.height()))
        },
        |s| Rect::from_min_size(rect.min, Vec2::new(rect.width() * s, rect.height())),
    );
    ui.painter().rect_filled(filled, round, theme.accent());
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, name);
        info.value = share.map(|s| f64::from(s) * 100.0);
        info
    });
}

/// The legend of a colour scale: a strip of colours with numbers under it at the given shares.
pub fn legend(ui: &mut Ui, width: f32, colour: impl Fn(f32) -> Color32, marks: &[(f32, String)]) {
    let theme = ui.theme();
    const STEPS: usize = 48;
    let (rect, response) = ui.allocate_exact_size(Vec2::new(width, 24.0), Sense::hover());
    response.widget_info(|| {
        let numbers = marks.iter().map(|(_, m)| m.as_str()).collect::<Vec<_>>().join(", ");
        WidgetInfo::labeled(Role::Image, true, format!("Colour scale: {numbers}"))
    });
    let strip = Rect::from_min_size(rect.min, Vec2::new(width, 8.0));
    let step = width / STEPS as f32;
    for i in 0..STEPS {
        let left = strip.left() + step * i as f32;
        let piece = Rect::from_min_max(
            egui::pos2(left, strip.top()),
            egui::pos2((left + step + 0.5).min(strip.right()), strip.bottom()),
        );
        ui.painter().rect_filled(piece, 0, colour((i as f32 + 0.5) / STEPS as f32));
    }
    ui.painter().rect_stroke(strip, 0, Stroke::new(1.0, theme.hairline()), egui::StrokeKind::Outside);
    for (share, mark) in marks {
        let align = if *share <= 0.0 {
            egui::Align2::LEFT_TOP
        } else if *share >= 1.0 {
            egui::Align2::RIGHT_TOP
        } else {
            egui::Align2::CENTER_TOP
        };
        let at = egui::pos2(strip.left() + width * share, strip.bottom() + 2.0);
        ui.painter().text(at, align, mark, egui::FontId::new(11.0, egui::FontFamily::Monospace), theme.caption());
    }
}

/// A bar that is filled to `share` of its width.
pub fn share_bar(painter: &egui::Painter, theme: &Theme, rect: Rect, share: f32, colour: Color32) {
    let round = CornerRadius::same(2);
    painter.rect_filled(rect, round, theme.neutral(3));
    // A share that is not nothing is never invisible.
    let width = if share > 0.0 { (rect.width() * share.min(1.0)).max(1.0) } else { 0.0 };
    painter.rect_filled(Rect::from_min_size(rect.min, Vec2::new(width, rect.height())), round, colour);
}

/// A share as a percentage of a fixed width: one decimal below ten per cent, none at a hundred.
#[must_use]
pub fn percent(share: f32) -> String {
    let value = share * 100.0;
    match value {
        v if v >= 99.95 => "100 %".to_owned(),
        v if v >= 0.1 || v == 0.0 => format!("{v:.1} %"),
        v if v >= 0.01 => format!("{v:.2} %"),
        _ => "<0.01 %".to_owned(),
    }
}

/// A number with three significant digits.
#[must_use]
pub fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let magnitude = value.abs().log10().floor() as i32;
    if !(-4..6).contains(&magnitude) {
        return format!("{value:.2e}");
    }
    format!("{value:.*}", usize::try_from(2 - magnitude).unwrap_or(0))
}

/// A length of time in words a person reads at a glance.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        for (value, words) in
            [(0.0, "0"), (0.012_345, "0.0123"), (1.0, "1.00"), (38.26, "38.3"), (1234.5, "1234"), (5.8e6, "5.80e6")]
        {
            assert_eq!(significant(value), words);
        }
    }

    #[test]
    fn small_shares_are_told_apart_from_none() {
        let words: Vec<_> = [1.0, 0.5, 0.0342, 0.0002, 1e-9, 0.0].map(percent).into();
        assert_eq!(words, ["100 %", "50.0 %", "3.4 %", "0.02 %", "<0.01 %", "0.0 %"]);
    }

    #[test]
    fn times_are_read_at_a_glance() {
        assert_eq!([seconds(5.2), seconds(65.0), seconds(3_720.0)], ["5 s", "1 min 5 s", "1 h 2 min"]);
    }
}
