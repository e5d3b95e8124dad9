//! The stage: heading, token strip, the large head; and its export.

use super::look::Colours;
use super::tokens::TokensView;
use super::ways::{self, Way};
use super::{Shown, large, steps, strip};
use crate::chart::{AttentionFigure, Format, HeadGridFigure, attention_figure, head_grid_figure};
use crate::types::UserError;
use crate::ui::Cx;
use crate::ui::files::FileRequest;
use crate::ui::theme::space;
use crate::ui::widgets::{self, Stamp, caption, icon_button};
use egui::Ui;
use lucide_icons::Icon;
use std::path::Path;

/// Least width of the tokens beside the map.
const BESIDE: f32 = 300.0;

pub(super) fn stage(view: &mut TokensView, colours: &mut Colours, ui: &mut Ui, cx: &mut Cx<'_>, shown: &Shown) {
    let title = format!("Layer {} · head {}", cx.selection.layer, cx.selection.head);
    let sub = format!("{} tokens", shown.report.tokens.len());
    let wide = ui.available_width() > 480.0;
    widgets::stage_header(ui, &title, &sub, |ui| {
        if view.way == Way::Map
            && !view.sight.is_whole()
            && icon_button(ui, Icon::Maximize, "Show the whole pattern").clicked()
        {
            view.sight = large::View::default();
        }
        if wide && view.way == Way::Map {
            caption(ui, "Scroll to zoom, drag to move");
        }
    });
    let stamp = Stamp::of(cx.state, shown.job);
    if let Some(stamp) = &stamp {
        stamp.show(ui);
    }
    ways::choose(&mut view.way, ui);
    Stamp::over(stamp.as_ref(), ui, |ui| match view.way {
        Way::Map => patterns(view, colours, ui, cx, shown),
        Way::Steps => steps::show(view, colours, ui, cx, shown),
    });
}

fn patterns(view: &mut TokensView, colours: &mut Colours, ui: &mut Ui, cx: &mut Cx<'_>, shown: &Shown) {
    ui.add_space(space::XS);
    let (in_strip, in_map) = if ui.available_width() - BESIDE - space::XL > 0.8 * ui.available_height() {
        beside(view, colours, ui, cx, shown)
    } else {
        let strip = strip::show(view, colours, ui, cx, shown, (ui.available_height() * 0.24).clamp(52.0, 132.0));
        ui.add_space(space::S);
        (strip, map(view, colours, ui, cx, shown))
    };
    let hovered = in_map.or(in_strip);
    if hovered != view.hovered {
        // Strip, map and inspector follow in the next frame.
        view.hovered = hovered;
        ui.ctx().request_repaint();
    }
}

/// The map takes the height; the tokens flow in the room that is left at its right.
fn beside(
    view: &mut TokensView,
    colours: &mut Colours,
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    shown: &Shown,
) -> (Option<usize>, Option<usize>) {
    let height = ui.available_height();
    let right = (ui.available_width() - height - space::XL).max(BESIDE);
    let mut hovered = (None, None);
    ui.horizontal_top(|ui| {
        ui.allocate_ui(egui::vec2(ui.available_width() - right - space::XL, height), |ui| {
            hovered.1 = map(view, colours, ui, cx, shown);
        });
        ui.add_space(space::L);
        ui.vertical(|ui| {
            caption(ui, "Tokens of the run, tinted by the attention of the one in focus");
            hovered.0 = strip::show(view, colours, ui, cx, shown, height - space::XL);
        });
    });
    hovered
}

fn map(view: &mut TokensView, colours: &mut Colours, ui: &mut Ui, cx: &mut Cx<'_>, shown: &Shown) -> Option<usize> {
    if let Some(pattern) = shown.report.pattern(cx.selection.layer, cx.selection.head) {
        return large::show(view, colours, ui, cx, shown, pattern);
    }
    let words = "This head was not captured: all heads of this sequence do not fit into memory.";
    caption(ui, words);
    None
}

/// How much of a report is written into a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Head,
    AllHeads,
}

/// What can be exported: the palette's id, what, and how.
pub(super) const EXPORTS: [(&str, Extent, Format); 6] = [
    ("export-svg", Extent::Head, Format::Svg),
    ("export-png", Extent::Head, Format::Png),
    ("export-csv", Extent::Head, Format::Csv),
    ("export-all-svg", Extent::AllHeads, Format::Svg),
    ("export-all-png", Extent::AllHeads, Format::Png),
    ("export-all-csv", Extent::AllHeads, Format::Csv),
];

/// Asks where to, then draws and writes on the dialog's thread.
pub(super) fn export(colours: &Colours, cx: &mut Cx<'_>, shown: &Shown, format: Format) {
    let (layer, head) = (cx.selection.layer, cx.selection.head);
    let made = cx.state.job(shown.job).and_then(|job| job.made.as_ref());
    let name = made.map_or("model", |made| made.model.as_str());
    let (map, scale) = (colours.map, colours.scale);
    let title = format!("{name}, layer {layer}, head {head}");
    let extension = format.extension();
    let file = format!("attention-{name}-layer{layer}-head{head}.{extension}");
    let request = FileRequest::save(format!("Export {}", format.name()), file).filter(format.name(), &[extension]);
    let report = shown.report.clone();
    cx.save_as(request, move |path| {
        let Some(pattern) = report.pattern(layer, head) else { return Ok(()) };
        let tokens = report.tokens.iter().map(|t| t.text.clone()).collect();
        let figure = AttentionFigure { title, tokens, pattern, map, scale };
        let bytes = attention_figure(&figure, format).map_err(UserError::from)?;
        write(path, &bytes)
    });
}

/// The same for all heads at once.
pub(super) fn export_all(colours: &Colours, cx: &mut Cx<'_>, shown: &Shown, format: Format) {
    let made = cx.state.job(shown.job).and_then(|job| job.made.as_ref());
    let name = made.map_or("model", |made| made.model.as_str());
    let (title, extension) = (format!("{name}, all heads"), format.extension());
    let file = format!("attention-{name}-all-heads.{extension}");
    let title_of_dialog = format!("Export all heads as {}", format.name());
    let request = FileRequest::save(title_of_dialog, file).filter(format.name(), &[extension]);
    let (map, scale) = (colours.map, colours.scale);
    let (report, layers, heads) = (shown.report.clone(), shown.layers, shown.heads);
    cx.save_as(request, move |path| {
        let row = |layer| (0..heads).map(|head| report.pattern(layer, head)).collect();
        let tokens = report.tokens.iter().map(|t| t.text.clone()).collect();
        let figure = HeadGridFigure { title, tokens, layers: (0..layers).map(row).collect(), map, scale };
        let bytes = head_grid_figure(&figure, format).map_err(UserError::from)?;
        write(path, &bytes)
    });
}

/// Writes a figure.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), UserError> {
    crate::disk::write(path, bytes).map_err(|e| {
        UserError::new(
            format!("{} could not be written.", path.display()),
            e.to_string(),
            "Choose a folder you may write to, with enough room.",
        )
    })
}
