//! Prompting a text model: instruction, examples, query; every token that goes in and comes out.

mod controls;
mod inspector;
mod output;
mod preview;
mod shots;
mod task;

use crate::engine::{Command, PromptInput};
use crate::types::{FewShotPrompt, GeneratedToken, JobId, ModelKind, PromptToken, Sampling};
use crate::ui::{Action, Cx, History, Panel, State};
use egui::Ui;
use lucide_icons::Icon;
use serde::{Deserialize, Serialize};
use shots::ShotTable;

/// What survives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Typed {
    prompt: FewShotPrompt,
    sampling: Sampling,
    /// Stop strings as typed: one a line, `\n` for a line break.
    stop: String,
}

impl Default for Typed {
    fn default() -> Self {
        let sampling = Sampling { temperature: 0.8, top_k: 40, max_new_tokens: 160, ..Sampling::default() };
        Self { prompt: task::story(), sampling, stop: String::new() }
    }
}

/// The output on show: tokens kept from an earlier run, then those of the job.
#[derive(Clone, Debug)]
struct Shown {
    job: JobId,
    /// The prompt's tokens as they were before anything was generated; empty until the first run told them.
    prompt: Vec<PromptToken>,
    /// Tokens kept when the person went on from an alternative, that alternative last.
    kept: Vec<GeneratedToken>,
}

impl Shown {
    /// All generated tokens on show.
    fn tokens<'a>(&'a self, state: &'a State) -> impl ExactSizeIterator<Item = &'a GeneratedToken> + Clone {
        let new = state.runs.get(&self.job).map_or(&[][..], |r| &r.tokens);
        let count = self.kept.len();
        (0..count + new.len()).map(move |i| if i < count { &self.kept[i] } else { &new[i - count] })
    }

    fn token<'a>(&'a self, state: &'a State, index: usize) -> Option<&'a GeneratedToken> {
        match index.checked_sub(self.kept.len()) {
            None => self.kept.get(index),
            Some(new) => state.runs.get(&self.job)?.tokens.get(new),
        }
    }

    /// The prompt's tokens, as the first run of this output told them.
    fn prompt<'a>(&'a self, state: &'a State) -> &'a [PromptToken] {
        if self.kept.is_empty() { state.runs.get(&self.job).map_or(&[], |r| &r.prompt) } else { &self.prompt }
    }
}

/// The prompt panel.
pub struct PromptPanel {
    typed: Typed,
    history: History<FewShotPrompt>,
    table: ShotTable,
    preview: preview::Preview,
    shown: Option<Shown>,
    /// Generated token the person clicked.
    selected: Option<usize>,
    /// Generated token under the pointer, as of the last frame.
    hovered: Option<usize>,
}

impl Default for PromptPanel {
    fn default() -> Self {
        let typed = Typed::default();
        Self {
            history: History::new(typed.prompt.clone()),
            typed,
            table: ShotTable::default(),
            preview: preview::Preview::default(),
            shown: None,
            selected: None,
            hovered: None,
        }
    }
}

impl PromptPanel {
    fn sampling(&self) -> Sampling {
        let stop = self.typed.stop.lines().map(|l| l.replace("\\n", "\n")).filter(|l| !l.is_empty()).collect();
        Sampling { stop, ..self.typed.sampling.clone() }
    }

    fn generate(&mut self, cx: &mut Cx<'_>, input: PromptInput, prompt: Vec<PromptToken>, kept: Vec<GeneratedToken>) {
        let Some(model) = cx.state.active(ModelKind::CausalLm) else {
            cx.toast("Open a text model first");
            return;
        };
        if let Some(running) = self.running(cx.state) {
            cx.cancel(running);
        }
        let job = JobId::next();
        cx.send(Command::Generate { job, model: model.info.id, prompt: input, sampling: self.sampling() });
        cx.selection.run = Some(job);
        self.shown = Some(Shown { job, prompt, kept });
    }

    /// Goes on from an alternative of the token at `index`.
    fn branch(&mut self, cx: &mut Cx<'_>, index: usize, alternative: usize) {
        let Some(shown) = &self.shown else { return };
        let Some(token) = shown.token(cx.state, index) else { return };
        let Some(choice) = token.top.get(alternative) else { return };
        let prompt = shown.prompt(cx.state).to_vec();
        let mut kept: Vec<GeneratedToken> = shown.tokens(cx.state).take(index).cloned().collect();
        kept.push(GeneratedToken {
            id: choice.id,
            text: choice.text.clone(),
            logprob: choice.probability.ln(),
            top: token.top.clone(),
        });
        let ids = prompt.iter().map(|t| t.id).chain(kept.iter().map(|t| t.id)).collect();
        self.selected = Some(index);
        self.generate(cx, PromptInput::Ids(ids), prompt, kept);
    }

    fn running(&self, state: &State) -> Option<JobId> {
        self.shown.as_ref().map(|s| s.job).filter(|j| state.is_active(*j))
    }

    /// The generated token to tell about: under the pointer, else the clicked one.
    fn focus(&self) -> Option<usize> {
        self.hovered.or(self.selected)
    }
}

impl Panel for PromptPanel {
    fn id(&self) -> &'static str {
        "prompt"
    }

    fn title(&self) -> &'static str {
        "Prompt"
    }

    fn icon(&self) -> Icon {
        Icon::MessageSquareText
    }

    fn help(&self) -> &'static str {
        "Give a model an instruction, examples and a query, and see every token it reads and writes."
    }

    fn model_kind(&self) -> Option<ModelKind> {
        Some(ModelKind::CausalLm)
    }

    fn controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        controls::show(self, ui, cx);
        self.history.observe(&self.typed.prompt, cx.state.now_s);
    }

    fn has_footer(&self) -> bool {
        true
    }

    fn footer(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        controls::footer(self, ui, cx);
    }

    fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        output::stage(self, ui, cx);
    }

    fn inspector_title(&self) -> Option<&'static str> {
        Some("Token")
    }

    fn inspector(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        inspector::show(self, ui, cx);
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        self.preview.update(&self.typed.prompt, cx);
    }

    fn current_job(&self) -> Option<JobId> {
        self.shown.as_ref().map(|s| s.job)
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        let text = self.typed.prompt.render().text;
        self.selected = None;
        self.generate(cx, PromptInput::Text(text), Vec::new(), Vec::new());
    }

    fn undoes_typing(&self) -> bool {
        true
    }

    fn undo(&mut self, _cx: &mut Cx<'_>) {
        self.history.undo(&mut self.typed.prompt);
    }

    fn redo(&mut self, _cx: &mut Cx<'_>) {
        self.history.redo(&mut self.typed.prompt);
    }

    fn actions(&self, _state: &State) -> Vec<Action> {
        let examples = task::all().iter().map(|t| (t.id, format!("Example: {}", t.title), Icon::BookOpen));
        let seed = ("new-seed", "Draw a new seed and run".to_owned(), Icon::Dices);
        examples.chain([seed]).map(|(id, title, icon)| Action { id, title, icon }).collect()
    }

    fn act(&mut self, id: &'static str, cx: &mut Cx<'_>) {
        if id == "new-seed" {
            self.typed.sampling.seed = controls::fresh_seed();
            self.run(cx);
        } else if let Some(task) = task::all().iter().find(|t| t.id == id) {
            self.typed.prompt = task.prompt.clone();
        }
    }

    fn save(&self) -> serde_json::Value {
        serde_json::to_value(&self.typed).unwrap_or_default()
    }

    fn restore(&mut self, value: &serde_json::Value) {
        if let Ok(typed) = serde_json::from_value::<Typed>(value.clone()) {
            self.history = History::new(typed.prompt.clone());
            self.typed = typed;
        }
    }
}
