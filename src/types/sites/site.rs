//! Names for the places inside a forward pass where values can be read or changed.
//!
//! The names are the field's (TransformerLens, without its `hook_` prefix). Shapes, for one sequence: T tokens, D model
//! width, H heads, G key-value heads, K head width, S tokens attended to, F MLP width, V vocabulary.

use std::fmt;
use std::str::FromStr;

/// One place inside the forward pass of a network.
///
/// A value is changed first and noted then, so what is read at a site is what the rest of the pass goes on with. What a
/// change means where it could mean two things:
///
/// - After a change of [`Scores`](Self::Scores) the mask is laid on again: no change lets a token see the future, padding
///   or another branch of a tree.
/// - A token whose score is hidden from others still sees itself, so that every row of scores has something left.
/// - A changed [`Pattern`](Self::Pattern) is not normalised again: what one key loses no other key gains.
/// - In scores and pattern, query and key positions are chosen apart, so a token can be hidden from others.
/// - [`K`](Self::K) and [`V`](Self::V) count key-value heads: with grouped queries, one of them serves several heads.
/// - A head is changed at [`Z`](Self::Z), before the output projection mixes the heads.
/// - Positions are counted from the first token of a sequence, also when the pass reads on behind a cache. So a cache
///   belongs to the changes it was filled under, and is shared by sequences for which they are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Site {
    /// `embed`: token embeddings as they enter the residual stream, `[T, D]`; of a vision transformer, of patches alone.
    Embed,
    /// `pos_embed`: learned position embeddings, `[T, D]`; absent with rotary positions.
    PosEmbed,
    /// `rotary`: the position whose rotation the queries and keys of each token get, `[T]`; rotary positions only. Read and
    /// changed as a number, which need not be whole: 0 does not rotate.
    Rotary,
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
    /// `blocks.L.attn.scores`: scaled and capped scores before the softmax, masked entries as the lowest finite number, `[H, T, S]`.
    Scores(usize),
    /// `blocks.L.attn.pattern`: attention weights, rows sum to 1, `[H, T, S]`, row = query, column = key.
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
    /// `blocks.L.resid_post`: residual stream leaving the block, `[T, D]`; after the normalisation in BERT's kind. Of a network without
    /// attention what layer L hands on to the layer above; a change there leaves what it hands on to its own next step.
    ResidPost(usize),
    /// `ln_final`: after the last normalisation, `[T, D]`; BERT's kind has none.
    LnFinal,
    /// `pooled`: what an encoder's pooler makes of the first token, `[D]`.
    Pooled,
    /// `logits`: next-token scores, after any capping, `[T, V]`; of an encoder, scores for each masked token; of an image classifier, one
    /// score a class, `[L]`.
    Logits,
    /// `layers.L`: what leaves a hidden layer of a digit network, after its activation: `[units]` or `[maps, height, width]`,
    /// maps before they are pooled.
    Layer(usize),
}

/// What the values along one dimension of a site are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Attention heads H.
    Head,
    /// Key-value heads G.
    KvHead,
    /// Tokens T; in scores and pattern, those that look.
    Token,
    /// Tokens S that are looked at.
    Key,
    /// Anything else.
    Value,
}

impl Site {
    /// Every site that a transformer with `layers` blocks can have, in the order the forward pass meets them. Which of them an
    /// architecture has it says itself.
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
        [Self::Embed, Self::TokenTypeEmbed, Self::PosEmbed, Self::Rotary]
            .into_iter()
            .chain((0..layers).flat_map(block))
            .chain([Self::LnFinal, Self::Pooled, Self::Logits])
    }

    /// The block the site belongs to, if any.
    #[must_use]
    pub fn layer(self) -> Option<usize> {
        match self {
            Self::Embed
            | Self::TokenTypeEmbed
            | Self::PosEmbed
            | Self::Rotary
            | Self::LnFinal
            | Self::Pooled
            | Self::Logits
            | Self::Layer(_) => None,
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

    fn own_name(self) -> &'static str {
        match self {
            Self::Embed => "embed",
            Self::TokenTypeEmbed => "token_type_embed",
            Self::PosEmbed => "pos_embed",
            Self::Rotary => "rotary",
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
            Self::Layer(_) => "layers",
        }
    }

    /// What the dimensions of its values are of, for one sequence. A value with fewer of them has the last ones: the class
    /// scores of a picture are `[L]`.
    #[must_use]
    pub fn axes(self) -> &'static [Axis] {
        use Axis::{Head, Key, KvHead, Token, Value};
        match self {
            Self::Q(_) | Self::Z(_) => &[Head, Token, Value],
            Self::K(_) | Self::V(_) => &[KvHead, Token, Value],
            Self::Scores(_) | Self::Pattern(_) => &[Head, Token, Key],
            Self::Rotary => &[Token],
            Self::Pooled => &[Value],
            Self::Layer(_) => &[Value, Value, Value],
            _ => &[Token, Value],
        }
    }

    /// A number of its own for every site.
    fn index(self) -> usize {
        const WITHOUT_BLOCK: usize = 8;
        const OF_A_BLOCK: usize = 16;
        let within = match self {
            Self::Embed | Self::ResidPre(_) => 0,
            Self::TokenTypeEmbed | Self::Q(_) => 1,
            Self::PosEmbed | Self::K(_) => 2,
            Self::Rotary | Self::V(_) => 3,
            Self::LnFinal | Self::Scores(_) => 4,
            Self::Pooled | Self::Pattern(_) => 5,
            Self::Logits | Self::Z(_) => 6,
            Self::AttnProj(_) => 7,
            Self::AttnOut(_) => 8,
            Self::ResidMid(_) => 9,
            Self::MlpPre(_) => 10,
            Self::MlpPost(_) => 11,
            Self::MlpProj(_) => 12,
            Self::MlpOut(_) => 13,
            Self::ResidPost(_) => 14,
            Self::Layer(_) => 15,
        };
        match self {
            Self::Layer(l) => WITHOUT_BLOCK + OF_A_BLOCK * l + within,
            _ => self.layer().map_or(within, |l| WITHOUT_BLOCK + OF_A_BLOCK * l + within),
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.layer()) {
            (Self::Layer(layer), _) => write!(f, "{}.{layer}", self.own_name()),
            (_, Some(layer)) => write!(f, "blocks.{layer}.{}", self.own_name()),
            (_, None) => f.write_str(self.own_name()),
        }
    }
}

/// Chosen sites, asked at every site of every pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteSet {
    /// One bit for each [`Site::index`].
    bits: Vec<u64>,
}

impl SiteSet {
    /// Adds a site.
    pub fn insert(&mut self, site: Site) {
        let (word, bit) = (site.index() / 64, site.index() % 64);
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        self.bits[word] |= 1 << bit;
    }

    /// True when the site is among them.
    #[must_use]
    pub fn contains(&self, site: Site) -> bool {
        let (word, bit) = (site.index() / 64, site.index() % 64);
        self.bits.get(word).is_some_and(|bits| bits & (1 << bit) != 0)
    }

    /// True when a pass meets one of them only after it has met a site of a block.
    #[must_use]
    pub fn goes_behind(&self, site: Site) -> bool {
        let behind_the_blocks = [Site::LnFinal, Site::Pooled, Site::Logits];
        let next = site.index() + 1;
        let of_blocks = self.bits.iter().enumerate().skip(next / 64).any(|(word, bits)| {
            let skipped = if word == next / 64 { next % 64 } else { 0 };
            bits >> skipped != 0
        });
        of_blocks || behind_the_blocks.iter().any(|site| self.contains(*site))
    }

    /// True without any site.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bits.is_empty()
    }
}

impl FromIterator<Site> for SiteSet {
    fn from_iter<I: IntoIterator<Item = Site>>(sites: I) -> Self {
        let mut set = Self::default();
        sites.into_iter().for_each(|site| set.insert(site));
        set
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

    /// Which of these sites are chosen.
    #[must_use]
    pub fn choose(&self, sites: &[Site]) -> SiteSet {
        let chosen = |site: &&Site| self.patterns.iter().any(|pattern| chooses(pattern, **site));
        sites.iter().filter(chosen).copied().collect()
    }

    /// The first pattern that chooses none of these sites: most likely a slip of the pen, or a site of other architectures.
    #[must_use]
    pub fn without_match(&self, sites: &[Site]) -> Option<&str> {
        let is_idle = |pattern: &&String| !sites.iter().any(|site| chooses(pattern, *site));
        self.patterns.iter().find(is_idle).map(String::as_str)
    }
}

/// True when a name, in which `*` stands for any run of characters, is that of the site.
pub(in crate::types) fn chooses(pattern: &str, site: Site) -> bool {
    crate::types::glob::glob_matches(pattern.as_bytes(), site.to_string().as_bytes())
}

impl FromStr for SiteFilter {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let patterns = text.split(',').map(str::trim).filter(|p| !p.is_empty()).map(str::to_owned).collect();
        Ok(Self { patterns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_chooses_layers_by_star() {
        let filter: SiteFilter = "blocks.*.attn.pattern, logits".parse().unwrap();
        let sites: Vec<_> = Site::all(2).collect();
        let chosen = filter.choose(&sites);
        let names: Vec<_> = sites.iter().filter(|s| chosen.contains(**s)).map(Site::to_string).collect();
        assert_eq!(names, ["blocks.0.attn.pattern", "blocks.1.attn.pattern", "logits"]);
    }

    #[test]
    fn filter_tells_a_name_that_chooses_nothing() {
        let filter: SiteFilter = "logits,blocks.7.attn.q".parse().unwrap();
        assert_eq!(filter.without_match(&Site::all(2).collect::<Vec<_>>()), Some("blocks.7.attn.q"));
        assert_eq!(filter.without_match(&Site::all(8).collect::<Vec<_>>()), None);
    }

    #[test]
    fn every_site_is_told_from_every_other() {
        let sites: Vec<_> = Site::all(70).chain((0..5).map(Site::Layer)).collect();
        let indices: std::collections::BTreeSet<_> = sites.iter().map(|site| site.index()).collect();
        // A network has blocks or layers, never both.
        assert_eq!(indices.len(), sites.len());
        let one = SiteSet::from_iter([Site::Z(66)]);
        assert_eq!(sites.iter().filter(|site| one.contains(**site)).collect::<Vec<_>>(), [&Site::Z(66)]);
    }
}
