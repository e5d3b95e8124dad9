//! Where each token of the last run looked: every layer and head, one of them large.

mod controls;
mod figure;
mod inspector;
mod large;
mod look;
mod overview;
mod strip;

use crate::engine::{Command, PromptInput};
use crate::types::{ColorMap, InspectReport, JobId, ModelId, ModelKind, SiteFilter};
use crate::ui::widgets::{ColorTable, TextureCache, empty_state, error_card, job_progress};
use crate::ui::{Action, Cx, Panel, State};
use egui::{Frame, Margin, Ui};
use look::{Contrast, Direction, Look};
use lucide_icons::Icon;
use std::rc::Rc;
use std::sync::Arc;

/// One head of one report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct HeadKey {
    job: JobId,
    layer: usize,
    head: usize,
    look: Look,
    /// Cells on a side of one pixel.
    pool: usize,
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
    map: ColorMap,
    contrast: Contrast,
    direction: Direction,
    /// The generation that was inspected last, how many of its tokens, and the inspection's job.
    asked: Option<(JobId, usize, JobId)>,
    /// True while this panel is on screen.
    visible: bool,
    textures: TextureCache<HeadKey>,
    /// The colours of the present look.
    table: Option<(Look, Rc<ColorTable>)>,
    /// What the large head showed in the last frame. Small pictures wait until it is there.
    painted: Option<(JobId, Look)>,
    view: large::View,
    /// Token under the pointer, as of the last frame.
    hovered: Option<usize>,
}

impl AttentionPanel {
    /// The run that is looked at: the chosen one, else the last.
    fn run_to_inspect(cx: &Cx<'_>) -> Option<(JobId, ModelId, Vec<u32>)> {
        let chosen = cx.selection.run.and_then(|job| cx.state.runs.get(&job));
        let run = chosen.or_else(|| cx.state.latest_run())?;
        let open = cx.state.models.contains_key(&run.model);
        let finished = !cx.state.is_active(run.job) && !run.prompt.is_empty();
        (open && finished).then(|| (run.job, run.model, run.ids()))
    }

    /// Asks for the patterns of a run that has none yet.
    fn ask(&mut self, cx: &mut Cx<'_>) {
        let Some((run, model, ids)) = Self::run_to_inspect(cx) else { return };
        if self.asked.is_some_and(|(r, n, _)| (r, n) == (run, ids.len())) {
            return;
        }
        if let Some((_, _, job)) = self.asked.filter(|(_, _, job)| cx.state.is_active(*job)) {
            cx.cancel(job);
        }
        let job = JobId::next();
        self.asked = Some((run, ids.len(), job));
        cx.selection.token = None;
        cx.send(Command::Inspect { job, model, prompt: PromptInput::Ids(ids), sites: SiteFilter::patterns() });
    }

    /// The report on show: the one asked for, or, until it has come, the one before.
    fn shown(&self, state: &State) -> Option<Shown> {
        let asked = self.asked.and_then(|(_, _, job)| state.inspections.get(&job));
        let inspection = asked.or_else(|| state.inspections.values().next_back())?;
        let model = inspection.model.and_then(|m| state.models.get(&m));
        let patterns = || inspection.report.captures.iter().filter(|c| c.site.ends_with(".attn.pattern"));
        let layers = model.map_or_else(|| patterns().count(), |m| m.info.layers);
        let heads = patterns().next()?.shape.first().copied()?;
        Some(Shown { job: inspection.job, report: inspection.report.clone(), layers, heads })
    }

    fn look(&self, cx: &Cx<'_>) -> Look {
        Look { map: self.map, contrast: self.contrast, dark: cx.theme.is_dark() }
    }

    /// The colours of the present look, computed once.
    fn table(&mut self, cx: &Cx<'_>) -> Rc<ColorTable> {
        let look = self.look(cx);
        match &self.table {
            Some((of, table)) if *of == look => table.clone(),
            _ => {
                let table = Rc::new(look.table(cx.theme));
                self.table = Some((look, table.clone()));
                table
            }
        }
    }

    /// Arrow keys go through heads and layers, unless something else has the focus.
    fn arrows(&mut self, ui: &Ui, cx: &mut Cx<'_>, shown: &Shown) {
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

    fn without_report(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let theme = cx.theme.clone();
        let asked = self.asked.map(|(_, _, job)| job);
        if let Some(job) = asked.filter(|j| cx.state.is_active(*j)) {
            job_progress(ui, cx, job);
            return;
        }
        if let Some(error) = asked.and_then(|j| cx.state.error(j)) {
            error_card(ui, &theme, error);
            return;
        }
        let sentence = "Attention shows, for each token, how much every earlier token counts when the model reads it. Run a \
                        prompt, and all heads of that run appear here.";
        let ready = cx.state.active(ModelKind::CausalLm).is_some();
        let title = "Nothing to look into yet";
        if empty_state(ui, &theme, Icon::Grid3x3, title, sentence, ready.then_some("Run ‘Once upon a time’")) {
            let Some(model) = cx.state.active(ModelKind::CausalLm).map(|m| m.info.id) else { return };
            let job = JobId::next();
            let sampling = crate::types::Sampling { max_new_tokens: 24, ..Default::default() };
            cx.send(Command::Generate { job, model, prompt: PromptInput::Text("Once upon a time".into()), sampling });
            cx.selection.run = Some(job);
        }
    }
}

impl Panel for AttentionPanel {
    fn id(&self) -> &'static str {
        "attention"
    }

    fn title(&self) -> &'static str {
        "Attention"
    }

    fn icon(&self) -> Icon {
        Icon::Grid3x3
    }

    fn help(&self) -> &'static str {
        "See which earlier tokens every head of every layer looks at in the last run."
    }

    fn model_kind(&self) -> Option<ModelKind> {
        Some(ModelKind::CausalLm)
    }

    fn controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        self.visible = true;
        controls::show(self, ui, cx);
    }

    fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let shown = self.shown(cx.state);
        Frame::new().inner_margin(Margin::symmetric(24, 16)).show(ui, |ui| match shown {
            None => self.without_report(ui, cx),
            Some(shown) => {
                cx.selection.layer = cx.selection.layer.min(shown.layers.saturating_sub(1));
                cx.selection.head = cx.selection.head.min(shown.heads.saturating_sub(1));
                self.arrows(ui, cx, &shown);
                figure::stage(self, ui, cx, &shown);
            }
        });
    }

    fn inspector_title(&self) -> Option<&'static str> {
        Some("Attention of a token")
    }

    fn inspector(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        inspector::show(self, ui, cx);
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        // Only what is looked at is computed: one pass over a long sequence is not free.
        if std::mem::take(&mut self.visible) {
            self.ask(cx);
        }
    }

    fn current_job(&self) -> Option<JobId> {
        self.asked.map(|(_, _, job)| job)
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        self.asked = None;
        self.ask(cx);
    }

    fn actions(&self, state: &State) -> Vec<Action> {
        if self.shown(state).is_none() {
            return Vec::new();
        }
        let export =
            crate::chart::Format::ALL.map(|f| (figure::action_id(f), format!("Export {}", f.name()), Icon::Download));
        let maps = ColorMap::ALL.map(|m| (look::map_id(m), format!("Colour map: {}", m.name()), Icon::Palette));
        export.into_iter().chain(maps).map(|(id, title, icon)| Action { id, title, icon }).collect()
    }

    fn act(&mut self, id: &'static str, cx: &mut Cx<'_>) {
        if let Some(map) = ColorMap::ALL.into_iter().find(|m| look::map_id(*m) == id) {
            self.map = map;
        }
        if let Some(format) = crate::chart::Format::ALL.into_iter().find(|f| figure::action_id(*f) == id)
            && let Some(shown) = self.shown(cx.state)
        {
            figure::export(self, cx, &shown, format);
        }
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({ "map": self.map, "contrast": self.contrast, "direction": self.direction })
    }

    fn restore(&mut self, value: &serde_json::Value) {
        let get = |key: &str| value.get(key).cloned().unwrap_or_default();
        self.map = serde_json::from_value(get("map")).unwrap_or_default();
        self.contrast = serde_json::from_value(get("contrast")).unwrap_or_default();
        self.direction = serde_json::from_value(get("direction")).unwrap_or_default();
    }
}
