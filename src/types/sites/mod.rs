//! Places inside a model, and changes there.

pub(super) mod attribution;
pub(super) mod contexts;
pub(super) mod edit;
pub(super) mod edit_change;
pub(super) mod edited_next;
pub(super) mod head_writes;
pub(super) mod jacobian;
pub(super) mod lens;
pub(super) mod neighbours;
pub(super) mod patch;
pub(super) mod site;
mod step_name;
pub(super) mod steps;
pub(super) mod sweep;
pub(super) mod word_order;
