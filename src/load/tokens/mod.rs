//! Tokenizers: read as their authors run them, and learned from text.

mod bpe_file;
pub mod byte_bpe;
mod json_settings;
pub(super) mod special_tokens;
pub(super) mod stream;
pub(super) mod token_bytes;
pub(crate) mod tokenizer;
pub(super) mod tokenizer_class;
pub(super) mod tokenizer_files;
pub mod word_bpe;
pub(crate) mod word_piece;
