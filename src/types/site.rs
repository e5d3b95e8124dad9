//! Names for the places inside a forward pass where values can be read or changed.
//!
//! The names are the field's (TransformerLens, without its `hook_` prefix). Shapes, for one sequence: T tokens, D model
//! width, H heads, G key-value heads, K head width, F MLP width, V vocabulary.

use super::Capture;
use std::fmt;
use std::str::FromStr;

/// One place inside the forward pass of a transformer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Site {
    /// `embed`: token embeddings as they enter the residual stream, `[T, D]`.
    Embed,
    /// `pos_embed`: learned position embeddings, `[T, D]`; absent with rotary positions.
    PosEmbed,
    /// `token_type_embed`: embeddings of the token types (first or second sentence), `[T, D]`; BERT and RoBERTa only.
    TokenTypeEmbed,
    /// `blocks.L.resid_pre`: residual stream entering the block, `[T, D]`.
    ResidPre(usize),
    /// `blocks.L.attn.q`: queries, after rotary positions where the model has them, `[H, T, K]`.
    Q(usize),
    /// `blocks.L.attn.k`: keys, after rotary positions where the model has them, `[G, T, K]`.
    K(usize),
    /// `blocks.L.attn.v`: values, `[G, T, K]`.
    V(usize),
    /// `blocks.L.attn.scores`: scaled scores before the softmax, masked entries at −∞ written as the lowest finite number, `[H, T, T]`.
    Scores(usize),
    /// `blocks.L.attn.pattern`: attention weights, rows sum to 1, `[H, T, T]`, row = query, column = key.
    Pattern(usize),
    /// `blocks.L.attn.z`: weighted values per head, before the output projection, `[H, T, K]`.
    Z(usize),
    /// `blocks.L.attn.proj`: after the output projection, `[T, D]`; only where a normalisation follows before `attn_out`.
    AttnProj(usize),
    /// `blocks.L.attn_out`: what attention adds to the residual stream, `[T, D]`.
    AttnOut(usize),
    /// `blocks.L.resid_mid`: residual stream between attention and MLP, `[T, D]`; absent where both read the same stream. In
    /// BERT's kind, which normalises after each half, what came out of the normalisation.
    ResidMid(usize),
    /// `blocks.L.mlp.pre`: MLP hidden values before the activation (of the gate, where there is one), `[T, F]`.
    MlpPre(usize),
    /// `blocks.L.mlp.post`: MLP hidden values that enter the output projection, `[T, F]`.
    MlpPost(usize),
    /// `blocks.L.mlp.proj`: after the output projection, `[T, D]`; only where a normalisation follows before `mlp_out`.
    MlpProj(usize),
    /// `blocks.L.mlp_out`: what the MLP adds to the residual stream, `[T, D]`.
    MlpOut(usize),
    /// `blocks.L.resid_post`: residual stream leaving the block, `[T, D]`; after the normalisation in BERT's kind.
    ResidPost(usize),
    /// `ln_final`: after the last normalisation, `[T, D]`; BERT's kind has none.
    LnFinal,
    /// `pooled`: what an encoder's pooler makes of the first token, `[D]`.
    Pooled,
    /// `logits`: next-token scores, after any capping, `[T, V]`; of an encoder, scores for each masked token; of an image classifier, one
    /// score a class, `[L]`.
    Logits,
}

impl Site {
    /// Every site of a model with `layers` blocks, in the order the forward pass meets them.
    pub fn all(layers: usize) -> impl Iterator<Item = Self> {
        let block = |l| {
            [
                Self::ResidPre(l),
                Self::Q(l),
                Self::K(l),
                Self::V(l),
                Self::Scores(l),
                Self::Pattern(l),
                Self::Z(l),
                Self::AttnProj(l),
                Self::AttnOut(l),
                Self::ResidMid(l),
                Self::MlpPre(l),
                Self::MlpPost(l),
                Self::MlpProj(l),
                Self::MlpOut(l),
                Self::ResidPost(l),
            ]
        };
        [Self::Embed, Self::TokenTypeEmbed, Self::PosEmbed].into_iter().chain((0..layers).flat_map(block)).chain([
            Self::LnFinal,
            Self::Pooled,
            Self::Logits,
        ])
    }

    /// The block the site belongs to, if any.
    #[must_use]
    pub fn layer(self) -> Option<usize> {
        match self {
            Self::Embed | Self::TokenTypeEmbed | Self::PosEmbed | Self::LnFinal | Self::Pooled | Self::Logits => None,
            Self::ResidPre(l)
            | Self::Q(l)
            | Self::K(l)
            | Self::V(l)
            | Self::Scores(l)
            | Self::Pattern(l)
            | Self::Z(l)
            | Self::AttnProj(l)
            | Self::AttnOut(l)
            | Self::ResidMid(l)
            | Self::MlpPre(l)
            | Self::MlpPost(l)
            | Self::MlpProj(l)
            | Self::MlpOut(l)
            | Self::ResidPost(l) => Some(l),
        }
    }

    fn within_block(self) -> &'static str {
        match self {
            Self::Embed => "embed",
            Self::TokenTypeEmbed => "token_type_embed",
            Self::PosEmbed => "pos_embed",
            Self::ResidPre(_) => "resid_pre",
            Self::Q(_) => "attn.q",
            Self::K(_) => "attn.k",
            Self::V(_) => "attn.v",
            Self::Scores(_) => "attn.scores",
            Self::Pattern(_) => "attn.pattern",
            Self::Z(_) => "attn.z",
            Self::AttnProj(_) => "attn.proj",
            Self::AttnOut(_) => "attn_out",
            Self::ResidMid(_) => "resid_mid",
            Self::MlpPre(_) => "mlp.pre",
            Self::MlpPost(_) => "mlp.post",
            Self::MlpProj(_) => "mlp.proj",
            Self::MlpOut(_) => "mlp_out",
            Self::ResidPost(_) => "resid_post",
            Self::LnFinal => "ln_final",
            Self::Pooled => "pooled",
            Self::Logits => "logits",
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.layer() {
            Some(layer) => write!(f, "blocks.{layer}.{}", self.within_block()),
            None => f.write_str(self.within_block()),
        }
    }
}

/// A choice of sites: names separated by commas, `*` standing for any run of characters.
///
/// `blocks.*.attn.pattern,logits` chooses every attention pattern and the logits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteFilter {
    patterns: Vec<String>,
}

impl SiteFilter {
    /// The attention patterns of every layer.
    #[must_use]
    pub fn patterns() -> Self {
        Self { patterns: vec!["blocks.*.attn.pattern".to_owned()] }
    }

    /// True when the filter chooses this site.
    #[must_use]
    pub fn matches(&self, site: Site) -> bool {
        let name = site.to_string();
        self.patterns.iter().any(|p| glob_matches(p.as_bytes(), name.as_bytes()))
    }

    /// The first pattern that chooses no site of a model with `layers` blocks: most likely a slip of the pen.
    #[must_use]
    pub fn without_match(&self, layers: usize) -> Option<&str> {
        self.patterns
            .iter()
            .find(|p| !Site::all(layers).any(|s| glob_matches(p.as_bytes(), s.to_string().as_bytes())))
            .map(String::as_str)
    }

    /// The first pattern that chooses none of the values that were captured: a site other architectures have.
    #[must_use]
    pub fn without_capture<'a>(&'a self, captures: &[Capture]) -> Option<&'a str> {
        let names = || captures.iter().map(|capture| capture.site.as_bytes());
        self.patterns.iter().find(|p| !names().any(|name| glob_matches(p.as_bytes(), name))).map(String::as_str)
    }
}

impl FromStr for SiteFilter {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let patterns = text.split(',').map(str::trim).filter(|p| !p.is_empty()).map(str::to_owned).collect();
        Ok(Self { patterns })
    }
}

fn glob_matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.first(), name.first()) {
        (None, None) => true,
        (Some(b'*'), _) => glob_matches(&pattern[1..], name) || (!name.is_empty() && glob_matches(pattern, &name[1..])),
        (Some(p), Some(n)) if p == n => glob_matches(&pattern[1..], &name[1..]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_chooses_layers_by_star() {
        let filter: SiteFilter = "blocks.*.attn.pattern, logits".parse().unwrap();
        let chosen: Vec<_> = Site::all(2).filter(|s| filter.matches(*s)).map(|s| s.to_string()).collect();
        assert_eq!(chosen, ["blocks.0.attn.pattern", "blocks.1.attn.pattern", "logits"]);
    }

    #[test]
    fn filter_tells_a_name_that_chooses_nothing() {
        let filter: SiteFilter = "logits,blocks.7.attn.q".parse().unwrap();
        assert_eq!(filter.without_match(2), Some("blocks.7.attn.q"));
        assert_eq!(filter.without_match(8), None);
    }
}
