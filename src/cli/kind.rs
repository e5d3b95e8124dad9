//! What kind of file a name asks for.

use crate::chart::{ArrayFormat, Format};
use crate::types::UserError;
use std::path::Path;

/// It.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A picture or a table.
    Figure(Format),
    /// Arrays.
    Arrays(ArrayFormat),
}

impl Kind {
    /// By the ending of a name.
    ///
    /// # Errors
    /// When it is none of the five.
    pub(super) fn of(path: &Path) -> Result<Self, UserError> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("npz" | "safetensors") => Ok(Self::Arrays(ArrayFormat::of(path))),
            Some("svg" | "png" | "csv") => Ok(Self::Figure(Format::from_path(path)?)),
            _ => Err(UserError::new(
                format!("{} has no ending that says what to write.", path.display()),
                "The ending chooses the kind: svg and png are pictures, csv is a table, npz and safetensors are arrays.",
                "End the name with .svg, .png, .csv, .npz or .safetensors.",
            )),
        }
    }
}
