//! What a panel is, and the small world it sees.

use super::Edits;
use super::files::{self, FileRequest};
use super::{State, Theme};
use crate::engine::Command;
use crate::hub::{HubCommand, RepoId};
use crate::types::{Ability, DigitImage, JobId, ModelId, UserError};
use crate::ui::{Intent, PanelId};
use lucide_icons::Icon;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// One workplace in the window: a name in the rail, controls at the left, a stage, and perhaps an inspector at the right.
///
/// A panel owns only what the person types, draws or zooms; results live in [`State`]. Panels never name each other:
/// they meet in [`Selection`]. A new panel is one file and one line in [`super::panels::all`].
pub trait Panel {
    /// Which panel this is.
    fn id(&self) -> PanelId;
    /// Name in the rail.
    fn title(&self) -> &'static str;
    /// Icon in the rail.
    fn icon(&self) -> Icon;
    /// One sentence that says what the panel is for.
    fn help(&self) -> &'static str;
    /// True for a panel that stands at the foot of the rail.
    fn at_foot(&self) -> bool {
        false
    }
    /// What the panel asks of a model. The top bar shows the one in use for it, and one that comes along is opened if none is.
    fn needs(&self) -> Option<Ability> {
        None
    }

    /// Takes over what somebody else wants of this panel, which is shown from now on. [`Intent::Show`] does not come here.
    fn receive(&mut self, _intent: Intent, _cx: &mut Cx<'_>) {}

    /// The left column, inside a scroll area with panel margins.
    fn controls(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>);
    /// True when [`Self::footer`] has something to show.
    fn has_footer(&self) -> bool {
        false
    }
    /// Stays in sight under the controls: the button that runs, and its progress.
    fn footer(&mut self, _ui: &mut egui::Ui, _cx: &mut Cx<'_>) {}
    /// The middle, without margins.
    fn stage(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>);
    /// Title of the right column; `None` when the panel has none at the moment.
    fn inspector_title(&self) -> Option<&'static str> {
        None
    }
    /// True when the inspector would only say how to fill it.
    fn inspector_is_empty(&self, _selection: &Selection) -> bool {
        false
    }
    /// The right column, inside a scroll area with panel margins.
    fn inspector(&mut self, _ui: &mut egui::Ui, _cx: &mut Cx<'_>) {}

    /// Called once a frame for every panel, shown or not, before anything is painted: the place to react to results.
    fn tick(&mut self, _cx: &mut Cx<'_>) {}
    /// The job that Esc and the top bar's stop button end.
    fn current_job(&self) -> Option<JobId> {
        None
    }
    /// Adds the jobs whose results are on show, or will be: those are kept.
    fn shows(&self, _shown: &mut BTreeSet<JobId>) {}
    /// Ctrl+Enter.
    fn run(&mut self, _cx: &mut Cx<'_>) {}
    /// Ctrl+Z.
    fn undo(&mut self, _cx: &mut Cx<'_>) {}
    /// True when [`Self::undo`] also takes back typing; else a text field with the focus does that by itself.
    fn undoes_typing(&self) -> bool {
        false
    }
    /// Ctrl+Y or Ctrl+Shift+Z.
    fn redo(&mut self, _cx: &mut Cx<'_>) {}
    /// A path chosen after [`Cx::pick`] with this tag.
    fn picked(&mut self, _tag: &'static str, _path: &Path, _cx: &mut Cx<'_>) {}
    /// A file or folder dropped on the window while this panel is shown. True when the panel takes it; else the app tries
    /// to open it as a model.
    fn dropped(&mut self, _path: &Path, _cx: &mut Cx<'_>) -> bool {
        false
    }
    /// Entries for the command palette, in addition to those of the app.
    fn actions(&self, _state: &State) -> Vec<Action> {
        Vec::new()
    }
    /// An entry of [`Self::actions`] was chosen.
    fn act(&mut self, _id: &'static str, _cx: &mut Cx<'_>) {}

    /// What survives a restart: what was typed and drawn.
    fn save(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
    /// Takes back what [`Self::save`] gave. What is not understood of it leaves the defaults; false tells of that.
    fn restore(&mut self, _value: &serde_json::Value) -> bool {
        true
    }
}

/// An entry of the command palette.
#[derive(Clone, Debug)]
pub struct Action {
    /// Given back to [`Panel::act`].
    pub id: &'static str,
    /// Words in the palette, beginning with a verb.
    pub title: String,
    /// Icon beside them.
    pub icon: Icon,
}

/// What panels share: which run, layer, head and token the person looks at. Changing it sends nothing to the engine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// The generation looked at.
    pub run: Option<JobId>,
    /// The text an encoder read last, and which one.
    pub text: Option<(ModelId, String)>,
    /// What is drawn on the canvas, if anything is.
    pub drawing: Option<DigitImage>,
    /// Layer, from 0.
    pub layer: usize,
    /// Head, from 0.
    pub head: usize,
    /// Token position in the sequence (prompt, then generated).
    pub token: Option<usize>,
    /// An inspection that another panel than the one for attention asked for, and that is to be looked at there.
    pub inspection: Option<JobId>,
    /// A few words for the status bar, such as `layer 3 · head 5 · "bank"`; set by the panel that is shown.
    pub words: String,
}

/// Something a panel asks of the app. Collected during a frame and handled after it.
pub enum Request {
    /// Give the engine a command; retried next frame while its queue is full.
    Send(Command),
    /// Give the hub a command; retried next frame while its queue is full.
    Hub(HubCommand),
    /// Look through the Hugging Face cache again, and describe shipped and recent models.
    ListModels,
    /// Ask for a model folder and open it.
    OpenFolder,
    /// See [`Cx::ask_for_model_file`].
    OpenFile,
    /// Open what is at a path: a model, or an adapter for one.
    OpenPath(PathBuf),
    /// Show the error of a job no longer beside it; the log keeps it.
    Dismiss(JobId),
    /// Take a folder from the list of those opened lately.
    Forget(PathBuf),
    /// Ask for a path; the answer goes to [`Panel::picked`] of the panel that asked.
    Pick {
        /// Comes back with the answer.
        tag: &'static str,
        /// What to ask for.
        file: FileRequest,
    },
    /// Ask for a path, then write there, both away from the UI thread. Success shows a toast, failure an error.
    SaveAs {
        /// What to ask for.
        file: FileRequest,
        /// Writes the file.
        write: files::Write,
    },
    /// Put a model in use.
    Activate(ModelId),
    /// Show another panel, with work for it perhaps.
    Intend(Intent),
    /// Paint again after so many seconds.
    Wake(f64),
    /// A short message that goes away by itself.
    Toast(String),
    /// An error without a job of the engine.
    Fail(UserError),
}

/// The world a panel sees while it runs.
pub struct Cx<'a> {
    /// Everything the engine has told.
    pub state: &'a State,
    /// What panels share.
    pub selection: &'a mut Selection,
    /// The edits of the model that every panel asks with.
    pub edits: &'a mut Edits,
    /// The look, for what is made without a [`egui::Ui`], which has it too.
    pub theme: &'static Theme,
    requests: &'a mut Vec<Request>,
}

impl<'a> Cx<'a> {
    /// A world whose requests are collected in `requests`.
    pub fn new(
        state: &'a State,
        (selection, edits): (&'a mut Selection, &'a mut Edits),
        theme: &'static Theme,
        requests: &'a mut Vec<Request>,
    ) -> Self {
        Self { state, selection, edits, theme, requests }
    }

    /// Looks again after so many seconds, if there will be something to do.
    pub(super) fn wake_in(&mut self, seconds: f64, is_due: bool) {
        if is_due {
            self.requests.push(Request::Wake(seconds));
        }
    }

    /// Gives the engine a command.
    pub fn send(&mut self, command: Command) {
        self.requests.push(Request::Send(command));
    }

    /// Opens a model, or makes it the one in use if it is open already; an adapter is put on its model.
    pub fn open_model(&mut self, path: PathBuf) {
        self.requests.push(Request::OpenPath(path));
    }

    /// Fetches a model into the Hugging Face cache, or goes on fetching it.
    pub fn fetch(&mut self, id: RepoId) {
        self.requests.push(Request::Hub(HubCommand::Fetch { id }));
    }

    /// Stops fetching a model.
    pub fn cancel_fetch(&mut self, id: RepoId) {
        self.requests.push(Request::Hub(HubCommand::Cancel { id }));
    }

    /// Looks through the Hugging Face cache again; the answer appears in [`State::hub`].
    pub fn list_models(&mut self) {
        self.requests.push(Request::ListModels);
    }

    /// Asks for a model folder and opens it.
    pub fn ask_for_model(&mut self) {
        self.requests.push(Request::OpenFolder);
    }

    /// Asks for a model that is one file and opens it.
    pub fn ask_for_model_file(&mut self) {
        self.requests.push(Request::OpenFile);
    }

    /// Puts a model in use.
    pub fn activate(&mut self, model: ModelId) {
        self.requests.push(Request::Activate(model));
    }

    /// Ends a job within one step.
    pub fn cancel(&mut self, job: JobId) {
        self.send(Command::Cancel { job });
    }

    /// Asks for a path with the platform's dialog; the answer goes to [`Panel::picked`].
    pub fn pick(&mut self, tag: &'static str, file: FileRequest) {
        self.requests.push(Request::Pick { tag, file });
    }

    /// Asks for a path and writes there, away from the UI thread.
    pub fn save_as(&mut self, file: FileRequest, write: impl FnOnce(&Path) -> Result<(), UserError> + Send + 'static) {
        self.requests.push(Request::SaveAs { file, write: Box::new(write) });
    }

    /// Shows the error of a job no longer beside it.
    pub fn dismiss(&mut self, job: JobId) {
        self.requests.push(Request::Dismiss(job));
    }

    /// Takes a folder from the list of those opened lately.
    pub fn forget(&mut self, folder: PathBuf) {
        self.requests.push(Request::Forget(folder));
    }

    /// Shows another panel and gives it work: [`Panel::receive`] gets it after this frame.
    pub fn intend(&mut self, intent: Intent) {
        self.requests.push(Request::Intend(intent));
    }

    /// Shows another panel.
    pub fn go_to(&mut self, panel: PanelId) {
        self.intend(Intent::Show(panel));
    }

    /// Shows a short message that goes away by itself.
    pub fn toast(&mut self, words: impl Into<String>) {
        self.requests.push(Request::Toast(words.into()));
    }

    /// Reports an error that did not come from the engine.
    pub fn fail(&mut self, error: UserError) {
        self.requests.push(Request::Fail(error));
    }
}
