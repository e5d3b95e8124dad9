//! The tensors of ViT and DeiT by their names in the file.

use crate::load::adapter::{Matrix, MatrixKind};
use crate::load::encoder::encoder_weights::{read_linear, read_pooler, read_stacked};
use crate::load::error::LoadError;
use crate::load::tensors::weights::{StoredTensor, Weights};
use crate::load::text::gpt2_weights::write_norm;
use crate::load::text::llama_weights::write_linear;
use crate::load::vision::vision_config::{VisionHead, VisionSettings};
use crate::nn::{LayerNorm, Linear, Vit, VitBlock, VitConfig};
use burn::module::Param;
use burn::tensor::Tensor;

pub(in crate::load) fn read(settings: &VisionSettings, weights: &mut Weights<'_>) -> Result<Vit, LoadError> {
    let config = &settings.config;
    let (d, u, p) = (config.hidden, config.channels, config.patch);
    let prefix = weights.prefix(if config.distillation { "deit." } else { "vit." });
    let special = read_special(&format!("{prefix}embeddings"), config, weights)?;
    let positions = weights.tensor(&format!("{prefix}embeddings.position_embeddings"), [1, config.tokens(), d])?;
    let blocks = (0..config.layers).map(|layer| read_block(&format!("{prefix}encoder.layer.{layer}"), config, weights));
    let blocks = blocks.collect::<Result<_, _>>()?;
    let projection = format!("{prefix}embeddings.patch_embeddings.projection");
    let kernel: Tensor<4> = weights.tensor(&format!("{projection}.weight"), [d, u, p, p])?;
    let bias = weights.tensor(&format!("{projection}.bias"), [d])?;
    let classes = settings.labels.len();
    let names = head_names(match settings.head {
        VisionHead::None => 0,
        VisionHead::Classifier => 1,
        VisionHead::WithTeacher => 2,
    });
    let heads = names.iter().map(|name| read_linear(name, [classes, d], weights)).collect::<Result<_, _>>()?;
    Ok(Vit {
        patch_embedding: Linear::new(kernel.reshape([d, u * p * p]), Some(bias)),
        special: Param::from_tensor(special),
        position_embedding: Param::from_tensor(positions.squeeze_dim::<2>(0)),
        blocks,
        ln_final: read_norm(&format!("{prefix}layernorm"), config, weights)?,
        pooler: read_pooler(&format!("{prefix}pooler.dense"), d, weights)?,
        heads,
        patch: p,
    })
}

/// The first token's vector, and the distillation token's where there is one, `[S, D]`.
fn read_special(name: &str, config: &VitConfig, weights: &mut Weights<'_>) -> Result<Tensor<2>, LoadError> {
    let mut one = |token: &str| weights.tensor(&format!("{name}.{token}"), [1, 1, config.hidden]);
    let mut tokens: Vec<Tensor<3>> = vec![one("cls_token")?];
    if config.distillation {
        tokens.push(one("distillation_token")?);
    }
    Ok(Tensor::cat(tokens, 1).squeeze_dim(0))
}

fn read_block(name: &str, config: &VitConfig, weights: &mut Weights<'_>) -> Result<VitBlock, LoadError> {
    let (d, f) = (config.hidden, config.intermediate);
    let qkv = ["query", "key", "value"].map(|part| format!("{name}.attention.attention.{part}"));
    let qkv = if config.qkv_bias {
        read_stacked(&qkv, [d, d], weights)?
    } else {
        Linear::new(weights.stacked(&qkv.map(|part| (format!("{part}.weight"), d)), d)?, None)
    };
    Ok(VitBlock {
        ln_attn: read_norm(&format!("{name}.layernorm_before"), config, weights)?,
        qkv,
        attn_out: read_linear(&format!("{name}.attention.output.dense"), [d, d], weights)?,
        ln_mlp: read_norm(&format!("{name}.layernorm_after"), config, weights)?,
        mlp_in: read_linear(&format!("{name}.intermediate.dense"), [f, d], weights)?,
        mlp_out: read_linear(&format!("{name}.output.dense"), [d, f], weights)?,
        heads: config.heads,
    })
}

fn read_norm(name: &str, config: &VitConfig, weights: &mut Weights<'_>) -> Result<LayerNorm, LoadError> {
    let gain = weights.tensor(&format!("{name}.weight"), [config.hidden])?;
    Ok(LayerNorm::new(gain, weights.tensor(&format!("{name}.bias"), [config.hidden])?, config.epsilon))
}

/// Names of so many heads.
fn head_names(heads: usize) -> &'static [&'static str] {
    match heads {
        0 => &[],
        1 => &["classifier"],
        _ => &["cls_classifier", "distillation_classifier"],
    }
}

/// Every tensor under its name in the file, with the prefix that it has below a head. A pooler has no place there.
pub(in crate::load) fn write(vit: &Vit, config: &VitConfig) -> Vec<(String, StoredTensor)> {
    let (d, u, p) = (config.hidden, config.channels, config.patch);
    let prefix = if config.distillation { "deit" } else { "vit" };
    let embedding = |name: &str| format!("{prefix}.embeddings.{name}");
    let special = vit.special.val().unsqueeze::<3>(); // [1, S, D]
    let mut tensors = vec![(embedding("cls_token"), StoredTensor::of(special.clone().narrow(1, 0, 1)))];
    if config.distillation {
        tensors.push((embedding("distillation_token"), StoredTensor::of(special.narrow(1, 1, 1))));
    }
    let positions = vit.position_embedding.val().unsqueeze::<3>();
    tensors.push((embedding("position_embeddings"), StoredTensor::of(positions)));
    let projection = embedding("patch_embeddings.projection");
    let kernel = vit.patch_embedding.weight.val().reshape([d, u, p, p]);
    tensors.push((format!("{projection}.weight"), StoredTensor::of(kernel)));
    tensors.extend(
        vit.patch_embedding.bias.as_ref().map(|bias| (format!("{projection}.bias"), StoredTensor::of(bias.val()))),
    );
    for (layer, block) in vit.blocks.iter().enumerate() {
        let name = |part: &str| format!("{prefix}.encoder.layer.{layer}.{part}");
        let qkv = ["query", "key", "value"].map(|part| (name(&format!("attention.attention.{part}")), d));
        write_norm(&mut tensors, &name("layernorm_before"), &block.ln_attn);
        write_linear(&mut tensors, &qkv, &block.qkv);
        write_linear(&mut tensors, &[(name("attention.output.dense"), d)], &block.attn_out);
        write_norm(&mut tensors, &name("layernorm_after"), &block.ln_mlp);
        write_linear(&mut tensors, &[(name("intermediate.dense"), config.intermediate)], &block.mlp_in);
        write_linear(&mut tensors, &[(name("output.dense"), d)], &block.mlp_out);
    }
    write_norm(&mut tensors, &format!("{prefix}.layernorm"), &vit.ln_final);
    for (name, head) in head_names(vit.heads.len()).iter().zip(&vit.heads) {
        write_linear(&mut tensors, &[((*name).to_owned(), head.weight.dims()[0])], head);
    }
    tensors
}

/// The vector that hides a patch in pre-training changes nothing.
pub(in crate::load) fn is_harmless(name: &str) -> bool {
    name.ends_with("embeddings.mask_token")
}

/// What stands before the names of a network below its heads.
pub(in crate::load) fn prefix(vit: &Vit) -> &'static str {
    if vit.special.dims()[0] > 1 { "deit." } else { "vit." }
}

/// Every matrix under its module's name, as files have it. The patches are a convolution in transformers, and none of these.
pub(in crate::load) fn matrices(vit: &mut Vit) -> Vec<Matrix<'_>> {
    let (prefix, names) = (prefix(vit), head_names(vit.heads.len()));
    let mut found = Vec::new();
    for (layer, block) in vit.blocks.iter_mut().enumerate() {
        let name = |part: &str| format!("{prefix}encoder.layer.{layer}.{part}");
        let rows = block.qkv.weight.dims()[0] / 3;
        let qkv = ["query", "key", "value"].map(|part| (name(&format!("attention.attention.{part}")), rows));
        found.push(Matrix::of(qkv, &mut block.qkv));
        found.push(Matrix::linear(name("attention.output.dense"), &mut block.attn_out));
        found.push(Matrix::linear(name("intermediate.dense"), &mut block.mlp_in));
        found.push(Matrix::linear(name("output.dense"), &mut block.mlp_out));
    }
    if names.is_empty() {
        found.extend(vit.pooler.as_mut().map(|pooler| Matrix::linear(format!("{prefix}pooler.dense"), pooler)));
    }
    let heads = names.iter().zip(&mut vit.heads);
    found.extend(
        heads.map(|(name, head)| Matrix { kind: MatrixKind::Classes, ..Matrix::linear((*name).to_owned(), head) }),
    );
    found
}

/// What transformers since version 5 calls a module of a block: its files keep the names of before, and adapters do not.
pub(in crate::load) fn later_name(module: &str) -> Option<String> {
    let (front, rest) = module.split_once("encoder.layer.")?;
    let (layer, part) = rest.split_once('.')?;
    let part = match part {
        "attention.attention.query" => "attention.q_proj",
        "attention.attention.key" => "attention.k_proj",
        "attention.attention.value" => "attention.v_proj",
        "attention.output.dense" => "attention.o_proj",
        "intermediate.dense" => "mlp.fc1",
        "output.dense" => "mlp.fc2",
        _ => return None,
    };
    Some(format!("{front}layers.{layer}.{part}"))
}
