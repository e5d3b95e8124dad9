//! What one panel, the palette, a saved session or a lesson wants of another panel: the one door between them.

use crate::types::{DigitImage, FewShotPrompt, JobId, ModelId, Way};
use std::path::PathBuf;

/// The panels, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PanelId {
    /// Prompting, chat and encoders' texts.
    Prompt,
    /// The in-context learning lab.
    Lab,
    /// Attention.
    Attention,
    /// Drawing digits.
    Digits,
    /// Networks from random weights.
    Pretrain,
    /// Fine-tuning.
    FineTune,
    /// Ways to adapt a model, compared.
    Ways,
    /// Models, open and on disk.
    Models,
    /// Messages and errors.
    Log,
}

impl PanelId {
    /// All of them, in the order of the rail.
    pub const ALL: [Self; 9] = [
        Self::Prompt,
        Self::Lab,
        Self::Attention,
        Self::Digits,
        Self::Pretrain,
        Self::FineTune,
        Self::Ways,
        Self::Models,
        Self::Log,
    ];

    /// Its name in saved sessions and of its pictures; never changes.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Lab => "lab",
            Self::Attention => "attention",
            Self::Digits => "digits",
            Self::Pretrain => "pretrain",
            Self::FineTune => "fine_tune",
            Self::Ways => "ways",
            Self::Models => "models",
            Self::Log => "log",
        }
    }

    /// The panel a saved session names, if there is one of that name.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|panel| panel.key() == key)
    }
}

/// Work for a panel. Whoever states it need not know how the panel does it.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    /// Look at a panel as it is.
    Show(PanelId),
    /// Put a prompt into the prompt panel.
    Prompt(FewShotPrompt),
    /// Ask another model beside the one in use, which may still be on its way; `None` is the one in use without its adapter.
    Beside(Option<ModelId>),
    /// Take a prompt's examples to the lab.
    Experiment(FewShotPrompt),
    /// Train the text model in use on a text file.
    Train(PathBuf),
    /// Compare some ways to adapt a model.
    Adapt(ModelId, Vec<Way>),
    /// Look at the attention of a pass that was read already.
    Inspect(JobId),
    /// Put an image on the canvas of digits.
    Digit(DigitImage),
}

impl Intent {
    /// The panel that carries it out.
    #[must_use]
    pub fn panel(&self) -> PanelId {
        match self {
            Self::Show(panel) => *panel,
            Self::Prompt(_) | Self::Beside(_) => PanelId::Prompt,
            Self::Experiment(_) => PanelId::Lab,
            Self::Train(_) => PanelId::FineTune,
            Self::Adapt(..) => PanelId::Ways,
            Self::Inspect(_) => PanelId::Attention,
            Self::Digit(_) => PanelId::Digits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_panel_is_found_by_its_key_and_stands_in_the_rail() {
        for panel in PanelId::ALL {
            assert_eq!(PanelId::from_key(panel.key()), Some(panel));
        }
        assert_eq!(PanelId::from_key("none"), None);
        let rail: Vec<_> = crate::ui::panels::all().iter().map(|panel| panel.id()).collect();
        assert_eq!(rail, PanelId::ALL);
    }
}
