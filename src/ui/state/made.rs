//! With what a result was made, and whether that is still so.

use super::{Job, OpenModel, State};
use crate::types::{Ability, ModelId, ModelInfo};

/// The model a job was given to, as it was then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its name, with what was done to its weights.
    pub model: String,
    id: ModelId,
    /// Which of its weights: see [`OpenModel::weights_version`].
    weights: u64,
}

impl Made {
    pub(super) fn with(open: &OpenModel) -> Self {
        Self { model: full_name(&open.info), id: open.info.id, weights: open.weights_version }
    }
}

/// A model's name, and whether its weights are those of its folder.
#[must_use]
pub fn full_name(info: &ModelInfo) -> String {
    if info.modified { format!("{} (changed)", info.name) } else { info.name.clone() }
}

impl State {
    /// The time of day of a moment, such as `14:05`, where the clock is known.
    #[must_use]
    pub fn time_of_day(&self, at_s: f64) -> Option<String> {
        let began = self.began.as_ref()?;
        let at = began.checked_add(std::time::Duration::from_secs_f64(at_s.max(0.0))).ok()?;
        Some(at.strftime("%H:%M").to_string())
    }

    /// Why a job's result is not what its model would give now, if so. A model that was closed gives nothing any more, which
    /// makes the result no older.
    #[must_use]
    pub fn changed_since(&self, job: &Job) -> Option<String> {
        let made = job.made.as_ref()?;
        let open = self.models.get(&made.id)?;
        (open.weights_version != made.weights).then(|| format!("The weights of {} were changed since.", open.info.name))
    }

    /// Why a job's result is not what the model in use for this would give, if so.
    #[must_use]
    pub fn changed_in_use(&self, job: &Job, ability: Ability) -> Option<String> {
        let other = self.active(ability).filter(|open| job.model.is_some_and(|model| model != open.info.id));
        other.map(|open| format!("{} is in use now.", open.info.name)).or_else(|| self.changed_since(job))
    }
}
