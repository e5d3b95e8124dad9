//! What a network can learn.

mod classify;
mod digits;
mod encoder;
mod few_shot;
mod memory;
mod next_token;
mod text;

pub(crate) use classify::{Classify, ClassifyPictures, ClassifyWords, SeenPictures, most_likely};
pub(crate) use digits::{Digits, measure};
pub(crate) use encoder::{Contrastive, MaskedTokens};
pub(crate) use few_shot::FewShot;
pub(crate) use memory::Memory;
pub(crate) use next_token::NextToken;
