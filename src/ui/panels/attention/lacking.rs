//! What the panel says of a network without attention.

use crate::types::Ability;
use crate::ui::Cx;

/// What is said where the model in use is a network without attention.
pub(super) fn words(cx: &Cx<'_>) -> Option<String> {
    let info = &cx.state.active(Ability::Prompt)?.info;
    let layers = info.shape.without_attention()?;
    let how = match layers.sees {
        Some(tokens) => format!("It predicts a token from the {tokens} before it"),
        None => "It hands a state from token to token".to_owned(),
    };
    Some(format!(
        "{} is no transformer ({}). {how}, and no token looks at another. Open a transformer to look at heads; how far this one \
         remembers, fovea memory and fovea forget tell on the command line.",
        info.name,
        info.architecture.family()
    ))
}
