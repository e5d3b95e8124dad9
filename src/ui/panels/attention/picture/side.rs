//! Beside the picture: where it comes from and how it is shown at the left, what the model takes it for at the right.

use super::{PictureView, heads, name_of};
use crate::types::{Ability, ClassProbability};
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::edits;
use crate::ui::panels::attention::controls::Wanted;
use crate::ui::panels::attention::export::{Extent, Kind};
use crate::ui::panels::attention::look::Colours;
use crate::ui::panels::attention::ways::Way;
use crate::ui::panels::attention::{Shown, controls, palette};
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{self, caption, percent, secondary_button, section, share_bar};
use egui::{Align2, Rect, RichText, Role, Sense, Slider, Ui, Vec2, WidgetInfo, pos2};
use lucide_icons::Icon;

/// Classes that are shown.
const CLASSES: usize = 10;
const ROW: f32 = 38.0;

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
        if secondary_button(ui, Some(Icon::Image), "Open PNG or JPEG").clicked() {
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
            from.map_or_else(|| "Or drop a file on the window.".to_owned(), |n| n.to_string_lossy().into_owned());
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
    for (place, class) in report.classes.iter().take(CLASSES).enumerate() {
        row(ui, class, place == 0);
    }
    if report.classes.len() > CLASSES {
        let rest: f32 = report.classes.iter().skip(CLASSES).map(|c| c.probability).sum();
        caption(ui, format!("{} others: {}", report.classes.len() - CLASSES, percent(rest)));
    }
    ui.add_space(space::M);
    let [rows, columns] = report.grid;
    let (width, height) = (report.seen.width, report.seen.height);
    caption(ui, format!("Read at {width} × {height}, as {rows} × {columns} patches."));
    if let Some(token) = view.hovered.filter(|t| *t < shown.report.tokens.len()) {
        caption(ui, format!("Under the pointer: {}.", name_of(token, report)));
    }
}

fn row(ui: &mut Ui, class: &ClassProbability, best: bool) {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::hover());
    let number = percent(class.probability);
    response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, format!("{} {number}", class.label)));
    let painter = ui.painter().with_clip_rect(ui.clip_rect().intersect(rect));
    let ink = if best { theme.accent_text() } else { theme.body() };
    let face = if best { Type::Body.bold() } else { Type::Body.sans() };
    let words = Rect::from_min_max(rect.min, pos2(rect.right() - 64.0, rect.bottom()));
    let named = painter.with_clip_rect(painter.clip_rect().intersect(words));
    named.text(pos2(rect.left(), rect.top() + 11.0), Align2::LEFT_CENTER, &class.label, face, ink);
    let at = pos2(rect.right(), rect.top() + 11.0);
    painter.text(at, Align2::RIGHT_CENTER, number, Type::Caption.mono(), theme.caption());
    let bar = Rect::from_min_max(pos2(rect.left(), rect.top() + 23.0), pos2(rect.right(), rect.top() + 30.0));
    share_bar(&painter, theme, bar, class.probability, if best { theme.accent() } else { theme.neutral(6) });
    let _ = response.on_hover_text(&class.label);
}
