//! Where each token of the last run looked: every layer and head, one of them large. With an encoder, of a text; with a
//! vision transformer, over the patches of a picture.

mod atlas;
mod causes;
mod choices;
mod contexts;
mod controls;
mod edited;
mod export;
mod figure;
mod first_look;
mod fitted;
mod head_search;
mod inspector;
mod lacking;
mod large;
mod layers;
mod lines;
mod look;
mod order;
mod overview;
mod palette;
mod parts;
mod picture;
mod pins;
mod place;
mod plane;
mod saved;
mod sharp;
mod steps;
mod strip;
mod tokens;
mod view_file;
mod ways;

use crate::chart::{Format, png_pixels};
use crate::engine::{Command, GenerateSpec, PromptInput, Work};
use crate::types::{Ability, ColorMap, Edit, InspectReport, JobId, ModelId, Site};
use crate::ui::Themed;
use crate::ui::lenient;
use crate::ui::reader::Reader;
use crate::ui::theme::space;
use crate::ui::widgets::{self, caption, empty_state, job_error, job_progress};
use crate::ui::{Action, Ask, Cx, Intent, Job, Panel, PanelId, Prompting, Selection, State};
use contexts::Contexts;
use controls::Wanted;
use egui::{Frame, Margin, Ui};
use export::{Extent, Kind};
use first_look::FirstLook;
use look::Colours;
use lucide_icons::Icon;
use saved::Saved;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use tokens::TokensView;
use view_file::ViewFiles;
use ways::Way;

/// The palette's entry that copies the view.
const COPY: &str = "copy-view";

/// What was inspected: of a generation, how many tokens; of an encoder, which text; of a picture, which one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Question {
    Run(JobId, usize),
    Text(ModelId, String),
    Picture(ModelId, u64),
}

/// What is on show: a report and its shape.
#[derive(Clone)]
struct Shown {
    job: JobId,
    report: Arc<InspectReport>,
    layers: usize,
    heads: usize,
}

/// The attention panel.
#[derive(Default)]
pub struct AttentionPanel {
    colours: Colours,
    tokens: TokensView,
    picture: picture::PictureView,
    contexts: Contexts,
    files: ViewFiles,
    /// To wake the window from threads, once there is one.
    context: Option<egui::Context>,
    first_look: FirstLook,
    /// What is inspected.
    patterns: Ask<(Question, Vec<Edit>)>,
    /// True where the model is looked at as it is, whatever edits are on.
    unedited: bool,
    /// An inspection that another panel asked for and handed over, as of the last tick.
    handed: Option<JobId>,
    /// What the panel looks into, as of the last tick.
    prompting: Prompting,
    /// The view as pixels, for the clipboard, and whether they are asked for.
    copied: Reader<egui::ColorImage>,
    copies: bool,
    /// True while this panel is on screen.
    visible: bool,
}

/// The tokens of a run that the model has read or could read: the last one of a run that filled the context was written,
/// but there is no room to read it.
fn readable(mut ids: Vec<u32>, context: usize) -> Vec<u32> {
    ids.truncate(context);
    ids
}

impl AttentionPanel {
    /// The run that is looked at: the chosen one, else the last.
    fn run_to_inspect(cx: &Cx<'_>) -> Option<(JobId, ModelId, Vec<u32>)> {
        let chosen = cx.selection.run.and_then(|job| cx.state.run(job));
        let run = chosen.or_else(|| cx.state.latest_run())?;
        let open = cx.state.models.get(&run.model)?;
        let finished = !cx.state.is_active(run.job) && !run.prompt.is_empty() && open.info.can(Ability::Attend);
        finished.then(|| (run.job, run.model, readable(run.ids(), open.info.shape.context().unwrap_or(usize::MAX))))
    }

    /// What is to be inspected: the last run, the text an encoder read, the picture.
    fn question(&self, cx: &Cx<'_>) -> Option<(Question, ModelId, PromptInput)> {
        let model = cx.state.active(Ability::Attend)?.info.id;
        match cx.state.prompting() {
            Prompting::Encodes => {
                let (_, text) = cx.selection.text.as_ref()?;
                Some((Question::Text(model, text.clone()), model, PromptInput::Text(text.clone())))
            }
            Prompting::Sees => {
                let (number, picture) = self.picture.picture()?;
                Some((Question::Picture(model, number), model, PromptInput::Picture(picture.clone())))
            }
            Prompting::Continues => {
                let (run, model, ids) = Self::run_to_inspect(cx)?;
                Some((Question::Run(run, ids.len()), model, PromptInput::Ids(ids)))
            }
        }
    }

    fn asked_job(&self) -> Option<JobId> {
        if self.handed.is_some() {
            return self.handed;
        }
        self.patterns.job()
    }

    /// The report on show: the one asked for, or, until it has come, the one before.
    fn shown(&self, state: &State) -> Option<Shown> {
        let model_of = |job: &Job| job.model.and_then(|m| state.models.get(&m));
        let kept = || {
            // A model that was closed was a decoder, most likely.
            let way = |job: &Job| model_of(job).map_or(Prompting::Continues, |m| Prompting::of(&m.info));
            let is_text = |job: &Job| !self.tokens.atlas.is_probe(job.id);
            state.reports::<InspectReport>().filter(move |(job, _)| is_text(job) && way(job) == state.prompting())
        };
        let asked = self.asked_job().and_then(|asked| kept().find(|(job, _)| job.id == asked));
        let (job, report) = asked.or_else(|| kept().next_back())?;
        let patterns = || report.captures.iter().filter(|c| matches!(c.site, Site::Pattern(_)));
        let layers = model_of(job).map_or_else(|| patterns().count(), |m| m.info.shape.layers());
        let heads = patterns().next()?.shape.first().copied()?;
        Some(Shown { job: job.id, report: Arc::clone(report), layers, heads })
    }

    /// The job of what is on show, and what went wrong with it.
    fn under_way(&self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let Some(job) = self.asked_job() else { return };
        if !job_error(ui, cx, job) && cx.state.is_active(job) {
            job_progress(ui, cx, job);
        }
    }

    fn export(&mut self, cx: &mut Cx<'_>, shown: &Shown, extent: Extent, kind: Kind) {
        match (&shown.report.picture, extent, kind) {
            (_, Extent::View, _) if self.tokens.way == Way::Causes => self.tokens.causes.export(cx, shown, kind),
            (_, Extent::View, _) if self.tokens.way == Way::Parts => {
                self.tokens.parts.export(&self.colours, cx, shown, kind);
            }
            (_, Extent::View, _) if self.tokens.way == Way::Steps => {
                steps::export(&self.tokens.steps, cx, &export::About::of(cx, shown), kind);
            }
            (Some(_), Extent::View, Kind::Figure(format)) => {
                picture::export(&mut self.picture, self.colours.look(cx.theme), cx, shown, format);
            }
            (None, Extent::View, Kind::Figure(format)) if self.tokens.way == Way::Atlas => {
                self.tokens.atlas.export(format);
            }
            (None, Extent::View, _) if self.tokens.way == Way::Contexts => self.contexts.export(cx, kind),
            (None, Extent::View, Kind::Figure(format)) if self.tokens.way == Way::Order => {
                self.tokens.order.export(cx, shown, format);
            }
            (None, Extent::View, _) if self.tokens.way == Way::Layers => {
                self.tokens.layers.export(&self.colours, cx, shown, kind);
            }
            (None, Extent::View, _) => export::view(&self.tokens, &self.colours, cx, shown, kind),
            (_, Extent::AllHeads, _) | (Some(_), ..) => export::all_heads(&self.colours, cx, shown, kind),
        }
    }

    /// Draws what is on show on a thread, to be put on the clipboard by the next frame that finds it there.
    fn copy(&mut self, ctx: &egui::Context, cx: &mut Cx<'_>, shown: &Shown) {
        let picture = export::Picture::shown(&self.tokens, &self.contexts, &self.colours, cx, shown);
        let Some(picture) = picture else {
            cx.toast("There is no picture to copy yet");
            return;
        };
        let ctx = ctx.clone();
        let draw = move |_: &dyn Fn() -> bool| {
            let png = picture.draw(Format::Png).map_err(crate::types::UserError::from)?;
            let (size, rgb) = png_pixels(&png).map_err(crate::types::UserError::from)?;
            Ok(egui::ColorImage::from_rgb(size, &rgb))
        };
        if let Err(error) = self.copied.start(draw, move || ctx.request_repaint()) {
            cx.toast(error.what);
        }
    }

    fn without_report(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let asked = self.asked_job();
        if let Some(job) = asked.filter(|j| cx.state.is_active(*j)) {
            job_progress(ui, cx, job);
            return;
        }
        if asked.is_some_and(|job| job_error(ui, cx, job)) {
            return;
        }
        match cx.state.prompting() {
            Prompting::Encodes => return self.without_text(ui, cx),
            Prompting::Sees => return self.without_picture(ui, cx),
            Prompting::Continues => {}
        }
        if let Some(lacking) = lacking::words(cx) {
            empty_state(ui, Icon::Grid3x3, "No attention to look into", &lacking, None);
            return;
        }
        if let Some(run) = cx.state.latest_run().filter(|run| cx.state.is_active(run.job)) {
            caption(ui, "The heads of this run appear when its last token is there.");
            job_progress(ui, cx, run.job);
            return;
        }
        let sentence = "Attention shows, for each token, how much every earlier token counts when the model reads it. Run a \
                        prompt, and all heads of that run appear here.";
        let ready = cx.state.active(Ability::Continue).is_some();
        let title = "Nothing to look into yet";
        if empty_state(ui, Icon::Grid3x3, title, sentence, ready.then_some("Run ‘Once upon a time’")) {
            let Some(model) = cx.state.active(Ability::Continue).map(|m| m.info.id) else { return };
            let job = JobId::next();
            let sampling = crate::types::Sampling { max_new_tokens: 24, ..Default::default() };
            cx.send(Command::start(
                job,
                model,
                Work::Generate(GenerateSpec {
                    prompt: PromptInput::Text("Once upon a time".into()),
                    sampling,
                    edits: cx.edits.on(),
                }),
            ));
            cx.selection.run = Some(job);
        }
    }
}

impl AttentionPanel {
    fn without_text(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let sentence = "Attention shows, for each token, how much every other token counts when the encoder reads it. Type a \
                        text at the left, and all heads appear here.";
        let action = format!("Read ‘{}’", tokens::EXAMPLE);
        if empty_state(ui, Icon::Grid3x3, "Nothing to look into yet", sentence, Some(&action)) {
            self.tokens.read_text(cx);
        }
    }

    fn without_picture(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        if self.picture.is_reading() {
            return;
        }
        let sentence = "A vision transformer cuts a picture into patches, each of which looks at all the others. Open a \
                        picture, drop one on the window, or use your drawing.";
        if empty_state(ui, Icon::Image, "No picture to look at yet", sentence, Some("Open a picture")) {
            picture::PictureView::ask_for_file(cx);
        }
    }
}

/// Arrow keys go through heads and layers, unless something else has the focus.
fn arrows(ui: &Ui, cx: &mut Cx<'_>, shown: &Shown) {
    let free = ui.memory(|m| m.focused().is_none_or(|f| f == overview::grid_id()));
    if !free || egui::Popup::is_any_open(ui.ctx()) {
        return;
    }
    let pressed = |key| ui.input_mut(|i| i.consume_key(egui::Modifiers::NONE, key));
    let s = &mut *cx.selection;
    if pressed(egui::Key::ArrowRight) {
        s.head = (s.head + 1).min(shown.heads.saturating_sub(1));
    }
    if pressed(egui::Key::ArrowLeft) {
        s.head = s.head.saturating_sub(1);
    }
    if pressed(egui::Key::ArrowDown) {
        s.layer = (s.layer + 1).min(shown.layers.saturating_sub(1));
    }
    if pressed(egui::Key::ArrowUp) {
        s.layer = s.layer.saturating_sub(1);
    }
}

impl Panel for AttentionPanel {
    fn id(&self) -> PanelId {
        PanelId::Attention
    }

    fn title(&self) -> &'static str {
        "Attention"
    }

    fn icon(&self) -> Icon {
        Icon::Grid3x3
    }

    fn help(&self) -> &'static str {
        "See where every head of every layer looks: in the last run, a text or a picture."
    }

    fn needs(&self) -> Option<Ability> {
        Some(Ability::Attend)
    }

    fn controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        self.visible = true;
        self.context.get_or_insert_with(|| ui.ctx().clone());
        let shown = self.shown(cx.state);
        let Self { colours, tokens, picture, .. } = self;
        let wanted = match cx.state.prompting() {
            Prompting::Sees => picture::controls(picture, tokens.way, colours, shown.as_ref(), ui, cx),
            Prompting::Continues | Prompting::Encodes => controls::show(tokens, colours, shown.as_ref(), ui, cx),
        };
        if let Some((shown, wanted)) = shown.zip(wanted) {
            match wanted {
                Wanted::File(extent, kind) => self.export(cx, &shown, extent, kind),
                Wanted::Copy => self.copy(ui.ctx(), cx, &shown),
                Wanted::Save => self.files.save(&self.tokens, &self.colours, cx, &shown),
            }
        }
    }

    fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let shown = self.shown(cx.state);
        match self.copied.poll() {
            Some(Ok(image)) => {
                ui.ctx().copy_image(image);
                cx.toast("Copied the picture");
            }
            Some(Err(error)) => cx.toast(error.what),
            None => {}
        }
        if let Some(shown) = shown.as_ref().filter(|_| std::mem::take(&mut self.copies)) {
            self.copy(ui.ctx(), cx, shown);
        }
        if self.tokens.way == Way::Contexts && cx.state.prompting() != Prompting::Sees {
            // The small pictures wait for the large one, of which there is none here.
            self.tokens.painted = shown.as_ref().map(|shown| (shown.job, self.colours.look(ui.theme())));
            Frame::new().inner_margin(Margin::symmetric(24, 16)).show(ui, |ui| {
                widgets::stage_header(ui, "A word in two contexts", "", |_| {});
                choices::show(&mut self.tokens.way, &mut self.tokens.planes, false, ui);
                ui.add_space(space::S);
                self.contexts.show(ui, cx);
            });
            return;
        }
        Frame::new().inner_margin(Margin::symmetric(24, 16)).show(ui, |ui| {
            self.files.notice(ui, cx);
            match shown {
                None => self.without_report(ui, cx),
                Some(shown) => {
                    let model = cx.state.job(shown.job).and_then(|job| job.model);
                    self.first_look.of(&shown, model, self.handed == Some(shown.job), cx.selection);
                    arrows(ui, cx, &shown);
                    self.under_way(ui, cx);
                    edited::line(&mut self.unedited, self.handed.is_some(), ui, cx, &shown);
                    match shown.report.picture.as_ref().filter(|_| !self.tokens.way.is_of_pictures()) {
                        Some(_) => {
                            let look = self.colours.look(ui.theme());
                            picture::stage(&mut self.picture, &mut self.tokens.way, look, ui, cx, &shown);
                        }
                        None => {
                            if figure::stage(&mut self.tokens, &mut self.colours, ui, cx, &shown) {
                                let head = (cx.selection.layer, cx.selection.head);
                                edited::switch_off(head, &mut self.unedited, cx);
                            }
                        }
                    }
                }
            }
        });
    }

    fn inspector_title(&self) -> Option<&'static str> {
        if self.tokens.way == Way::Steps {
            return Some("How a number is made");
        }
        if self.prompting == Prompting::Sees {
            return Some("What it shows");
        }
        // The others are of heads, of several texts, or of what is said: no attention of a token.
        let has_token = matches!(self.tokens.way, Way::Map | Way::Lines);
        has_token.then_some("Attention of a token")
    }

    fn inspector_is_empty(&self, selection: &Selection) -> bool {
        let is_followed = self.tokens.way == Way::Steps;
        is_followed || self.prompting != Prompting::Sees && selection.token.is_none()
    }

    fn inspector(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let shown = self.shown(cx.state);
        if self.tokens.way == Way::Steps {
            return self.tokens.steps.inspector(ui, cx);
        }
        match cx.state.prompting() {
            Prompting::Sees => picture::inspector(&self.picture, shown.as_ref(), ui, cx),
            Prompting::Continues | Prompting::Encodes => inspector::show(&mut self.tokens, ui, cx),
        }
    }

    fn receive(&mut self, intent: Intent, cx: &mut Cx<'_>) {
        if let Intent::Inspect(job) = intent {
            cx.selection.inspection = Some(job);
        }
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        self.prompting = cx.state.prompting();
        if let Some(job) = self.files.tick(&mut self.tokens, &mut self.colours, cx) {
            cx.selection.inspection = Some(job);
        }
        let is_there = |job: JobId| cx.state.report::<InspectReport>(job).is_some() || cx.state.is_active(job);
        let is_kept = |job: &JobId| is_there(*job) && self.prompting != Prompting::Sees;
        self.handed = cx.selection.inspection.filter(is_kept);
        self.picture.tick(cx);
        // Only what is looked at is computed: one pass over a long sequence is not free.
        if std::mem::take(&mut self.visible) {
            self.ask(cx);
        }
    }

    fn current_job(&self) -> Option<JobId> {
        if self.tokens.way == Way::Contexts && self.prompting != Prompting::Sees {
            return self.contexts.job();
        }
        let own = match self.tokens.way {
            _ if self.prompting == Prompting::Sees => None,
            Way::Order => self.tokens.order.job(),
            Way::Layers => self.tokens.layers.job(),
            Way::Parts => self.tokens.parts.job(),
            Way::Causes => self.tokens.causes.job(),
            _ => None,
        };
        own.or_else(|| self.asked_job())
    }

    fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.patterns.shows(shown);
        self.tokens.steps.shows(shown);
        self.tokens.order.shows(shown);
        self.tokens.layers.shows(shown);
        self.tokens.parts.shows(shown);
        self.tokens.causes.shows(shown);
        shown.extend(self.handed);
        shown.extend(self.tokens.planes.jobs());
        shown.extend(self.contexts.job());
        self.tokens.atlas.shows(shown);
        shown.extend(self.tokens.painted.as_ref().map(|(job, _)| *job));
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        if self.tokens.way == Way::Contexts && cx.state.prompting() != Prompting::Sees {
            self.contexts.run(cx);
            return;
        }
        if let Some(shown) =
            self.shown(cx.state).filter(|shown| self.tokens.way == Way::Causes && shown.report.picture.is_none())
        {
            self.tokens.causes.run(cx, &shown);
            return;
        }
        if cx.state.prompting() == Prompting::Encodes {
            self.tokens.read_text(cx);
        }
        self.patterns.forget(cx);
        (self.handed, cx.selection.inspection) = (None, None);
        self.ask(cx);
    }

    fn undo(&mut self, cx: &mut Cx<'_>) {
        cx.edits.undo(f64::NEG_INFINITY, || false);
    }

    fn redo(&mut self, cx: &mut Cx<'_>) {
        cx.edits.redo(f64::INFINITY, || false);
    }

    fn picked(&mut self, tag: &'static str, path: &Path, cx: &mut Cx<'_>) {
        match tag {
            picture::OPEN_PICTURE => self.picture.open(path, cx),
            view_file::OPEN => self.files.open(path, self.context.as_ref(), cx),
            fitted::FIT | fitted::OPEN => self.tokens.layers.picked(tag, path, cx),
            _ => {}
        }
    }

    fn dropped(&mut self, path: &Path, cx: &mut Cx<'_>) -> bool {
        let is_picture = self.prompting == Prompting::Sees && picture::PictureView::reads(path);
        let is_view = ViewFiles::reads(path);
        if is_picture {
            self.picture.open(path, cx);
        } else if is_view {
            self.files.open(path, self.context.as_ref(), cx);
        }
        is_picture || is_view
    }

    fn actions(&self, state: &State) -> Vec<Action> {
        let open = Action { id: view_file::OPEN, title: "Open a view of attention".to_owned(), icon: Icon::FolderOpen };
        let mut actions = vec![open];
        if state.prompting() == Prompting::Sees {
            let title = "Open a picture".to_owned();
            actions.push(Action { id: picture::OPEN_PICTURE, title, icon: Icon::Image });
        }
        if self.shown(state).is_none() {
            return actions;
        }
        let is_picture = state.prompting() == Prompting::Sees;
        let way = self.tokens.way;
        let offered = export::EXPORTS.into_iter().filter(|(_, extent, kind)| match extent {
            Extent::View if is_picture && !way.is_of_pictures() => matches!(kind, Kind::Figure(_)),
            Extent::View => Kind::of_view(way).contains(kind),
            Extent::AllHeads => !is_picture || matches!(kind, Kind::Arrays(_)),
        });
        let export = offered.map(|(id, extent, kind)| {
            let what = if extent == Extent::View { "Export" } else { "Export all heads as" };
            (id, format!("{what} {}", kind.name()), Icon::Download)
        });
        let save = (!is_picture && way != Way::Contexts)
            .then(|| (view_file::SAVE, "Save this view of attention".to_owned(), Icon::Save));
        let is_copied = if is_picture { way.is_of_pictures() } else { export::Picture::is_of(way) };
        let copy = is_copied.then(|| (COPY, "Copy the view as a picture".to_owned(), Icon::Copy));
        let maps = ColorMap::ALL.map(|m| (look::map_id(m), format!("Colour map: {}", m.name()), Icon::Palette));
        actions.extend(export.chain(copy).chain(save).chain(maps).map(|(id, title, icon)| Action { id, title, icon }));
        actions
    }

    fn act(&mut self, id: &'static str, cx: &mut Cx<'_>) {
        if id == picture::OPEN_PICTURE {
            picture::PictureView::ask_for_file(cx);
        }
        if let Some(map) = ColorMap::ALL.into_iter().find(|m| look::map_id(*m) == id) {
            self.colours.map = map;
        }
        if id == view_file::OPEN {
            ViewFiles::ask(cx);
        }
        let Some(shown) = self.shown(cx.state) else { return };
        if let Some((_, extent, kind)) = export::EXPORTS.into_iter().find(|(export, ..)| *export == id) {
            self.export(cx, &shown, extent, kind);
        } else if id == COPY {
            self.copies = true;
        } else if id == view_file::SAVE {
            self.files.save(&self.tokens, &self.colours, cx, &shown);
        }
    }

    fn save(&self) -> serde_json::Value {
        serde_json::to_value(Saved::of(self)).unwrap_or_default()
    }

    fn restore(&mut self, value: &serde_json::Value) -> bool {
        let (saved, is_whole): (Saved, bool) = lenient::read(value);
        saved.apply(self);
        is_whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_filled_the_context_is_looked_at_as_far_as_it_goes() {
        assert_eq!(readable(vec![1, 2, 3, 4, 5], 4), [1, 2, 3, 4]);
        assert_eq!(readable(vec![1, 2, 3], 4), [1, 2, 3]);
    }
}
