//! Beside the picture: where it comes from and how it is shown at the left, what the model takes it for at the right.

use super::{PictureView, heads, name_of};
use crate::types::Ability;
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::edits;
use crate::ui::panels::attention::controls::Wanted;
use crate::ui::panels::attention::export::{Extent, Kind};
use crate::ui::panels::attention::look::Colours;
use crate::ui::panels::attention::ways::Way;
use crate::ui::panels::attention::{Shown, controls, palette};
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{self, caption, class_bars, secondary_button, section};
use egui::{RichText, Slider, Ui};
use lucide_icons::Icon;

/// Gives what is to be written, and how.
pub(in super::super) fn controls(
    view: &mut PictureView,
    way: Way,
    colours: &mut Colours,
    shown: Option<&Shown>,
    ui: &mut Ui,
    cx: &mut Cx<'_>,
) -> Option<Wanted> {
    let theme = ui.theme();
    view.context.get_or_insert_with(|| ui.ctx().clone());
    ui.add_space(space::S);
    section(ui, "Picture", |ui| {
        // One under the other: side by side they do not fit into the narrowest column.
        if secondary_button(ui, Some(Icon::Image), "Open a picture").clicked() {
            PictureView::ask_for_file(cx);
        }
        ui.add_enabled_ui(cx.selection.drawing.is_some(), |ui| {
            let response = secondary_button(ui, Some(Icon::PenTool), "Use the drawing");
            if response.on_disabled_hover_text("Draw something in the Digits panel first.").clicked() {
                view.take_drawing(cx);
            }
        });
        let from = view.path.as_ref().and_then(|path| path.file_name());
        let words =
            from.map_or_else(|| "Or drop a PNG, JPEG or WebP file.".to_owned(), |n| n.to_string_lossy().into_owned());
        caption(ui, words);
    });
    section(ui, "Colours", |ui| {
        palette::show(ui, colours);
        let help = "How much the weights cover the picture.";
        widgets::field(ui, "Covering", help, |ui| {
            widgets::slider(ui, Slider::new(&mut view.strength, 0.0..=1.0).fixed_decimals(2))
        });
    });
    let wanted = shown.and_then(|_| {
        if way.is_of_pictures() {
            return palette::row(ui, "Export", None, |ui| controls::view_menu(ui, way, true));
        }
        let format = controls::export(ui, "Export this picture")?;
        Some(Wanted::File(Extent::View, Kind::Figure(format)))
    });
    if let Some(shown) = shown {
        let title = format!("{} layers × {} heads", shown.layers, shown.heads);
        section(ui, &title, |ui| {
            heads::show(view, colours.look(theme), ui, cx, shown);
            caption(ui, "Where each head looks. Rows are layers, columns heads; arrow keys move.");
            if let Some(words) = &shown.report.left_out {
                ui.label(RichText::new(words).font(Type::Caption.sans()).color(theme.warning()));
            }
        });
    }
    edits::section(Ability::Attend, shown.map(|shown| shown.report.tokens.as_slice()), ui, cx);
    wanted
}

pub(in super::super) fn inspector(view: &PictureView, shown: Option<&Shown>, ui: &mut Ui, cx: &Cx<'_>) {
    ui.add_space(space::S);
    let Some((shown, report)) = shown.and_then(|s| Some((s, s.report.picture.as_ref()?))) else {
        caption(ui, "After a picture was read, this tells what the model takes it for.");
        return;
    };
    if report.classes.is_empty() {
        let name = cx.state.active(Ability::SeePictures).map_or("The model", |m| m.info.name.as_str());
        let words = format!("{name} has no head that knows classes. Its attention can be looked at all the same.");
        caption(ui, words);
    }
    class_bars(ui, &report.classes);
    ui.add_space(space::M);
    let [rows, columns] = report.grid;
    let (width, height) = (report.seen.width, report.seen.height);
    caption(ui, format!("Read at {width} × {height}, as {rows} × {columns} patches."));
    if let Some(token) = view.hovered.filter(|t| *t < shown.report.tokens.len()) {
        caption(ui, format!("Under the pointer: {}.", name_of(token, report)));
    }
}
