//! What is filled in to learn classes of texts or pictures: the file or folder, its columns, what learns; and what it holds.

use super::form::{LoraForm, Missing, Settings};
use super::{CLASSES_FILE, FineTunePanel, MODEL_FOLDER};
use crate::engine::Work;
use crate::types::{
    Ability, ClassifyTask, JobId, LabelWords, LabelledReport, LabelledSource, Learns, LoraSpec, ModelId, StartFrom,
    TrainTask,
};
use crate::ui::files::FileRequest;
use crate::ui::panels::labelled;
use crate::ui::theme::Type;
use crate::ui::widgets::{
    caption, error_card, field, ghost_button, hint, integer_field, path_field, percent_field, segmented,
};
use crate::ui::{Answer, Ask, Cx, OpenModel, State, Themed};
use egui::{RichText, TextEdit, Ui};
use lucide_icons::Icon;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// Which weights learn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Depth {
    /// The head.
    #[default]
    Head,
    /// The last layers and the head.
    Layers,
    /// The head, and low-rank changes of the body.
    Lora,
    /// Everything.
    All,
}

/// Everything that is filled in for classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ClassForm {
    pub data: String,
    /// Names or numbers; nothing finds them.
    pub columns: [String; 2],
    pub depth: Depth,
    pub layers: usize,
    pub lora: LoraForm,
    /// A decoder says labels as words.
    pub words: bool,
    /// The text with its label behind it; empty for the usual one.
    pub template: String,
    /// In percent, as it is shown.
    pub test_percent: f64,
    pub settings: Settings,
}

impl Default for ClassForm {
    fn default() -> Self {
        Self {
            data: String::new(),
            columns: [String::new(), String::new()],
            depth: Depth::default(),
            layers: 2,
            lora: LoraForm::default(),
            words: false,
            template: String::new(),
            test_percent: 10.0,
            settings: Settings::classes(),
        }
    }
}

impl ClassForm {
    /// The model whose folder a run starts from: of those that read text or see pictures, the one in use.
    pub fn body(state: &State) -> Option<&OpenModel> {
        state.active(Ability::Prompt)
    }

    /// True where the model in use sees pictures.
    fn sees(state: &State) -> bool {
        Self::body(state).is_some_and(|body| body.info.can(Ability::SeePictures))
    }

    /// True where the model in use could say labels as words.
    fn can_say(state: &State) -> bool {
        Self::body(state).is_some_and(|body| body.info.can(Ability::Continue))
    }

    /// How the model in use is asked for labels as words, where it is to say them.
    fn words(&self, state: &State) -> Option<LabelWords> {
        let template = Some(self.template.trim().to_owned()).filter(|template| !template.is_empty());
        let usual = LabelWords::default();
        let words = LabelWords { template: template.unwrap_or_else(|| usual.template.clone()), ..usual };
        (self.words && Self::can_say(state)).then_some(words)
    }

    fn task(&self) -> Option<ClassifyTask> {
        let data = self.data.trim();
        let column = |at: usize| Some(self.columns[at].trim().to_owned()).filter(|name| !name.is_empty());
        let learns = match self.depth {
            Depth::Head => Learns::Head,
            Depth::Layers => Learns::LastLayers(self.layers),
            Depth::Lora | Depth::All => Learns::All,
        };
        (!data.is_empty()).then(|| ClassifyTask {
            data: PathBuf::from(data),
            validation: None,
            test: None,
            text: column(0),
            label: column(1),
            test_share: self.test_percent / 100.0,
            learns,
            words: None,
            context: None,
        })
    }

    /// The adapter that is learned, where one is.
    pub fn lora(&self, state: &State) -> Option<LoraSpec> {
        let body = Self::body(state).filter(|_| self.depth == Depth::Lora)?;
        Some(self.lora.spec(body.info.architecture))
    }

    fn source(&self) -> Option<LabelledSource> {
        let Settings { validation_percent, seed, .. } = self.settings;
        Some(self.task()?.source(validation_percent / 100.0, seed))
    }

    /// What is learned, and from where on.
    ///
    /// # Errors
    /// What is still missing.
    pub fn run(&self, state: &State) -> Result<(ModelId, TrainTask, StartFrom, &Settings), Missing> {
        let body = Self::body(state).ok_or(Missing::Body)?;
        if body.info.modified {
            return Err(Missing::Saving);
        }
        // The folder is what a run begins with, without an adapter that is in use.
        let mut task = self.task().ok_or(Missing::LabelledFile)?;
        task.words = self.words(state);
        let start = StartFrom::Folder { path: body.info.path.clone() };
        Ok((ModelId::next(), TrainTask::Classify(task), start, &self.settings))
    }
}

/// What the file holds, as it was read last.
#[derive(Default)]
pub(super) struct ClassData(Ask<LabelledSource>);

impl ClassData {
    /// The job whose answer must be kept.
    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.0.shows(shown);
    }
}

impl FineTunePanel {
    /// The model that is given a head, and what learns of it.
    pub(super) fn class_subject(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let theme = ui.theme();
        let form = &mut self.form.classes;
        match ClassForm::body(cx.state) {
            Some(body) => {
                ui.label(RichText::new(&body.info.name).font(Type::Body.sans()).color(theme.body()));
                let words = if form.words && body.info.can(Ability::Continue) {
                    "A new model is made: this one, which learns to say the labels of the data."
                } else if body.info.can(Ability::ClassifyTexts) || body.info.can(Ability::ClassifyPictures) {
                    "It goes on with its head where the data has its classes, and is given a new one where not."
                } else {
                    "A new model is made: this one's body with a new head for the classes of the data."
                };
                caption(ui, words);
            }
            None => {
                caption(ui, "No model that reads text or pictures is open.");
                if ghost_button(ui, Some(Icon::FolderOpen), "Open a model folder").clicked() {
                    cx.pick(MODEL_FOLDER, FileRequest::folder("Open a model folder"));
                }
            }
        }
        let says = ClassForm::can_say(cx.state)
            && {
                caption(ui, "Labels").on_hover_text(
                "As classes: a head gives each a score. As words: the model continues a text by its label, as the lab asks for it, and \
                 stays a model that continues texts.",
            );
                segmented(ui, &mut form.words, &[(false, "As classes"), (true, "As words")]);
                form.words
            };
        if says {
            let help =
                "The text as {input} and its label as {output}; a line break ends it. The label alone is learned.";
            let usual = LabelWords::default().template;
            field(ui, "Template", help, |ui| {
                ui.add(TextEdit::singleline(&mut form.template).hint_text(hint(&usual)).desired_width(f32::INFINITY))
            });
            if form.depth == Depth::Head {
                form.depth = Depth::Lora;
            }
        }
        caption(ui, "What learns").on_hover_text(
            "The head alone learns in seconds: what the body makes of each text is computed once. The last layers bend \
             the body to the task; all weights bend it most, and take the most memory and data. LoRA learns small matrices \
             beside all layers and the head, in little memory, and writes a file of a few megabytes.",
        );
        let depths =
            [(Depth::Head, "Head"), (Depth::Layers, "Last layers"), (Depth::Lora, "LoRA"), (Depth::All, "All")];
        // Without a head there is none that could learn alone.
        segmented(ui, &mut form.depth, &depths[usize::from(says)..]);
        if let (Depth::Lora, Some(body)) = (form.depth, ClassForm::body(cx.state)) {
            super::controls::lora(ui, &mut form.lora, body.info.architecture);
            let words = if says {
                "Its weights stay as they are. What is learned is an adapter, in PEFT's layout."
            } else {
                "Its body stays as it is. Head and changes are an adapter, in PEFT's layout."
            };
            caption(ui, words);
        }
        if form.depth == Depth::Layers {
            let most = ClassForm::body(cx.state).map_or(usize::MAX, |body| body.info.shape.layers().max(1));
            let help = "Blocks counted from the last one; what stands behind them and the head learn, too.";
            integer_field(ui, "Layers", help, &mut form.layers, 1..=most);
        }
    }

    /// The file, its columns, and what it holds.
    pub(super) fn class_data(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let form = &mut self.form.classes;
        let sees = ClassForm::sees(cx.state);
        let (name, hint, icon) = if sees {
            ("Folder of pictures", "one folder a class", Icon::FolderOpen)
        } else {
            ("Labelled texts", "CSV, TSV or JSONL", Icon::FileText)
        };
        if path_field(ui, name, hint, icon, &mut form.data) {
            cx.pick(CLASSES_FILE, data_request(cx.state));
        }
        if !sees {
            ui.columns_const(|[left, right]| {
                let [text, label] = &mut form.columns;
                let help = "The column's name, or its number from 1. Left empty, it is found by its usual name.";
                for (ui, name, column) in [(left, "Text column", text), (right, "Label column", label)] {
                    field(ui, name, help, |ui| ui.add(TextEdit::singleline(column).hint_text("found")));
                }
            });
        }
        let help = "Share of the data that nothing is learned from or chosen by: it tells at the very end how good the \
                    model is.";
        percent_field(ui, "Test share", help, &mut form.test_percent);
        let Some(source) = form.source() else {
            caption(
                ui,
                if sees {
                    "PNG, JPEG and WebP pictures; the name of a folder is the class of what lies in it."
                } else {
                    "One column of texts, one of labels. A file can also be dropped here."
                },
            );
            return;
        };
        let asked = &mut self.class_data.0;
        asked.follow(source, labelled::REST_S, cx, |source| (None::<ModelId>, Work::ReadLabelled(source.clone())));
        if asked.is_due() {
            ui.ctx().request_repaint_after(Duration::from_millis(100));
        }
        match asked.answer::<LabelledReport>(cx.state) {
            Answer::Failed(error) => error_card(ui, error),
            Answer::New(report) | Answer::Old(report) => labelled::told(ui, report),
            Answer::Waiting => {
                caption(ui, "Reading the file.");
            }
            Answer::Nothing => {}
        }
    }
}

/// Asks for labelled data that the model in use reads.
pub(super) fn data_request(state: &State) -> FileRequest {
    if ClassForm::sees(state) {
        return FileRequest::folder("Choose a folder with a folder of pictures for each class");
    }
    labelled::file()
}
