//! The arithmetic of one token in one head, in words.

use crate::types::{StepKind, StepsReport};

/// Keys that are told.
const TOLD: usize = 3;

/// What the head does with the token and what comes of it, such as `Layer 3, head 5: ‘bank’ at position 7 gives 62 % to ‘river’ at
/// position 3, …`; positions are counted from 0.
#[must_use]
pub fn step_words(report: &StepsReport) -> String {
    let mut words = format!(
        "Layer {}, head {}: {} gives {}.",
        report.layer,
        report.head,
        quoted(report, report.query),
        most_looked_at(report)
    );
    let added = [
        ("the head", StepKind::HeadOutput),
        ("attention as a whole", StepKind::AttnOut),
        ("the MLP", StepKind::MlpOut),
    ];
    let added = added.into_iter().filter_map(|(name, kind)| {
        let values = &report.step(kind)?.values;
        let length = values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        Some(format!("{name} {length:.2}"))
    });
    let added: Vec<String> = added.collect();
    if !added.is_empty() {
        words.push_str(&format!(" Lengths of what is added to its stream: {}.", added.join(", ")));
    }
    words.push_str(&likeliest(report));
    words
}

/// What the scores are of: the next token, what stands at a mask, or classes. `None` where a model ends without scores.
#[must_use]
pub fn answers_of(report: &StepsReport) -> Option<&'static str> {
    report.step(StepKind::Logits)?;
    let is_there = |kind| report.step(kind).is_some();
    Some(match (is_there(StepKind::ClassInput), is_there(StepKind::HeadDense)) {
        (true, _) => "class",
        (_, true) => "token at this place",
        _ => "next token",
    })
}

fn most_looked_at(report: &StepsReport) -> String {
    let weights = report.values_of(StepKind::Pattern);
    let mut order: Vec<usize> = (0..weights.len()).filter(|key| weights[*key] > 0.0).collect();
    order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]));
    let told = order.iter().take(TOLD).map(|key| format!("{} to {}", share(weights[*key]), quoted(report, *key)));
    let told: Vec<String> = told.collect();
    if told.is_empty() { "no attention to any token".to_owned() } else { told.join(", ") }
}

fn likeliest(report: &StepsReport) -> String {
    let (Some(what), Some(first)) = (answers_of(report), report.top.first()) else { return String::new() };
    format!(" The likeliest {what} is {} with {}.", in_quotes(&first.text), share(first.probability))
}

fn share(share: f32) -> String {
    format!("{:.0} %", share * 100.0)
}

fn quoted(report: &StepsReport, token: usize) -> String {
    let text = report.tokens.get(token).map_or("", |token| token.text.as_str());
    format!("{} at position {token}", in_quotes(text))
}

fn in_quotes(text: &str) -> String {
    // What is nothing but blanks is seen by its escapes.
    if text.trim().is_empty() { format!("{text:?}") } else { format!("‘{}’", text.trim()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Candidate, PromptToken, StepValues};

    fn report(kinds: &[StepKind]) -> StepsReport {
        let token = |text: &str| PromptToken { id: 0, text: text.into(), span: 0..0 };
        let values = |kind: StepKind| match kind {
            StepKind::Pattern => vec![0.25, 0.6, 0.15, 0.0],
            _ => vec![3.0, -4.0],
        };
        let step = |kind: &StepKind| StepValues { kind: *kind, site: None, values: values(*kind).into() };
        StepsReport {
            tokens: [" the", " river", "\n", " x"].map(token).to_vec(),
            layer: 3,
            head: 5,
            kv_head: 0,
            group: 1,
            layers: 4,
            query: 2,
            key: 1,
            steps: kinds.iter().map(step).collect(),
            absent: Vec::new(),
            keys: Vec::new().into(),
            values: Vec::new().into(),
            z: Vec::new().into(),
            added: Vec::new(),
            rotated_by: None,
            frequencies: Vec::new(),
            positions: Vec::new().into(),
            scale: 1.0,
            top: vec![Candidate { id: 0, text: " bank".into(), probability: 0.23 }],
        }
    }

    #[test]
    fn what_is_looked_at_most_and_what_comes_of_it_is_told() {
        assert_eq!(
            step_words(&report(&[StepKind::Pattern, StepKind::HeadOutput, StepKind::MlpOut, StepKind::Logits])),
            "Layer 3, head 5: \"\\n\" at position 2 gives 60 % to ‘river’ at position 1, 25 % to ‘the’ at position 0, 15 % to \"\\n\" \
             at position 2. Lengths of what is added to its stream: the head 5.00, the MLP 5.00. The likeliest next token is ‘bank’ with 23 %."
        );
    }

    #[test]
    fn what_scores_are_of_depends_on_the_head_of_the_model() {
        let of = |kinds: &[StepKind]| answers_of(&report(kinds));
        assert_eq!(of(&[StepKind::Pattern]), None, "a model without scores says nothing");
        assert!(!step_words(&report(&[StepKind::Pattern])).contains("likeliest"));
        assert_eq!(of(&[StepKind::ClassInput, StepKind::Logits]), Some("class"));
        assert_eq!(of(&[StepKind::HeadDense, StepKind::Logits]), Some("token at this place"));
    }
}
