//! The tokenizer that a file's metadata describes, as the tokenizers crate runs it.

mod byte_level;
mod pieces;
#[cfg(test)]
mod tokens_tests;
mod vocabulary;
mod word_pieces;

pub(in crate::load) use byte_level::way_of;
pub(in crate::load) use vocabulary::Purpose;
pub(super) use vocabulary::Vocabulary;

use super::family::Family;
use super::header::GgufFile;
use crate::load::error::LoadError;
use crate::load::tokens::tokenizer::Tokenizer;
use crate::load::tokens::tokenizer_files;

const MODEL: &str = "tokenizer.ggml.model";

/// Which way a text becomes tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// GPT-2's: pairs of bytes.
    ByteLevel,
    /// SentencePiece's pairs of characters.
    Pieces,
    /// BERT's pieces of words.
    WordPieces,
}

impl Kind {
    fn of(file: &GgufFile) -> Result<Option<Self>, LoadError> {
        let metadata = &file.header.metadata;
        Ok(Some(match metadata.text(MODEL)? {
            None | Some("none" | "no_vocab") => return Ok(None),
            Some("gpt2") => Self::ByteLevel,
            Some("llama") => Self::Pieces,
            Some("bert") => Self::WordPieces,
            Some(other) => return Err(metadata.unsupported(MODEL, &other, "gpt2, llama, bert")),
        }))
    }
}

/// Reads the tokenizer of a file, whose ids from `vocabulary` on are none of the model's. A file without one gets a tokenizer
/// that reads and writes no text and says why.
pub(super) fn read(file: &GgufFile, name: &str, vocabulary: usize) -> Result<Tokenizer, LoadError> {
    let none = |problem: &str| Ok(Tokenizer::none(name, problem.to_owned()).up_to(vocabulary));
    let Some(kind) = Kind::of(file)? else { return none("its file carries none") };
    let Some(tokens) = Vocabulary::read(file)? else { return none("its file names none of its tokens") };
    let broken = |error: tokenizers::Error| tokens.broken(error.to_string());
    let family = super::config::architecture(&file.header.metadata).ok().and_then(Family::named);
    let mut inner = match kind {
        Kind::ByteLevel => byte_level::build(&tokens, family)?,
        Kind::Pieces => pieces::build(&tokens, family)?,
        Kind::WordPieces => word_pieces::build(&tokens)?,
    };
    inner.add_tokens(tokens.added()).map_err(broken)?;
    if kind == Kind::WordPieces {
        word_pieces::put_ends(&mut inner, &tokens)?;
    } else {
        let (first, last) = match kind {
            Kind::ByteLevel => (byte_level::begins_with_bos(&tokens)?, false),
            Kind::Pieces | Kind::WordPieces => (true, false),
        };
        let ends = [tokens.end("bos", "add_bos_token", first)?, tokens.end("eos", "add_eos_token", last)?];
        tokenizer_files::put_ends(&mut inner, &ends, &file.path)?;
    }
    let tokenizer = Tokenizer::checked(inner, &file.path)?;
    match tokenizer.largest_id() {
        Some(id) if id as usize >= vocabulary => Err(LoadError::Vocabulary { path: file.path.clone(), id, vocabulary }),
        _ => Ok(tokenizer.up_to(vocabulary)),
    }
}
