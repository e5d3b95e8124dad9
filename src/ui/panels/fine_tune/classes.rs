//! What is filled in to learn classes of texts or pictures: the file or folder, its columns, what learns; and what it holds.

use super::form::{Missing, Settings};
use super::{CLASSES_FILE, FineTunePanel, MODEL_FOLDER};
use crate::engine::Work;
use crate::types::{
    Ability, ClassifyTask, JobId, LabelledReport, LabelledSource, Learns, ModelId, StartFrom, TrainTask,
};
use crate::ui::files::FileRequest;
use crate::ui::panels::labelled;
use crate::ui::theme::Type;
use crate::ui::widgets::{
    caption, error_card, field, ghost_button, integer_field, path_field, percent_field, segmented,
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

    fn task(&self) -> Option<ClassifyTask> {
        let data = self.data.trim();
        let column = |at: usize| Some(self.columns[at].trim().to_owned()).filter(|name| !name.is_empty());
        let learns = match self.depth {
            Depth::Head => Learns::Head,
            Depth::Layers => Learns::LastLayers(self.layers),
            Depth::All => Learns::All,
        };
        (!data.is_empty()).then(|| ClassifyTask {
            data: PathBuf::from(data),
            validation: None,
            test: None,
            text: column(0),
            label: column(1),
            test_share: self.test_percent / 100.0,
            learns,
            context: None,
        })
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
        let task = self.task().ok_or(Missing::LabelledFile)?;
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
                let words = if body.info.can(Ability::ClassifyTexts) || body.info.can(Ability::ClassifyPictures) {
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
        caption(ui, "What learns").on_hover_text(
            "The head alone learns in seconds: what the body makes of each text is computed once. The last layers bend \
             the body to the task; all weights bend it most, and take the most memory and data.",
        );
        let depths = [(Depth::Head, "Head"), (Depth::Layers, "Last layers"), (Depth::All, "All")];
        segmented(ui, &mut form.depth, &depths);
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
