//! Settings of a generation as a model takes them: checked, and with the tokens that bias is for.

use crate::load::Tokenizer;
use crate::types::{BiasHit, BiasReport, BiasedToken, LogitBias, Sampling, UserError};
use std::collections::BTreeMap;

/// Checks that tokens can be drawn with these settings.
///
/// # Errors
/// When a number is outside its range.
pub(super) fn check(sampling: &Sampling) -> Result<(), UserError> {
    let wrong =
        |what: &str, value: f32, why: &str, next: &str| Err(UserError::new(format!("{what} is {value}."), why, next));
    let &Sampling { temperature, top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty, .. } = sampling;
    if !(temperature >= 0.0 && temperature.is_finite()) {
        return wrong(
            "The temperature",
            temperature,
            "Logits are divided by it, so it is a number from 0 upwards; 0 always takes the most likely token.",
            "Use a value from 0 to 2.",
        );
    }
    if !(top_p > 0.0 && top_p <= 1.0) {
        return wrong(
            "Top-p",
            top_p,
            "It is the share of probability that is kept: above 0, at most 1.",
            "Use 1 to keep every token, or a value such as 0.9.",
        );
    }
    if !(0.0..=1.0).contains(&min_p) {
        return wrong(
            "Min-p",
            min_p,
            "It is the share of the likeliest token's probability that another needs to be kept: from 0 to 1.",
            "Use 0 to keep every token, or a value such as 0.05.",
        );
    }
    if !(repetition_penalty > 0.0 && repetition_penalty.is_finite()) {
        return wrong(
            "The repetition penalty",
            repetition_penalty,
            "Logits of tokens that stood before are divided or multiplied by it, so it is a number above 0.",
            "Use 1 for none, or a value such as 1.1.",
        );
    }
    for (what, value) in [("The presence penalty", presence_penalty), ("The frequency penalty", frequency_penalty)] {
        if !value.is_finite() {
            return wrong(
                what,
                value,
                "It is taken off logits, so it is a number.",
                "Use 0 for none, or a value up to 2.",
            );
        }
    }
    Ok(())
}

/// The tokens that lines of bias mean.
///
/// # Errors
/// When a line cannot be read, or is not of one token, or of one that another line is of.
pub(super) fn hits(tokenizer: &Tokenizer, lines: &str) -> Result<Vec<BiasHit>, UserError> {
    let (hits, error) = hits_so_far(tokenizer, lines);
    error.map_or(Ok(hits), Err)
}

/// The same, as far as it goes.
pub(crate) fn bias_report(tokenizer: &Tokenizer, lines: &str) -> BiasReport {
    let (hits, error) = hits_so_far(tokenizer, lines);
    BiasReport { hits, error }
}

fn hits_so_far(tokenizer: &Tokenizer, lines: &str) -> (Vec<BiasHit>, Option<UserError>) {
    let (mut hits, mut lines_of) = (Vec::new(), BTreeMap::new());
    let read = match LogitBias::read(lines) {
        Ok(read) => read,
        Err(error) => return (hits, Some(error)),
    };
    for LogitBias { token, bias, line } in read {
        let id = match token {
            BiasedToken::Id(id) => Ok(id),
            BiasedToken::Text(text) => id_of(tokenizer, &text, line),
        };
        let id = match id {
            Ok(id) => id,
            Err(error) => return (hits, Some(error)),
        };
        let text = tokenizer.token_text(id);
        if let Some(other) = lines_of.insert(id, line) {
            return (hits, Some(twice(id, &text, other, line)));
        }
        hits.push(BiasHit { id, text, bias });
    }
    (hits, None)
}

/// The one token a text is: as it stands behind other text, or as a special token.
fn id_of(tokenizer: &Tokenizer, text: &str, line: usize) -> Result<u32, UserError> {
    let ids = tokenizer.continuation_ids(text)?;
    match ids.as_slice() {
        [id] if tokenizer.token_text(*id) == text => return Ok(*id),
        _ => {}
    }
    if let Some(id) = tokenizer.token_id(text).filter(|id| tokenizer.is_special(*id)) {
        return Ok(id);
    }
    let parts: Vec<String> = ids.iter().map(|id| format!("{:?} ({id})", tokenizer.token_text(*id))).collect();
    let why = if parts.is_empty() { "no token".to_owned() } else { parts.join(", ") };
    Err(UserError::new(
        format!("Line {line} of the logit bias: {text:?} is not one token of this model."),
        format!("Its tokenizer reads it as {why}."),
        "Give one token of it, by its text with the space before it if there is one, or by its id.",
    ))
}

fn twice(id: u32, text: &str, first: usize, second: usize) -> UserError {
    UserError::new(
        format!("Lines {first} and {second} of the logit bias are of the same token, {text:?} ({id})."),
        "One bias is added to a token's logit.",
        "Take one of the lines out.",
    )
}

/// Checks that the model has these tokens.
///
/// # Errors
/// When an id is outside the vocabulary.
pub(super) fn check_hits(hits: &[BiasHit], name: &str, vocabulary: usize) -> Result<(), UserError> {
    let Some(hit) = hits.iter().find(|hit| hit.id as usize >= vocabulary) else { return Ok(()) };
    Err(UserError::new(
        format!("The logit bias names the token {}, which {name} does not know.", hit.id),
        format!("Its vocabulary has {vocabulary} entries, so ids run from 0 to {}.", vocabulary.saturating_sub(1)),
        "Use an id within that range, or the token's text.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words with the space before them, as byte-level tokenizers have them.
    fn tokenizer() -> Tokenizer {
        let json = r#"{"version": "1.0", "added_tokens": [{"id": 6, "content": "<end>", "special": true,
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}],
            "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, " ": 2, " a": 3, "ab": 4, "c": 5, "<end>": 6},
            "merges": [[" ", "a"], ["a", "b"]]}}"#;
        Tokenizer::new(json.parse().unwrap()).unwrap()
    }

    #[test]
    fn lines_of_bias_hit_tokens_by_text_and_by_id() {
        let hits = hits(&tokenizer(), "\" a\" = 2\n5 = -1\n\"<end>\" = -inf\n\"ab\" = 0.5").unwrap();
        let told: Vec<_> = hits.iter().map(|hit| (hit.id, hit.text.as_str(), hit.bias)).collect();
        assert_eq!(told, [(3, " a", 2.0), (5, "c", -1.0), (6, "<end>", f32::NEG_INFINITY), (4, "ab", 0.5)]);
    }

    #[test]
    fn a_line_that_is_not_one_token_is_named_with_what_it_is() {
        let error = hits(&tokenizer(), "5 = 1\n\" ac\" = 2").unwrap_err();
        assert!(error.what.contains("Line 2") && error.why.contains("\" a\" (3), \"c\" (5)"), "{error}");
        let error = hits(&tokenizer(), "\"c\" = 1\n5 = 2").unwrap_err();
        assert!(error.what.contains("Lines 1 and 2"), "{error}");
        let report = bias_report(&tokenizer(), "\"c\" = 1\n\" ac\" = 2");
        assert!(report.hits.len() == 1 && report.error.is_some());
        let error = check_hits(&report.hits, "tiny", 5).unwrap_err();
        assert!(error.what.contains("token 5") && error.why.contains("0 to 4"), "{error}");
    }

    #[test]
    fn numbers_outside_their_range_are_named() {
        let wrong = |sampling: Sampling| check(&sampling).unwrap_err().what;
        assert!(wrong(Sampling { min_p: 1.5, ..Sampling::default() }).contains("Min-p is 1.5"));
        assert!(wrong(Sampling { repetition_penalty: 0.0, ..Sampling::default() }).contains("repetition penalty is 0"));
        let presence = wrong(Sampling { presence_penalty: f32::NAN, ..Sampling::default() });
        assert!(presence.contains("presence penalty"), "{presence}");
        assert!(check(&Sampling { frequency_penalty: -1.0, ..Sampling::default() }).is_ok());
    }
}
