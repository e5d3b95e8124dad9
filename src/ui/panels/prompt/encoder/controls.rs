//! The left column: what to do, and the texts.

use super::{EncoderView, MASK, Mode};
use crate::ui::Cx;
use crate::ui::theme::space;
use crate::ui::widgets::{self, TextArea, caption, field, segmented};
use egui::Ui;
use lucide_icons::Icon;

const MASKED_HELP: &str = "An encoder reads the whole text at once, what follows a gap too, and guesses the word that stands \
     there (masked language modelling, Devlin et al. 2019).";
const LINES_HELP: &str = "Each line becomes one vector. Texts of like meaning have vectors of like direction: the cosine of \
     the angle between them is near 1.";

const CLASSES_HELP: &str = "The body of the model reads the text and makes one vector of it; the head behind it scores each class it was \
     trained on.";

pub(super) fn show(view: &mut EncoderView, ui: &mut Ui, cx: &mut Cx<'_>) {
    if let Some(classes) = EncoderView::classes(cx.state) {
        ui.add_space(space::S);
        field(ui, "Text", CLASSES_HELP, |ui| ui.add(TextArea::new(&mut view.typed.classified, 6)));
        caption(ui, format!("At most {} tokens are read.", classes.longest));
        return;
    }
    let Some(facts) = EncoderView::facts(cx.state).cloned() else { return };
    ui.add_space(space::S);
    if facts.mask.is_some() {
        segmented(ui, &mut view.typed.mode, &[(Mode::Fill, "Fill masks"), (Mode::Compare, "Compare texts")]);
        ui.add_space(space::XS);
    }
    match view.mode(cx.state) {
        Mode::Fill => {
            let mask = facts.mask.as_deref().unwrap_or(MASK);
            // Shown as the model writes it, kept in one spelling for all models.
            let mut text = view.typed.masked.replace(MASK, mask);
            field(ui, "Text with masks", MASKED_HELP, |ui| ui.add(TextArea::new(&mut text, 4)));
            view.typed.masked = text.replace(mask, MASK);
            if widgets::secondary_button(ui, Some(Icon::Plus), &format!("Add {mask}")).clicked() {
                view.typed.masked.push_str(if view.typed.masked.ends_with(' ') { MASK } else { " [MASK]" });
            }
            caption(ui, format!("{mask} stands for a word to guess."));
        }
        Mode::Compare => {
            field(ui, "Texts, one a line", LINES_HELP, |ui| ui.add(TextArea::new(&mut view.typed.lines, 9)));
            let scaled = if facts.normalised { ", scaled to length 1" } else { "" };
            let source =
                if facts.is_sentence_model { "" } else { " The folder does not say how; this is what is usual." };
            let words = format!(
                "A text's vector is the {}{scaled}, over at most {} tokens.{source}",
                facts.pooling, facts.longest
            );
            caption(ui, words);
        }
        Mode::Classify => {}
    }
}

pub(super) fn footer(view: &mut EncoderView, ui: &mut Ui, cx: &mut Cx<'_>) {
    let wide = |ui: &mut Ui, add: &mut dyn FnMut(&mut Ui) -> bool| {
        ui.with_layout(egui::Layout::top_down_justified(egui::Align::Center), add).inner
    };
    if let Some(job) = view.running(cx.state) {
        let stop = wide(ui, &mut |ui| widgets::danger_button(ui, Icon::Square, "Stop").on_hover_text("Esc").clicked());
        if stop {
            cx.cancel(job);
        }
        return;
    }
    let missing = view.missing(cx.state);
    let name = match view.mode(cx.state) {
        Mode::Fill => "Fill masks",
        Mode::Compare => "Compare",
        Mode::Classify => "Classify",
    };
    let run = wide(ui, &mut |ui| {
        ui.add_enabled_ui(missing.is_none(), |ui| {
            let response = widgets::primary_button(ui, Icon::Play, name);
            let response = response.on_hover_text("Ctrl+Enter");
            response.on_disabled_hover_text(missing.as_deref().unwrap_or_default()).clicked()
        })
        .inner
    });
    if run {
        view.run(cx);
    }
}
