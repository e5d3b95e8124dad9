//! Prompting a text model: instruction, examples and query, or a chat; every token that goes in and comes out.

mod chat;
mod controls;
mod encoder;
mod inspector;
mod output;
mod preview;
mod shots;
mod task;

use crate::engine::{Command, GenerateSpec, PromptInput, Work};
use crate::types::{Ability, ChatFormat, FewShotPrompt, GeneratedToken, JobId, LINES_END, PromptToken, Sampling};
use crate::ui::widgets::empty_state;
use crate::ui::{Action, Cx, History, Intent, Panel, PanelId, Prompting, State};
use egui::Ui;
use encoder::EncoderView;
use lucide_icons::Icon;
use serde::{Deserialize, Serialize};
use shots::ShotTable;
use std::collections::BTreeSet;

/// How the model is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// A text to continue, with or without examples.
    #[default]
    Prompt,
    /// Turns, written by the model's chat template.
    Chat,
}

/// What survives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Typed {
    prompt: FewShotPrompt,
    sampling: Sampling,
    /// Stop strings as typed: one a line, `\n` for a line break.
    stop: String,
    mode: Mode,
    /// The conversation of the chat mode, as of the last look.
    chat: chat::Conversation,
    /// What an encoder is given.
    encoder: encoder::Typed,
}

impl Default for Typed {
    fn default() -> Self {
        let sampling = Sampling { temperature: 0.8, top_k: 40, max_new_tokens: 160, ..Sampling::default() };
        let (mode, chat) = (Mode::default(), chat::Conversation::default());
        Self { prompt: task::story(), sampling, stop: String::new(), mode, chat, encoder: encoder::Typed::default() }
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
        let new = state.run(self.job).map_or(&[][..], |r| &r.tokens);
        let count = self.kept.len();
        (0..count + new.len()).map(move |i| if i < count { &self.kept[i] } else { &new[i - count] })
    }

    fn token<'a>(&'a self, state: &'a State, index: usize) -> Option<&'a GeneratedToken> {
        match index.checked_sub(self.kept.len()) {
            None => self.kept.get(index),
            Some(new) => state.run(self.job)?.tokens.get(new),
        }
    }

    /// The prompt's tokens, as the first run of this output told them.
    fn prompt<'a>(&'a self, state: &'a State) -> &'a [PromptToken] {
        if self.kept.is_empty() { state.run(self.job).map_or(&[], |r| &r.prompt) } else { &self.prompt }
    }
}

/// The prompt panel.
pub struct PromptPanel {
    typed: Typed,
    history: History<FewShotPrompt>,
    table: ShotTable,
    preview: preview::Preview,
    chat: chat::Chat,
    shown: Option<Shown>,
    /// The output of the mode that is not on show.
    shown_elsewhere: Option<Shown>,
    /// Generated token the person clicked.
    selected: Option<usize>,
    /// Generated token under the pointer, as of the last frame.
    hovered: Option<usize>,
    /// What is on show while an encoder is in use.
    encoder: EncoderView,
    /// What is done with a prompt, as of the last tick.
    prompting: Prompting,
    /// The encoder's job, as of the last tick.
    encoder_job: Option<JobId>,
}

impl Default for PromptPanel {
    fn default() -> Self {
        let typed = Typed::default();
        Self {
            history: History::new(typed.prompt.clone()),
            chat: chat::Chat::new(typed.chat.clone()),
            typed,
            table: ShotTable::default(),
            preview: preview::Preview::default(),
            shown: None,
            shown_elsewhere: None,
            selected: None,
            hovered: None,
            encoder: EncoderView::default(),
            prompting: Prompting::default(),
            encoder_job: None,
        }
    }
}

impl PromptPanel {
    fn sampling(&self) -> Sampling {
        let typed = self.typed.stop.lines().map(|l| l.replace("\\n", "\n")).filter(|l| !l.is_empty());
        // In plain lines nothing but the next speaker's name tells that a turn is over.
        let is_lines = self.is_chat() && self.chat.conversation.format == ChatFormat::Lines;
        let stop = typed.chain(is_lines.then(|| LINES_END.to_owned())).collect();
        Sampling { stop, ..self.typed.sampling.clone() }
    }

    fn is_chat(&self) -> bool {
        self.typed.mode == Mode::Chat
    }

    /// Shows another mode. Each keeps its own output and what was typed.
    fn switch(&mut self, mode: Mode) {
        if self.typed.mode == mode {
            return;
        }
        self.typed.mode = mode;
        std::mem::swap(&mut self.shown, &mut self.shown_elsewhere);
        (self.selected, self.hovered) = (None, None);
    }

    fn generate(&mut self, cx: &mut Cx<'_>, input: PromptInput, prompt: Vec<PromptToken>, kept: Vec<GeneratedToken>) {
        let Some(model) = cx.state.active(Ability::Continue) else {
            cx.toast("Open a text model first");
            return;
        };
        if let Some(running) = self.running(cx.state) {
            cx.cancel(running);
        }
        let job = JobId::next();
        cx.send(Command::start(
            job,
            model.info.id,
            Work::Generate(GenerateSpec { prompt: input, sampling: self.sampling(), edits: Vec::new() }),
        ));
        cx.selection.run = Some(job);
        cx.selection.inspection = None;
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
        self.chat.reopen();
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
    fn id(&self) -> PanelId {
        PanelId::Prompt
    }

    fn title(&self) -> &'static str {
        "Prompt"
    }

    fn icon(&self) -> Icon {
        Icon::MessageSquareText
    }

    fn help(&self) -> &'static str {
        "Give a model a text to continue, or talk to it, and see every token it reads and writes."
    }

    fn needs(&self) -> Option<Ability> {
        Some(Ability::Prompt)
    }

    fn controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        match self.prompting {
            Prompting::Encodes => return self.encoder.controls(ui, cx),
            Prompting::Sees => return,
            _ => {}
        }
        controls::show(self, ui, cx);
        if !self.is_chat() {
            self.history.observe(&self.typed.prompt, cx.state.now_s);
        }
    }

    fn has_footer(&self) -> bool {
        self.prompting != Prompting::Sees
    }

    fn footer(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        if self.prompting == Prompting::Encodes {
            return self.encoder.footer(ui, cx);
        }
        controls::footer(self, ui, cx);
    }

    fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        match self.prompting {
            Prompting::Encodes => return self.encoder.stage(ui, cx),
            Prompting::Sees => return pictures_only(ui, cx),
            _ => {}
        }
        if self.is_chat() {
            chat::stage(self, ui, cx);
        } else {
            output::stage(self, ui, cx);
        }
    }

    fn inspector_title(&self) -> Option<&'static str> {
        match self.prompting {
            Prompting::Encodes => Some(self.encoder.inspector_title()),
            Prompting::Sees => None,
            _ => Some("Token"),
        }
    }

    fn inspector(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        if self.prompting == Prompting::Encodes {
            return self.encoder.inspector(ui, cx);
        }
        inspector::show(self, ui, cx);
    }

    fn receive(&mut self, intent: Intent, cx: &mut Cx<'_>) {
        if let Intent::Prompt(prompt) = intent {
            self.history.part(&self.typed.prompt, cx.state.now_s);
            self.typed.prompt = prompt;
            self.switch(Mode::Prompt);
        }
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        self.prompting = cx.state.prompting();
        self.encoder_job = self.encoder.job(cx.state);
        let is_chat = self.is_chat();
        let shown = if is_chat { &self.shown } else { &self.shown_elsewhere };
        self.chat.tick(shown.as_ref(), is_chat, cx);
        if !is_chat {
            self.preview.update(&self.typed.prompt, cx);
        }
    }

    fn current_job(&self) -> Option<JobId> {
        if self.prompting == Prompting::Encodes {
            return self.encoder_job;
        }
        self.shown.as_ref().map(|s| s.job)
    }

    fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.preview.shows(shown);
        self.chat.shows(shown);
        self.encoder.shows(shown);
        shown.extend([&self.shown, &self.shown_elsewhere].into_iter().flatten().map(|shown| shown.job));
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        match self.prompting {
            Prompting::Encodes => return self.encoder.run(cx),
            Prompting::Sees => return,
            _ => {}
        }
        if self.is_chat() {
            self.run_chat(cx);
            return;
        }
        let text = self.typed.prompt.render().text;
        self.selected = None;
        self.generate(cx, PromptInput::Text(text), Vec::new(), Vec::new());
    }

    fn undoes_typing(&self) -> bool {
        self.prompting == Prompting::Continues
    }

    fn undo(&mut self, cx: &mut Cx<'_>) {
        if self.prompting != Prompting::Continues {
            return;
        }
        if self.is_chat() {
            // What is being written would write over what comes back.
            if let Some(job) = self.running(cx.state) {
                cx.cancel(job);
            }
            self.chat.undo();
        } else {
            self.history.undo(&mut self.typed.prompt);
        }
    }

    fn redo(&mut self, _cx: &mut Cx<'_>) {
        if self.prompting != Prompting::Continues {
            return;
        }
        if self.is_chat() {
            self.chat.redo();
        } else {
            self.history.redo(&mut self.typed.prompt);
        }
    }

    fn actions(&self, _state: &State) -> Vec<Action> {
        if self.prompting != Prompting::Continues {
            return Vec::new();
        }
        let examples = task::all().iter().map(|t| (t.id, format!("Example: {}", t.title), Icon::BookOpen));
        let other = if self.is_chat() { ("plain", "Write a plain prompt") } else { ("chat", "Chat with the model") };
        let mode = (other.0, other.1.to_owned(), Icon::MessagesSquare);
        let seed = ("new-seed", "Draw a new seed and run".to_owned(), Icon::Dices);
        examples.chain([seed, mode]).map(|(id, title, icon)| Action { id, title, icon }).collect()
    }

    fn act(&mut self, id: &'static str, cx: &mut Cx<'_>) {
        if id == "new-seed" {
            self.typed.sampling.seed = controls::fresh_seed();
            self.run(cx);
        } else if id == "plain" || id == "chat" {
            self.switch(if id == "chat" { Mode::Chat } else { Mode::Prompt });
        } else if let Some(task) = task::all().iter().find(|t| t.id == id) {
            self.typed.prompt = task.prompt.clone();
            self.switch(Mode::Prompt);
        }
    }

    fn save(&self) -> serde_json::Value {
        let typed =
            Typed { chat: self.chat.conversation.clone(), encoder: self.encoder.typed.clone(), ..self.typed.clone() };
        serde_json::to_value(&typed).unwrap_or_default()
    }

    fn restore(&mut self, value: &serde_json::Value) {
        if let Ok(typed) = serde_json::from_value::<Typed>(value.clone()) {
            self.history = History::new(typed.prompt.clone());
            self.chat = chat::Chat::new(typed.chat.clone());
            self.encoder.typed = typed.encoder.clone();
            self.typed = typed;
        }
    }
}

/// What is said while a model is in use that reads no text.
fn pictures_only(ui: &mut Ui, cx: &mut Cx<'_>) {
    let name = cx.state.active(Ability::SeePictures).map_or("The model", |m| m.info.name.as_str());
    let title = format!("{name} reads pictures");
    let sentence = "It takes no text. Show it a picture in the Attention panel, or choose a text model in the top bar.";
    if empty_state(ui, Icon::Image, &title, sentence, Some("Show it a picture")) {
        cx.go_to(PanelId::Attention);
    }
}
