//! The models: those of this computer and a catalogue of others, their cards and their tensors.
//!
//! The panel owns what is typed and which card is shown; what lies in the cache and what is being fetched is in the state.

mod card;
mod description;
mod entries;
mod inspector;
mod list;
mod row;
mod table;

use crate::engine::{list_tensors, read_card, tensor_stats};
use crate::types::{ModelCard, ModelId, TensorEntry, TensorStats, UserError};
use crate::ui::lenient;
use crate::ui::paths;
use crate::ui::reader::Reader;
use crate::ui::{Action, Cx, Panel, PanelId, State};
use egui::Ui;
use lucide_icons::Icon;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use table::TensorView;

const SHOW_CARD: &str = "show card of folder";

/// What survives a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Typed {
    search: String,
    id: String,
    /// The folder whose card is shown.
    #[serde(with = "paths::one")]
    folder: Option<PathBuf>,
    tensors: TensorView,
    /// What stands below the figures of a card.
    below: card::Below,
}

/// A card with the tensors, or why there are none.
struct Shown {
    folder: PathBuf,
    card: ModelCard,
    tensors: Result<Arc<Vec<TensorEntry>>, UserError>,
}

/// The tensor that was clicked.
struct Clicked {
    name: String,
    /// Its distribution; an error where it has none.
    stats: Option<Result<TensorStats, UserError>>,
}

/// The panel.
#[derive(Default)]
pub struct ModelsPanel {
    typed: Typed,
    /// Why what was typed as a name is none.
    wrong_id: Option<UserError>,
    /// The folder that `shown` or `failed` is about, or that is being read.
    asked: Option<PathBuf>,
    shown: Option<Shown>,
    failed: Option<UserError>,
    reading: Reader<Shown>,
    clicked: Option<Clicked>,
    /// An open model that is to be closed although its weights would be lost: asked once.
    closing: Option<ModelId>,
    measuring: Reader<Option<TensorStats>>,
    context: Option<egui::Context>,
    /// When it was last in sight, in the app's seconds.
    seen_s: f64,
}

/// A panel that was out of sight for so long looks through the cache again: other programs fetch models, too.
const STALE_AFTER_S: f64 = 5.0;

impl ModelsPanel {
    fn show_card(&mut self, folder: PathBuf) {
        self.typed.folder = Some(folder);
        self.asked = None;
    }

    fn close_card(&mut self) {
        self.typed.folder = None;
        self.asked = None;
        self.shown = None;
        self.failed = None;
        self.reading.stop();
        self.forget_tensor();
    }

    fn forget_tensor(&mut self) {
        self.clicked = None;
        self.measuring.stop();
    }

    fn wake(&self) -> impl FnOnce() + Send + 'static {
        let context = self.context.clone();
        move || {
            if let Some(context) = context {
                context.request_repaint();
            }
        }
    }

    /// Starts reading the card that is wanted, unless it is here or on its way.
    fn read(&mut self, cx: &mut Cx<'_>) {
        if self.asked == self.typed.folder {
            return;
        }
        self.asked.clone_from(&self.typed.folder);
        self.shown = None;
        self.failed = None;
        self.forget_tensor();
        let Some(folder) = self.asked.clone() else { return };
        let wake = self.wake();
        let read = move |_: &dyn Fn() -> bool| {
            let card = read_card(&folder)?;
            Ok(Shown { tensors: list_tensors(&folder).map(Arc::new), card, folder })
        };
        if let Err(error) = self.reading.start(read, wake) {
            cx.fail(error);
        }
    }

    /// Measures the tensor that was clicked.
    fn measure(&mut self, name: String, cx: &mut Cx<'_>) {
        let Some(shown) = &self.shown else { return };
        let (folder, wanted_name) = (shown.folder.clone(), name.clone());
        self.clicked = Some(Clicked { name, stats: None });
        let wake = self.wake();
        let measure = move |wanted: &dyn Fn() -> bool| tensor_stats(&folder, &wanted_name, wanted);
        if let Err(error) = self.measuring.start(measure, wake) {
            cx.fail(error);
        }
    }
}

impl Panel for ModelsPanel {
    fn id(&self) -> PanelId {
        PanelId::Models
    }

    fn title(&self) -> &'static str {
        "Models"
    }

    fn icon(&self) -> Icon {
        Icon::Boxes
    }

    fn help(&self) -> &'static str {
        "Models on this computer, and good small ones to fetch."
    }

    fn at_foot(&self) -> bool {
        true
    }

    fn controls(&mut self, _ui: &mut Ui, _cx: &mut Cx<'_>) {}

    fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        self.context = Some(ui.ctx().clone());
        if cx.state.now_s - std::mem::replace(&mut self.seen_s, cx.state.now_s) > STALE_AFTER_S {
            cx.list_models();
        }
        self.read(cx);
        if self.typed.folder.is_some() {
            card::stage(self, ui, cx);
        } else {
            list::stage(self, ui, cx);
        }
    }

    fn inspector_title(&self) -> Option<&'static str> {
        self.typed.folder.is_some().then_some(if self.clicked.is_some() { "Tensor" } else { "Files" })
    }

    fn inspector(&mut self, ui: &mut Ui, _cx: &mut Cx<'_>) {
        inspector::show(self, ui);
    }

    fn tick(&mut self, _cx: &mut Cx<'_>) {
        match self.reading.poll() {
            Some(Ok(shown)) => self.shown = Some(shown),
            Some(Err(error)) => self.failed = Some(error),
            None => {}
        }
        if let Some(answer) = self.measuring.poll()
            && let Some(clicked) = &mut self.clicked
        {
            clicked.stats = answer.transpose();
        }
    }

    fn picked(&mut self, tag: &'static str, path: &Path, _cx: &mut Cx<'_>) {
        if tag == SHOW_CARD {
            self.show_card(path.to_owned());
        }
    }

    fn actions(&self, _state: &State) -> Vec<Action> {
        let action = |id, title: &str, icon| Action { id, title: title.to_owned(), icon };
        let mut all = vec![
            action("refresh", "Look through the cache again", Icon::RefreshCw),
            action(SHOW_CARD, "Show the card of a folder…", Icon::IdCard),
        ];
        if self.typed.folder.is_some() {
            all.push(action("back", "Back to the list of models", Icon::ArrowLeft));
        }
        all
    }

    fn act(&mut self, id: &'static str, cx: &mut Cx<'_>) {
        match id {
            "refresh" => cx.list_models(),
            "back" => self.close_card(),
            SHOW_CARD => cx.pick(SHOW_CARD, crate::ui::files::FileRequest::folder("Show the card of a model folder")),
            _ => {}
        }
    }

    fn save(&self) -> serde_json::Value {
        serde_json::to_value(&self.typed).unwrap_or_default()
    }

    fn restore(&mut self, value: &serde_json::Value) -> bool {
        let (typed, is_whole): (Typed, bool) = lenient::read(value);
        self.typed = typed;
        self.typed.folder.take_if(|folder| !folder.exists());
        is_whole
    }
}
