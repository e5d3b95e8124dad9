//! With what a result was made, and whether that is still so.

use super::{Job, OpenModel, State};
use crate::types::{Ability, ModelId, ModelInfo, is_snapshot};

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
    let name = match (info.modified, info.trained_steps) {
        (false, _) => info.name.clone(),
        (true, 0) => format!("{} (random weights)", info.name),
        (true, 1) => format!("{} (changed, 1 step)", info.name),
        (true, steps) => format!("{} (changed, {steps} steps)", info.name),
    };
    info.adapter_in_use().map_or(name.clone(), |adapter| format!("{name} + {adapter}"))
}

/// True when an open model has other weights than before.
pub(super) fn has_other_weights(before: &ModelInfo, now: &ModelInfo) -> bool {
    let changed = now.modified && (!before.modified || now.trained_steps != before.trained_steps);
    // Files that were opened hold what they hold, but each step of a run has files of its own.
    let other_step = before.path != now.path && is_snapshot(&before.path) && is_snapshot(&now.path);
    changed || other_step || before.adapter_in_use() != now.adapter_in_use()
}

/// A name that no other open model has: a folder that is opened again while it is open gives `name 2`. A model keeps the
/// name it got.
pub(super) fn own_name(name: &str, before: Option<&str>, others: &[&str]) -> String {
    let is_same = |before: &&str| {
        let number = before.strip_prefix(name).and_then(|rest| rest.strip_prefix(' '));
        *before == name || number.is_some_and(|number| number.parse::<usize>().is_ok())
    };
    if let Some(before) = before.filter(is_same) {
        return before.to_owned();
    }
    if !others.contains(&name) {
        return name.to_owned();
    }
    let mut number = 2;
    while others.contains(&format!("{name} {number}").as_str()) {
        number += 1;
    }
    format!("{name} {number}")
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

#[cfg(test)]
mod tests {
    use super::own_name;

    #[test]
    fn models_of_one_folder_have_names_that_differ_and_keep_them() {
        assert_eq!(own_name("sprout", None, &["seedling"]), "sprout");
        assert_eq!(own_name("sprout", None, &["sprout"]), "sprout 2");
        assert_eq!(own_name("sprout", None, &["sprout", "sprout 2"]), "sprout 3");
        // The first was closed meanwhile.
        assert_eq!(own_name("sprout", Some("sprout 2"), &[]), "sprout 2");
        // It was saved under another name.
        assert_eq!(own_name("mine", Some("sprout 2"), &["sprout"]), "mine");
        assert_eq!(own_name("sprout", Some("sprout-large"), &["sprout"]), "sprout 2");
    }
}
