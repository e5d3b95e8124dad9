//! Tokenizers: read as their authors run them, and learned from text.

pub mod byte_bpe;
pub(super) mod special_tokens;
pub(super) mod token_bytes;
pub(super) mod tokenizer;
pub(super) mod tokenizer_files;
pub mod word_bpe;
