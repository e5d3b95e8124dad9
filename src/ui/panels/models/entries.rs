//! What stands in the list of models: plain values, made from the state.

use crate::hub::{CachedModel, CatalogueEntry, ProgramModel, RepoId, catalogue};
use crate::types::{ModelCard, ModelId, Precision, UserError, count_in_words, model_name, weight_bytes};
use crate::ui::{Download, DownloadPhase, OpenModel, State, full_name};
use std::path::{Path, PathBuf};

/// One model of the list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub name: String,
    /// What it is, in a line.
    pub detail: String,
    /// The folder to open, when it is all there and Fovea runs it.
    pub open: Option<PathBuf>,
    /// The folder to describe.
    pub folder: Option<PathBuf>,
    /// Its name on the hub.
    pub id: Option<RepoId>,
    pub bytes: Option<u64>,
    /// True when `bytes` is what the catalogue says.
    pub is_about: bool,
    /// Memory of the weights as they are, or would be, on the device in use.
    pub memory: Option<u64>,
    pub licence: Option<String>,
    pub place: Place,
    pub download: Option<Download>,
    /// The open model, in the list of those.
    pub model: Option<ModelId>,
    /// What is said behind the name.
    pub mark: Option<&'static str>,
    /// True for a folder that is not there any more.
    pub is_gone: bool,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            name: String::new(),
            detail: String::new(),
            open: None,
            folder: None,
            id: None,
            bytes: None,
            is_about: false,
            memory: None,
            licence: None,
            place: Place::Here,
            download: None,
            model: None,
            mark: None,
            is_gone: false,
        }
    }
}

/// Where a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Here,
    Partly,
    Away,
}

/// A group of models.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Section {
    pub title: &'static str,
    pub sub: &'static str,
    /// Said where there is nothing to list.
    pub empty: &'static str,
    pub entries: Vec<Entry>,
}

/// The list, in its order. `search` keeps what has all its words.
pub(super) fn sections(state: &State, search: &str) -> Vec<Section> {
    let words: Vec<String> = search.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let fits = |entry: &Entry| {
        let text = format!("{} {} {}", entry.name, entry.detail, entry.licence.as_deref().unwrap_or_default());
        let text = text.to_lowercase();
        words.iter().all(|word| text.contains(word))
    };
    let section = |title, sub, empty, entries: Vec<Entry>| Section {
        title,
        sub,
        empty,
        entries: entries.into_iter().filter(|entry| fits(entry)).collect(),
    };
    let shipped = state.shipped.iter().map(|model| folder_entry(state, &model.path));
    let in_cache = |path: &PathBuf| {
        let is_kept = state.hub.programs().iter().any(|model| model.path == *path);
        is_kept || state.hub.cached().iter().any(|model| model.path.as_ref() == Some(path))
    };
    // What is open has a folder too, even if it was saved there and not opened from there.
    let open = state.models.values().map(|model| &model.info.path).filter(|path| path.is_absolute());
    let is_shipped = |path: &PathBuf| state.shipped.iter().any(|model| model.path == *path);
    let mut recent: Vec<&PathBuf> = state.recent.iter().collect();
    recent.extend(open.filter(|path| !state.recent.contains(path)));
    let recent = recent.into_iter().filter(|path| !in_cache(path) && !is_shipped(path));
    let recent = recent.map(|path| folder_entry(state, path));
    let open = state.models.values().map(|open| open_entry(state, open)).collect();
    vec![
        section("Open", "in memory now", "No model is open.", open),
        section("Shipped", "come with Fovea", "No shipped models were found.", shipped.collect()),
        section(
            "On this computer",
            "in the Hugging Face cache, LM Studio and ollama, shared with them",
            "No models were found. Fetch one below.",
            found_entries(state),
        ),
        section("Recent", "", "Folders and files that you open appear here.", recent.collect()),
        section(
            "Catalogue",
            "good small models, fetched into the same cache",
            "The catalogue is empty.",
            catalogue().iter().map(|entry| catalogue_entry(state, entry)).collect(),
        ),
    ]
}

/// A folder outside the cache; what is known of it comes with the listing.
fn folder_entry(state: &State, path: &Path) -> Entry {
    let card = state.hub.card(path);
    Entry {
        name: model_name(path),
        detail: described(card),
        open: may_open(card).then(|| path.to_owned()),
        folder: Some(path.to_owned()),
        bytes: figures(card).map(ModelCard::file_bytes),
        memory: figures(card).and_then(|card| memory(state, card)),
        licence: figures(card).and_then(|card| card.licence.clone()),
        is_gone: matches!(card, Some(Err(_))),
        ..Entry::default()
    }
}

/// The element type that weights of a file have once they are loaded: a GPU computes in F32.
fn loaded_as(state: &State, stored: Precision) -> Precision {
    if state.device.as_ref().is_some_and(|device| device.is_gpu) { Precision::F32 } else { stored }
}

/// What the weights of a folder take once they are loaded.
fn memory(state: &State, card: &ModelCard) -> Option<u64> {
    let is_gpu = state.device.as_ref().is_some_and(|device| device.is_gpu);
    if let Some(bytes) = card.bytes_in_blocks().filter(|_| !is_gpu) {
        return Some(bytes);
    }
    card.weight_bytes(loaded_as(state, card.precision.unwrap_or(Precision::F32)))
}

/// A model in memory.
fn open_entry(state: &State, open: &OpenModel) -> Entry {
    let info = &open.info;
    // Trained weights are F32 wherever they came from.
    let precision = if info.modified { Precision::F32 } else { loaded_as(state, info.precision) };
    let is_gpu = state.device.as_ref().is_some_and(|device| device.is_gpu);
    let in_blocks = info.quantised.as_ref().filter(|_| !info.modified && !is_gpu);
    let kept_as = in_blocks.map_or_else(|| precision.to_string(), |quantised| quantised.name.clone());
    let is_in_use = state.in_use().any(|used| used.info.id == info.id);
    let card = state.hub.card(&info.path);
    let cached = state.hub.cached().iter().find(|model| model.path.as_ref() == Some(&info.path));
    let card = card.or_else(|| cached.and_then(|model| model.card.as_ref()));
    Entry {
        name: full_name(info),
        detail: format!("{} · {} parameters · {kept_as}", info.architecture.family(), count_in_words(info.parameters)),
        folder: info.path.is_absolute().then(|| info.path.clone()),
        bytes: figures(card).map(ModelCard::file_bytes),
        memory: Some(in_blocks.map_or_else(|| weight_bytes(info.parameters, precision), |quantised| quantised.bytes)),
        licence: figures(card).and_then(|card| card.licence.clone()),
        model: Some(info.id),
        mark: is_in_use.then_some("in use"),
        ..Entry::default()
    }
}

fn figures(card: Option<&Result<ModelCard, UserError>>) -> Option<&ModelCard> {
    card.and_then(|card| card.as_ref().ok())
}

/// A model that could not be described is refused by the loader with better words.
fn may_open(card: Option<&Result<ModelCard, UserError>>) -> bool {
    figures(card).is_none_or(|card| card.architecture.is_some())
}

fn described(card: Option<&Result<ModelCard, UserError>>) -> String {
    match card {
        None => String::new(),
        Some(Err(error)) => error.what.clone(),
        Some(Ok(card)) => {
            let size = card.parameters.map(|n| format!(" · {} parameters", count_in_words(n))).unwrap_or_default();
            let runs = if card.architecture.is_some() { "" } else { " · Fovea cannot run it" };
            let family =
                card.architecture.map_or_else(|| card.architecture_name.clone(), |known| known.family().to_owned());
            format!("{family}{size}{runs}")
        }
    }
}

/// What other programs keep, what is in the cache, and what is on its way there.
fn found_entries(state: &State) -> Vec<Entry> {
    let mut entries: Vec<Entry> = state.hub.cached().iter().map(|model| cached_entry(state, model)).collect();
    for (id, download) in &state.hub.downloads {
        let is_listed = entries.iter().any(|entry| entry.id.as_ref() == Some(id));
        let is_in_catalogue = catalogue().iter().any(|entry| entry.id == *id);
        if !is_listed && !is_in_catalogue && !matches!(download.phase, DownloadPhase::Fetched(_)) {
            entries.push(away(id, download));
        }
    }
    entries.extend(state.hub.programs().iter().map(|model| program_entry(state, model)));
    entries.sort_by_cached_key(|entry| entry.name.to_lowercase());
    entries
}

fn program_entry(state: &State, model: &ProgramModel) -> Entry {
    let card = Some(&model.card);
    Entry {
        name: model.name.clone(),
        detail: described(card),
        open: may_open(card).then(|| model.path.clone()),
        folder: Some(model.path.clone()),
        bytes: figures(card).map(ModelCard::file_bytes),
        memory: figures(card).and_then(|card| memory(state, card)),
        licence: figures(card).and_then(|card| card.licence.clone()),
        mark: Some(model.program.name()),
        ..Entry::default()
    }
}

fn away(id: &RepoId, download: &Download) -> Entry {
    Entry {
        name: id.to_string(),
        detail: "On its way".to_owned(),
        id: Some(id.clone()),
        bytes: (download.state.total > 0).then_some(download.state.total),
        place: Place::Away,
        download: Some(download.clone()),
        ..Entry::default()
    }
}

fn cached_entry(state: &State, model: &CachedModel) -> Entry {
    let card = model.card.as_ref();
    let id = model.id();
    Entry {
        name: model.name.clone(),
        detail: match (model.complete, model.is_adapter) {
            (false, _) => "Not whole yet".to_owned(),
            (true, true) => "An adapter (LoRA), which is put on the model it was made for".to_owned(),
            (true, false) => described(card),
        },
        open: model.path.clone().filter(|_| model.complete && may_open(card)),
        folder: model.path.clone().filter(|_| model.complete),
        bytes: Some(model.bytes),
        memory: figures(card).and_then(|card| memory(state, card)),
        licence: figures(card).and_then(|card| card.licence.clone()),
        place: if model.complete { Place::Here } else { Place::Partly },
        download: id.as_ref().and_then(|id| state.hub.downloads.get(id)).cloned(),
        id,
        ..Entry::default()
    }
}

fn catalogue_entry(state: &State, entry: &CatalogueEntry) -> Entry {
    let cached = state.hub.cached().iter().find(|model| model.id().as_ref() == Some(&entry.id));
    let here = cached.map(|model| cached_entry(state, model));
    let place = here.as_ref().map_or(Place::Away, |here| here.place);
    let count = count_in_words(entry.parameters);
    // What went wrong is said once, where the model is listed first.
    let is_said = |download: &Download| cached.is_some() && matches!(download.phase, DownloadPhase::Failed(_));
    Entry {
        name: entry.id.to_string(),
        detail: format!("{} · {count} · {}", entry.task.word(), entry.purpose),
        open: here.as_ref().and_then(|here| here.open.clone()),
        folder: here.and_then(|here| here.folder),
        id: Some(entry.id.clone()),
        bytes: Some(entry.download_bytes),
        is_about: true,
        // A file holds little but the weights; where they become F32 they take four bytes each.
        memory: Some(match loaded_as(state, Precision::F16) {
            Precision::F32 => weight_bytes(entry.parameters, Precision::F32),
            _ => entry.download_bytes,
        }),
        licence: Some(entry.licence.clone()),
        place,
        download: state.hub.downloads.get(&entry.id).filter(|download| !is_said(download)).cloned(),
        ..Entry::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{DownloadState, HubEvent, Listing};
    use std::sync::Arc;

    fn cached(name: &str, complete: bool) -> CachedModel {
        CachedModel { name: name.into(), path: Some("p".into()), complete, is_adapter: false, bytes: 7, card: None }
    }

    #[test]
    fn a_model_of_the_catalogue_that_is_here_can_be_opened_there_too() {
        let mut state = State::default();
        let listing = Listing {
            cached: vec![cached("openai-community/gpt2", true), cached("x/part", false)],
            ..Listing::default()
        };
        state.hub.apply(HubEvent::Listed(Arc::new(listing)));
        let sections = sections(&state, "");
        let places = |title: &str| {
            let section = sections.iter().find(|section| section.title == title).unwrap();
            section.entries.iter().map(|e| (e.name.as_str(), e.place, e.open.is_some())).collect::<Vec<_>>()
        };
        assert_eq!(places("Catalogue")[0], ("openai-community/gpt2", Place::Here, true));
        assert!(places("Catalogue")[1..].iter().all(|(_, place, open)| *place == Place::Away && !open));
        let here = [("openai-community/gpt2", Place::Here, true), ("x/part", Place::Partly, false)];
        assert_eq!(places("On this computer"), here);
    }

    #[test]
    fn a_download_of_any_name_is_listed_until_it_is_in_the_cache() {
        let mut state = State::default();
        let id = RepoId::parse("ada/tiny").unwrap();
        state.hub.apply(HubEvent::Progress { id: id.clone(), state: DownloadState::default() });
        let names = |state: &State| sections(state, "")[2].entries.iter().map(|e| e.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&state), ["ada/tiny"]);
        state.hub.apply(HubEvent::Listed(Arc::new(Listing {
            cached: vec![cached("ada/tiny", false)],
            ..Listing::default()
        })));
        assert_eq!(names(&state), ["ada/tiny"], "once, not twice");
    }

    #[test]
    fn the_search_looks_at_names_tasks_and_licences() {
        let found = |search: &str| sections(&State::default(), search)[4].entries.len();
        assert_eq!(found(""), catalogue().len());
        assert_eq!(found("pythia apache"), 2);
        assert_eq!(found("VISION"), 2);
        assert_eq!(found("pythia mit"), 0);
    }
}
