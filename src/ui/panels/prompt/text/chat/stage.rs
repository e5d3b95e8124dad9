//! The stage in chat mode: the turns above, what the model receives or what it answered below.

use super::super::plain::edited_stamp;
use super::super::{Wish, beside, output};
use super::{Below, Chat, composer, receives, turns};
use crate::types::{Ability, ChatFailure, UserError};
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{self, Stamp, caption, error_card, secondary_button, segmented};
use egui::{Frame, Margin, RichText, ScrollArea, Ui};
use lucide_icons::Icon;

/// Height of the field at the foot, with two lines.
const COMPOSER: f32 = 64.0;
/// Height of the heading of what is folded away.
const FOLDED: f32 = 40.0;

pub(in super::super) fn stage(chat: &mut Chat, ui: &mut Ui, cx: &mut Cx<'_>) -> Option<Wish> {
    let mut wish = None;
    Frame::new().inner_margin(Margin::symmetric(space::XL as i8, space::L as i8)).show(ui, |ui| {
        output::problems(&chat.output, ui, cx);
        let room = ui.available_height() - COMPOSER;
        let below = if chat.is_folded { FOLDED } else { (room * 0.40).clamp(150.0, 340.0) };
        let above = (room - below).max(120.0);
        ui.scope(|ui| {
            ui.set_height(above);
            wish = conversation(chat, ui, cx, above);
        });
        if composer::show(chat, ui, cx) {
            wish = Some(Wish::Run);
        }
        ui.add_space(space::S);
        wish = underneath(chat, ui, cx).or(wish.take());
    });
    wish
}

fn conversation(chat: &mut Chat, ui: &mut Ui, cx: &mut Cx<'_>, height: f32) -> Option<Wish> {
    let writing = chat.writing();
    let shown = chat.output.shown.clone();
    let mut done = turns::Done::default();
    let area = ScrollArea::vertical().id_salt("turns").max_height(height - space::M).auto_shrink(false);
    area.stick_to_bottom(true).show(ui, |ui| {
        let state: &Cx<'_> = cx;
        done = turns::show(chat, ui, writing, |ui| {
            if let Some(shown) = &shown {
                ui.horizontal_wrapped(|ui| output::figures(ui, state, shown));
            }
        });
    });
    if let Some(edit) = done.edit {
        chat.apply(edit, cx.state.now_s);
    }
    if let Some((turn, to)) = done.way {
        chat.go(turn, to, cx.state.now_s);
    }
    done.ask.map(Wish::Ask)
}

fn underneath(chat: &mut Chat, ui: &mut Ui, cx: &mut Cx<'_>) -> Option<Wish> {
    let theme = ui.theme();
    let answer = chat.receives.answer(cx);
    let count = answer.filter(|answer| matches!(answer.chat, Some(Ok(_)))).map(|answer| answer.tokens.len());
    let context = cx.state.active(Ability::Continue).and_then(|m| m.info.shape.context());
    let too_long = count.zip(context).is_some_and(|(count, context)| count > context);
    ui.horizontal(|ui| {
        let (icon, words) = match chat.is_folded {
            true => (Icon::ChevronRight, "Show the tokens"),
            false => (Icon::ChevronDown, "Fold the tokens"),
        };
        if widgets::icon_button(ui, icon, words).clicked() {
            chat.is_folded = !chat.is_folded;
        }
        let choices = [(Below::Receives, "The model receives"), (Below::Answer, "Answer")];
        if segmented(ui, &mut chat.below, &choices) {
            chat.is_folded = false;
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if let Some(chat) = chat.receives.written(cx)
                && widgets::icon_button(ui, Icon::Copy, "Copy the written text").clicked()
            {
                ui.ctx().copy_text(chat.text.clone());
                cx.toast("Copied the written text");
            }
            if let Some((count, context)) = count.zip(context) {
                let ink = if too_long { theme.danger() } else { theme.caption() };
                let words = format!("{count} of {context} tokens");
                ui.label(RichText::new(words).font(Type::Caption.mono()).color(ink));
            }
        });
    });
    if too_long {
        ui.label(RichText::new("Longer than the context.").font(Type::Caption.sans()).color(theme.danger()));
    }
    let mut wish = None;
    if chat.is_folded && chat.receives.failure(cx).is_none() {
        return wish;
    }
    let rest = ui.available_height() - 28.0;
    match chat.below {
        Below::Receives => {
            if let Some(failure) = chat.receives.failure(cx) {
                wish = failed(chat, ui, failure, rest + 28.0);
            } else {
                written(chat, ui, cx, rest);
                receives::legend(ui);
            }
        }
        Below::Answer => {
            output::card(theme).show(ui, |ui| {
                ui.set_width(ui.available_width());
                ui.set_min_height((rest - 2.0 * space::M).max(48.0));
                match chat.output.shown.is_some() {
                    true => {
                        let stamp = stamp(chat, cx);
                        if let Some(stamp) = &stamp {
                            stamp.show(ui);
                        }
                        let rest = rest - 20.0;
                        let is_compared = chat.output.shown.as_ref().is_some_and(|shown| shown.other.is_some());
                        let show = if is_compared { beside::show } else { output::strip };
                        wish = Stamp::over(stamp.as_ref(), ui, |ui| show(&mut chat.output, ui, cx, rest));
                    }
                    false => drop(caption(ui, "Nothing was answered yet.")),
                }
            });
            output::probability_legend(ui);
        }
    }
    wish
}

/// With what the answer on show was made.
fn stamp(chat: &Chat, cx: &Cx<'_>) -> Option<Stamp> {
    let shown = chat.output.shown.as_ref()?;
    let stamp = Stamp::in_use(cx.state, shown.job, Ability::Continue)?;
    let stamp = stamp.old_where(chat.is_edited(), "The conversation was changed since.");
    Some(match cx.state.run(shown.job) {
        Some(run) => edited_stamp(stamp.drawn(&run.spec().sampling), &run.spec().edits, &cx.edits.on()),
        None => stamp,
    })
}

fn written(chat: &mut Chat, ui: &mut Ui, cx: &mut Cx<'_>, height: f32) {
    let theme = ui.theme();
    let mut clicked = None;
    output::card(theme).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let inner = (height - 2.0 * space::M).max(48.0);
        ui.set_min_height(inner);
        // What the model goes on from is at the end.
        let area = ScrollArea::vertical().id_salt("chat strip").max_height(inner).auto_shrink([false, true]);
        area.stick_to_bottom(true).show(ui, |ui| {
            clicked = chat.receives.show(ui, cx, &chat.pending(), chat.selected);
        });
    });
    if let Some(token) = clicked {
        chat.selected = if chat.selected == Some(token) { None } else { Some(token) };
        // The attention panel looks at the last run, whose sequence begins with these tokens if nothing changed since.
        let tokens = chat.receives.answer(cx).map(|answer| answer.tokens.as_slice()).unwrap_or_default();
        let read = chat.output.shown.as_ref().map(|shown| shown.prompt(cx.state)).unwrap_or_default();
        let same = (0..=token).all(|i| read.get(i).map(|t| t.id) == tokens.get(i).map(|t| t.id));
        if same {
            cx.selection.token = chat.selected;
        }
    }
}

/// The template gives no text: its own words and line, and ways out.
fn failed(chat: &mut Chat, ui: &mut Ui, failure: &ChatFailure, height: f32) -> Option<Wish> {
    let mut plain = false;
    let theme = ui.theme();
    ScrollArea::vertical().id_salt("chat failure").max_height(height).show(ui, |ui| {
        // The scroll area cuts at its edge, where the card's own line is.
        ui.set_max_width(ui.available_width() - 2.0);
        if failure.is_missing {
            output::card(theme).show(ui, |ui| {
                ui.set_width(ui.available_width());
                ui.label(RichText::new(&failure.error.what).font(Type::Strong.bold()).color(theme.body()));
                caption(ui, &failure.error.why);
                ui.add_space(space::XS);
                ui.horizontal_wrapped(|ui| {
                    let lines = secondary_button(ui, Some(Icon::AlignLeft), "Write turns as plain lines");
                    let words = "User: … and Assistant: … on lines of their own. The model was not trained on them, but many \
                                 models that only continue text understand.";
                    if lines.on_hover_text(words).clicked() {
                        chat.write_lines(true);
                    }
                    if secondary_button(ui, Some(Icon::MessageSquareText), "Use the plain prompt").clicked() {
                        plain = true;
                    }
                });
            });
            return;
        }
        let told = UserError { detail: String::new(), ..failure.error.clone() };
        error_card(ui, &told);
        if secondary_button(ui, Some(Icon::MessageSquareText), "Use the plain prompt").clicked() {
            plain = true;
        }
        if !failure.error.detail.is_empty() {
            let text = RichText::new(&failure.error.detail).font(Type::Caption.mono()).color(theme.body());
            output::card(theme).show(ui, |ui| {
                ui.set_width(ui.available_width());
                ui.add(egui::Label::new(text).wrap().selectable(true));
            });
        }
    });
    plain.then_some(Wish::Plain)
}
