//! Files of the lab: presets, and whole runs that can be repeated; as versioned JSON, runs also as Markdown.

mod check;
mod markdown;
mod menu;
mod record;

pub(super) use check::Check;
pub(super) use menu::{LAB_FILE, act, actions, menu, menu_width};
pub(super) use record::Record;

use super::setup::Setup;
use crate::types::{Ability, UserError};
use crate::ui::Themed;
use crate::ui::reader::Reader;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::closable_error;
use crate::ui::widgets::icon_button;
use crate::ui::{OpenModel, State};
use egui::{RichText, Ui};
use lucide_icons::Icon;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// The newest version of both kinds of files that is understood.
const VERSION: u64 = 1;

/// A setup to begin with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Preset {
    fovea_preset: u64,
    /// The file's name when it was saved.
    pub name: String,
    /// Names of the models asked, by column; `None` for the one in use.
    models: Vec<Option<String>>,
    setup: Setup,
}

/// What a file turned out to be.
pub(super) enum LabFile {
    Preset(Box<Preset>),
    Run(Box<Record>),
}

/// What the lab remembers of files.
#[derive(Default)]
pub(super) struct Files {
    reading: Reader<LabFile>,
    /// What was wrong with the file that was opened last.
    pub error: Option<UserError>,
    /// A run that waits for the hash of its models before it is written.
    exporting: Option<menu::Export>,
    /// A run that was opened and is repeated.
    pub check: Option<Check>,
    /// To wake the window once a file was read.
    pub context: Option<egui::Context>,
}

/// What is wrong with a file that was opened, or what came of a run that was repeated.
pub(super) fn notices(files: &mut Files, ui: &mut Ui) {
    let theme = ui.theme();
    let mut close = false;
    if let Some(error) = &files.error {
        close = closable_error(ui, error);
        ui.add_space(space::S);
    }
    if close {
        files.error = None;
    }
    let Some(check) = &files.check else { return };
    let (icon, ink, words) = match &check.verdict {
        None => (Icon::Repeat, theme.caption(), "The run is repeated."),
        Some(verdict) if verdict.is_same => (Icon::CircleCheck, theme.success(), verdict.words.as_str()),
        Some(verdict) => (Icon::TriangleAlert, theme.warning(), verdict.words.as_str()),
    };
    let mut close = false;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        close = icon_button(ui, Icon::X, "Close the comparison with the file").clicked();
        ui.label(RichText::new(char::from(icon)).font(Type::Body.icon()).color(ink));
        ui.add(egui::Label::new(RichText::new(words).font(Type::Body.sans()).color(ink)).wrap());
    });
    ui.add_space(space::S);
    if close {
        files.check = None;
    }
}

/// A setup without paths of this computer, and the names of the models its columns ask.
fn portable(setup: &Setup, state: &State) -> (Setup, Vec<Option<String>>) {
    let mut setup = setup.clone();
    let names = setup.sides.each_mut().map(|side| {
        if let Some(model) = side.of_run.take() {
            return Some(model.name);
        }
        let path = side.model.take()?;
        let open = state.models.values().find(|m| m.info.path == path).map(|m| m.info.name.clone());
        open.or_else(|| Some(path.file_name()?.to_string_lossy().into_owned()))
    });
    (setup, names.to_vec())
}

/// The setup of a file, its models found again by name among the open ones; those that are not open become the one in use.
fn localised(mut setup: Setup, names: &[Option<String>], state: &State) -> Setup {
    for (side, name) in setup.sides.iter_mut().zip(names) {
        let open = |name: &String| {
            let is_it = |m: &&OpenModel| m.info.can(Ability::Continue) && m.info.name == *name;
            state.models.values().find(is_it).map(|m| m.info.path.clone())
        };
        side.model = name.as_ref().and_then(open);
    }
    setup
}

impl Preset {
    pub fn new(name: &str, setup: &Setup, state: &State) -> Self {
        let (setup, models) = portable(setup, state);
        Self { fovea_preset: VERSION, name: name.to_owned(), models, setup }
    }

    pub fn setup(&self, state: &State) -> Setup {
        localised(self.setup.clone(), &self.models, state)
    }
}

/// Reads a preset or a run.
///
/// # Errors
/// When the file cannot be read, is neither, or was written by a newer Fovea.
pub(super) fn read(path: &Path) -> Result<LabFile, UserError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let refused = |why: String, next: &str| UserError::new(format!("{name} was not opened."), why, next);
    let other = "Open a preset or a run that was saved in the few-shot lab.";
    let text = crate::engine::read_text(path).map_err(|e| refused(e.why, "Choose a file that can be read."))?;
    let value: Value = serde_json::from_str(&text).map_err(|e| refused(format!("It is no JSON: {e}."), other))?;
    for (key, what) in [("fovea_preset", "preset"), ("fovea_run", "run")] {
        let Some(version) = value.get(key) else { continue };
        let Some(version) = version.as_u64() else {
            return Err(refused(format!("The version of the {what} is {version}, which is no whole number."), other));
        };
        if version > VERSION {
            let why = format!("It is a {what} of version {version}; this Fovea understands up to version {VERSION}.");
            return Err(refused(why, "Open it with a newer Fovea. What you typed is unchanged."));
        }
        let file = if what == "preset" {
            serde_json::from_value(value.clone()).map(|preset| LabFile::Preset(Box::new(preset)))
        } else {
            serde_json::from_value(value.clone()).map(|run| LabFile::Run(Box::new(run)))
        };
        return file.map_err(|e| refused(format!("The {what} is not complete: {e}."), other));
    }
    Err(refused("It is neither a preset nor a run.".to_owned(), other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<LabFile, UserError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn a_byte_order_mark_is_no_fault_of_a_file() {
        let error = file("\u{feff}{\"fovea_preset\": 9000}").err().unwrap();
        assert!(error.why.contains("version 9000"), "{error}");
    }

    #[test]
    fn a_preset_comes_back_and_names_no_folder() {
        let mut setup = Setup::default();
        setup.sides[1].model = Some("/somewhere/models/sprout".into());
        setup.sides[0].names.insert("positive".into(), "foo".into());
        let preset = Preset::new("mine", &setup, &State::default());
        let text = serde_json::to_string(&preset).unwrap();
        assert!(!text.contains("somewhere") && text.contains("sprout"), "{text}");
        let Ok(LabFile::Preset(again)) = file(&text) else { panic!("no preset") };
        assert_eq!(*again, preset);
        setup.sides[1].model = None;
        assert_eq!(again.setup(&State::default()), setup);
    }

    #[test]
    fn what_is_newer_or_something_else_is_refused_in_words() {
        let why = |text: &str| file(text).err().map(|error| error.why).unwrap_or_default();
        assert_eq!(
            why(r#"{"fovea_preset": 2, "new": 1}"#),
            "It is a preset of version 2; this Fovea understands up to version 1."
        );
        assert_eq!(why(r#"{"fovea_run": "x"}"#), "The version of the run is \"x\", which is no whole number.");
        assert_eq!(why("[]"), "It is neither a preset nor a run.");
        assert!(why("{").starts_with("It is no JSON"));
        assert!(why(r#"{"fovea_preset": 1}"#).starts_with("The preset is not complete"));
    }
}
