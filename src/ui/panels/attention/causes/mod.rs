//! Search by changing: what becomes of an answer without each part, and where it comes from.

mod grid;
mod patch;
mod sweep;

use super::Shown;
use super::export::{About, Kind, save};
use super::look::Colours;
use super::place::Place;
use super::tokens::TokensView;
use crate::chart::{ChartError, Format, patch_arrays, patch_figure, sweep_arrays, sweep_figure};
use crate::engine::{InspectSpec, PatchHow, PatchSpec, PromptInput, SweepSpec, Work};
use crate::types::{
    Ability, JobId, ModelId, ModelInfo, Part, PatchAlong, PatchReport, PatchSite, Removal, SweepReport, UserError,
};
use crate::ui::theme::space;
use crate::ui::widgets::{Stamp, caption, ghost_button, job_error, job_progress, primary_button, segmented};
use crate::ui::{Ask, Cx, Prompting, Run, State, Themed};
use egui::{Layout, ScrollArea, Ui, vec2};
use lucide_icons::Icon;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Width of what stands beside a map, and from which on it does.
const SIDE: f32 = 264.0;
const BESIDE: f32 = 620.0;
/// Cells that are checked.
const CHECKED: usize = 20;

const HELP: &str = "Remove: each head and each MLP is removed by itself, and the answer asked for anew. Patch: values of another prompt are \
     put into the pass over this one, to see which of them carry the answer.";

/// What is searched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    /// What the answer needs.
    #[default]
    Remove,
    /// Where it comes from.
    Patch,
}

/// What survives a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    pub mode: Mode,
    /// The text whose first token is followed while parts are removed.
    pub target: String,
    pub removal: Removal,
    /// The text that values are taken from.
    pub source: String,
    /// Answers of source and destination.
    pub answers: [String; 2],
    pub site: PatchSite,
    pub along: PatchAlong,
    /// The part that is looked at closely.
    pub part: Option<Part>,
    /// The cell that is looked at closely.
    pub cell: Option<(usize, usize)>,
    /// What is on show, to be asked for again where it is opened.
    pub shows: Option<Shows>,
}

/// A map that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Shows {
    Removed,
    Checked,
    Measured,
}

impl Shows {
    fn mode(self) -> Mode {
        if self == Self::Removed { Mode::Remove } else { Mode::Patch }
    }

    fn how(self) -> PatchHow {
        if self == Self::Measured { PatchHow::Measure } else { PatchHow::Check(CHECKED) }
    }
}

/// What the view remembers.
#[derive(Default)]
pub(super) struct CausesView {
    pub kept: Kept,
    place: Place,
    sweep: Ask<(JobId, SweepSpec)>,
    patch: Ask<(JobId, PatchSpec)>,
}

/// What there is to show.
enum Found {
    Swept(Arc<SweepReport>),
    Patched(Arc<PatchReport>),
}

impl CausesView {
    /// The jobs whose answers must be kept.
    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.sweep.shows(shown);
        self.patch.shows(shown);
    }

    /// The job of what is on show.
    pub fn job(&self) -> Option<JobId> {
        match self.kept.mode {
            Mode::Remove => self.sweep.job(),
            Mode::Patch => self.patch.job(),
        }
    }

    /// With what the map was made; old where another text or another question stands above it now.
    pub fn stamp(&self, cx: &Cx<'_>, shown: &Shown) -> Option<Stamp> {
        let stamp = Stamp::of(cx.state, self.job()?)?;
        let inspected = inspected(cx.state, shown);
        let is_old = match (self.kept.mode, inspected) {
            (_, None) => false,
            (Mode::Remove, Some(spec)) => {
                self.sweep.question() != Some(&(shown.job, self.sweep_spec(cx, shown, &spec)))
            }
            (Mode::Patch, Some(spec)) => {
                let same = |(job, asked): &(JobId, PatchSpec)| {
                    *job == shown.job && self.patch_spec(cx, shown, &spec, asked.how) == *asked
                };
                !self.patch.question().is_some_and(same)
            }
        };
        Some(stamp.old_where(is_old, "The text, the position or what is asked has changed; ask again."))
    }

    fn found(&self, state: &State) -> Option<Found> {
        match self.kept.mode {
            Mode::Remove => {
                let job = self.sweep.job()?;
                state.report(job).or_else(|| state.so_far(job)).cloned().map(Found::Swept)
            }
            Mode::Patch => {
                let job = self.patch.job()?;
                state.report(job).or_else(|| state.so_far(job)).cloned().map(Found::Patched)
            }
        }
    }

    /// What draws the map; `None` until there is one.
    pub fn figure(&self, cx: &Cx<'_>, about: &About) -> Option<Drawing> {
        Some(Drawing { found: self.found(cx.state)?, model: about.model.clone() })
    }

    /// Asks where to, then draws or lists and writes on the dialog's thread.
    pub fn export(&self, cx: &mut Cx<'_>, shown: &Shown, kind: Kind) {
        let about = About::of(cx, shown);
        let Some(drawing) = self.figure(cx, &about) else {
            cx.toast("There is no map yet");
            return;
        };
        let (name, what) = match &drawing.found {
            Found::Swept(_) => ("sweep", "each part removed by itself".to_owned()),
            Found::Patched(report) => ("patch", format!("{} of the source in the destination", report.site)),
        };
        let pairs = about.pairs(&what, &shown.report.tokens);
        save(cx, kind, &format!("{name}-{}", about.model), move |kind| match (kind, &drawing.found) {
            (Kind::Figure(format), _) => drawing.draw(format),
            (Kind::Arrays(format), Found::Swept(report)) => sweep_arrays(report, &pairs, format),
            (Kind::Arrays(format), Found::Patched(report)) => patch_arrays(report, &pairs, format),
        });
    }

    fn sweep_spec(&self, cx: &Cx<'_>, shown: &Shown, (model, inspected): &(ModelId, InspectSpec)) -> SweepSpec {
        let (prompt, position) = read(cx, shown, *model);
        SweepSpec {
            prompt,
            position,
            target: named(&self.kept.target),
            removal: self.kept.removal,
            edits: inspected.edits.clone(),
        }
    }

    fn patch_spec(
        &self,
        cx: &Cx<'_>,
        shown: &Shown,
        (model, inspected): &(ModelId, InspectSpec),
        how: PatchHow,
    ) -> PatchSpec {
        let (destination, position) = read(cx, shown, *model);
        PatchSpec {
            source: PromptInput::Text(self.kept.source.clone()),
            destination,
            position,
            answers: self.kept.answers.each_ref().map(|text| named(text)),
            site: self.kept.site,
            along: if self.kept.site.has_heads() { self.kept.along } else { PatchAlong::Positions },
            how,
            edits: inspected.edits.clone(),
        }
    }

    /// Asks anew for what the map shows.
    pub fn run(&mut self, cx: &mut Cx<'_>, shown: &Shown) {
        let Some(inspected) = inspected(cx.state, shown) else { return };
        match self.kept.mode {
            Mode::Remove => {
                let (model, spec) = (inspected.0, self.sweep_spec(cx, shown, &inspected));
                self.kept.shows = Some(Shows::Removed);
                self.sweep.ask((shown.job, spec), cx, |(_, spec)| (model, Work::Sweep(spec.clone())));
            }
            Mode::Patch => self.patch(cx, shown, &inspected, Shows::Checked),
        }
    }

    fn patch(&mut self, cx: &mut Cx<'_>, shown: &Shown, inspected: &(ModelId, InspectSpec), shows: Shows) {
        if self.kept.source.is_empty() {
            cx.fail(UserError::new(
                "There is no source text.",
                "Values are taken from the pass over another text with another answer.",
                "Write one that is split into as many tokens, such as the same sentence with another name.",
            ));
            return;
        }
        self.kept.shows = Some(shows);
        let (model, spec) = (inspected.0, self.patch_spec(cx, shown, inspected, shows.how()));
        self.patch.ask((shown.job, spec), cx, |(_, spec)| (model, Work::Patch(spec.clone())));
    }
}

/// A map, owned, so that another thread can draw it.
pub(super) struct Drawing {
    found: Found,
    model: String,
}

impl Drawing {
    /// Draws it.
    pub fn draw(&self, format: Format) -> Result<Vec<u8>, ChartError> {
        match &self.found {
            Found::Swept(report) => sweep_figure(&self.model, report, format),
            Found::Patched(report) => patch_figure(&self.model, report, format),
        }
    }
}

/// The model that read the text on show, while it is open, and how.
fn inspected(state: &State, shown: &Shown) -> Option<(ModelId, InspectSpec)> {
    let job = state.job(shown.job)?;
    let model = job.model.filter(|model| state.models.contains_key(model))?;
    if let Work::Inspect(spec) = &*job.work { Some((model, spec.clone())) } else { None }
}

/// The token behind which the answer is told: the one that is chosen; else, of a run, the last of its prompt, and of a text that an
/// encoder read, none.
fn place(cx: &Cx<'_>, shown: &Shown, model: ModelId) -> Option<usize> {
    let tokens = &shown.report.tokens;
    if let Some(chosen) = cx.selection.token.filter(|token| *token < tokens.len()) {
        return Some(chosen);
    }
    if cx.state.prompting() != Prompting::Continues {
        return None;
    }
    let read = |run: &&Run| {
        let same = run.prompt.iter().zip(tokens).all(|(run, token)| run.id == token.id);
        run.model == model && !run.prompt.is_empty() && run.prompt.len() <= tokens.len() && same
    };
    let of_run = cx.state.runs().rev().find(read).map(|run| run.prompt.len() - 1);
    of_run.or_else(|| tokens.len().checked_sub(1))
}

/// What is read: of a model that writes, as far as the answer is told; an encoder sees what comes later, too.
fn read(cx: &Cx<'_>, shown: &Shown, model: ModelId) -> (PromptInput, Option<usize>) {
    let (tokens, place) = (&shown.report.tokens, place(cx, shown, model));
    let until = place.filter(|_| cx.state.prompting() == Prompting::Continues).map_or(tokens.len(), |place| place + 1);
    (PromptInput::Ids(tokens[..until].iter().map(|token| token.id).collect()), place)
}

fn named(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

pub(super) fn show(view: &mut TokensView, colours: &Colours, ui: &mut Ui, cx: &mut Cx<'_>, shown: &Shown) {
    // The small pictures wait for the large one, of which there is none here.
    view.painted = Some((shown.job, colours.look(ui.theme())));
    let view = &mut view.causes;
    let Some(inspected) = inspected(cx.state, shown) else {
        caption(ui, "The model of this text is closed. Open it again to search in it.");
        return;
    };
    let info = cx.state.models.get(&inspected.0).map(|open| open.info.clone());
    if let Some(info) = info.as_ref().filter(|info| !answers(info)) {
        ui.add_space(space::S);
        caption(ui, format!("{} has no head that scores tokens, so there is no answer that could change.", info.name));
        return;
    }
    view.choices(ui, cx, shown, &inspected);
    view.open_again(cx, shown, &inspected);
    if let Some(job) = view.job()
        && !job_error(ui, cx, job)
        && cx.state.is_active(job)
    {
        job_progress(ui, cx, job);
    }
    let name = info.map_or_else(String::new, |info| info.name);
    match view.found(cx.state) {
        Some(Found::Swept(report)) => sweep::show(&mut view.kept, ui, cx, &name, &report),
        Some(Found::Patched(report)) => patch::show(&mut view.kept, ui, cx, &name, &report),
        None => view.nothing(ui),
    }
}

/// True for a model that scores tokens.
fn answers(info: &ModelInfo) -> bool {
    info.can(Ability::Continue) || info.can(Ability::FillMasks)
}

impl CausesView {
    /// A map that was on show when this was kept is asked for again.
    fn open_again(&mut self, cx: &mut Cx<'_>, shown: &Shown, inspected: &(ModelId, InspectSpec)) {
        let is_due = self.sweep.job().is_none() && self.patch.job().is_none();
        let Some(shows) = self.kept.shows.filter(|shows| is_due && shows.mode() == self.kept.mode) else { return };
        match shows {
            Shows::Removed => self.run(cx, shown),
            Shows::Checked | Shows::Measured if !self.kept.source.is_empty() => {
                self.patch(cx, shown, inspected, shows);
            }
            Shows::Checked | Shows::Measured => {}
        }
    }

    fn choices(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, shown: &Shown, inspected: &(ModelId, InspectSpec)) {
        let mut shows = None;
        ui.horizontal_wrapped(|ui| {
            segmented(ui, &mut self.kept.mode, &[(Mode::Remove, "Remove"), (Mode::Patch, "Patch")]);
            match self.kept.mode {
                Mode::Remove => {
                    sweep::choices(&mut self.kept, ui);
                    let help = "Asks once without each head and each MLP (Ctrl+Enter).";
                    if primary_button(ui, Icon::Play, "Remove each").on_hover_text(help).clicked() {
                        self.run(cx, shown);
                    }
                }
                Mode::Patch => patch::source(&mut self.kept, ui),
            }
        });
        if self.kept.mode == Mode::Patch {
            ui.horizontal_wrapped(|ui| {
                patch::choices(&mut self.kept, ui);
                let estimate =
                    "One gradient tells about what every cell does, and the 20 largest are measured (Ctrl+Enter).";
                if primary_button(ui, Icon::Play, "Estimate, check 20").on_hover_text(estimate).clicked() {
                    shows = Some(Shows::Checked);
                }
                let measure = "Measures every cell: a pass of the blocks behind it for each.";
                if ghost_button(ui, None, "Measure all").on_hover_text(measure).clicked() {
                    shows = Some(Shows::Measured);
                }
            });
        }
        if let Some(shows) = shows {
            self.kept.cell = None;
            self.patch(cx, shown, inspected, shows);
        }
        // As the engine takes it where no token is chosen.
        let mask = cx.state.models.get(&inspected.0).and_then(|open| open.info.shape.encoder()?.mask.clone());
        let tokens = &shown.report.tokens;
        let masked = || tokens.iter().position(|token| Some(&token.text) == mask.as_ref());
        let chosen = place(cx, shown, inspected.0).or_else(masked).unwrap_or(tokens.len().saturating_sub(1));
        self.place.show(ui, cx, shown, chosen, "Token behind which the answer is told");
    }

    fn nothing(&self, ui: &mut Ui) {
        ui.add_space(space::M);
        caption(ui, HELP);
        caption(
            ui,
            match self.kept.mode {
                Mode::Remove => "Nothing was removed yet.",
                Mode::Patch => "Write a text with another answer, of as many tokens, and begin.",
            },
        );
    }
}

/// A map with something beside it, or below it where there is no room; gives what the side gives.
fn beside<R>(
    ui: &mut Ui,
    most: f32,
    map: impl FnOnce(&mut Ui, f32),
    side: impl FnOnce(&mut Ui) -> Option<R>,
) -> Option<R> {
    let width = ui.available_width() - space::S;
    let height = ui.available_height();
    let mut given = None;
    ScrollArea::both().id_salt("causes").auto_shrink(false).show(ui, |ui| {
        if width < BESIDE {
            ui.set_width(width);
            map(ui, height * 0.7);
            ui.add_space(space::S);
            given = side(ui);
            return;
        }
        let down = Layout::top_down(egui::Align::Min);
        ui.horizontal_top(|ui| {
            let left = (width - SIDE - space::XL).min(most);
            ui.allocate_ui_with_layout(vec2(left, 0.0), down, |ui| {
                ui.set_width(left);
                map(ui, height);
            });
            ui.add_space(space::XL - ui.spacing().item_spacing.x);
            ui.allocate_ui_with_layout(vec2(SIDE, 0.0), down, |ui| {
                ui.set_width(SIDE);
                given = side(ui);
            });
        });
    });
    given
}
