//! Prompting a model that continues texts: instruction, examples and query, or a chat.

mod beside;
mod bias;
mod chat;
mod compare;
mod controls;
mod differences;
mod inspector;
mod output;
mod past;
mod plain;
mod presets;
mod preview;
mod samples;
mod sampling;
mod second;
mod shots;
mod surprise;
mod task;

use super::Typed;
use crate::engine::{Command, GenerateSpec, PromptInput, Work};
use crate::types::{
    Ability, ChatFormat, FewShotPrompt, GeneratedToken, JobId, LINES_END, ModelId, PromptToken, Sampling,
};
use crate::ui::{Action, Cx};
use beside::Other;
use chat::Chat;
pub(super) use chat::{Beside, Conversation};
use egui::Ui;
use lucide_icons::Icon;
use output::{Output, Shown};
use plain::Plain;
pub(super) use presets::SamplingPreset;
use sampling::Drawing;
pub(super) use sampling::Drawn;
pub(super) use second::SecondModel;
use second::{Second, Target};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::rc::Rc;

/// How the model is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// A text to continue, with or without examples.
    #[default]
    Prompt,
    /// Turns, written by the model's chat template.
    Chat,
}

/// What the person wants, as the parts of the view tell it.
#[derive(Clone, Copy)]
enum Wish {
    /// To run what is typed.
    Run,
    /// To go on from another candidate for a token, by their places.
    Branch(usize, usize),
    /// To look at another run.
    LookAt(JobId),
    /// To have the prompt back that the run on show was made from.
    Retype,
    /// To have a turn written.
    Ask(chat::Ask),
    /// To write a plain prompt instead.
    Plain,
}

/// The prompt that begins a first session.
pub(super) fn story() -> FewShotPrompt {
    task::story()
}

/// How a conversation can leave the window, by the names of the palette's entries.
const EXPORTS: [(&str, &str, chat::Export); 2] =
    [("chat-markdown", "Markdown", chat::Export::Markdown), ("chat-json", "JSON", chat::Export::Json)];

/// What a run begins from.
#[derive(Default)]
struct From {
    /// The prompt's tokens, where they are known.
    prompt: Vec<PromptToken>,
    kept: Vec<GeneratedToken>,
    text: Rc<str>,
    typed: Option<Rc<FewShotPrompt>>,
}

/// The view: two modes, each with what was typed in it and what came out; how tokens are drawn is the same in both.
pub(super) struct TextPrompt {
    mode: Mode,
    /// How tokens are drawn, in each mode: what suits a short answer would cut a conversation off.
    drawn: Drawn,
    drawn_in_chat: Drawn,
    drawing: Drawing,
    plain: Plain,
    chat: Chat,
    second: Second,
}

impl TextPrompt {
    pub fn new(typed: Typed) -> Self {
        Self {
            mode: typed.mode,
            drawn_in_chat: typed.drawn_in_chat.unwrap_or_else(|| typed.drawn.clone()),
            drawn: typed.drawn,
            drawing: Drawing::new(typed.presets),
            plain: Plain::new(typed.prompt),
            chat: Chat::new(typed.chat, typed.beside),
            second: Second::restored(typed.second),
        }
    }

    /// What survives a restart.
    pub fn typed(&self) -> Typed {
        Typed {
            prompt: self.plain.prompt.clone(),
            drawn: self.drawn.clone(),
            drawn_in_chat: Some(self.drawn_in_chat.clone()),
            presets: self.drawing.presets.clone(),
            mode: self.mode,
            chat: self.chat.conversation.clone(),
            beside: self.chat.beside(),
            second: self.second.chosen.clone(),
            ..Typed::default()
        }
    }

    fn is_chat(&self) -> bool {
        self.mode == Mode::Chat
    }

    fn output(&self) -> &Output {
        if self.is_chat() { &self.chat.output } else { &self.plain.output }
    }

    fn output_mut(&mut self) -> &mut Output {
        if self.is_chat() { &mut self.chat.output } else { &mut self.plain.output }
    }

    fn drawn(&self) -> &Drawn {
        if self.is_chat() { &self.drawn_in_chat } else { &self.drawn }
    }

    fn sampling(&self) -> Sampling {
        let drawn = self.drawn();
        let typed = drawn.stop.lines().map(|l| l.replace("\\n", "\n")).filter(|l| !l.is_empty());
        // In plain lines nothing but the next speaker's name tells that a turn is over.
        let is_lines = self.is_chat() && self.chat.conversation.format == ChatFormat::Lines;
        let stop = typed.chain(is_lines.then(|| LINES_END.to_owned())).collect();
        Sampling { stop, ..drawn.sampling.clone() }
    }

    /// Shows another mode. Each keeps its own output and what was typed.
    fn switch(&mut self, mode: Mode) {
        if self.mode != mode {
            self.mode = mode;
            let output = self.output_mut();
            (output.selected, output.hovered) = (None, None);
        }
    }

    /// Puts another prompt in the place of the typed one; undo brings that back.
    pub fn take(&mut self, prompt: FewShotPrompt, now_s: f64) {
        self.plain.take(prompt, now_s);
        self.switch(Mode::Prompt);
    }

    fn generate(&mut self, cx: &mut Cx<'_>, input: PromptInput, from: From) {
        let Some(model) = cx.state.active(Ability::Continue) else {
            cx.toast("Open a text model first");
            return;
        };
        for running in self.output().under_way(cx.state).collect::<Vec<_>>() {
            cx.cancel(running);
        }
        let (job, model) = (JobId::next(), model.info.id);
        let mut spec = GenerateSpec { prompt: input, sampling: self.sampling(), edits: Vec::new() };
        let edits = cx.edits.on();
        let other = match self.second.target(cx.state) {
            // Edits hold for both models.
            Some(target) => {
                spec.edits = edits;
                self.prompt_for(target, &spec, &from).map(|spec| Other::by_model(target, spec, cx))
            }
            None if edits.is_empty() => None,
            None => {
                // A conversation goes on from the answer of the model as it is edited.
                let is_main = self.is_chat();
                let other = Other::with_edits(model, &spec, edits.clone(), is_main, cx);
                if is_main {
                    spec.edits = edits;
                }
                Some(other)
            }
        };
        cx.send(Command::start(job, model, Work::Generate(spec)));
        cx.selection.run = Some(job);
        cx.selection.inspection = None;
        let From { prompt, kept, text, typed } = from;
        self.output_mut().begin(Shown { job, prompt, kept, text, typed, other });
    }

    /// What another model is asked: the same, but for tokens, which it may not have; it is given their text. In a chat only who wrote the
    /// turn can go on from one of its tokens.
    fn prompt_for(&self, target: Target, spec: &GenerateSpec, from: &From) -> Option<GenerateSpec> {
        if !matches!(spec.prompt, PromptInput::Ids(_)) || target.shares_tokens() {
            return Some(spec.clone());
        }
        let kept: String = from.kept.iter().map(|token| token.text.as_str()).collect();
        let prompt = PromptInput::Text(format!("{}{kept}", from.text));
        (!self.is_chat()).then(|| GenerateSpec { prompt, ..spec.clone() })
    }

    /// Puts a model beside the one in use; `None` is that one without its adapter.
    pub fn put_beside(&mut self, model: Option<ModelId>, cx: &Cx<'_>) {
        self.second.choose(model, cx.state);
    }

    /// Goes on from an alternative of the token at `index`.
    fn branch(&mut self, cx: &mut Cx<'_>, index: usize, alternative: usize) {
        let Some(shown) = &self.output().shown else { return };
        let Some(token) = shown.token(cx.state, index) else { return };
        let Some(choice) = token.top.get(alternative) else { return };
        let prompt = shown.prompt(cx.state).to_vec();
        let mut kept: Vec<GeneratedToken> = shown.tokens(cx.state).take(index).cloned().collect();
        kept.push(GeneratedToken {
            id: choice.id,
            text: choice.text.clone(),
            own: choice.text.clone(),
            logprob: choice.probability.ln(),
            rank: token.rank_of(choice.id),
            top: token.top.clone(),
            drawn: token.drawn.clone(),
        });
        let ids = prompt.iter().map(|t| t.id).chain(kept.iter().map(|t| t.id)).collect();
        let from = From { prompt, kept, text: Rc::clone(&shown.text), typed: shown.typed.clone() };
        if self.is_chat() {
            self.chat.reopen(cx.state.now_s);
        } else {
            self.plain.part(cx.state.now_s);
        }
        self.generate(cx, PromptInput::Ids(ids), from);
        self.output_mut().selected = Some(index);
    }

    fn look_at(&mut self, job: JobId) {
        self.plain.output.look_at(job);
        self.plain.amend();
    }

    fn fulfil(&mut self, wish: Option<Wish>, cx: &mut Cx<'_>) {
        match wish {
            Some(Wish::Run) => self.run(cx),
            Some(Wish::Branch(index, alternative)) => self.branch(cx, index, alternative),
            Some(Wish::LookAt(job)) => self.look_at(job),
            Some(Wish::Retype) => self.plain.retype(cx.state.now_s),
            Some(Wish::Ask(ask)) => self.ask(cx, ask),
            Some(Wish::Plain) => self.switch(Mode::Prompt),
            None => {}
        }
    }

    pub fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let wish =
            if self.is_chat() { chat::stage(&mut self.chat, ui, cx) } else { plain::stage(&mut self.plain, ui, cx) };
        self.fulfil(wish, cx);
    }

    /// True while no token is chosen and there are no runs to list.
    pub fn inspector_is_empty(&self) -> bool {
        self.output().selected.is_none() && (self.is_chat() || !self.plain.output.past.has_several())
    }

    pub fn inspector(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let mut wish = inspector::show(self.output(), ui, cx);
        if let Some(shown) = self.plain.output.shown.as_ref().filter(|_| !self.is_chat()) {
            let chosen = self.plain.output.past.list(shown.job, ui, cx);
            wish = wish.or(chosen.map(Wish::LookAt));
        }
        self.fulfil(wish, cx);
    }

    pub fn tick(&mut self, cx: &mut Cx<'_>) {
        let is_chat = self.is_chat();
        self.second.tick(cx);
        self.chat.tick(is_chat, cx);
        if !is_chat {
            self.plain.preview.update(&self.plain.prompt, cx);
        }
    }

    /// The jobs of what is on show.
    pub fn jobs(&self) -> Vec<JobId> {
        self.output().shown.iter().flat_map(beside::jobs).collect()
    }

    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.plain.preview.shows(shown);
        self.plain.samples.shows(shown);
        self.drawing.bias.shows(shown);
        self.chat.shows(shown);
        self.plain.output.past.shows(shown);
        let outputs = [&self.plain.output, &self.chat.output];
        outputs.into_iter().filter_map(|output| output.shown.as_ref()).for_each(|on_show| beside::keep(on_show, shown));
    }

    pub fn run(&mut self, cx: &mut Cx<'_>) {
        if self.is_chat() {
            return self.run_chat(cx);
        }
        let text = self.plain.prompt.render().text;
        self.plain.output.selected = None;
        self.plain.preview.comparing.is_open = false;
        if self.plain.samples.count > 1 {
            self.plain.samples.typed = Some(Rc::new(self.plain.prompt.clone()));
            return self.run_samples(PromptInput::Text(text), cx);
        }
        self.plain.samples.close();
        self.plain.part(cx.state.now_s);
        let typed = Some(Rc::new(self.plain.prompt.clone()));
        let from = From { text: text.as_str().into(), typed, ..From::default() };
        self.generate(cx, PromptInput::Text(text), from);
        self.plain.amend();
    }

    /// Draws several continuations at once.
    fn run_samples(&mut self, prompt: PromptInput, cx: &mut Cx<'_>) {
        let Some(model) = cx.state.active(Ability::Continue).map(|model| model.info.id) else {
            cx.toast("Open a text model first");
            return;
        };
        let generate = GenerateSpec { prompt, sampling: self.sampling(), edits: cx.edits.on() };
        let second = self.second.target(cx.state);
        self.plain.samples.run(model, generate, second, cx);
    }

    /// Answers or continues what the last turn asks for.
    fn run_chat(&mut self, cx: &mut Cx<'_>) {
        if self.chat.can_be_asked(cx) {
            if cx.state.active(Ability::Continue).is_some() {
                self.chat.say(cx.state.now_s);
            }
            self.ask(cx, self.chat.conversation.next());
        } else {
            cx.toast("The chat template gives no text: see under the turns");
        }
    }

    /// Lets the model write a turn. What stands there and behind it goes; undo brings it back.
    fn ask(&mut self, cx: &mut Cx<'_>, ask: chat::Ask) {
        if cx.state.active(Ability::Continue).is_none() {
            cx.toast("Open a text model first");
            return;
        }
        let prompt = self.chat.open(ask, cx);
        self.generate(cx, PromptInput::Chat(Box::new(prompt)), From::default());
    }

    pub fn undo(&mut self, cx: &mut Cx<'_>) {
        if self.is_chat() {
            // What is being written would write over what comes back.
            for job in self.chat.output.under_way(cx.state).collect::<Vec<_>>() {
                cx.cancel(job);
            }
            cx.edits.undo(self.chat.touched_s(), || self.chat.undo());
        } else {
            cx.edits.undo(self.plain.touched_s(), || self.plain.undo());
        }
    }

    pub fn redo(&mut self, cx: &mut Cx<'_>) {
        if self.is_chat() {
            cx.edits.redo(self.chat.touched_s(), || self.chat.redo());
        } else {
            cx.edits.redo(self.plain.touched_s(), || self.plain.redo());
        }
    }

    pub fn actions(&self) -> Vec<Action> {
        let examples = task::all().iter().map(|t| (t.id, format!("Example: {}", t.title), Icon::BookOpen));
        let other = if self.is_chat() { ("plain", "Write a plain prompt") } else { ("chat", "Chat with the model") };
        let mode = (other.0, other.1.to_owned(), Icon::MessagesSquare);
        let has_turns = self.is_chat() && !self.chat.conversation.turns.is_empty();
        let exports = EXPORTS.iter().filter(|_| has_turns);
        let exports = exports.map(|(id, name, _)| (*id, format!("Export the conversation as {name}"), Icon::Download));
        let seed = ("new-seed", "Draw a new seed and run".to_owned(), Icon::Dices);
        examples.chain([seed, mode]).chain(exports).map(|(id, title, icon)| Action { id, title, icon }).collect()
    }

    pub fn act(&mut self, id: &'static str, cx: &mut Cx<'_>) {
        if id == "new-seed" {
            let drawn = if self.is_chat() { &mut self.drawn_in_chat } else { &mut self.drawn };
            drawn.sampling.seed = controls::fresh_seed();
            self.run(cx);
        } else if id == "plain" || id == "chat" {
            self.switch(if id == "chat" { Mode::Chat } else { Mode::Prompt });
        } else if let Some((_, _, export)) = EXPORTS.iter().find(|(export, ..)| *export == id) {
            self.chat.export(*export, cx);
        } else if let Some(task) = task::all().iter().find(|t| t.id == id) {
            task.begin(&mut self.plain.prompt, &mut self.drawn);
            self.switch(Mode::Prompt);
        }
    }
}
