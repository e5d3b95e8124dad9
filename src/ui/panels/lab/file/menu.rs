//! The menu of files, and what its entries do.

use super::super::LabPanel;
use super::super::compare::CompareTab;
use super::super::desk::Desk;
use super::super::scoring::Shown;
use super::super::setup::Card;
use super::record::{RecordedCard, RecordedModel};
use super::{Check, Files, LabFile, Preset, Record, markdown, read};
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
        let two = if panel.desk.setup.two { "Show one column" } else { "Compare two columns" };
        let others = [("two", two, Icon::Columns2), ("to-prompt", "Open in Prompt", Icon::SquareArrowOutUpRight)];
        // Where there is no room for buttons of their own, they are here.
        let entries: Vec<_> = others.into_iter().filter(|_| is_narrow).chain(ENTRIES).collect();
        let width = menu_width(ui, entries.iter().map(|(_, title, _)| *title));
        ui.set_width(width);
        for (id, title, icon) in entries {
            let mark = RichText::new(char::from(icon)).font(Type::Body.icon()).color(theme.caption());
            let words = RichText::new(title).font(Type::Body.sans()).color(theme.body());
            let button = egui::Button::new((mark, words)).frame_when_inactive(false);
            let response = ui.add(button.min_size(egui::vec2(width, 28.0)));
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

/// As wide as the longest of these entries, with an icon before each.
pub(in super::super) fn menu_width<'a>(ui: &Ui, titles: impl Iterator<Item = &'a str>) -> f32 {
    let width = |text: &str| {
        let galley = ui.painter().layout_no_wrap(text.to_owned(), Type::Body.sans(), ui.theme().body());
        galley.size().x
    };
    let icon =
        ui.painter().layout_no_wrap(char::from(Icon::Save).into(), Type::Body.icon(), ui.theme().body()).size().x;
    let around = 2.0 * ui.spacing().button_padding.x + ui.spacing().icon_spacing;
    (titles.map(width).fold(0.0, f32::max) + icon + around).ceil() + 2.0
}

/// The entries for the command palette.
pub(in super::super) fn actions() -> impl Iterator<Item = Action> {
    ENTRIES.into_iter().map(|(id, title, icon)| Action { id, title: title.trim_end_matches('…').to_owned(), icon })
}

/// Does what an entry says. False when it is none of these.
pub(in super::super) fn act(panel: &mut LabPanel, id: &str, cx: &mut Cx<'_>) -> bool {
    match id {
        "save-preset" => save_preset(&panel.desk, cx),
        "open-file" => cx.pick(LAB_FILE, FileRequest::open("Open a preset or run").filter("Lab files", &["json"])),
        "run-markdown" => panel.files.begin_export(false, &panel.desk, &panel.compare, cx),
        "run-json" => panel.files.begin_export(true, &panel.desk, &panel.compare, cx),
        _ => return false,
    }
    true
}

fn save_preset(desk: &Desk, cx: &mut Cx<'_>) {
    let preset = Preset::new("", &desk.setup, cx.state);
    let request = FileRequest::save("Save the preset", format!("{}.json", desk.setup.table.id));
    cx.save_as(request.filter("Presets", &["json"]), move |path| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = serde_json::to_vec_pretty(&Preset { name, ..preset }).map_err(|e| unwritable(&e))?;
        super::super::write(path, &text)
    });
}

impl Files {
    /// Reads a preset or a run, away from the UI thread.
    pub fn open(&mut self, path: &Path, cx: &mut Cx<'_>) {
        let context = self.context.clone();
        let file = path.to_owned();
        let wake = move || {
            if let Some(context) = context {
                context.request_repaint();
            }
        };
        if let Err(error) = self.reading.start(move |_| read(&file), wake) {
            cx.fail(error);
        }
    }

    /// Takes in a file that was read, and goes on with exports and repeated runs.
    /// True when a run was opened, which the comparison shows.
    pub fn tick(&mut self, desk: &mut Desk, compare: &mut CompareTab, visible: bool, cx: &mut Cx<'_>) -> bool {
        let mut opened = false;
        match self.reading.poll() {
            Some(Ok(LabFile::Preset(preset))) => {
                self.error = None;
                desk.take(preset.setup(cx.state), cx);
                cx.toast(format!("Opened the preset {}", preset.name));
            }
            Some(Ok(LabFile::Run(record))) => {
                self.error = None;
                let setup = record.setup(cx.state);
                desk.take(setup.clone(), cx);
                opened = true;
                self.check = Some(Check::new(*record, setup));
                ask_for_hashes(desk, compare, cx);
            }
            Some(Err(error)) => {
                self.error = Some(error.clone());
                cx.fail(error);
            }
            None => {}
        }
        self.repeat(desk, compare, visible, cx);
        self.finish_export(desk, compare, cx);
        opened
    }

    /// Scores a run that was opened, once its prompts can be written.
    fn repeat(&mut self, desk: &Desk, compare: &mut CompareTab, visible: bool, cx: &mut Cx<'_>) {
        let (setup, scoring) = (&desk.setup, &mut compare.scoring);
        // What was changed since is another run.
        self.check.take_if(|check| !check.is_of(setup));
        let Some(check) = &mut self.check else { return };
        let ready = desk.plan.as_ref().filter(|plan| {
            plan.is_of(setup) && plan.missing.is_none() && plan.sides.iter().all(|side| !side.is_counting)
        });
        if let Some(plan) = ready.filter(|_| !check.is_asked && visible) {
            check.is_asked = true;
            scoring.ask(plan, setup, true, cx);
        } else {
            check.hear(scoring, cx.state);
        }
    }

    pub fn begin_export(&mut self, is_json: bool, desk: &Desk, compare: &CompareTab, cx: &mut Cx<'_>) {
        if models_shown(desk, compare).is_empty() {
            let next = "Score the answers, then export again.";
            cx.fail(UserError::new("There is no run to export.", "Nothing was scored yet.", next));
            return;
        }
        let jobs = ask_for_hashes(desk, compare, cx);
        self.exporting = Some(Export { is_json, jobs });
        self.finish_export(desk, compare, cx);
    }

    /// Asks where to write the run once the hashes of its models are known.
    fn finish_export(&mut self, desk: &Desk, compare: &CompareTab, cx: &mut Cx<'_>) {
        let Some(export) = &self.exporting else { return };
        let waiting = export.jobs.values().any(|job| cx.state.job(*job).is_none_or(crate::ui::Job::is_active));
        if waiting {
            return;
        }
        let is_json = export.is_json;
        self.exporting = None;
        let Some(record) = record(desk, compare, cx) else {
            let why = "The hash of its model is not known: the model was closed, or hashing it failed.";
            cx.fail(UserError::new("The run was not exported.", why, "Score the answers again, then export."));
            return;
        };
        let (name, ending) = if is_json { ("JSON", "json") } else { ("Markdown", "md") };
        let request =
            FileRequest::save(format!("Export the run as {name}"), format!("run-{}.{ending}", desk.setup.table.id));
        cx.save_as(request.filter(name, &[ending]), move |path| {
            let bytes = if is_json {
                serde_json::to_vec_pretty(&record).map_err(|e| unwritable(&e))?
            } else {
                markdown::markdown(&record).into_bytes()
            };
            super::super::write(path, &bytes)
        });
    }
}

fn models_shown(desk: &Desk, compare: &CompareTab) -> Vec<ModelId> {
    let shown =
        |side: &[super::super::scoring::Slot; 3]| side.iter().find_map(|slot| slot.shown.as_ref().map(|s| s.model));
    compare.scoring.slots[..desk.setup.sides().len()].iter().filter_map(shown).collect()
}

/// Asks for the hashes of the models that are asked, where they are not known.
fn ask_for_hashes(desk: &Desk, compare: &CompareTab, cx: &mut Cx<'_>) -> BTreeMap<ModelId, JobId> {
    let planned = desk.setup.sides().iter().filter_map(|side| super::super::plan::model_of(side, cx.state));
    let models: Vec<ModelId> = planned.map(|m| m.info.id).chain(models_shown(desk, compare)).collect();
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

/// The run on show.
fn record(desk: &Desk, compare: &CompareTab, cx: &Cx<'_>) -> Option<Record> {
    let hashed = |model: &ModelId| {
        let open = cx.state.models.get(model)?;
        Some(RecordedModel::new(&open.info, open.sha256.as_ref()?))
    };
    let models: Option<Vec<RecordedModel>> = models_shown(desk, compare).iter().map(hashed).collect();
    let mut cards = Vec::new();
    for (side, slots) in compare.scoring.slots[..desk.setup.sides().len()].iter().enumerate() {
        for (card, slot) in Card::ALL.into_iter().zip(slots) {
            if let Some(Shown { request, answers, report, .. }) = &slot.shown {
                cards.push(RecordedCard::new(side, card, answers.clone(), request.clone(), (**report).clone()));
            }
        }
    }
    Some(Record::new(compare.scoring.last()?, models?, cards, cx.state))
}

fn unwritable(error: &serde_json::Error) -> UserError {
    UserError::new("The file could not be written.", error.to_string(), "Try again; if it happens again, report it.")
}
