//! Several continuations of the prompt, and how far they agree.

use super::output;
use super::plain::edited_stamp;
use super::second::Target;
use crate::engine::{GenerateSpec, SamplesSpec, Work};
use crate::types::{Ability, Agreement, DrawnSample, FewShotPrompt, JobId, ModelId, SamplesReport};
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{self, Stamp, figure, ghost_button, icon_button, job_error};
use crate::ui::{Answer, Ask, Cx, State, Themed};
use egui::{RichText, ScrollArea, Ui};
use lucide_icons::Icon;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// How many samples are drawn, and those that were.
pub(super) struct Samples {
    pub count: usize,
    /// Without edits, then with them where any were on; or of the model beside, then of the one in use.
    asks: [Ask<SamplesSpec>; 2],
    /// True where the first are of another model.
    of_models: bool,
    /// Which of them is looked at.
    looked_at: usize,
    /// What was typed for them.
    pub typed: Option<Rc<FewShotPrompt>>,
    is_open: bool,
}

impl Default for Samples {
    fn default() -> Self {
        Self { count: 1, asks: Default::default(), of_models: false, looked_at: 0, typed: None, is_open: false }
    }
}

/// What a person wants of a sample.
pub(super) enum Chosen {
    /// To see its tokens: the job it is of, and its place.
    Tokens(JobId, usize),
    /// To see the output of a single run again.
    Back,
}

impl Samples {
    /// Draws as many as are wanted, by the model beside, too.
    pub(super) fn run(&mut self, model: ModelId, generate: GenerateSpec, second: Option<Target>, cx: &mut Cx<'_>) {
        self.of_models = second.is_some();
        let (first, then) = match second {
            // Edits hold for both models.
            Some(_) => (generate.clone(), Some(generate)),
            None => {
                let plain = GenerateSpec { edits: Vec::new(), ..generate.clone() };
                (plain, Some(generate).filter(|generate| !generate.edits.is_empty()))
            }
        };
        self.looked_at = usize::from(then.is_some());
        let count = self.count;
        let work = |target: Option<Target>, spec: &SamplesSpec| {
            let work = Work::Samples(spec.clone());
            target.map_or((model, work.clone()), |target| (target.id, target.work(work)))
        };
        self.asks[0].ask(SamplesSpec { generate: first, count }, cx, |spec| work(second, spec));
        match then {
            Some(generate) => {
                self.asks[1].ask(SamplesSpec { generate, count }, cx, |spec| work(None, spec));
            }
            None => {
                self.asks[1].forget(cx);
                self.asks[1] = Ask::default();
            }
        }
        self.is_open = true;
    }

    /// What those of the first and of the second are called, in a line.
    fn names(&self, state: &State) -> [String; 2] {
        if !self.of_models {
            return ["Unedited", "Edited"].map(str::to_owned);
        }
        self.asks.each_ref().map(|ask| {
            let made = ask.job().and_then(|job| state.job(job)?.made.as_ref());
            made.map_or_else(|| "the other model".to_owned(), |made| made.model.clone())
        })
    }

    /// True while they stand in the place of the output.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    pub(super) fn close(&mut self) {
        self.is_open = false;
    }

    pub(super) fn running(&self, state: &State) -> Option<JobId> {
        self.asks.iter().find_map(|ask| ask.running(state))
    }

    /// The samples that are looked at.
    fn ask(&self) -> &Ask<SamplesSpec> {
        &self.asks[self.looked_at]
    }

    /// True where those of the edited model or of another one stand beside.
    fn is_compared(&self) -> bool {
        self.asks[1].job().is_some()
    }

    /// What was drawn.
    pub(super) fn report<'a>(&self, state: &'a State) -> Option<&'a Arc<SamplesReport>> {
        self.report_of(self.looked_at, state)
    }

    fn report_of<'a>(&self, which: usize, state: &'a State) -> Option<&'a Arc<SamplesReport>> {
        match self.asks[which].answer(state) {
            Answer::New(report) => Some(report),
            _ => None,
        }
    }

    /// With what they were made, where the prompt is this one now.
    fn stamp(&self, prompt: &FewShotPrompt, cx: &Cx<'_>) -> Option<Stamp> {
        let spec = self.ask().question()?;
        let is_retyped = self.typed.as_ref().is_some_and(|typed| **typed != *prompt);
        let stamp = Stamp::in_use(cx.state, self.ask().job()?, Ability::Continue)?.drawn(&spec.generate.sampling);
        let stamp =
            stamp.with(format!("{} samples", spec.count)).old_where(is_retyped, "The prompt was changed since.");
        let edits = self.asks[1].question().map(|spec| spec.generate.edits.as_slice()).unwrap_or_default();
        let stamp = if self.of_models { stamp.with(format!("beside {}", self.names(cx.state)[0])) } else { stamp };
        Some(edited_stamp(stamp, edits, &cx.edits.on()))
    }

    /// The jobs whose answers must be kept.
    pub(super) fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.asks.iter().for_each(|ask| ask.shows(shown));
    }

    /// The card in the place of the output, where the prompt is this one now.
    pub(super) fn show(&mut self, prompt: &FewShotPrompt, ui: &mut Ui, cx: &mut Cx<'_>) -> Option<Chosen> {
        let theme = ui.theme();
        let mut chosen = None;
        let report = self.report(cx.state).map(Arc::clone);
        widgets::stage_header(ui, "Samples", "", |ui| {
            if ghost_button(ui, Some(Icon::Undo2), "Single output").clicked() {
                chosen = Some(Chosen::Back);
            }
            let copy = report.as_ref().filter(|_| icon_button(ui, Icon::Copy, "Copy all samples").clicked());
            if let Some(report) = copy {
                let texts: Vec<&str> = report.samples.iter().map(|sample| sample.text.as_str()).collect();
                ui.ctx().copy_text(texts.join("\n\n"));
                cx.toast("Copied the samples");
            }
        });
        let stamp = self.stamp(prompt, cx);
        if let Some(stamp) = &stamp {
            stamp.show(ui);
        }
        let rest = ui.available_height() - space::XL;
        output::card(theme).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.set_min_height((rest - 2.0 * space::M).max(80.0));
            if let Some(job) = self.running(cx.state) {
                widgets::job_progress(ui, cx, job);
            }
            for job in self.asks.iter().filter_map(Ask::job).collect::<Vec<_>>() {
                job_error(ui, cx, job);
            }
            if self.is_compared() {
                self.both(stamp.as_ref(), ui, cx.state);
            }
            let (Some(report), Some(job)) = (&report, self.ask().job()) else { return };
            let Some(agreement) = report.agreement() else { return };
            if !self.is_compared() {
                Stamp::over(stamp.as_ref(), ui, |ui| told(&agreement, ui));
            }
            ui.add_space(space::S);
            let list = ScrollArea::vertical().id_salt("samples").auto_shrink(false);
            list.max_height((ui.available_height() - space::M).max(80.0)).show(ui, |ui| {
                for (place, sample) in report.samples.iter().enumerate() {
                    if one(sample, sample.text.trim() == agreement.answer && agreement.count > 1, ui) {
                        chosen = Some(Chosen::Tokens(job, place));
                    }
                }
            });
        });
        chosen
    }
}

impl Samples {
    /// How far those without and those with edits agree, and whose texts are listed.
    fn both(&mut self, stamp: Option<&Stamp>, ui: &mut Ui, state: &State) {
        let names = self.names(state);
        for (which, name) in names.iter().enumerate() {
            ui.label(RichText::new(name).font(Type::Body.bold()).color(ui.theme().body()));
            match self.report_of(which, state).and_then(|report| report.agreement()) {
                Some(agreement) => Stamp::over(stamp, ui, |ui| told(&agreement, ui)),
                None => drop(widgets::caption(ui, "…")),
            }
        }
        ui.horizontal(|ui| {
            widgets::caption(ui, if self.of_models { "Samples of" } else { "Samples of the model" });
            let choices = match self.of_models {
                true => names.each_ref().map(String::as_str),
                false => ["unedited", "edited"],
            };
            widgets::segmented(ui, &mut self.looked_at, &[(0, choices[0]), (1, choices[1])]);
        });
    }
}

/// How far they agree.
fn told(agreement: &Agreement, ui: &mut Ui) {
    widgets::row(ui, 3, |columns| {
        let share = widgets::percent(agreement.share() as f32);
        let of = format!("{} of {}", agreement.count, agreement.samples);
        figure(&mut columns[0], &share, &of, "the most frequent text");
        figure(&mut columns[1], &agreement.distinct.to_string(), "", "different texts");
        let at = agreement.parts_at.map_or_else(|| "never".to_owned(), |at| format!("token {at}"));
        figure(&mut columns[2], &at, "", "where they part");
    });
}

/// One of them. True when its tokens are wanted.
fn one(sample: &DrawnSample, is_frequent: bool, ui: &mut Ui) -> bool {
    let theme = ui.theme();
    let mut wanted = false;
    ui.horizontal(|ui| {
        let head = format!("seed {} · {} tokens · {}", sample.seed, sample.tokens.len(), sample.stop);
        ui.label(RichText::new(head).font(Type::Caption.mono()).color(theme.caption()));
        if is_frequent {
            ui.label(RichText::new("most frequent").font(Type::Caption.sans()).color(theme.accent_text()));
        }
        let name = format!("Show the tokens of seed {}", sample.seed);
        wanted = icon_button(ui, Icon::ScanText, &name).clicked();
    });
    let text = if sample.text.is_empty() { "(nothing)" } else { sample.text.trim_start() };
    let text = RichText::new(text).font(Type::Body.mono()).color(theme.body());
    ui.add(egui::Label::new(text).wrap().selectable(true));
    ui.add_space(space::XS);
    ui.separator();
    wanted
}
