//! A list of edits, as it is kept: each with its switch.

use crate::types::Edit;
use serde::{Deserialize, Serialize};

/// An edit of the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ListedEdit {
    /// The edit; in files, its line.
    pub edit: Edit,
    /// False leaves it out without deleting it.
    pub on: bool,
}

/// A list under a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct EditSet {
    pub name: String,
    pub edits: Vec<ListedEdit>,
}

/// What survives a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    pub(super) list: Vec<ListedEdit>,
    pub(super) sets: Vec<EditSet>,
}
