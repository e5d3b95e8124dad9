//! The menu of files, and what its entries do.

use super::super::LabPanel;
use super::super::scoring::Shown;
use super::super::setup::Card;
use super::record::{RecordedCard, RecordedModel};
use super::{Check, LabFile, Preset, Record, markdown, read};
use crate::engine::{Command, Work};
use crate::types::{JobId, ModelId, UserError};
use crate::ui::Themed;
use crate::ui::files::FileRequest;
use crate::ui::theme::Type;
use crate::ui::widgets::icon_button;
use crate::ui::{Action, Cx};
use egui::{Popup, RichText, Ui};
use lucide_icons::Icon;
use std::collections::BTreeMap;
use std::path::Path;

/// Tag of the question for a preset or run.
pub(in super::super) const LAB_FILE: &str = "lab file";

const ENTRIES: [(&str, &str, Icon); 4] = [
    ("save-preset", "Save preset as…", Icon::Save),
    ("open-file", "Open a preset or run…", Icon::FolderOpen),
    ("run-markdown", "Export run as Markdown…", Icon::FileText),
    ("run-json", "Export run as JSON…", Icon::FileBraces),
];

/// A run that waits for the hashes of its models.
pub(in super::super) struct Export {
    is_json: bool,
    jobs: BTreeMap<ModelId, JobId>,
}

pub(in super::super) fn menu(panel: &mut LabPanel, ui: &mut Ui, cx: &mut Cx<'_>, is_narrow: bool) {
    let theme = ui.theme();
    let response = icon_button(ui, Icon::Ellipsis, "Presets and export");
    let mut chosen = None;
    Popup::menu(&response).show(|ui| {
        ui.set_min_width(220.0);
        let two = if panel.setup.two { "Show one column" } else { "Compare two columns" };
        let others = [("two", two, Icon::Columns2), ("to-prompt", "Open in Prompt", Icon::SquareArrowOutUpRight)];
        // Where there is no room for buttons of their own, they are here.
        for (id, title, icon) in others.into_iter().filter(|_| is_narrow).chain(ENTRIES) {
            let mark = RichText::new(char::from(icon)).font(Type::Body.icon()).color(theme.caption());
            let button = egui::Button::new((mark, title)).frame_when_inactive(false);
            let response = ui.add(button.min_size(egui::vec2(ui.available_width(), 28.0)));
            response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, title));
            if response.clicked() {
                chosen = Some(id);
            }
        }
    });
    if let Some(id) = chosen {
        super::super::actions::act(panel, id, cx);
    }
}

/// The entries for the command palette.
pub(in super::super) fn actions() -> impl Iterator<Item = Action> {
    ENTRIES.into_iter().map(|(id, title, icon)| Action { id, title: title.trim_end_matches('…').to_owned(), icon })
}

/// Does what an entry says. False when it is none of these.
pub(in super::super) fn act(panel: &mut LabPanel, id: &str, cx: &mut Cx<'_>) -> bool {
    match id {
        "save-preset" => panel.save_preset(cx),
        "open-file" => cx.pick(LAB_FILE, FileRequest::open("Open a preset or run").filter("Lab files", &["json"])),
        "run-markdown" => panel.begin_export(false, cx),
        "run-json" => panel.begin_export(true, cx),
        _ => return false,
    }
    true
}

impl LabPanel {
    fn save_preset(&self, cx: &mut Cx<'_>) {
        let preset = Preset::new("", &self.setup, cx.state);
        let request = FileRequest::save("Save the preset", format!("{}.json", self.setup.table.id));
        cx.save_as(request.filter("Presets", &["json"]), move |path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let text = serde_json::to_vec_pretty(&Preset { name, ..preset }).map_err(|e| unwritable(&e))?;
            super::super::write(path, &text)
        });
    }

    /// Reads a preset or a run, away from the UI thread.
    pub(in super::super) fn open_file(&mut self, path: &Path, cx: &mut Cx<'_>) {
        let context = self.files.context.clone();
        let wake = move || {
            if let Some(context) = context {
                context.request_repaint();
            }
        };
        if let Err(error) = self.files.reading.start(path.to_owned(), read, wake) {
            cx.fail(error);
        }
    }

    /// Takes in a file that was read, and goes on with exports and repeated runs.
    pub(in super::super) fn tick_files(&mut self, visible: bool, cx: &mut Cx<'_>) {
        match self.files.reading.poll() {
            Some(Ok(LabFile::Preset(preset))) => {
                self.files.error = None;
                self.take(preset.setup(cx.state), cx);
                cx.toast(format!("Opened the preset {}", preset.name));
            }
            Some(Ok(LabFile::Run(record))) => {
                self.files.error = None;
                let setup = record.setup(cx.state);
                self.take(setup.clone(), cx);
                self.tab = super::super::Tab::Compare;
                self.files.check = Some(Check::new(*record, setup));
                self.ask_for_hashes(cx);
            }
            Some(Err(error)) => {
                self.files.error = Some(error.clone());
                cx.fail(error);
            }
            None => {}
        }
        self.repeat(visible, cx);
        self.finish_export(cx);
    }

    /// Scores a run that was opened, once its prompts can be written.
    fn repeat(&mut self, visible: bool, cx: &mut Cx<'_>) {
        let Self { files, plan, setup, scoring, .. } = self;
        // What was changed since is another run.
        files.check.take_if(|check| check.setup != *setup);
        let Some(check) = &mut files.check else { return };
        let ready = plan.as_ref().filter(|plan| {
            plan.is_of(setup) && plan.missing.is_none() && plan.sides.iter().all(|side| !side.is_counting)
        });
        if let Some(plan) = ready.filter(|_| !check.is_asked && visible) {
            check.is_asked = true;
            scoring.ask(plan, setup, true, cx);
        } else {
            check.hear(scoring, cx.state);
        }
    }

    fn models_shown(&self) -> Vec<ModelId> {
        let shown =
            |side: &[super::super::scoring::Slot; 3]| side.iter().find_map(|slot| slot.shown.as_ref().map(|s| s.model));
        self.scoring.slots[..self.setup.sides().len()].iter().filter_map(shown).collect()
    }

    /// Asks for the hashes of the models that are asked, where they are not known.
    fn ask_for_hashes(&self, cx: &mut Cx<'_>) -> BTreeMap<ModelId, JobId> {
        let planned = self.setup.sides().iter().filter_map(|side| super::super::plan::model_of(side, cx.state));
        let models: Vec<ModelId> = planned.map(|m| m.info.id).chain(self.models_shown()).collect();
        let mut jobs = BTreeMap::new();
        for model in models {
            let is_known = cx.state.models.get(&model).is_some_and(|open| open.sha256.is_some());
            if !is_known && !jobs.contains_key(&model) {
                let job = JobId::next();
                cx.send(Command::start(job, model, Work::Fingerprint));
                jobs.insert(model, job);
            }
        }
        jobs
    }

    fn begin_export(&mut self, is_json: bool, cx: &mut Cx<'_>) {
        if self.models_shown().is_empty() {
            let next = "Score the answers, then export again.";
            cx.fail(UserError::new("There is no run to export.", "Nothing was scored yet.", next));
            return;
        }
        let jobs = self.ask_for_hashes(cx);
        self.files.exporting = Some(Export { is_json, jobs });
        self.finish_export(cx);
    }

    /// Asks where to write the run once the hashes of its models are known.
    fn finish_export(&mut self, cx: &mut Cx<'_>) {
        let Some(export) = &self.files.exporting else { return };
        let waiting = export.jobs.values().any(|job| cx.state.job(*job).is_none_or(crate::ui::Job::is_active));
        if waiting {
            return;
        }
        let is_json = export.is_json;
        self.files.exporting = None;
        let Some(record) = self.record(cx) else {
            let why = "The hash of its model is not known: the model was closed, or hashing it failed.";
            cx.fail(UserError::new("The run was not exported.", why, "Score the answers again, then export."));
            return;
        };
        let (name, ending) = if is_json { ("JSON", "json") } else { ("Markdown", "md") };
        let request =
            FileRequest::save(format!("Export the run as {name}"), format!("run-{}.{ending}", self.setup.table.id));
        cx.save_as(request.filter(name, &[ending]), move |path| {
            let bytes = if is_json {
                serde_json::to_vec_pretty(&record).map_err(|e| unwritable(&e))?
            } else {
                markdown::markdown(&record).into_bytes()
            };
            super::super::write(path, &bytes)
        });
    }

    /// The run on show.
    fn record(&self, cx: &Cx<'_>) -> Option<Record> {
        let hashed = |model: &ModelId| {
            let open = cx.state.models.get(model)?;
            Some(RecordedModel::new(&open.info, open.sha256.as_ref()?))
        };
        let models: Option<Vec<RecordedModel>> = self.models_shown().iter().map(hashed).collect();
        let mut cards = Vec::new();
        for (side, slots) in self.scoring.slots[..self.setup.sides().len()].iter().enumerate() {
            for (card, slot) in Card::ALL.into_iter().zip(slots) {
                if let Some(Shown { request, answers, report, .. }) = &slot.shown {
                    cards.push(RecordedCard::new(side, card, answers.clone(), request.clone(), (**report).clone()));
                }
            }
        }
        Some(Record::new(self.scoring.last()?, models?, cards, cx.state))
    }
}

fn unwritable(error: &serde_json::Error) -> UserError {
    UserError::new("The file could not be written.", error.to_string(), "Try again; if it happens again, report it.")
}
