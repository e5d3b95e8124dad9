//! The edits that a person makes of the model: one list, which every panel shows and asks with.

mod file;
mod form;
mod list;
mod row;
mod sets;
mod words;

pub use list::Kept;
pub(super) use words::{all_words, words};

use super::files::FileRequest;
use super::reader::Reader;
use super::theme::space;
use super::widgets::{Reorder, RowMove, explain, icon_button};
use super::{Answer, Ask, Cx, History, OpenModel, State};
use crate::engine::Work;
use crate::types::{Ability, Edit, EditFaults, JobId, ModelId, PromptToken, UserError};
use egui::{Align, Context, Layout, Ui, Vec2};
use file::{EXTENSION, EditFile};
use form::Form;
use list::{EditSet, ListedEdit};
use lucide_icons::Icon;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Tag of the question for a file of edits.
pub(super) const OPEN: &str = "open-edits";
/// How long nothing must change before edits are checked, in seconds.
const DEBOUNCE_S: f64 = 0.15;

const HELP: &str = "Changes inside the model while it reads and writes: a head that says nothing, a block that is skipped, a token that \
     nobody sees. With any of them on, every run is made with them, beside one without. ‘+’ adds one.";

/// What is asked about edits: of which model, with which of its weights.
#[derive(Clone, Debug, PartialEq)]
struct Question {
    model: ModelId,
    version: u64,
    edits: Vec<Edit>,
}

/// Why lines cannot be made in a model, as far as it is known.
#[derive(Default)]
struct Faults {
    /// The model and its weights that were asked last.
    of: Option<(ModelId, u64)>,
    /// By line; none where it can be made.
    known: BTreeMap<String, Option<UserError>>,
}

/// The list, what belongs to it, and what is being done to it.
pub struct Edits {
    list: Vec<ListedEdit>,
    sets: Vec<EditSet>,
    history: History<Vec<ListedEdit>>,
    order: Reorder,
    form: Form,
    /// The name of a set that is being typed.
    name: String,
    check: Ask<Question>,
    faults: Faults,
    reading: Reader<EditFile>,
    /// Counts the changes.
    version: u64,
    seen: Vec<ListedEdit>,
}

impl Default for Edits {
    fn default() -> Self {
        Self::with(Kept::default())
    }
}

impl Edits {
    /// As a session kept it.
    pub(super) fn with(kept: Kept) -> Self {
        Self {
            history: History::new(kept.list.clone()),
            seen: kept.list.clone(),
            list: kept.list,
            sets: kept.sets,
            order: Reorder::default(),
            form: Form::default(),
            name: String::new(),
            check: Ask::default(),
            faults: Faults::default(),
            reading: Reader::default(),
            version: 0,
        }
    }

    /// What survives a restart.
    pub(super) fn kept(&self) -> Kept {
        Kept { list: self.list.clone(), sets: self.sets.clone() }
    }

    /// Those that are switched on, in their order.
    pub fn on(&self) -> Vec<Edit> {
        self.list.iter().filter(|listed| listed.on).map(|listed| listed.edit.clone()).collect()
    }

    /// True when there are none, on or off.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// True when any is on.
    pub fn any_on(&self) -> bool {
        self.list.iter().any(|listed| listed.on)
    }

    /// Adds one, switched on, as a step of its own. One that is there already is switched on.
    pub fn add(&mut self, edit: Edit, now_s: f64) {
        self.history.part(&self.list, now_s);
        match self.list.iter_mut().find(|listed| listed.edit == edit) {
            Some(listed) => listed.on = true,
            None => self.list.push(ListedEdit { edit, on: true }),
        }
        self.history.part(&self.list, now_s);
    }

    /// Switches all off, or, where none is on, all on.
    pub fn switch_all(&mut self, now_s: f64) {
        self.history.part(&self.list, now_s);
        let on = !self.any_on();
        self.list.iter_mut().for_each(|listed| listed.on = on);
        self.history.part(&self.list, now_s);
    }

    /// Has these edits and no others, as a step of its own.
    pub fn take(&mut self, edits: Vec<Edit>, now_s: f64) {
        self.take_list(edits.into_iter().map(|edit| ListedEdit { edit, on: true }).collect(), now_s);
    }

    fn take_list(&mut self, list: Vec<ListedEdit>, now_s: f64) {
        self.history.part(&self.list, now_s);
        self.list = list;
        self.history.part(&self.list, now_s);
    }

    /// Counts the changes of the list.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Takes the last change back: of the list, or of what else a panel has, which was changed at `other_s` and is taken back by
    /// `other` where there is something.
    pub fn undo(&mut self, other_s: f64, other: impl FnOnce() -> bool) {
        let is_later = self.history.touched_s() >= other_s;
        let done = is_later && self.history.undo(&mut self.list);
        if !done && !other() {
            self.history.undo(&mut self.list);
        }
    }

    /// Makes a change again that [`Self::undo`] took back, in the order in which they were made.
    pub fn redo(&mut self, other_s: f64, other: impl FnOnce() -> bool) {
        let is_earlier = self.history.touched_s() <= other_s;
        let done = is_earlier && self.history.redo(&mut self.list);
        if !done && !other() {
            self.history.redo(&mut self.list);
        }
    }

    /// Opens a file of edits.
    pub(super) fn open(&mut self, path: &Path, ctx: &Context) -> Result<(), UserError> {
        let (path, ctx) = (path.to_owned(), ctx.clone());
        self.reading.start(move |_| EditFile::read(&path), move || ctx.request_repaint())
    }

    /// True for a file that is a list of edits by its name.
    pub(super) fn reads(path: &Path) -> bool {
        path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().ends_with(EXTENSION))
    }

    /// Takes in what was read; gives what is to be told of it.
    pub(super) fn tick(&mut self, now_s: f64) -> Option<Result<String, UserError>> {
        let told = self.reading.poll().map(|read| {
            read.map(|file| {
                let count = file.edits.len();
                let noun = if count == 1 { "edit" } else { "edits" };
                let of = if file.model.is_empty() { String::new() } else { format!(", made for {}", file.model) };
                self.take_list(file.edits, now_s);
                format!("Opened {count} {noun}{of}")
            })
        });
        if self.seen != self.list {
            self.seen.clone_from(&self.list);
            self.version += 1;
        }
        told
    }

    /// The job whose answer must be kept.
    pub(super) fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.check.shows(shown);
    }

    /// Asks which edits the model can be given, and notes what is known.
    fn follow(&mut self, open: Option<&OpenModel>, cx: &mut Cx<'_>) {
        let Some(open) = open else { return };
        let of = (open.info.id, open.version);
        if self.faults.of != Some(of) {
            self.faults = Faults { of: Some(of), known: BTreeMap::new() };
        }
        if let (Answer::New(report), Some(question)) =
            (self.check.answer::<EditFaults>(cx.state), self.check.question())
            && (question.model, question.version) == of
        {
            for (edit, fault) in question.edits.iter().zip(&report.faults) {
                self.faults.known.entry(edit.to_string()).or_insert_with(|| fault.clone());
            }
        }
        let edits: Vec<Edit> =
            self.list.iter().map(|listed| listed.edit.clone()).chain(self.form.candidate()).collect();
        if edits.iter().all(|edit| self.faults.known.contains_key(&edit.to_string())) {
            return;
        }
        let question = Question { model: of.0, version: of.1, edits };
        self.check.follow(question, DEBOUNCE_S, cx, |asked| (asked.model, Work::CheckEdits(asked.edits.clone())));
        cx.wake_in(DEBOUNCE_S, self.check.is_due());
    }

    /// Why an edit cannot be made in the model that was asked last, if it is known that it cannot.
    fn fault(&self, edit: &Edit) -> Option<&UserError> {
        self.faults.known.get(&edit.to_string())?.as_ref()
    }

    fn show(&mut self, ability: Ability, tokens: Option<&[PromptToken]>, ui: &mut Ui, cx: &mut Cx<'_>) {
        let state: &State = cx.state;
        let open = state.active(ability);
        if !self.form.is_open {
            // It opens at the head that is looked at.
            self.form.begin_at(cx.selection.layer, cx.selection.head);
        }
        self.follow(open, cx);
        self.head(open, tokens, ui, cx);
        if !self.list.is_empty() {
            self.rows(ui);
            ui.add_space(space::XS);
        }
        self.history.observe(&self.list, cx.state.now_s);
    }

    fn head(&mut self, open: Option<&OpenModel>, tokens: Option<&[PromptToken]>, ui: &mut Ui, cx: &mut Cx<'_>) {
        ui.horizontal(|ui| {
            let on = self.list.iter().filter(|listed| listed.on).count();
            let title = match self.list.len() {
                0 => "Edits · none".to_owned(),
                count => format!("Edits · {on} of {count} on"),
            };
            explain(ui, &title, HELP);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.spacing_mut().item_spacing.x = 2.0;
                if let Some(edit) = self.add_button(open, tokens, ui) {
                    self.add(edit, cx.state.now_s);
                }
                self.sets_button(open, ui, cx);
                if !self.list.is_empty() {
                    let (icon, name) = if on > 0 {
                        (Icon::Eye, "Switch all edits off")
                    } else {
                        (Icon::EyeOff, "Switch all edits on")
                    };
                    if icon_button(ui, icon, name).clicked() {
                        self.switch_all(cx.state.now_s);
                    }
                }
            });
        });
    }

    /// The button that opens the form. Gives an edit that is to be added.
    fn add_button(&mut self, open: Option<&OpenModel>, tokens: Option<&[PromptToken]>, ui: &mut Ui) -> Option<Edit> {
        let button = icon_button(ui, Icon::Plus, "Add an edit");
        // A menu's style has no edges, and a form has fields.
        let popup = egui::Popup::from_toggle_button_response(&button)
            .close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside);
        self.form.is_open = false;
        let (form, faults) = (&mut self.form, &self.faults.known);
        let fault = |edit: &Edit| faults.get(&edit.to_string()).and_then(Option::as_ref);
        popup.show(|ui| form.show(open.map(|open| &open.info), tokens, &fault, ui)).and_then(|shown| shown.inner)
    }

    fn rows(&mut self, ui: &mut Ui) {
        let base = ui.scope_id().with("edits");
        let mut wish = None;
        let mut places = Vec::new();
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing = Vec2::new(space::XS, space::XS);
            for place in 0..self.list.len() {
                let fault = self.fault(&self.list[place].edit).cloned();
                let (order, listed) = (&mut self.order, &mut self.list[place]);
                let shown = ui.vertical(|ui| row::show(ui, base, place, listed, order, fault.as_ref()));
                wish = shown.inner.or(wish.take());
                places.push(shown.response.rect);
            }
        });
        if let Some(moved) = self.order.drop_target(ui, &places) {
            wish = Some(row::Wish::Move(moved));
        }
        match wish {
            Some(row::Wish::Remove(place)) => drop(self.list.remove(place)),
            Some(row::Wish::Move(RowMove { from, to })) if to < self.list.len() => {
                let listed = self.list.remove(from);
                self.list.insert(to, listed);
                ui.memory_mut(|m| m.request_focus(row::handle_id(base, to)));
            }
            _ => {}
        }
    }

    fn ask_to_save(&self, open: Option<&OpenModel>, cx: &mut Cx<'_>) {
        let model = open.map(|open| open.info.name.clone()).unwrap_or_default();
        let file = EditFile::new(model, self.list.clone());
        let request = FileRequest::save("Save the edits", format!("edits.{EXTENSION}")).filter("Edits", &["json"]);
        cx.save_as(request, move |path| file.write(path));
    }
}

/// What a file of edits is asked for with.
pub(super) fn file_to_open() -> FileRequest {
    FileRequest::open("Open edits").filter("Edits", &["json"])
}

/// The list among the controls of a panel. `ability` says of which model in use; `tokens` are those that positions count.
pub(super) fn section(ability: Ability, tokens: Option<&[PromptToken]>, ui: &mut Ui, cx: &mut Cx<'_>) {
    // The list belongs to the world that it is shown in, and is taken out of it meanwhile.
    let mut edits = std::mem::take(cx.edits);
    edits.show(ability, tokens, ui, cx);
    *cx.edits = edits;
}
