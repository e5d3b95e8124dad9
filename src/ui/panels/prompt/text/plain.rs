//! The plain prompt: a text to continue, with or without examples, and what came of it.

use super::Wish;
use super::beside::{self, Other};
use super::output::{self, Output, Shown};
use super::preview::Preview;
use super::samples::{Chosen, Samples};
use super::shots::ShotTable;
use crate::engine::{Command, InspectSpec, PromptInput, Work};
use crate::types::{Ability, Edit, FewShotPrompt, JobId, SiteFilter};
use crate::ui::edits::all_words;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{self, Stamp, caption, empty_state};
use crate::ui::{Cx, History, Intent, State, Themed};
use egui::{Frame, Margin, RichText, ScrollArea, Ui};
use lucide_icons::Icon;

/// What undo goes through: what was typed, and the run that was on show beside it.
#[derive(Clone, PartialEq)]
struct Step {
    prompt: FewShotPrompt,
    run: Option<JobId>,
}

/// What the mode remembers.
pub(super) struct Plain {
    pub prompt: FewShotPrompt,
    history: History<Step>,
    pub table: ShotTable,
    pub preview: Preview,
    pub output: Output,
    pub samples: Samples,
}

impl Plain {
    pub fn new(prompt: FewShotPrompt) -> Self {
        let history = History::new(Step { prompt: prompt.clone(), run: None });
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
        self.part(now_s);
        self.prompt = prompt;
    }

    fn step(&self) -> Step {
        Step { prompt: self.prompt.clone(), run: self.output.shown.as_ref().map(|shown| shown.job) }
    }

    /// What follows is a step of its own.
    pub fn part(&mut self, now_s: f64) {
        self.history.part(&self.step(), now_s);
    }

    /// What is on show now belongs to the last step: it came of what was typed.
    pub fn amend(&mut self) {
        self.history.amend(&self.step());
    }

    /// Brings the prompt back that the run on show was made from; undo brings back what stands there now.
    pub fn retype(&mut self, now_s: f64) {
        if let Some(typed) = self.output.shown.as_ref().and_then(|shown| shown.typed.clone()) {
            self.take((*typed).clone(), now_s);
        }
    }

    /// Remembers what was changed in this frame.
    pub fn observe(&mut self, now_s: f64) {
        let step = self.step();
        self.history.observe(&step, now_s);
    }

    /// False when there is nothing to take back.
    pub fn undo(&mut self) -> bool {
        self.go(History::undo)
    }

    /// False when nothing was taken back.
    pub fn redo(&mut self) -> bool {
        self.go(History::redo)
    }

    /// When something was typed last.
    pub fn touched_s(&self) -> f64 {
        self.history.touched_s()
    }

    fn go(&mut self, way: impl Fn(&mut History<Step>, &mut Step) -> bool) -> bool {
        let mut step = self.step();
        if !way(&mut self.history, &mut step) {
            return false;
        }
        self.prompt = step.prompt;
        // Before the first run there was nothing to look at; what is on show now is better, and says that it is old.
        if let Some(run) = step.run {
            self.output.look_at(run);
        }
        self.amend();
        true
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
            wish = output_card(plain, ui, cx);
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
    match plain.samples.show(&plain.prompt, ui, cx) {
        Some(Chosen::Tokens(job, place)) => {
            let report = plain.samples.report(cx.state);
            let sample = report.and_then(|report| Some((report.prompt.clone(), report.samples.get(place)?)));
            if let Some((prompt, sample)) = sample {
                let typed = plain.samples.typed.clone();
                let text = plain.preview.rendered.text.as_str().into();
                let output = &mut plain.output;
                (output.selected, output.hovered) = (None, None);
                output.shown = Some(Shown { job, prompt, kept: sample.tokens.clone(), text, typed, other: None });
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
        if plain.preview.tokens(cx.state).is_some_and(|tokens| !tokens.is_empty())
            && widgets::icon_button(ui, Icon::Grid3x3, "Look at the attention of this text").clicked()
        {
            look_at_attention(&plain.preview.rendered.text, cx);
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

/// Has the text read once, as it is, and shows where its tokens look.
fn look_at_attention(text: &str, cx: &mut Cx<'_>) {
    let Some(model) = cx.state.active(Ability::Continue).map(|open| open.info.id) else { return };
    let job = JobId::next();
    let prompt = PromptInput::Text(text.to_owned());
    let spec = InspectSpec { prompt, sites: SiteFilter::patterns(), edits: cx.edits.on() };
    cx.send(Command::start(job, model, Work::Inspect(spec)));
    cx.intend(Intent::Inspect(job));
}

/// With what the run on show was made, where these edits are on.
fn stamp(plain: &Plain, state: &State, on: &[Edit]) -> Option<Stamp> {
    let shown = plain.output.shown.as_ref()?;
    let stamp = Stamp::in_use(state, shown.job, Ability::Continue)?;
    let is_retyped = shown.typed.as_ref().is_some_and(|typed| **typed != plain.prompt);
    let stamp = stamp.old_where(is_retyped, "The prompt was changed since.");
    Some(match state.run(shown.job) {
        Some(run) => {
            let made = shown.other.as_ref().map_or(run.spec().edits.as_slice(), |other| other.edits.as_slice());
            edited_stamp(stamp.drawn(&run.spec().sampling), made, on)
        }
        None => stamp,
    })
}

/// A stamp that says with which edits a result was made, and that it is old where others are on.
pub(super) fn edited_stamp(stamp: Stamp, made: &[Edit], on: &[Edit]) -> Stamp {
    let stamp = if made.is_empty() { stamp } else { stamp.with(format!("edited: {}", all_words(made))) };
    stamp.old_where(made != on, "The edits were changed since.")
}

/// Which of the runs from the same text is on show, and the way to the others.
fn siblings(output: &Output, ui: &mut Ui) -> Option<Wish> {
    let (place, jobs) = output.past.siblings(output.shown.as_ref()?);
    widgets::stepper(ui, place, jobs.len(), "output").map(|to| Wish::LookAt(jobs[to]))
}

fn output_card(plain: &mut Plain, ui: &mut Ui, cx: &mut Cx<'_>) -> Option<Wish> {
    let theme = ui.theme();
    let stamp = stamp(plain, cx.state, &cx.edits.on());
    let is_retyped = plain.output.shown.as_ref().and_then(|shown| shown.typed.as_ref());
    let is_retyped = is_retyped.is_some_and(|typed| **typed != plain.prompt);
    let output = &mut plain.output;
    let shown = output.shown.clone();
    let mut wish = None;
    let text: String = shown.iter().flat_map(|s| s.tokens(cx.state)).map(|t| t.text.as_str()).collect();
    let wide = ui.available_width() > 560.0;
    widgets::stage_header(ui, "Output", "", |ui| {
        if !text.is_empty() && widgets::icon_button(ui, Icon::Copy, "Copy output").clicked() {
            ui.ctx().copy_text(text.clone());
            cx.toast("Copied the output");
        }
        let words = "Bring back the prompt this was made from";
        if is_retyped && widgets::icon_button(ui, Icon::Undo2, words).clicked() {
            wish = Some(Wish::Retype);
        }
        wish = siblings(output, ui).or(wish);
        // Beside another model each column has its own.
        let has_columns = shown.as_ref().and_then(|shown| shown.other.as_ref()).is_some_and(Other::is_of_model);
        if let Some(shown) = shown.as_ref().filter(|_| wide && !has_columns) {
            output::figures(ui, cx, shown);
        }
    });
    let has_columns = shown.as_ref().and_then(|shown| shown.other.as_ref()).is_some_and(Other::is_of_model);
    if let Some(shown) = shown.as_ref().filter(|_| !wide && !has_columns) {
        // Beside the heading there is no room for the figures.
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().interact_size.y = 0.0;
            output::figures(ui, cx, shown);
        });
    }
    if let Some(stamp) = &stamp {
        stamp.show(ui);
    }
    let rest = ui.available_height() - 44.0;
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
            Some(shown) => {
                let asked = Stamp::over(stamp.as_ref(), ui, |ui| {
                    let top = ui.cursor().top();
                    if shown.other.is_some() {
                        return beside::show(output, ui, cx, rest);
                    }
                    output::answer(shown, ui, cx);
                    let taken = ui.cursor().top() - top;
                    output::strip(output, ui, cx, rest - taken)
                });
                wish = asked.or(wish.take());
            }
        }
    });
    ui.add_space(space::XS);
    output::probability_legend(ui);
    wish
}
