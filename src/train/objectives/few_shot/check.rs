//! What can be wrong with a recipe, told before any data is read.

use crate::types::{FewShotTask, MixtureStage, UserError};

/// Shortest sequence: an example with its answer must fit.
const SHORTEST: usize = 16;

/// Refuses a recipe that could not be followed.
///
/// # Errors
/// When a number is out of its range, nothing is to be learned, or text is asked for and none is named.
pub(super) fn check_task(task: &FewShotTask) -> Result<(), UserError> {
    let wrong = |field: &str, why: String| {
        let next = format!("Change {field} and start again.");
        Err(UserError::new(format!("The run cannot start: {field} is unusable."), why, next))
    };
    if task.context < SHORTEST {
        return wrong("context", format!("{} tokens hold no example; {SHORTEST} are the least.", task.context));
    }
    if !(0.0..=1.0).contains(&task.made_up_templates) {
        return wrong("made_up_templates", format!("{} is not a share from 0 to 1.", task.made_up_templates));
    }
    if task.stages.is_empty() {
        return wrong("stages", "There is no stage, so nothing says what sequences are made of.".to_owned());
    }
    for stage in &task.stages {
        let MixtureStage { text, facts, rules, choose, lookup, repeats, renamed, shuffled, .. } = *stage;
        if !are_shares(&[text, facts, rules, choose, lookup, repeats, renamed, shuffled]) {
            return wrong("stages", "The shares of a stage are numbers from 0 on, and not all of them 0.".to_owned());
        }
        if let Some((parameters, rate)) = stage.rates.iter().find(|(_, rate)| !rate.is_finite() || **rate < 0.0) {
            return wrong("stages", format!("The rate of {parameters}, {rate}, is not zero or a positive number."));
        }
        if text > 0.0 && task.text.is_empty() {
            return wrong("stages", "A stage has a share of text, and there is no [[task.text]].".to_owned());
        }
    }
    let shares: Vec<f64> = task.text.iter().map(|source| source.share).collect();
    if !shares.is_empty() && !are_shares(&shares) {
        return wrong("text", "The shares of the texts are numbers from 0 on, and not all of them 0.".to_owned());
    }
    Ok(())
}

fn are_shares(shares: &[f64]) -> bool {
    shares.iter().all(|share| share.is_finite() && *share >= 0.0) && shares.iter().sum::<f64>() > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_followed_is_named() {
        let told = |more: &str, stage: &str| {
            let task = format!("context = 64\ntasks = []\n{more}\n[[stages]]\nuntil = 1.0\n{stage}");
            check_task(&toml::from_str(&task).unwrap()).err().map(|error| error.to_string())
        };
        assert_eq!(told("", "facts = 1.0\nembedding_rate = 0.0"), None);
        assert_eq!(told("made_up_templates = 1.0", "choose = 1.0"), None);
        let wrong = [
            ("made_up_templates = 1.5", "facts = 1.0", "1.5 is not a share"),
            ("", "facts = 1.0\nembedding_rate = -1.0", "The rate of token_embedding, -1,"),
            ("", "choose = -1.0", "shares of a stage"),
            ("", "facts = 0.0", "not all of them 0"),
            ("", "text = 1.0", "no [[task.text]]"),
        ];
        for (more, stage, expected) in wrong {
            let error = told(more, stage).unwrap_or_default();
            assert!(error.contains(expected), "{more} {stage}: {error}");
        }
    }
}
