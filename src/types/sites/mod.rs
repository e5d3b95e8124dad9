//! Places inside a model, and changes there.

pub(super) mod contexts;
pub(super) mod edit;
pub(super) mod head_writes;
pub(super) mod site;
mod step_name;
pub(super) mod steps;
