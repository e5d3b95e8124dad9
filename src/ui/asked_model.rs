//! The model something was made with: what is kept of it, and which of the open models it is.

use crate::engine::{Command, Work};
use crate::types::{Ability, JobId, ModelId};
use crate::ui::{Cx, OpenModel, State, paths};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A model as a run keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub(super) struct AskedModel {
    pub name: String,
    /// Its folder. Runs of before kept the name alone, and a file names no place.
    #[serde(with = "paths::one")]
    pub path: Option<PathBuf>,
    /// Of its weights, in hexadecimal digits, where it is known.
    pub sha256: Option<String>,
    /// True for weights that were trained in the window and not saved.
    pub modified: bool,
    /// Under which id it was open, and which of its weights: see [`OpenModel::version`]. Of this session alone.
    #[serde(skip)]
    pub open: Option<(ModelId, u64)>,
}

/// How a model was written: by its name alone before runs kept more.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Name(String),
    Whole {
        name: String,
        #[serde(default, with = "paths::one")]
        path: Option<PathBuf>,
        #[serde(default)]
        sha256: Option<String>,
        #[serde(default)]
        modified: bool,
    },
}

impl From<Written> for AskedModel {
    fn from(written: Written) -> Self {
        match written {
            Written::Name(name) => Self { name, ..Self::default() },
            Written::Whole { name, path, sha256, modified } => Self { name, path, sha256, modified, open: None },
        }
    }
}

/// What there is of a run's model now.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'a> {
    /// It is open.
    Open(&'a OpenModel),
    /// Perhaps this is it: the hash of its weights is not known yet.
    Unhashed(&'a OpenModel),
    /// This one is called the same, and has other weights.
    Other(&'a OpenModel),
    /// It is not open.
    Closed,
}

impl AskedModel {
    /// What a run keeps of an open model.
    pub fn of(open: &OpenModel) -> Self {
        Self {
            name: open.info.name.clone(),
            path: Some(open.info.path.clone()),
            sha256: open.sha256.clone(),
            modified: open.info.modified,
            open: Some((open.info.id, open.version)),
        }
    }

    /// Finds it among the open models that can do what it did.
    pub fn find<'a>(&self, state: &'a State, ability: Ability) -> Found<'a> {
        let all: Vec<&OpenModel> = state.models.values().filter(|m| m.info.can(ability)).collect();
        let is_it = |open: &&&OpenModel| {
            self.open == Some((open.info.id, open.version)) || self.sha256.is_some() && open.sha256 == self.sha256
        };
        if let Some(open) = all.iter().find(is_it) {
            return Found::Open(open);
        }
        let has_place = |open: &&&OpenModel| self.path.as_ref() == Some(&open.info.path);
        let by_place = all.iter().find(has_place);
        let Some(open) = by_place.or_else(|| all.iter().find(|open| open.info.name == self.name)) else {
            return Found::Closed;
        };
        let is_place = by_place.is_some() || self.path.is_none();
        match (&self.sha256, &open.sha256) {
            (Some(_), Some(_)) => Found::Other(open),
            (Some(_), None) => Found::Unhashed(open),
            // Nothing but the place tells, and whether it was trained since.
            (None, _) if is_place && self.modified == open.info.modified && self.open.is_none() => Found::Open(open),
            (None, _) if is_place => Found::Other(open),
            (None, _) => Found::Closed,
        }
    }

    /// The folder it can be opened from, whether or not that is still there.
    pub fn folder(&self, state: &State) -> Option<PathBuf> {
        let named = |path: &&PathBuf| crate::types::model_name(path) == self.name;
        let known = || state.shipped.iter().map(|model| &model.path).chain(&state.recent).find(named);
        self.path.clone().or_else(|| known().cloned())
    }

    /// Its name, with a word for weights that no folder holds.
    pub fn title(&self) -> String {
        if self.modified { format!("{}, changed", self.name) } else { self.name.clone() }
    }

    /// The first digits of its hash, for people.
    pub fn short_hash(&self) -> Option<&str> {
        self.sha256.as_deref().map(short)
    }
}

/// The first digits of a hash.
pub(super) fn short(sha256: &str) -> &str {
    sha256.get(..8).unwrap_or(sha256)
}

/// Asks for the hashes of weights, each once.
#[derive(Default)]
pub(super) struct Hashes(BTreeSet<(ModelId, u64)>);

impl Hashes {
    pub fn ask(&mut self, model: ModelId, cx: &mut Cx<'_>) {
        let Some(open) = cx.state.models.get(&model).filter(|open| open.sha256.is_none()) else { return };
        if self.0.insert((model, open.version)) {
            cx.send(Command::start(JobId::next(), model, Work::Fingerprint));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::types::{Architecture, Blocks, ModelInfo, Precision, Shape};
    use std::sync::Arc;

    pub fn open(name: &str, sha256: Option<&str>) -> OpenModel {
        let blocks = Blocks { layers: 2, heads: 4, kv_heads: 2, hidden: 256 };
        let info = ModelInfo {
            id: ModelId::next(),
            name: name.to_owned(),
            path: PathBuf::from("models").join(name),
            architecture: Architecture::Llama,
            precision: Precision::F16,
            parameters: 1,
            shape: Shape::Decoder { blocks: blocks.into(), vocabulary: 8, context: 512 },
            held_out: None,
            adapter: None,
            modified: false,
            trained_steps: 0,
            own_sampling: None,
            quantised: None,
        };
        let sha256 = sha256.map(str::to_owned);
        OpenModel { info, weights: Arc::default(), version: 0, weights_version: 0, sha256, classification: None }
    }

    pub fn state(models: Vec<OpenModel>) -> State {
        let mut state = State::default();
        state.models = models.into_iter().map(|open| (open.info.id, open)).collect();
        state
    }

    /// As it is read at the next start.
    fn kept(open: &OpenModel) -> AskedModel {
        serde_json::from_str(&serde_json::to_string(&AskedModel::of(open)).unwrap()).unwrap()
    }

    fn word(model: &AskedModel, open: &OpenModel) -> &'static str {
        match model.find(&state(vec![open.clone()]), Ability::Continue) {
            Found::Open(_) => "open",
            Found::Unhashed(_) => "unhashed",
            Found::Other(_) => "other",
            Found::Closed => "closed",
        }
    }

    #[test]
    fn a_model_is_known_by_its_weights_and_not_by_its_name() {
        let was = kept(&open("seedling", Some("aa")));
        assert_eq!(word(&was, &open("seedling", Some("aa"))), "open");
        assert_eq!(word(&was, &open("renamed", Some("aa"))), "open");
        assert_eq!(word(&was, &open("seedling", Some("bb"))), "other");
        assert_eq!(word(&was, &open("seedling", None)), "unhashed");
        assert_eq!(word(&was, &open("sprout", Some("bb"))), "closed");
    }

    #[test]
    fn weights_that_were_trained_since_are_others() {
        let before = open("seedling", None);
        let was = AskedModel::of(&before);
        assert_eq!(word(&was, &before), "open");
        let mut trained = OpenModel { version: 1, ..before };
        trained.info.modified = true;
        assert_eq!(word(&was, &trained), "other");
        assert_eq!(word(&kept(&trained), &trained), "open");
        assert_eq!(AskedModel::of(&trained).title(), "seedling, changed");
    }

    #[test]
    fn a_run_of_before_has_the_name_of_its_model_alone() {
        let was: AskedModel = serde_json::from_str("\"seedling\"").unwrap();
        assert_eq!(was, AskedModel { name: "seedling".into(), ..AskedModel::default() });
        assert_eq!(word(&was, &open("seedling", Some("aa"))), "open");
        assert_eq!(word(&was, &open("sprout", Some("aa"))), "closed");
    }
}
