//! The right column of a card: the values of the tensor that was clicked, else the folder's files.

use super::{Clicked, ModelsPanel, table};
use crate::types::{TensorStats, bytes_in_words, count_in_words, printable};
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{self, caption, error_card, figure, ghost_button, significant};
use egui::{Align2, Label, Rect, RichText, Role, Sense, Stroke, Ui, Vec2, WidgetInfo, pos2};
use lucide_icons::Icon;

const PLOT_HEIGHT: f32 = 150.0;
const AXIS_HEIGHT: f32 = 18.0;
/// Room that a number takes at either end of the axis.
const LABEL_WIDTH: f32 = 56.0;
const SCALE_HELP: &str = "The logarithm of the count shows the few values far from the others, which the count hides.";
const STD_HELP: &str = "Standard deviation: the root of the mean squared distance from the mean.";

pub(super) fn show(panel: &mut ModelsPanel, ui: &mut Ui) {
    let theme = ui.theme();
    let Some(shown) = &panel.shown else { return };
    let Some(clicked) = &panel.clicked else {
        files(ui, &shown.card);
        return;
    };
    ui.add(Label::new(RichText::new(printable(&clicked.name)).font(Type::Body.mono()).color(theme.body())).wrap());
    let entry = shown.tensors.as_ref().ok().and_then(|all| all.iter().find(|t| t.name == clicked.name));
    if let Some(entry) = entry {
        let words = format!("{} · {} · {}", table::shape(entry), entry.dtype, bytes_in_words(entry.bytes));
        caption(ui, words);
        caption(ui, format!("in {}", entry.file));
    }
    ui.add_space(space::M);
    values(ui, clicked, &mut panel.typed.tensors.log_counts);
    ui.add_space(space::M);
    if ghost_button(ui, Some(Icon::X), "Back to the files").clicked() {
        panel.forget_tensor();
    }
}

fn values(ui: &mut Ui, clicked: &Clicked, log_counts: &mut bool) {
    let theme = ui.theme();
    let stats = match &clicked.stats {
        None => {
            caption(ui, "Reading its values");
            return;
        }
        Some(Err(error)) => {
            error_card(ui, error);
            return;
        }
        Some(Ok(stats)) => stats,
    };
    if stats.nan + stats.infinite > 0 {
        let words =
            format!("{} are not a number, {} are infinite. The rest leaves them out.", stats.nan, stats.infinite);
        ui.label(RichText::new(words).font(Type::Body.sans()).color(theme.danger()));
    }
    if stats.count == 0 {
        caption(ui, "It has no finite values.");
        return;
    }
    widgets::row(ui, 2, |columns| {
        figure(&mut columns[0], &significant(stats.min), "", "minimum");
        figure(&mut columns[1], &significant(stats.max), "", "maximum");
    });
    widgets::row(ui, 2, |columns| {
        figure(&mut columns[0], &significant(stats.mean), "", "mean");
        figure(&mut columns[1], &significant(stats.std), "", "standard deviation");
        let place = columns[1].min_rect();
        let id = columns[1].scope_id().with("std");
        columns[1].interact(place, id, Sense::hover()).on_hover_text(STD_HELP);
    });
    ui.add_space(space::S);
    histogram(ui, stats, *log_counts);
    widgets::explain(ui, "Height of the bars", SCALE_HELP);
    widgets::segmented(ui, log_counts, &[(false, "Count"), (true, "Logarithm")]);
    caption(ui, format!("{} values in {} intervals", count_in_words(stats.count), stats.histogram.len()));
}

/// The bars, the range below them, and zero and the mean where they lie within.
fn histogram(ui: &mut Ui, stats: &TensorStats, log_counts: bool) {
    let theme = ui.theme();
    let size = Vec2::new(ui.available_width(), PLOT_HEIGHT + AXIS_HEIGHT);
    let (whole, response) = ui.allocate_exact_size(size, Sense::hover());
    let words = format!("Histogram from {} to {}", significant(stats.min), significant(stats.max));
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
    let plot = Rect::from_min_size(whole.min, Vec2::new(whole.width(), PLOT_HEIGHT));
    let most = stats.histogram.iter().copied().max().unwrap_or(1).max(1);
    let share = |count: u64| match log_counts {
        true => (1.0 + count as f32).ln() / (1.0 + most as f32).ln(),
        false => count as f32 / most as f32,
    };
    let width = plot.width() / stats.histogram.len() as f32;
    let step = (stats.max - stats.min) / stats.histogram.len() as f64;
    let hovered = response.hover_pos().map(|at| ((at.x - plot.left()) / width) as usize);
    let painter = ui.painter();
    painter.rect_filled(plot, 0, theme.ground());
    for (bar, count) in stats.histogram.iter().enumerate().filter(|(_, count)| **count > 0) {
        // One value among millions is still to be seen.
        let height = (share(*count) * (plot.height() - space::XS)).max(1.0);
        let left = plot.left() + bar as f32 * width;
        let rect =
            Rect::from_min_max(pos2(left, plot.bottom() - height), pos2(left + (width - 0.5).max(0.5), plot.bottom()));
        painter.rect_filled(rect, 0, if hovered == Some(bar) { theme.accent_text() } else { theme.accent() });
    }
    let x_of = |value: f64| plot.left() + ((value - stats.min) / (stats.max - stats.min)) as f32 * plot.width();
    if stats.min < 0.0 && stats.max > 0.0 {
        painter.vline(x_of(0.0), plot.y_range(), Stroke::new(1.0, theme.line()));
        if (plot.left() + LABEL_WIDTH..plot.right() - LABEL_WIDTH).contains(&x_of(0.0)) {
            let at = pos2(x_of(0.0), plot.bottom() + 2.0);
            painter.text(at, Align2::CENTER_TOP, "0", Type::Caption.mono(), theme.caption());
        }
    }
    painter.hline(plot.x_range(), plot.bottom(), Stroke::new(1.0, theme.line()));
    let label = |at: f32, align, value: f64| {
        painter.text(pos2(at, plot.bottom() + 2.0), align, significant(value), Type::Caption.mono(), theme.caption());
    };
    label(plot.left(), Align2::LEFT_TOP, stats.min);
    label(plot.right(), Align2::RIGHT_TOP, stats.max);
    if let Some((bar, count)) = hovered.and_then(|bar| Some((bar, stats.histogram.get(bar)?))) {
        let from = stats.min + bar as f64 * step;
        response.on_hover_text(format!("{} to {}: {count}", significant(from), significant(from + step)));
    }
}

fn files(ui: &mut Ui, card: &crate::types::ModelCard) {
    let theme = ui.theme();
    caption(ui, format!("{} in {} files", bytes_in_words(card.file_bytes()), card.files.len()));
    ui.add_space(space::XS);
    let line = |ui: &mut Ui, name: &str, value: String| {
        egui::Sides::new().shrink_left().truncate().show(
            ui,
            |ui| ui.label(RichText::new(name).font(Type::Caption.mono()).color(theme.body())),
            |ui| caption(ui, value),
        );
    };
    for file in &card.files {
        line(ui, &file.name, bytes_in_words(file.bytes));
    }
    ui.add_space(space::M);
    if card.types.len() > 1 {
        caption(ui, "Element types of its tensors");
        ui.add_space(space::XS);
        for share in &card.types {
            let tensors = if share.tensors == 1 { "tensor" } else { "tensors" };
            line(ui, &share.name, format!("{} {tensors}, {}", share.tensors, bytes_in_words(share.bytes)));
        }
        ui.add_space(space::M);
    }
    caption(ui, "Click a tensor to see the distribution of its values here.");
}
