//! Groups, labels and empty states.

use super::primary_button;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use egui::text::{LayoutJob, TextWrapping};
use egui::{
    Color32, Direction, Event, FontId, Galley, Id, Layout, Modifiers, Painter, Response, RichText, Sides, Ui, UiBuilder,
};
use lucide_icons::Icon;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

/// A group of controls under a small heading.
pub fn section<R>(ui: &mut Ui, title: &str, add: impl FnOnce(&mut Ui) -> R) -> R {
    let theme = ui.theme();
    ui.add_space(space::S);
    ui.label(RichText::new(title).font(Type::Body.bold()).color(theme.body()));
    let result = add(ui);
    ui.add_space(space::S);
    result
}

/// A part of a list that belongs to `key`, which no other part of the window may have. egui knows widgets by their place: in a list whose
/// rows come, go or change places, the keyboard's focus and a click that has begun would go to what stands there next.
pub fn keyed<R>(ui: &mut Ui, key: impl Hash + Debug, add: impl FnOnce(&mut Ui) -> R) -> R {
    ui.scope_builder(UiBuilder::new().scope_id(Id::unique(key)), add).inner
}

/// A quiet line of text that wraps.
pub fn caption(ui: &mut Ui, text: impl Into<String>) -> Response {
    let theme = ui.theme();
    ui.label(RichText::new(text).font(Type::Caption.sans()).color(theme.caption()))
}

/// Such a line in the middle of the room there is. Lines that wrap are not stretched to the edges.
pub fn in_the_middle(ui: &mut Ui, text: impl Into<String>) -> Response {
    let layout = Layout::centered_and_justified(Direction::TopDown).with_cross_justify(false);
    ui.with_layout(layout, |ui| caption(ui, text)).inner
}

/// What an empty field says: slanted, so that nobody takes it for what was typed.
#[must_use]
pub fn hint(words: &str) -> RichText {
    RichText::new(words).italics()
}

/// A label above a control. `help` explains the term on hover, in a sentence a first-year student understands.
/// The control is named after the label for screen readers.
pub fn field(ui: &mut Ui, label: &str, help: &str, add: impl FnOnce(&mut Ui) -> Response) -> Response {
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = space::XS;
        let name = caption(ui, label);
        let name = if help.is_empty() { name } else { name.on_hover_text(help) };
        let control = add(ui).labelled_by(name.id);
        if help.is_empty() { control } else { control.on_hover_text(help) }
    })
    .inner
}

/// A slider over the whole width, its number at the right edge.
pub fn slider(ui: &mut Ui, slider: egui::Slider<'_>) -> Response {
    let theme = ui.theme();
    const NUMBER: f32 = 48.0;
    ui.scope(|ui| {
        let style = ui.style_mut();
        style.spacing.interact_size = egui::vec2(NUMBER, 22.0);
        style.spacing.button_padding.x = space::XS;
        // egui paints the way to the handle in the colour of selections, which is too quiet for a line.
        style.visuals.selection.bg_fill = theme.accent();
        style.visuals.widgets.inactive.bg_fill = theme.neutral(4);
        ui.spacing_mut().slider_width = ui.available_width() - NUMBER - space::S;
        ui.add(slider)
    })
    .inner
}

/// Controls side by side, each with the same width.
pub fn row(ui: &mut Ui, count: usize, add: impl FnOnce(&mut [Ui])) {
    ui.columns(count, add);
}

/// The keys that were held when the pointer was let go in this frame; later than that, somebody else's.
pub fn click_modifiers(ui: &Ui) -> Modifiers {
    ui.input(|input| {
        let released = input.events.iter().rev().find_map(|event| match event {
            Event::PointerButton { pressed: false, modifiers, .. } => Some(*modifiers),
            _ => None,
        });
        released.unwrap_or(input.modifiers)
    })
}

/// A term with an explanation on hover.
pub fn explain(ui: &mut Ui, term: &str, help: &str) -> Response {
    caption(ui, term).on_hover_text(help)
}

/// One line of text for a painter, cut with an ellipsis where it is wider than `width`.
#[must_use]
pub fn one_line(painter: &Painter, text: &str, font: FontId, ink: Color32, width: f32) -> Arc<Galley> {
    let mut job = LayoutJob::simple_singleline(text.replace('\n', " "), font, ink);
    job.wrap = TextWrapping::truncate_at_width(width.max(0.0));
    painter.layout_job(job)
}

/// One large figure with its unit and a caption under it.
pub fn figure(ui: &mut Ui, value: &str, unit: &str, name: &str) {
    let theme = ui.theme();
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::XS;
            ui.label(RichText::new(value).font(Type::Strong.mono()).color(theme.body()));
            caption(ui, unit);
        });
        caption(ui, name);
    });
}

/// The heading of a stage: what is shown at the left, tools at the right (added from right to left). The heading is cut
/// short where both do not fit.
pub fn stage_header(ui: &mut Ui, title: &str, sub: &str, tools: impl FnOnce(&mut Ui)) {
    let theme = ui.theme();
    Sides::new().height(28.0).shrink_left().truncate().show(
        ui,
        |ui| {
            ui.label(RichText::new(title).font(Type::Title.bold()).color(theme.body()));
            if !sub.is_empty() {
                caption(ui, sub);
            }
        },
        tools,
    );
}

/// What a panel shows before there is anything: one sentence, one button that does the first useful thing. Returns true
/// when the button was pressed.
pub fn empty_state(ui: &mut Ui, icon: Icon, title: &str, sentence: &str, action: Option<&str>) -> bool {
    let theme = ui.theme();
    let mut pressed = false;
    let height = 160.0;
    ui.add_space(((ui.available_height() - height) / 2.0).max(space::XL));
    ui.vertical_centered(|ui| {
        ui.set_max_width(ui.available_width().min(420.0));
        let mark = RichText::new(char::from(icon)).font(FontId::new(32.0, crate::ui::theme::icon_family()));
        ui.label(mark.color(theme.neutral(6)));
        ui.add_space(space::S);
        ui.label(RichText::new(title).font(Type::Title.bold()).color(theme.body()));
        ui.label(RichText::new(sentence).font(Type::Body.sans()).color(theme.caption()));
        if let Some(action) = action {
            ui.add_space(space::M);
            pressed = primary_button(ui, Icon::Play, action).clicked();
        }
    });
    pressed
}
