//! SentencePiece's pieces: tokens with scores, from which the order of merges is found again, as transformers' converter does.

use super::vocabulary::{Purpose, Vocabulary};
use crate::load::error::LoadError;
use crate::load::gguf::family::Family;
use std::collections::HashMap;
use tokenizers::decoders::DecoderWrapper;
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as Decoders;
use tokenizers::decoders::strip::Strip;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::normalizers::prepend::Prepend;
use tokenizers::normalizers::replace::Replace;
use tokenizers::normalizers::{NormalizerWrapper, Sequence as Normalizers};

const SPACE_BEFORE: &str = "tokenizer.ggml.add_space_prefix";
/// The mark that stands for a space in pieces.
const SPACE: &str = "▁";

pub(super) fn build(tokens: &Vocabulary<'_>, family: Option<Family>) -> Result<tokenizers::Tokenizer, LoadError> {
    let broken = |error: tokenizers::Error| tokens.broken(error.to_string());
    let is_gemma = family == Some(Family::Gemma2);
    let pieces: Vec<String> = tokens.texts.iter().map(|text| spelled(text, is_gemma)).collect();
    let vocabulary: Vocab = pieces.iter().zip(0..).map(|(piece, id)| (piece.clone(), id)).collect();
    let merges = match tokens.merges()? {
        Some(merges) => merges,
        // Gemma's scores do not follow the order of its merges; that of its tokens does.
        None if is_gemma => merges(tokens, &pieces, &(0..pieces.len()).map(|id| -(id as f64)).collect::<Vec<_>>()),
        None => merges(tokens, &pieces, &tokens.scores()?),
    };
    let unknown = tokens.id("unknown")?.unwrap_or(0) as usize;
    let mut builder = BPE::builder().vocab_and_merges(vocabulary, merges).fuse_unk(true).byte_fallback(true);
    if let Some(unknown) = pieces.get(unknown) {
        builder = builder.unk_token(unknown.clone());
    }
    let mut tokenizer = tokenizers::Tokenizer::new(builder.build().map_err(broken)?);
    let space = tokens.metadata().flag(SPACE_BEFORE)?.unwrap_or(true);
    let mut normalizers: Vec<NormalizerWrapper> = Vec::new();
    let mut decoders: Vec<DecoderWrapper> =
        vec![Replace::new(SPACE, " ").map_err(broken)?.into(), ByteFallback::default().into(), Fuse::default().into()];
    if space {
        normalizers.push(Prepend::new(SPACE.to_owned()).into());
        decoders.push(Strip::new(' ', 1, 0).into());
    }
    normalizers.push(Replace::new(" ", SPACE).map_err(broken)?.into());
    tokenizer.with_normalizer(Some(Normalizers::new(normalizers))).map_err(broken)?;
    tokenizer.with_decoder(Some(Decoders::new(decoders)));
    Ok(tokenizer)
}

/// A piece as its tokenizer spells it: Gemma's files have spaces for those tokens that are nothing else.
fn spelled(text: &str, is_gemma: bool) -> String {
    let is_space = !text.is_empty() && text.chars().all(|c| c == ' ');
    if is_gemma && is_space { SPACE.repeat(text.len()) } else { text.to_owned() }
}

/// Every way to put a piece together of two others, those of the highest scores first.
fn merges(tokens: &Vocabulary<'_>, pieces: &[String], scores: &[f64]) -> Merges {
    /// Longest piece that is taken apart, in bytes: no tokenizer has a longer one, and each place of it costs a look.
    const LONGEST: usize = 512;
    let ids: HashMap<&str, usize> = pieces.iter().enumerate().map(|(id, piece)| (piece.as_str(), id)).collect();
    let mut pairs = Vec::new();
    for (id, piece) in pieces.iter().enumerate() {
        let is_text = matches!(tokens.purpose(id), Purpose::Text | Purpose::Whole | Purpose::Unused);
        if !is_text || piece.len() > LONGEST {
            continue;
        }
        let mut of_piece: Vec<(usize, usize)> = piece
            .char_indices()
            .skip(1)
            .filter_map(|(at, _)| Some((*ids.get(&piece[..at])?, *ids.get(&piece[at..])?)))
            .collect();
        of_piece.sort_unstable();
        pairs.extend(of_piece.into_iter().map(|pair| (scores[id], pair)));
    }
    let length = |id: usize| pieces[id].chars().count();
    pairs.sort_by(|(a, (a_left, a_right)), (b, (b_left, b_right))| {
        // Ties by length, the longest first; what remains stays in the order of the tokens.
        b.total_cmp(a).then_with(|| (length(*b_left), length(*b_right)).cmp(&(length(*a_left), length(*a_right))))
    });
    pairs.into_iter().map(|(_, (left, right))| (pieces[left].clone(), pieces[right].clone())).collect()
}
