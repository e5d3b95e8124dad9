//! What the numbers of a step are called in a file.

use crate::types::{StepKind, StepsReport};

impl StepsReport {
    /// The name of a step's numbers: as their site is called, with `key.` before what is of the chosen key's token and `classes.`
    /// before what the heads of an image classifier read. What the model's own layers make of captured values has a name made in
    /// the same way.
    #[must_use]
    pub fn name_of(&self, kind: StepKind) -> String {
        let (layer, last) = (self.layer, self.layers.saturating_sub(1));
        match place(kind) {
            Place::Outside(name) => name.to_owned(),
            Place::First(name) => format!("blocks.0.{name}"),
            Place::Block(name) => format!("blocks.{layer}.{name}"),
            Place::KeyBlock(name) => format!("key.blocks.{layer}.{name}"),
            Place::LastBlock(name) => format!("blocks.{last}.{name}"),
        }
    }
}

/// Where a step is, and what it is called there.
enum Place {
    Outside(&'static str),
    First(&'static str),
    Block(&'static str),
    KeyBlock(&'static str),
    LastBlock(&'static str),
}

fn place(kind: StepKind) -> Place {
    use Place::{Block, First, KeyBlock, LastBlock, Outside};
    match kind {
        StepKind::Pixels => Outside("pixels"),
        StepKind::Embed => Outside("embed"),
        StepKind::TokenType => Outside("token_type_embed"),
        StepKind::Position => Outside("pos_embed"),
        StepKind::EmbedSum => Outside("embed_sum"),
        StepKind::Entered => First("resid_pre"),
        StepKind::Stream => Block("resid_pre"),
        StepKind::NormAttn => Block("attn.norm"),
        StepKind::QueryProjected => Block("attn.q_proj"),
        StepKind::QueryNormed => Block("attn.q_norm"),
        StepKind::Query => Block("attn.q"),
        StepKind::KeyStream => KeyBlock("resid_pre"),
        StepKind::KeyNormAttn => KeyBlock("attn.norm"),
        StepKind::KeyProjected => KeyBlock("attn.k_proj"),
        StepKind::KeyNormed => KeyBlock("attn.k_norm"),
        StepKind::Key => KeyBlock("attn.k"),
        StepKind::Value => KeyBlock("attn.v"),
        StepKind::Product => Block("attn.product"),
        StepKind::Scaled => Block("attn.scaled"),
        StepKind::Capped => Block("attn.capped"),
        StepKind::Scores => Block("attn.scores"),
        StepKind::Pattern => Block("attn.pattern"),
        StepKind::Weighted => Block("attn.z"),
        StepKind::HeadOutput => Block("attn.head_out"),
        StepKind::AttnProj => Block("attn.proj"),
        StepKind::AttnOut => Block("attn_out"),
        StepKind::AttnSum => Block("attn_sum"),
        StepKind::Mid => Block("resid_mid"),
        StepKind::NormMlp => Block("mlp.norm"),
        StepKind::MlpPre => Block("mlp.pre"),
        StepKind::MlpUp => Block("mlp.up"),
        StepKind::MlpPost => Block("mlp.post"),
        StepKind::MlpProj => Block("mlp.proj"),
        StepKind::MlpOut => Block("mlp_out"),
        StepKind::MlpSum => Block("mlp_sum"),
        StepKind::Post => Block("resid_post"),
        StepKind::Last => LastBlock("resid_post"),
        StepKind::LnFinal => Outside("ln_final"),
        StepKind::HeadDense => Outside("head.dense"),
        StepKind::HeadActivated => Outside("head.activated"),
        StepKind::HeadNorm => Outside("head.norm"),
        StepKind::ClassInput => Outside("classes.ln_final"),
        StepKind::Logits => Outside("logits"),
    }
}
