//! The tensors of BERT, RoBERTa and DistilBERT by their names in the file.
//!
//! The file holds queries, keys and values apart; the model holds them as one matrix.

use crate::load::adapter::{Matrix, MatrixKind};
use crate::load::error::LoadError;
use crate::load::tensors::weights::{StoredTensor, Weights};
use crate::load::text::gpt2_weights::write_norm;
use crate::load::text::llama_weights::write_linear;
use crate::nn::{
    Bert, BertConfig, DistilBert, DistilBertConfig, EncoderBlock, EncoderConfig, EncoderShape, LayerNorm, Linear,
    MaskedLmHead, Roberta, RobertaConfig, TextEncoder, Weight,
};
use burn::module::Param;
use burn::tensor::Tensor;

/// Names of the tensors of one block, within it.
struct BlockNames {
    qkv: [&'static str; 3],
    attn_out: &'static str,
    ln_attn: &'static str,
    mlp_in: &'static str,
    mlp_out: &'static str,
    ln_mlp: &'static str,
}

const BERT_BLOCK: BlockNames = BlockNames {
    qkv: ["attention.self.query", "attention.self.key", "attention.self.value"],
    attn_out: "attention.output.dense",
    ln_attn: "attention.output.LayerNorm",
    mlp_in: "intermediate.dense",
    mlp_out: "output.dense",
    ln_mlp: "output.LayerNorm",
};

const DISTILBERT_BLOCK: BlockNames = BlockNames {
    qkv: ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
    attn_out: "attention.out_lin",
    ln_attn: "sa_layer_norm",
    mlp_in: "ffn.lin1",
    mlp_out: "ffn.lin2",
    ln_mlp: "output_layer_norm",
};

/// Names of the tensors of the masked-language-model head. The bias is stored under either of two names; where
/// both are there, the first is what is added.
struct HeadNames {
    dense: &'static str,
    norm: &'static str,
    decoder: &'static str,
    biases: [&'static str; 2],
}

const BERT_HEAD: HeadNames = HeadNames {
    dense: "cls.predictions.transform.dense",
    norm: "cls.predictions.transform.LayerNorm",
    decoder: "cls.predictions.decoder.weight",
    biases: ["cls.predictions.decoder.bias", "cls.predictions.bias"],
};

const ROBERTA_HEAD: HeadNames = HeadNames {
    dense: "lm_head.dense",
    norm: "lm_head.layer_norm",
    decoder: "lm_head.decoder.weight",
    biases: ["lm_head.decoder.bias", "lm_head.bias"],
};

const DISTILBERT_HEAD: HeadNames = HeadNames {
    dense: "vocab_transform",
    norm: "vocab_layer_norm",
    decoder: "vocab_projector.weight",
    biases: ["vocab_projector.bias", "vocab_projector.bias"],
};

/// Reads an encoder. A head that the file holds is read; `masked_lm` says that it must be there.
pub(in crate::load) fn read(
    config: &EncoderConfig,
    masked_lm: bool,
    weights: &mut Weights<'_>,
) -> Result<TextEncoder, LoadError> {
    Ok(match config {
        EncoderConfig::Bert(config) => TextEncoder::Bert(read_bert(config, masked_lm, weights)?),
        EncoderConfig::Roberta(config) => TextEncoder::Roberta(read_roberta(config, masked_lm, weights)?),
        EncoderConfig::DistilBert(config) => TextEncoder::DistilBert(read_distilbert(config, masked_lm, weights)?),
    })
}

fn read_bert(config: &BertConfig, masked_lm: bool, weights: &mut Weights<'_>) -> Result<Bert, LoadError> {
    let (shape, prefix) = (&config.shape, weights.prefix("bert."));
    let (tokens, positions) = read_tables(prefix, shape, weights)?;
    let types = format!("{prefix}embeddings.token_type_embeddings.weight");
    Ok(Bert {
        token_embedding: tokens,
        position_embedding: positions,
        type_embedding: Param::from_tensor(weights.tensor(&types, [config.token_types, shape.hidden])?),
        ln_embed: read_norm(&format!("{prefix}embeddings.LayerNorm"), shape, weights)?,
        blocks: read_blocks(&format!("{prefix}encoder.layer"), &BERT_BLOCK, shape, weights)?,
        pooler: read_pooler(&format!("{prefix}pooler.dense"), shape.hidden, weights)?,
        head: read_head(&BERT_HEAD, &format!("{prefix}embeddings.word_embeddings.weight"), shape, masked_lm, weights)?,
    })
}

fn read_roberta(config: &RobertaConfig, masked_lm: bool, weights: &mut Weights<'_>) -> Result<Roberta, LoadError> {
    let (shape, prefix) = (&config.shape, weights.prefix("roberta."));
    let (tokens, positions) = read_tables(prefix, shape, weights)?;
    let types = format!("{prefix}embeddings.token_type_embeddings.weight");
    Ok(Roberta {
        token_embedding: tokens,
        position_embedding: positions,
        type_embedding: Param::from_tensor(weights.tensor(&types, [config.token_types, shape.hidden])?),
        ln_embed: read_norm(&format!("{prefix}embeddings.LayerNorm"), shape, weights)?,
        blocks: read_blocks(&format!("{prefix}encoder.layer"), &BERT_BLOCK, shape, weights)?,
        pooler: read_pooler(&format!("{prefix}pooler.dense"), shape.hidden, weights)?,
        head: read_head(
            &ROBERTA_HEAD,
            &format!("{prefix}embeddings.word_embeddings.weight"),
            shape,
            masked_lm,
            weights,
        )?,
        padding_id: config.padding_id,
    })
}

fn read_distilbert(
    config: &DistilBertConfig,
    masked_lm: bool,
    weights: &mut Weights<'_>,
) -> Result<DistilBert, LoadError> {
    let (shape, prefix) = (&config.shape, weights.prefix("distilbert."));
    let (tokens, positions) = read_tables(prefix, shape, weights)?;
    Ok(DistilBert {
        token_embedding: tokens,
        position_embedding: positions,
        ln_embed: read_norm(&format!("{prefix}embeddings.LayerNorm"), shape, weights)?,
        blocks: read_blocks(&format!("{prefix}transformer.layer"), &DISTILBERT_BLOCK, shape, weights)?,
        head: read_head(
            &DISTILBERT_HEAD,
            &format!("{prefix}embeddings.word_embeddings.weight"),
            shape,
            masked_lm,
            weights,
        )?,
    })
}

/// The embeddings of tokens and of positions.
fn read_tables(
    prefix: &str,
    shape: &EncoderShape,
    weights: &mut Weights<'_>,
) -> Result<(Weight, Param<Tensor<2>>), LoadError> {
    let name = |table: &str| format!("{prefix}embeddings.{table}.weight");
    let tokens = weights.matrix(&name("word_embeddings"), [shape.vocabulary, shape.hidden])?;
    let positions = weights.tensor(&name("position_embeddings"), [shape.positions, shape.hidden])?;
    Ok((tokens, Param::from_tensor(positions)))
}

fn read_blocks(
    prefix: &str,
    names: &BlockNames,
    shape: &EncoderShape,
    weights: &mut Weights<'_>,
) -> Result<Vec<EncoderBlock>, LoadError> {
    let (d, f) = (shape.hidden, shape.intermediate);
    let block = |layer: usize| {
        let name = |part: &str| format!("{prefix}.{layer}.{part}");
        Ok(EncoderBlock {
            qkv: read_stacked(&names.qkv.map(&name), [d, d], weights)?,
            attn_out: read_linear(&name(names.attn_out), [d, d], weights)?,
            ln_attn: read_norm(&name(names.ln_attn), shape, weights)?,
            mlp_in: read_linear(&name(names.mlp_in), [f, d], weights)?,
            mlp_out: read_linear(&name(names.mlp_out), [d, f], weights)?,
            ln_mlp: read_norm(&name(names.ln_mlp), shape, weights)?,
            heads: shape.heads,
        })
    };
    (0..shape.layers).map(block).collect()
}

fn read_head(
    names: &HeadNames,
    embedding: &str,
    shape: &EncoderShape,
    must_be_there: bool,
    weights: &mut Weights<'_>,
) -> Result<Option<MaskedLmHead>, LoadError> {
    let (v, d) = (shape.vocabulary, shape.hidden);
    if !must_be_there && !weights.has(&format!("{}.weight", names.dense)) {
        return Ok(None);
    }
    // A decoder that differs from the embedding counts, whatever config.json says.
    let tied = shape.tied && (!weights.has(names.decoder) || weights.same(names.decoder, embedding)?);
    let decoder = if tied { None } else { Some(weights.matrix(names.decoder, [v, d])?) };
    let bias = names.biases.into_iter().find(|name| weights.has(name)).unwrap_or(names.biases[0]);
    Ok(Some(MaskedLmHead {
        dense: read_linear(names.dense, [d, d], weights)?,
        norm: read_norm(names.norm, shape, weights)?,
        decoder,
        bias: Param::from_tensor(weights.tensor(bias, [v])?),
    }))
}

/// The pooler, if the file has one: a square projection.
pub(in crate::load) fn read_pooler(
    name: &str,
    width: usize,
    weights: &mut Weights<'_>,
) -> Result<Option<Linear>, LoadError> {
    if !weights.has(&format!("{name}.weight")) {
        return Ok(None);
    }
    read_linear(name, [width, width], weights).map(Some)
}

/// A projection with its bias, `[out, in]`.
pub(in crate::load) fn read_linear(
    name: &str,
    [outputs, inputs]: [usize; 2],
    weights: &mut Weights<'_>,
) -> Result<Linear, LoadError> {
    read_stacked(&[name.to_owned()], [outputs, inputs], weights)
}

/// Several projections `[out, in]` under each other, with their biases.
pub(in crate::load) fn read_stacked(
    names: &[String],
    [outputs, inputs]: [usize; 2],
    weights: &mut Weights<'_>,
) -> Result<Linear, LoadError> {
    let parts = |kind: &str| names.iter().map(|name| (format!("{name}.{kind}"), outputs)).collect::<Vec<_>>();
    let weight = weights.stacked(&parts("weight"), inputs)?;
    Ok(Linear::new(weight, Some(weights.joined(&parts("bias"))?)))
}

fn read_norm(name: &str, shape: &EncoderShape, weights: &mut Weights<'_>) -> Result<LayerNorm, LoadError> {
    let gain = weights.tensor(&format!("{name}.weight"), [shape.hidden])?;
    let bias = weights.tensor(&format!("{name}.bias"), [shape.hidden])?;
    Ok(LayerNorm::new(gain, bias, shape.epsilon))
}

/// Every tensor of a body under its name in the file, with the prefix that it has below a head; heads for masked tokens have no place
/// there.
pub(in crate::load) fn write(encoder: &TextEncoder) -> Vec<(String, StoredTensor)> {
    let (prefix, layers, names) = match encoder {
        TextEncoder::Bert(_) => ("bert", "encoder.layer", &BERT_BLOCK),
        TextEncoder::Roberta(_) => ("roberta", "encoder.layer", &BERT_BLOCK),
        TextEncoder::DistilBert(_) => ("distilbert", "transformer.layer", &DISTILBERT_BLOCK),
    };
    let (tokens, positions, types, norm, blocks, pooler) = match encoder {
        TextEncoder::Bert(bert) => {
            let tables = (&bert.token_embedding, &bert.position_embedding, Some(&bert.type_embedding));
            (tables.0, tables.1, tables.2, &bert.ln_embed, &bert.blocks, bert.pooler.as_ref())
        }
        TextEncoder::Roberta(roberta) => {
            let tables = (&roberta.token_embedding, &roberta.position_embedding, Some(&roberta.type_embedding));
            // A classifier reads the first token itself, and transformers' has no pooler.
            (tables.0, tables.1, tables.2, &roberta.ln_embed, &roberta.blocks, None)
        }
        TextEncoder::DistilBert(bert) => {
            (&bert.token_embedding, &bert.position_embedding, None, &bert.ln_embed, &bert.blocks, None)
        }
    };
    let table = |name: &str| format!("{prefix}.embeddings.{name}.weight");
    let mut tensors = vec![
        (table("word_embeddings"), StoredTensor::of(tokens.val())),
        (table("position_embeddings"), StoredTensor::of(positions.val())),
    ];
    tensors.extend(types.map(|types| (table("token_type_embeddings"), StoredTensor::of(types.val()))));
    write_norm(&mut tensors, &format!("{prefix}.embeddings.LayerNorm"), norm);
    for (layer, block) in blocks.iter().enumerate() {
        let name = |part: &str| format!("{prefix}.{layers}.{layer}.{part}");
        let [rows, d] = block.qkv.weight.dims();
        write_linear(&mut tensors, &names.qkv.map(|part| (name(part), rows / 3)), &block.qkv);
        write_linear(&mut tensors, &[(name(names.attn_out), d)], &block.attn_out);
        write_norm(&mut tensors, &name(names.ln_attn), &block.ln_attn);
        write_linear(&mut tensors, &[(name(names.mlp_in), block.mlp_in.weight.dims()[0])], &block.mlp_in);
        write_linear(&mut tensors, &[(name(names.mlp_out), d)], &block.mlp_out);
        write_norm(&mut tensors, &name(names.ln_mlp), &block.ln_mlp);
    }
    if let Some(pooler) = pooler {
        write_linear(&mut tensors, &[(format!("{prefix}.pooler.dense"), pooler.weight.dims()[0])], pooler);
    }
    tensors
}

/// Every tensor under its name in the file, a pooler and the head for masked tokens included. Without that head names have no prefix, as
/// those of bare encoders have none.
pub(in crate::load) fn write_whole(encoder: &TextEncoder) -> Vec<(String, StoredTensor)> {
    let mut tensors = write(encoder);
    let (prefix, names, pooler) = match encoder {
        TextEncoder::Bert(_) => ("bert.", &BERT_HEAD, None),
        TextEncoder::Roberta(roberta) => ("roberta.", &ROBERTA_HEAD, roberta.pooler.as_ref()),
        TextEncoder::DistilBert(_) => ("distilbert.", &DISTILBERT_HEAD, None),
    };
    if let Some(pooler) = pooler {
        write_linear(&mut tensors, &[(format!("{prefix}pooler.dense"), pooler.weight.dims()[0])], pooler);
    }
    let Some(MaskedLmHead { dense, norm, decoder, bias }) = encoder.head() else {
        let bare = |name: String| name.strip_prefix(prefix).map_or(name.clone(), str::to_owned);
        return tensors.into_iter().map(|(name, tensor)| (bare(name), tensor)).collect();
    };
    write_linear(&mut tensors, &[(names.dense.to_owned(), dense.weight.dims()[0])], dense);
    write_norm(&mut tensors, names.norm, norm);
    tensors.extend(decoder.as_ref().map(|decoder| (names.decoder.to_owned(), StoredTensor::of(decoder.val()))));
    // transformers looks for the second name, and ties the first to it.
    tensors.push((names.biases[1].to_owned(), StoredTensor::of(bias.val())));
    tensors
}

/// Tensors that change nothing: counted positions, a decoder that is the embedding again, a bias stored twice, and the head
/// of BERT's second task, whether one sentence follows another.
pub(in crate::load) fn is_harmless(name: &str, tied: bool) -> bool {
    const HEADS: [&HeadNames; 3] = [&BERT_HEAD, &ROBERTA_HEAD, &DISTILBERT_HEAD];
    name.ends_with("embeddings.position_ids")
        || name.ends_with("embeddings.token_type_ids")
        || name.starts_with("cls.seq_relationship.")
        || HEADS.iter().any(|head| (tied && name == head.decoder) || head.biases.contains(&name))
}

/// Every matrix under its module's name.
pub(in crate::load) fn matrices(encoder: &mut TextEncoder) -> Vec<Matrix<'_>> {
    let parts = match encoder {
        TextEncoder::Bert(Bert { token_embedding, blocks, pooler, head, .. }) => {
            ("bert.", "encoder.layer", &BERT_BLOCK, &BERT_HEAD, token_embedding, blocks, pooler.as_mut(), head)
        }
        TextEncoder::Roberta(Roberta { token_embedding, blocks, pooler, head, .. }) => {
            ("roberta.", "encoder.layer", &BERT_BLOCK, &ROBERTA_HEAD, token_embedding, blocks, pooler.as_mut(), head)
        }
        TextEncoder::DistilBert(DistilBert { token_embedding, blocks, head, .. }) => {
            let (names, of_head) = (&DISTILBERT_BLOCK, &DISTILBERT_HEAD);
            ("distilbert.", "transformer.layer", names, of_head, token_embedding, blocks, None, head)
        }
    };
    let (prefix, of_blocks, names, of_head, tokens, blocks, pooler, head) = parts;
    let mut found = vec![Matrix::table(&format!("{prefix}embeddings.word_embeddings"), tokens)];
    for (layer, block) in blocks.iter_mut().enumerate() {
        let name = |part: &str| format!("{prefix}{of_blocks}.{layer}.{part}");
        let rows = block.qkv.weight.dims()[0] / 3;
        found.push(Matrix::of(names.qkv.map(|part| (name(part), rows)), &mut block.qkv));
        found.push(Matrix::linear(name(names.attn_out), &mut block.attn_out));
        found.push(Matrix::linear(name(names.mlp_in), &mut block.mlp_in));
        found.push(Matrix::linear(name(names.mlp_out), &mut block.mlp_out));
    }
    found.extend(pooler.map(|pooler| Matrix::linear(format!("{prefix}pooler.dense"), pooler)));
    if let Some(MaskedLmHead { dense, decoder, .. }) = head {
        found.push(Matrix::linear(of_head.dense.to_owned(), dense));
        let module = of_head.decoder.trim_end_matches(".weight");
        found.extend(
            decoder.as_mut().map(|decoder| Matrix { kind: MatrixKind::Head, ..Matrix::table(module, decoder) }),
        );
    }
    found
}
