//! Places inside a model, and changes there.

pub(super) mod edit;
pub(super) mod site;
pub(super) mod steps;
