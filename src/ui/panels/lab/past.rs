//! Every scored run of the lab: what was changed, when, the best answers, and how to get back to it.

use super::setup::Setup;
use crate::engine::shipped_tasks;
use crate::types::{ModelId, TaskTable};
use crate::ui::State;
use crate::ui::asked_model::AskedModel;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Runs that survive a restart.
const STORED: usize = 100;
/// Runs that are kept in memory.
const KEPT: usize = 2000;

/// The likeliest answer of a card and its share, where there was one.
type Best = Option<(String, f64)>;

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Seconds since 1970.
    pub at_s: u64,
    /// What was changed since the run before, in words; empty for the first.
    pub changed: String,
    /// The models, by column.
    pub models: Vec<AskedModel>,
    /// By column, then by card.
    pub best: Vec<Vec<Best>>,
    /// What was asked.
    pub setup: Stored,
}

/// A setup without the rows of its table, which may be many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Stored(Setup);

impl Stored {
    /// A setup without its rows.
    pub fn new(setup: &Setup) -> Self {
        let table = TaskTable { rows: Vec::new(), ..(*setup.table).clone() };
        Self(Setup { table: Arc::new(table), ..setup.clone() })
    }

    /// The setup as it is, without rows.
    pub fn bare(&self) -> Setup {
        self.0.clone()
    }

    /// Title of the task.
    pub fn title(&self) -> &str {
        &self.0.table.title
    }

    /// The query.
    pub fn query(&self) -> &str {
        &self.0.query
    }

    /// The setup, with rows from the table in use or the shipped task of that name. Where both are gone, the examples and
    /// the query are the rows.
    pub fn whole(&self, now: &Arc<TaskTable>) -> Setup {
        let mut setup = self.0.clone();
        let is_same = |table: &TaskTable| TaskTable { rows: Vec::new(), ..table.clone() } == *self.0.table;
        if is_same(now) {
            setup.table.clone_from(now);
        } else if let Some(task) = shipped_tasks().iter().find(|task| is_same(task)) {
            setup.table = Arc::new(task.clone());
        } else {
            let examples = setup.sides[0].examples.iter().map(|e| [e.input.clone(), e.output.clone()]);
            let rows = examples.chain([[setup.query.clone(), setup.expected.clone()]]).collect();
            setup.table = Arc::new(TaskTable { rows, ..(*setup.table).clone() });
        }
        setup
    }
}

impl Entry {
    /// A run that ended now.
    pub fn new(changed: String, models: Vec<AskedModel>, best: Vec<Vec<Best>>, setup: &Setup) -> Self {
        let at_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self { at_s, changed, models, best, setup: Stored::new(setup) }
    }

    /// The models' names: one where all columns asked the same.
    pub fn models(&self) -> String {
        let mut titles: Vec<String> = self.models.iter().map(AskedModel::title).collect();
        titles.dedup();
        titles.join(" · ")
    }

    /// What was asked, with rows from the table in use, of the models that were asked then: where the column would ask another
    /// one now, it asks none until the person says so.
    pub fn recall(&self, now: &Arc<TaskTable>, state: &State) -> Setup {
        let mut setup = self.setup.whole(now);
        setup.ask_again(&self.models, state);
        setup
    }

    /// How long ago it was, in words.
    pub fn ago(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        match now.saturating_sub(self.at_s) {
            0..60 => "just now".to_owned(),
            s @ 60..3600 => format!("{} min ago", s / 60),
            s @ 3600..86_400 => format!("{} h ago", s / 3600),
            s => format!("{} d ago", s / 86_400),
        }
    }

    /// Date and time of day where this computer is.
    pub fn date(&self) -> String {
        let Ok(time) = jiff::Timestamp::from_second(self.at_s.try_into().unwrap_or_default()) else {
            return String::new();
        };
        time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
    }
}

/// The runs, oldest first.
#[derive(Default)]
pub(super) struct Past {
    pub entries: Vec<Entry>,
    changes: usize,
    /// The stored runs as text, with the count of changes they belong to: written anew only after one.
    text: RefCell<Option<(usize, String)>>,
}

impl Past {
    pub fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
        self.changes += 1;
        if self.entries.len() > KEPT {
            self.entries.remove(0);
        }
    }

    /// Notes the hashes of models that came since; the models whose hash is not known.
    pub fn note_hashes(&mut self, state: &State) -> Vec<ModelId> {
        let mut unknown = Vec::new();
        for asked in self.entries.iter_mut().flat_map(|entry| &mut entry.models).filter(|m| m.sha256.is_none()) {
            let Some((model, version)) = asked.open else { continue };
            let Some(open) = state.models.get(&model).filter(|open| open.version == version) else { continue };
            asked.sha256.clone_from(&open.sha256);
            if asked.sha256.is_some() {
                self.changes += 1;
            } else {
                unknown.push(model);
            }
        }
        unknown
    }

    /// The latest runs as text.
    pub fn save(&self) -> String {
        let mut text = self.text.borrow_mut();
        if text.as_ref().is_none_or(|(count, _)| *count != self.changes) {
            let latest = &self.entries[self.entries.len().saturating_sub(STORED)..];
            *text = Some((self.changes, serde_json::to_string(latest).unwrap_or_default()));
        }
        text.as_ref().map(|(_, text)| text.clone()).unwrap_or_default()
    }

    /// Takes back what [`Self::save`] gave, if it is understood.
    pub fn restore(text: &str) -> Option<Self> {
        let entries = if text.is_empty() { Some(Vec::new()) } else { serde_json::from_str(text).ok() };
        entries.map(|entries| Self { entries, ..Self::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_comes_back_with_the_rows_of_its_task() {
        let setup = Setup::default();
        let mut past = Past::default();
        let best = vec![vec![Some(("positive".to_owned(), 0.75)), None, None]];
        let model = AskedModel { name: "m".into(), sha256: Some("ab".into()), ..AskedModel::default() };
        past.push(Entry::new("Calibrated.".into(), vec![model], best, &setup));
        let again = Past::restore(&past.save()).unwrap();
        assert_eq!(again.entries, past.entries);
        assert_eq!(again.entries[0].ago(), "just now");
        // With another table in use, the shipped one is found by its name.
        let other = Arc::new(TaskTable::default());
        assert_eq!(again.entries[0].setup.whole(&other), setup);
    }

    #[test]
    fn a_run_on_a_lost_table_keeps_its_own_pairs() {
        let mut setup = Setup::default();
        setup.table = Arc::new(TaskTable { id: "lost".into(), ..(*setup.table).clone() });
        let stored = Stored::new(&setup);
        let whole = stored.whole(&Arc::new(TaskTable::default()));
        assert_eq!(whole.table.rows.len(), setup.sides[0].examples.len() + 1);
        assert_eq!(whole.sides, setup.sides);
    }

    #[test]
    fn runs_of_before_that_name_their_models_alone_are_read() {
        let setup = Setup::default();
        let mut past = Past::default();
        past.push(Entry::new(
            String::new(),
            vec![AskedModel { name: "m".into(), ..AskedModel::default() }],
            vec![],
            &setup,
        ));
        let mut saved: serde_json::Value = serde_json::from_str(&past.save()).unwrap();
        saved[0]["models"] = serde_json::json!(["m"]);
        for side in saved[0]["setup"]["sides"].as_array_mut().unwrap() {
            side.as_object_mut().unwrap().remove("of_run").unwrap();
        }
        assert_eq!(Past::restore(&saved.to_string()).unwrap().entries, past.entries);
    }

    #[test]
    fn the_hash_of_a_model_is_noted_once_it_is_known_and_kept() {
        let open = crate::ui::asked_model::tests::open("m", None);
        let mut past = Past::default();
        past.push(Entry::new(String::new(), vec![AskedModel::of(&open)], vec![], &Setup::default()));
        assert!(!past.save().contains("\"ab\""));
        let mut state = crate::ui::asked_model::tests::state(vec![open.clone()]);
        assert_eq!(past.note_hashes(&state), [open.info.id]);
        state.models.get_mut(&open.info.id).unwrap().sha256 = Some("ab".into());
        assert!(past.note_hashes(&state).is_empty());
        assert!(past.save().contains("\"ab\""), "what is saved is written anew");
    }

    #[test]
    fn broken_text_leaves_nothing() {
        assert!(Past::restore("[{").is_none());
        assert!(Past::restore("").unwrap().entries.is_empty());
    }
}
