//! Prompting: a text that a model continues or answers, texts for an encoder; every token that goes in and comes out.

mod encoder;
mod text;

use crate::types::{Ability, FewShotPrompt, JobId};
use crate::ui::lenient;
use crate::ui::panels::{adapter, suggestion};
use crate::ui::widgets::empty_state;
use crate::ui::{Action, Cx, Intent, Panel, PanelId, Prompting, Selection, State};
use egui::Ui;
use encoder::EncoderView;
use lucide_icons::Icon;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use text::{Beside, Conversation, Drawn, Mode, SamplingPreset, SecondModel, TextPrompt};

/// The entry of the palette that opens the encoder that comes along.
const USE_ENCODER: &str = "use encoder";

/// What survives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Typed {
    prompt: FewShotPrompt,
    /// How tokens are drawn for a plain prompt.
    #[serde(flatten)]
    drawn: Drawn,
    /// How they are in the chat mode; sessions of before had one for both.
    drawn_in_chat: Option<Drawn>,
    /// Sampling settings under names.
    presets: Vec<SamplingPreset>,
    mode: Mode,
    /// The conversation of the chat mode, as of the last look.
    chat: Conversation,
    /// What belongs to it: a turn that is not sent yet, other conversations.
    beside: Beside,
    /// The model that answers beside the one in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    second: Option<SecondModel>,
    /// What an encoder is given.
    encoder: encoder::Typed,
}

impl Default for Typed {
    fn default() -> Self {
        Self {
            prompt: text::story(),
            drawn: Drawn::default(),
            drawn_in_chat: None,
            presets: Vec::new(),
            mode: Mode::default(),
            chat: Conversation::default(),
            beside: Beside::first(),
            second: None,
            encoder: encoder::Typed::default(),
        }
    }
}

/// The prompt panel: one view for each thing that models do with a prompt, of which one is on show.
pub struct PromptPanel {
    text: TextPrompt,
    encoder: EncoderView,
    /// What is done with a prompt, as of the last tick.
    prompting: Prompting,
    /// The job that Esc ends, as of the last tick.
    current: Option<JobId>,
}

impl Default for PromptPanel {
    fn default() -> Self {
        let text = TextPrompt::new(Typed::default());
        Self { text, encoder: EncoderView::default(), prompting: Prompting::default(), current: None }
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
        if let Some(info) = cx.state.active(Ability::Prompt).map(|model| model.info.clone()) {
            adapter::show(ui, cx, &info);
        }
        match self.prompting {
            Prompting::Continues => {
                self.text.controls(ui, cx);
                suggestion::for_blanks(ui, cx);
            }
            Prompting::Encodes => self.encoder.controls(ui, cx),
            Prompting::Sees => {}
        }
    }

    fn has_footer(&self) -> bool {
        self.prompting != Prompting::Sees
    }

    fn footer(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        match self.prompting {
            Prompting::Continues => self.text.footer(ui, cx),
            Prompting::Encodes => self.encoder.footer(ui, cx),
            Prompting::Sees => {}
        }
    }

    fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        match self.prompting {
            Prompting::Continues => self.text.stage(ui, cx),
            Prompting::Encodes => self.encoder.stage(ui, cx),
            Prompting::Sees => pictures_only(ui, cx),
        }
    }

    fn inspector_title(&self) -> Option<&'static str> {
        match self.prompting {
            Prompting::Continues => Some("Token"),
            Prompting::Encodes => Some(self.encoder.inspector_title()),
            Prompting::Sees => None,
        }
    }

    fn inspector_is_empty(&self, _selection: &Selection) -> bool {
        self.prompting == Prompting::Continues && self.text.inspector_is_empty()
    }

    fn inspector(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        match self.prompting {
            Prompting::Continues => self.text.inspector(ui, cx),
            Prompting::Encodes => self.encoder.inspector(ui, cx),
            Prompting::Sees => {}
        }
    }

    fn receive(&mut self, intent: Intent, cx: &mut Cx<'_>) {
        match intent {
            Intent::Prompt(prompt) => self.text.take(prompt, cx.state.now_s),
            Intent::Beside(model) => self.text.put_beside(model, cx),
            _ => {}
        }
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        self.prompting = cx.state.prompting();
        self.text.tick(cx);
        self.current = match self.prompting {
            Prompting::Encodes => self.encoder.job(cx.state),
            Prompting::Continues | Prompting::Sees => {
                let jobs = self.text.jobs();
                jobs.iter().find(|job| cx.state.is_active(**job)).or(jobs.first()).copied()
            }
        };
    }

    fn current_job(&self) -> Option<JobId> {
        self.current
    }

    fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.text.shows(shown);
        self.encoder.shows(shown);
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        match self.prompting {
            Prompting::Continues => self.text.run(cx),
            Prompting::Encodes => self.encoder.run(cx),
            Prompting::Sees => {}
        }
    }

    fn undoes_typing(&self) -> bool {
        self.prompting == Prompting::Continues
    }

    fn undo(&mut self, cx: &mut Cx<'_>) {
        if self.prompting == Prompting::Continues {
            self.text.undo(cx);
        }
    }

    fn redo(&mut self, cx: &mut Cx<'_>) {
        if self.prompting == Prompting::Continues {
            self.text.redo(cx);
        }
    }

    fn actions(&self, state: &State) -> Vec<Action> {
        let mut actions = if self.prompting == Prompting::Continues { self.text.actions() } else { Vec::new() };
        actions.extend(suggestion::encoder(state).map(|encoder| Action {
            id: USE_ENCODER,
            title: format!("Fill blanks or compare texts with {}", encoder.name),
            icon: Icon::Box,
        }));
        actions
    }

    fn act(&mut self, id: &'static str, cx: &mut Cx<'_>) {
        match suggestion::encoder(cx.state).filter(|_| id == USE_ENCODER) {
            Some(encoder) => cx.open_model(encoder.path.clone()),
            None => self.text.act(id, cx),
        }
    }

    fn save(&self) -> serde_json::Value {
        let typed = Typed { encoder: self.encoder.typed.clone(), ..self.text.typed() };
        serde_json::to_value(&typed).unwrap_or_default()
    }

    fn restore(&mut self, value: &serde_json::Value) -> bool {
        let (typed, is_whole): (Typed, bool) = lenient::read(value);
        self.encoder.typed = typed.encoder.clone();
        self.text = TextPrompt::new(typed);
        is_whole
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
