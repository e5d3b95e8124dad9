//! `fovea models`.

use super::CliError;
use super::args::ModelsArgs;
use super::output::{print, print_json};
use crate::engine::{data_dir, read_card, shipped_models_dir};
use crate::hub::{CachedModel, HubSettings, ProgramModel, program_models};
use crate::types::{ModelCard, bytes_in_words, count_in_words};
use crate::ui::recent_models;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Serialize)]
struct Models {
    shipped: Vec<Entry>,
    cached: Vec<Entry>,
    programs: Vec<Entry>,
    recent: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    name: String,
    path: Option<PathBuf>,
    complete: bool,
    bytes: u64,
    /// `None` when it is not whole, or Fovea cannot tell.
    card: Option<ModelCard>,
}

/// Lists the models of this computer. Asks nobody.
pub(super) fn run(args: &ModelsArgs) -> Result<(), CliError> {
    let settings = HubSettings::from_env(read_card);
    let programs = settings.as_ref().map(|settings| program_models(&settings.programs, &settings.cache, read_card));
    let cache = settings.map(|settings| settings.cache);
    let cached = cache.as_deref().map(|cache| crate::hub::list(cache, read_card)).unwrap_or_default();
    let models = Models {
        shipped: shipped_models_dir().map(|dir| folders(&dir)).unwrap_or_default(),
        cached: cached.into_iter().map(from_cache).collect(),
        programs: programs.unwrap_or_default().into_iter().map(of_program).collect(),
        recent: data_dir().map(|dir| recent_models(&dir)).unwrap_or_default().iter().filter_map(|p| entry(p)).collect(),
    };
    if args.json { print_json(&models) } else { print(&describe(&models, cache.as_deref())) }
}

fn folders(dir: &Path) -> Vec<Entry> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut models: Vec<Entry> = entries.flatten().filter_map(|found| entry(&found.path())).collect();
    models.sort_by(|a, b| a.name.cmp(&b.name));
    models
}

fn entry(path: &Path) -> Option<Entry> {
    let card = read_card(path).ok()?;
    let (name, bytes) = (card.name.clone(), card.file_bytes());
    Some(Entry { name, path: Some(path.to_owned()), complete: true, bytes, card: Some(card) })
}

fn from_cache(model: CachedModel) -> Entry {
    let card = model.card.and_then(Result::ok);
    Entry { name: model.name, path: model.path, complete: model.complete, bytes: model.bytes, card }
}

fn of_program(model: ProgramModel) -> Entry {
    let card = model.card.ok();
    let bytes = card.as_ref().map_or(0, ModelCard::file_bytes);
    let name = format!("{} ({})", model.name, model.program.name());
    Entry { name, path: Some(model.path), complete: true, bytes, card }
}

fn describe(models: &Models, cache: Option<&Path>) -> String {
    let place = cache.map(|path| path.display().to_string()).unwrap_or_default();
    let sections = [
        ("Shipped".to_owned(), &models.shipped),
        (format!("In the Hugging Face cache ({place})"), &models.cached),
        ("Of other programs".to_owned(), &models.programs),
        ("Opened lately".to_owned(), &models.recent),
    ];
    let width =
        sections.iter().flat_map(|(_, entries)| entries.iter()).map(|e| e.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (title, entries) in sections {
        text += &format!("{title}\n");
        if entries.is_empty() {
            text += "  none\n";
        }
        for entry in entries {
            text += &format!("  {:<width$}  {:>8}  {}\n", entry.name, bytes_in_words(entry.bytes), facts(entry));
        }
    }
    text
}

fn facts(entry: &Entry) -> String {
    if !entry.complete {
        return "not whole; `fovea fetch` goes on".to_owned();
    }
    let Some(card) = &entry.card else { return "cannot be read".to_owned() };
    let mut facts = vec![card.architecture_name.clone()];
    facts.extend(card.parameters.map(|count| format!("{} parameters", count_in_words(count))));
    facts.extend(card.licence.clone());
    if card.architecture.is_none() {
        facts.push("cannot be run".to_owned());
    }
    facts.join(", ")
}
