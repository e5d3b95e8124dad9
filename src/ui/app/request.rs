//! Carries out what panels, menus and dialogs asked for.

use super::App;
use super::overlay::{PathEntry, Toast};
use crate::engine::{AdapterSpec, Command, Work, adapter_base, holds_adapter};
use crate::types::{Ability, AdapterSetting, DeviceChoice, JobId, ModelId, ModelInfo, UserError};
use crate::ui::edits;
use crate::ui::files::{Answer, FileRequest, Purpose};
use crate::ui::session::RECENT_KEPT;
use crate::ui::theme::{Theme, ThemeChoice};
use crate::ui::{Intent, Panel, Request};
use std::path::{Path, PathBuf};

/// The tag of the app's own question for a model folder.
pub(super) const OPEN_MODEL: &str = "open-model";

impl App {
    /// Carries out everything that was asked for since the last call.
    pub(super) fn carry_out(&mut self, ctx: &egui::Context) {
        for (place, request) in std::mem::take(&mut self.requests) {
            match request {
                Request::Send(command) => self.give(command),
                Request::Hub(command) => self.give_hub(command),
                Request::ListModels => self.list_models(),
                Request::OpenFolder => self.ask_for_model(),
                Request::OpenFile => self.ask_for_model_file(),
                Request::OpenPath(path) => self.open_path(path),
                Request::Dismiss(job) => self.state.dismiss(job),
                Request::Forget(path) => self.state.recent.retain(|recent| *recent != path),
                Request::Pick { tag, file } => {
                    let panel = place.map(|p| self.panels[p].id());
                    self.dialogs.ask(file, Purpose::Pick { panel, tag });
                }
                Request::SaveAs { file, write } => self.dialogs.ask(file, Purpose::Write(write)),
                Request::Activate(model) => self.state.activate(model),
                Request::Intend(intent) => self.intend(intent),
                Request::Wake(seconds) => {
                    ctx.request_repaint_after(std::time::Duration::from_secs_f64(seconds));
                    continue;
                }
                Request::Toast(words) => self.say(words),
                Request::Fail(error) => self.fail(error),
            }
            ctx.request_repaint();
        }
    }

    /// Shows the panel that an intent is for, and gives it the work.
    pub fn intend(&mut self, intent: Intent) {
        self.show_panel(intent.panel());
        if !matches!(intent, Intent::Show(_)) {
            self.on_shown(|panel, cx| panel.receive(intent, cx));
        }
    }

    /// Queues a command for the engine and takes note of its job.
    pub(super) fn give(&mut self, command: Command) {
        if let Command::Start { work, .. } = &command
            && let Work::Open(path) = &**work
        {
            let path = path.clone();
            self.state.recent.retain(|p| *p != path);
            if !self.state.shipped.iter().any(|m| m.path == path) {
                self.state.recent.insert(0, path);
                self.state.recent.truncate(RECENT_KEPT);
            }
            self.list_models();
        }
        self.state.sent(&command);
        self.outbox.push_back(command);
    }

    /// Hands the engine what it has room for.
    pub(super) fn post(&mut self, ctx: &egui::Context) {
        while let Some(command) = self.outbox.pop_front() {
            if let Err(command) = self.link.try_send(command) {
                self.outbox.push_front(*command);
                // The engine wakes the window with its next event; this is for the case that it has none.
                ctx.request_repaint_after(std::time::Duration::from_millis(50));
                break;
            }
        }
    }

    /// Opens a model folder, or makes it the one in use if it is open already.
    pub(super) fn open_path(&mut self, path: PathBuf) {
        self.open_model(path);
    }

    /// The same; gives the model that is to be opened, where the path holds one. A file of a model folder stands for the folder.
    pub(super) fn open_model(&mut self, path: PathBuf) -> Option<ModelId> {
        let path = model_folder(path);
        if holds_adapter(&path) {
            self.open_adapter(path);
            return None;
        }
        let open = self.state.models.values().find(|m| m.info.path == path && !m.info.modified).map(|m| m.info.id);
        if let Some(model) = open {
            self.state.activate(model);
            return Some(model);
        }
        let model = ModelId::next();
        self.give(Command::start(JobId::next(), model, Work::Open(path)));
        Some(model)
    }

    /// Puts the adapter of a session of before on its model again, used as it was. One whose folder is gone is told of.
    pub(super) fn put_back(&mut self, model: ModelId, path: PathBuf, setting: AdapterSetting) {
        if !holds_adapter(&path) {
            return self.fail(UserError::new(
                format!("The adapter {} was not put back.", path.display()),
                "Its folder is not there any more, or holds no adapter. The model is open without it.",
                "Put the folder back and open it, or go on without.",
            ));
        }
        self.give(Command::start(JobId::next(), model, Work::OpenAdapter(AdapterSpec { path, setting })));
    }

    /// Puts an adapter on the open model that it says it was made for, else on the one in use. Its base is opened first where it is a
    /// folder here and not open.
    pub(super) fn open_adapter(&mut self, path: PathBuf) {
        let base = adapter_base(&path);
        let adaptable = |info: &ModelInfo| !info.can(Ability::ReadDigits);
        let called = |info: &ModelInfo| adaptable(info) && base.as_ref().is_some_and(|base| info.is_called(base));
        let named = self.state.models.values().find(|open| called(&open.info)).map(|open| open.info.id);
        let folder = base.as_ref().map(PathBuf::from).filter(|base| base.is_absolute() && base.is_dir());
        let in_use = self.state.active(Ability::Prompt).filter(|open| adaptable(&open.info)).map(|open| open.info.id);
        let model = match (named, folder, in_use) {
            (Some(model), _, _) => model,
            (None, Some(folder), _) => {
                let model = ModelId::next();
                self.give(Command::start(JobId::next(), model, Work::Open(folder)));
                model
            }
            (None, None, Some(model)) => model,
            (None, None, None) => return self.fail(no_base(&path, base.as_deref())),
        };
        self.state.activate(model);
        let spec = AdapterSpec { path, setting: AdapterSetting::default() };
        self.give(Command::start(JobId::next(), model, Work::OpenAdapter(spec)));
    }

    pub(super) fn ask_for_model(&mut self) {
        let file = FileRequest::folder("Open a model folder");
        self.dialogs.ask(file, Purpose::Pick { panel: None, tag: OPEN_MODEL });
    }

    pub(super) fn ask_for_model_file(&mut self) {
        let file = FileRequest::open("Open a model file").filter("GGUF", &["gguf"]);
        self.dialogs.ask(file, Purpose::Pick { panel: None, tag: OPEN_MODEL });
    }

    pub(super) fn answered(&mut self, answer: Answer, ctx: &egui::Context) {
        match answer {
            Answer::Picked { tag: edits::OPEN, path, .. } => self.open_edits(&path, ctx),
            Answer::Picked { panel: None, path, .. } => self.open_path(path),
            Answer::Picked { panel: Some(panel), tag, path } => {
                self.with_panel(self.place_of(panel), |panel, cx| panel.picked(tag, &path, cx));
            }
            Answer::Written(path) => {
                self.state.log.info(self.state.now_s, format!("Wrote {}.", path.display()));
                self.say(format!("Wrote {}", path.display()));
            }
            Answer::Failed(error) => self.fail(error),
            Answer::Cancelled => {}
            Answer::Unavailable(file, purpose) => self.path_entry = Some(PathEntry::new(file, purpose)),
        }
    }

    /// A folder or file that was dropped on the window: the panel's, or else a model.
    pub(super) fn take_drops(&mut self, ctx: &egui::Context) {
        let paths: Vec<PathBuf> = ctx.input(|i| i.raw.dropped_files.iter().map(|f| f.path().to_owned()).collect());
        for path in paths {
            if edits::Edits::reads(&path) {
                self.open_edits(&path, ctx);
                continue;
            }
            let taken = self.with_panel(self.shown, |panel, cx| panel.dropped(&path, cx));
            if !taken {
                self.open_path(path);
            }
        }
    }

    pub(super) fn ask_for_edits(&self) {
        self.dialogs.ask(edits::file_to_open(), Purpose::Pick { panel: None, tag: edits::OPEN });
    }

    fn open_edits(&mut self, path: &Path, ctx: &egui::Context) {
        if let Err(error) = self.edits.open(path, ctx) {
            self.fail(error);
        }
    }

    pub(super) fn say(&mut self, words: String) {
        self.toast = Some(Toast::new(words, self.state.now_s));
        self.failure = None;
    }

    pub(super) fn fail(&mut self, error: UserError) {
        self.toast = None;
        self.failure = Some(error.clone());
        self.state.log.error(self.state.now_s, None, error);
    }

    pub(super) fn set_theme(&mut self, ctx: &egui::Context, choice: ThemeChoice) {
        self.theme_choice = choice;
        let dark = match choice {
            ThemeChoice::Dark => true,
            ThemeChoice::Light => false,
            ThemeChoice::System => system_is_dark(ctx),
        };
        self.theme = Theme::of(dark);
        ctx.set_theme(if dark { egui::Theme::Dark } else { egui::Theme::Light });
        self.theme.apply(ctx);
        // What was painted in this frame before the button was pressed is in the old colours.
        ctx.request_repaint();
    }

    pub(super) fn set_device(&mut self, choice: DeviceChoice) {
        self.device_choice = choice;
        self.give(Command::SetDevice { choice });
    }

    /// The job that the stop button ends: the shown panel's own, else the one that began last.
    pub(super) fn stoppable(&self) -> Option<JobId> {
        let own = self.panels[self.shown].current_job().filter(|j| self.state.is_active(*j));
        own.or_else(|| {
            let others = self.state.active_jobs().filter(|j| !j.is_quiet());
            others.last().map(|j| j.id)
        })
    }

    pub(super) fn stop(&mut self) {
        if let Some(job) = self.stoppable() {
            self.give(Command::Cancel { job });
        }
    }

    /// The job that Esc ends: the shown panel's own, unless it is training, of which hours may be lost by one key.
    pub(super) fn short_job(&self) -> Option<JobId> {
        let own = self.panels[self.shown].current_job()?;
        self.state.job(own).filter(|job| job.is_active() && !matches!(*job.work, Work::Train(_))).map(|job| job.id)
    }

    pub(super) fn give_up_short_job(&mut self) {
        if let Some(job) = self.short_job() {
            self.give(Command::Cancel { job });
        }
    }

    pub(super) fn on_shown(&mut self, act: impl FnOnce(&mut dyn Panel, &mut crate::ui::Cx<'_>)) {
        self.with_panel(self.shown, act);
    }
}

/// What the desktop asks for; dark where it does not say.
pub(super) fn system_is_dark(ctx: &egui::Context) -> bool {
    ctx.system_theme().unwrap_or(egui::Theme::Dark) == egui::Theme::Dark
}

fn no_base(path: &Path, base: Option<&str>) -> UserError {
    let made_for = base.map_or("It does not say for which model it was made.".to_owned(), |base| {
        format!("It says it was made for {base}.")
    });
    UserError::new(
        format!("{} is an adapter, and no model is open that it could be put on.", path.display()),
        made_for,
        "Open that model first, then the adapter again.",
    )
}

/// A file inside a model folder stands for the folder, unless it is a model by itself.
fn model_folder(path: PathBuf) -> PathBuf {
    let is_gguf = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gguf"));
    match path.parent().filter(|_| !is_gguf) {
        Some(parent) if path.is_file() && parent.join("config.json").is_file() => parent.to_owned(),
        Some(parent) if path.is_file() && holds_adapter(parent) => parent.to_owned(),
        _ => path,
    }
}
