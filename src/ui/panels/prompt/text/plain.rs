//! The plain prompt: a text to continue, with or without examples, and what came of it.

use super::Wish;
use super::output::{self, Output, Shown};
use super::preview::Preview;
use super::samples::{Chosen, Samples};
use super::shots::ShotTable;
use crate::types::{Ability, FewShotPrompt};
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{self, caption, empty_state};
use crate::ui::{Cx, History, Themed};
use egui::{Frame, Margin, RichText, ScrollArea, Ui};
use lucide_icons::Icon;

/// What the mode remembers.
pub(super) struct Plain {
    pub prompt: FewShotPrompt,
    history: History<FewShotPrompt>,
    pub table: ShotTable,
    pub preview: Preview,
    pub output: Output,
    pub samples: Samples,
}

impl Plain {
    pub fn new(prompt: FewShotPrompt) -> Self {
        let history = History::new(prompt.clone());
        Self {
            prompt,
            history,
            table: ShotTable::default(),
            preview: Preview::default(),
            output: Output::default(),
            samples: Samples::default(),
        }
    }

    /// Puts another prompt in the place of the typed one; undo brings that back.
    pub fn take(&mut self, prompt: FewShotPrompt, now_s: f64) {
        self.history.part(&self.prompt, now_s);
        self.prompt = prompt;
    }

    /// Remembers what was changed in this frame.
    pub fn observe(&mut self, now_s: f64) {
        self.history.observe(&self.prompt, now_s);
    }

    pub fn undo(&mut self) {
        self.history.undo(&mut self.prompt);
    }

    pub fn redo(&mut self) {
        self.history.redo(&mut self.prompt);
    }
}

/// What the model receives above, what it wrote below.
pub(super) fn stage(plain: &mut Plain, ui: &mut Ui, cx: &mut Cx<'_>) -> Option<Wish> {
    let mut wish = None;
    Frame::new().inner_margin(Margin::symmetric(space::XL as i8, space::L as i8)).show(ui, |ui| {
        output::problems(&plain.output, ui, cx);
        prompt_card(plain, ui, cx);
        ui.add_space(space::M);
        if plain.preview.comparing.is_open {
            comparison_card(&mut plain.preview, ui, cx);
        } else if plain.samples.is_open() {
            samples_card(plain, ui, cx);
        } else {
            wish = output_card(&mut plain.output, ui, cx);
        }
    });
    wish
}

/// Height that a wrapped legend, the output with its heading and figures, and its legend need at least.
const BELOW_PROMPT: f32 = 360.0;

fn comparison_card(preview: &mut Preview, ui: &mut Ui, cx: &Cx<'_>) {
    widgets::stage_header(ui, "Token by token", "", |_| {});
    let rest = ui.available_height() - space::XL;
    output::card(ui.theme()).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.set_min_height((rest - 2.0 * space::M).max(80.0));
        preview.compare(ui, cx);
    });
}

fn samples_card(plain: &mut Plain, ui: &mut Ui, cx: &mut Cx<'_>) {
    match plain.samples.show(ui, cx) {
        Some(Chosen::Tokens(job, place)) => {
            let report = plain.samples.report(cx.state);
            let sample = report.and_then(|report| Some((report.prompt.clone(), report.samples.get(place)?)));
            if let Some((prompt, sample)) = sample {
                plain.output = Output::default();
                plain.output.shown = Some(Shown { job, prompt, kept: sample.tokens.clone() });
            }
            plain.samples.close();
        }
        Some(Chosen::Back) => plain.samples.close(),
        None => {}
    }
}

fn prompt_card(plain: &mut Plain, ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = ui.theme();
    let count = plain.preview.tokens(cx.state).map(<[_]>::len);
    let context = cx.state.active(Ability::Continue).and_then(|m| m.info.shape.context());
    let (words, too_long) = match (count, context) {
        (Some(n), Some(c)) => (format!("{n} of {c} tokens"), n > c),
        _ => (format!("{} characters", plain.preview.rendered.text.chars().count()), false),
    };
    widgets::stage_header(ui, "What the model receives", "", |ui| {
        if widgets::icon_button(ui, Icon::Copy, "Copy prompt").clicked() {
            ui.ctx().copy_text(plain.preview.rendered.text.clone());
            cx.toast("Copied the prompt");
        }
        let ink = if too_long { theme.danger() } else { theme.caption() };
        ui.label(RichText::new(words).font(Type::Caption.mono()).color(ink));
        if too_long {
            ui.label(RichText::new("Longer than the context.").font(Type::Caption.sans()).color(theme.danger()));
        }
    });
    plain.preview.head(ui, cx);
    if plain.preview.comparing.is_open {
        // Every token of it stands in the comparison.
        return;
    }
    let room = ui.available_height();
    let most = (room * 0.36).min(room - BELOW_PROMPT).max(90.0);
    output::card(theme).show(ui, |ui| {
        ui.set_width(ui.available_width());
        // The query is at the end, and the end is what the model goes on from.
        let strip = ScrollArea::vertical().id_salt("prompt strip").max_height(most).auto_shrink([false, true]);
        strip.stick_to_bottom(true).show(ui, |ui| {
            if plain.preview.rendered.text.is_empty() {
                caption(ui, "Empty. Type a query at the left.");
            } else {
                plain.preview.show(ui, cx);
            }
        });
    });
}

fn output_card(output: &mut Output, ui: &mut Ui, cx: &mut Cx<'_>) -> Option<Wish> {
    let theme = ui.theme();
    let shown = output.shown.clone();
    let text: String = shown.iter().flat_map(|s| s.tokens(cx.state)).map(|t| t.text.as_str()).collect();
    let wide = ui.available_width() > 560.0;
    widgets::stage_header(ui, "Output", "", |ui| {
        if !text.is_empty() && widgets::icon_button(ui, Icon::Copy, "Copy output").clicked() {
            ui.ctx().copy_text(text.clone());
            cx.toast("Copied the output");
        }
        if let Some(shown) = shown.as_ref().filter(|_| wide) {
            output::figures(ui, cx, shown);
        }
    });
    if let Some(shown) = shown.as_ref().filter(|_| !wide) {
        // Beside the heading there is no room for the figures.
        ui.horizontal_wrapped(|ui| output::figures(ui, cx, shown));
    }
    let rest = ui.available_height() - 44.0;
    let mut wish = None;
    output::card(theme).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.set_min_height((rest - 2.0 * space::M).max(80.0));
        match &shown {
            None => {
                let title = "See what the model makes of it";
                let words = "Each token it writes is coloured by how likely it was. Hover over one to see what else it \
                             might have said; click an alternative to go on from there.";
                let ready = cx.state.active(Ability::Continue).is_some();
                let run = empty_state(ui, Icon::MessageSquareText, title, words, ready.then_some("Run the prompt"));
                wish = run.then_some(Wish::Run);
            }
            Some(_) => wish = output::strip(output, ui, cx, rest),
        }
    });
    ui.add_space(space::XS);
    output::probability_legend(ui);
    wish
}
