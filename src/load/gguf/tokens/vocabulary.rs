//! The tokens of a file, what each is for, and which are special.

use crate::load::error::LoadError;
use crate::load::gguf::header::GgufFile;
use crate::load::gguf::metadata::Metadata;
use tokenizers::AddedToken;

const TOKENS: &str = "tokenizer.ggml.tokens";
const KINDS: &str = "tokenizer.ggml.token_type";
const SCORES: &str = "tokenizer.ggml.scores";
const MERGES: &str = "tokenizer.ggml.merges";

/// Roles of special tokens: what the files call them, and what Hugging Face's settings do.
const ROLES: [(&str, &str); 7] = [
    ("bos", "bos_token"),
    ("eos", "eos_token"),
    ("unknown", "unk_token"),
    ("seperator", "sep_token"),
    ("padding", "pad_token"),
    ("cls", "cls_token"),
    ("mask", "mask_token"),
];

/// What a token is for, by the numbers files have for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::load) enum Purpose {
    /// A piece of text.
    Text,
    /// What stands for text that has no token.
    Unknown,
    /// What stands for no text.
    Control,
    /// Text that is a token of its own wherever it stands.
    Whole,
    Unused,
    /// One byte.
    Byte,
}

impl Purpose {
    fn of(number: f64) -> Option<Self> {
        [Self::Text, Self::Unknown, Self::Control, Self::Whole, Self::Unused, Self::Byte]
            .into_iter()
            .zip(1..)
            .find(|(_, known)| f64::from(*known) == number)
            .map(|(purpose, _)| purpose)
    }

    /// The number that files have for it.
    pub(in crate::load) fn number(self) -> i32 {
        match self {
            Self::Text => 1,
            Self::Unknown => 2,
            Self::Control => 3,
            Self::Whole => 4,
            Self::Unused => 5,
            Self::Byte => 6,
        }
    }
}

/// The tokens of a file, the id of each being its place.
pub(in crate::load::gguf) struct Vocabulary<'a> {
    file: &'a GgufFile,
    pub(super) texts: Vec<&'a str>,
    purposes: Vec<Purpose>,
}

impl<'a> Vocabulary<'a> {
    /// The tokens of a file, if it names any.
    pub(in crate::load::gguf) fn read(file: &'a GgufFile) -> Result<Option<Self>, LoadError> {
        let metadata = &file.header.metadata;
        let Some(texts) = metadata.texts(TOKENS, &file.map)?.filter(|texts| !texts.is_empty()) else {
            return Ok(None);
        };
        let purposes = match metadata.numbers(KINDS, &file.map)? {
            None => vec![Purpose::Text; texts.len()],
            Some(numbers) => {
                same_length(metadata, KINDS, numbers.len(), texts.len())?;
                let purpose = |number: f64| {
                    let wrong = || metadata.wrong(KINDS, format!("holds {number}, which no token is"));
                    Purpose::of(number).ok_or_else(wrong)
                };
                numbers.into_iter().map(purpose).collect::<Result<_, _>>()?
            }
        };
        Ok(Some(Self { file, texts, purposes }))
    }

    pub(super) fn metadata(&self) -> &Metadata {
        &self.file.header.metadata
    }

    /// What is wrong with the tokenizer as a whole.
    pub(super) fn broken(&self, problem: impl Into<String>) -> LoadError {
        LoadError::Tokenizer { path: self.file.path.clone(), problem: problem.into() }
    }

    /// What a token is for.
    pub(super) fn purpose(&self, id: usize) -> Purpose {
        self.purposes.get(id).copied().unwrap_or(Purpose::Text)
    }

    /// One score a token: of pieces, how early they are put together.
    pub(super) fn scores(&self) -> Result<Vec<f64>, LoadError> {
        let scores = self.metadata().numbers(SCORES, &self.file.map)?;
        let scores = scores.ok_or_else(|| self.metadata().wrong(SCORES, "is missing"))?;
        same_length(self.metadata(), SCORES, scores.len(), self.texts.len())?;
        Ok(scores)
    }

    /// Pairs of tokens, in the order in which they are put together.
    pub(super) fn merges(&self) -> Result<Option<Vec<(String, String)>>, LoadError> {
        let Some(texts) = self.metadata().texts(MERGES, &self.file.map)? else { return Ok(None) };
        let pair = |text: &&str| {
            // A token is one character or more, and may begin with a space.
            let first = text.chars().next().map_or(0, char::len_utf8);
            let at = text[first..].find(' ').map(|at| first + at).filter(|at| at + 1 < text.len());
            let wrong = || self.metadata().wrong(MERGES, format!("holds {text:?}, which is no pair of tokens"));
            at.map(|at| (text[..at].to_owned(), text[at + 1..].to_owned())).ok_or_else(wrong)
        };
        texts.iter().map(pair).collect::<Result<_, _>>().map(Some)
    }

    /// The id of the token of a role, where the file names one of its tokens.
    pub(in crate::load::gguf) fn id(&self, role: &str) -> Result<Option<u32>, LoadError> {
        let key = format!("tokenizer.ggml.{role}_token_id");
        let Some(id) = self.metadata().whole(&key)? else { return Ok(None) };
        match u32::try_from(id).ok().filter(|id| (*id as usize) < self.texts.len()) {
            Some(id) => Ok(Some(id)),
            // No token, as some converters write it.
            None if id == u64::from(u32::MAX) => Ok(None),
            None => Err(self.metadata().wrong(&key, format!("is {id}, and there are {} tokens", self.texts.len()))),
        }
    }

    /// Spelling and id of the token that a text begins or ends with, where a flag asks for it.
    pub(super) fn end(&self, role: &str, flag: &str, usual: bool) -> Result<Option<(String, u32)>, LoadError> {
        if !self.metadata().flag(&format!("tokenizer.ggml.{flag}"))?.unwrap_or(usual) {
            return Ok(None);
        }
        Ok(self.id(role)?.map(|id| (self.texts[id as usize].to_owned(), id)))
    }

    /// Tokens that are whole in every text: those that stand for none, and those that are one token wherever they stand.
    pub(super) fn added(&self) -> Vec<AddedToken> {
        let whole = self.texts.iter().enumerate().filter_map(|(id, text)| {
            let is_special = match self.purpose(id) {
                Purpose::Control | Purpose::Unknown => true,
                Purpose::Whole => false,
                Purpose::Text | Purpose::Unused | Purpose::Byte => return None,
            };
            (!text.is_empty()).then(|| AddedToken::from((*text).to_owned(), is_special).normalized(false))
        });
        whole.collect()
    }

    /// Special tokens with a role, by Hugging Face's name for it.
    pub(in crate::load::gguf) fn roles(&self) -> Result<Vec<(&'static str, &'a str)>, LoadError> {
        let mut roles = Vec::new();
        for (role, name) in ROLES {
            roles.extend(self.id(role)?.map(|id| (name, self.texts[id as usize])));
        }
        Ok(roles)
    }
}

fn same_length(metadata: &Metadata, key: &str, found: usize, expected: usize) -> Result<(), LoadError> {
    match found == expected {
        true => Ok(()),
        false => Err(metadata.wrong(key, format!("has {found} values for {expected} tokens"))),
    }
}
