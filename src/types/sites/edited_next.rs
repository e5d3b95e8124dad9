//! What a model says next, without edits and with them.

use crate::types::UserError;

/// The next token before and after edits.
#[derive(Clone, Debug, PartialEq)]
pub struct EditedNext {
    /// The likeliest tokens of either, by the larger of their two probabilities.
    pub likeliest: Vec<NextToken>,
    /// KL(unedited ‖ edited) over the whole vocabulary, in nats.
    pub divergence: f64,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
}

/// A token that may be next.
#[derive(Clone, Debug, PartialEq)]
pub struct NextToken {
    /// Its id.
    pub id: u32,
    /// Its text.
    pub text: String,
    /// Its probability without edits.
    pub before: f64,
    /// Its probability with them.
    pub after: f64,
}

/// Why edits cannot be made in a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditFaults {
    /// One entry an edit; `None` where it can be made in a prompt that has the positions it names.
    pub faults: Vec<Option<UserError>>,
}
