//! Which of transformers' tokenizer classes reads a folder: the same files, and the same flags, mean different things to them.

use crate::load::error::LoadError;
use crate::load::tokens::special_tokens::TokenizerSettings;

/// The tokenizer classes that are put together here, or whose flags count beside a tokenizer.json.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::load) enum TokenizerClass {
    /// vocab.txt of WordPiece, texts between `[CLS]` and `[SEP]`.
    Bert,
    /// vocab.json and merges.txt of byte-level BPE, texts between `<s>` and `</s>`.
    Roberta,
    /// vocab.json and merges.txt of byte-level BPE, texts as they are.
    Gpt2,
    /// GPT-2's, with texts in Unicode's normal form C.
    GptNeox,
    /// GPT-NeoX's, with rules of its own for splitting a text into words.
    Qwen2,
    /// SentencePiece's pieces, kept in tokenizer.json.
    Llama,
    /// Nothing but tokenizer.json, as it stands there.
    Plain,
}

/// The class an architecture's folders have where they name none, and how much a name counts.
#[derive(Clone, Copy, Debug)]
pub(in crate::load) struct UsualClass {
    /// What the folder has where it names nothing.
    pub(in crate::load) class: TokenizerClass,
    /// True where transformers reads every folder by this class, whatever it names: their names are known to be wrong.
    pub(in crate::load) always: bool,
}

impl UsualClass {
    /// A class that a folder may replace by another name.
    pub(in crate::load) const fn unless_named(class: TokenizerClass) -> Self {
        Self { class, always: false }
    }
}

impl TokenizerClass {
    /// The class of a name in `tokenizer_class`; `None` for one that is put together in no way known here.
    fn named(name: &str) -> Option<Self> {
        Some(match name.strip_suffix("Fast").unwrap_or(name) {
            "BertTokenizer" | "DistilBertTokenizer" | "ElectraTokenizer" => Self::Bert,
            "RobertaTokenizer" => Self::Roberta,
            "GPT2Tokenizer" => Self::Gpt2,
            "GPTNeoXTokenizer" => Self::GptNeox,
            "Qwen2Tokenizer" => Self::Qwen2,
            "LlamaTokenizer" => Self::Llama,
            "PreTrainedTokenizer" | "TokenizersBackend" => Self::Plain,
            _ => return None,
        })
    }

    /// The class that transformers 5 would take; names it does not put together itself count as [`Self::Plain`].
    pub(in crate::load) fn of(settings: &TokenizerSettings, usual: UsualClass) -> Result<Self, LoadError> {
        if usual.always {
            return Ok(usual.class);
        }
        Ok(match settings.class()? {
            Some(name) => Self::named(name).unwrap_or(Self::Plain),
            None => usual.class,
        })
    }

    /// The class that puts older files together. A name that means another way of reading them is refused.
    pub(in crate::load) fn of_older_files(settings: &TokenizerSettings, usual: UsualClass) -> Result<Self, LoadError> {
        let Some(name) = settings.class()?.filter(|_| !usual.always) else { return Ok(usual.class) };
        match Self::named(name) {
            Some(class) if class.reads_older_files() && usual.class.files() == class.files() => Ok(class),
            // Llamas and their kin have no older files of their own, and borrow those of others.
            Some(class) if class.reads_older_files() && !usual.class.reads_older_files() => Ok(class),
            _ => {
                let known = "BertTokenizer, DistilBertTokenizer, RobertaTokenizer, GPT2Tokenizer, GPTNeoXTokenizer, \
                             Qwen2Tokenizer, each for its own files";
                Err(settings.unsupported("tokenizer_class", &name, known))
            }
        }
    }

    /// True for the classes that vocab.txt or vocab.json with merges.txt is enough for.
    pub(in crate::load) fn reads_older_files(self) -> bool {
        self.files() != &[] as &[&str]
    }

    /// The files it is put together from where there is no tokenizer.json.
    pub(in crate::load) fn files(self) -> &'static [&'static str] {
        match self {
            Self::Bert => &["vocab.txt"],
            Self::Roberta | Self::Gpt2 | Self::GptNeox | Self::Qwen2 => &["vocab.json", "merges.txt"],
            Self::Llama | Self::Plain => &[],
        }
    }

    /// Its special tokens where the settings name none: roles and spellings.
    pub(in crate::load) fn usual_special(self) -> &'static [(&'static str, &'static str)] {
        const END: &str = "<|endoftext|>";
        match self {
            Self::Bert => &[
                ("unk_token", "[UNK]"),
                ("sep_token", "[SEP]"),
                ("pad_token", "[PAD]"),
                ("cls_token", "[CLS]"),
                ("mask_token", "[MASK]"),
            ],
            Self::Roberta => &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("unk_token", "<unk>"),
                ("sep_token", "</s>"),
                ("pad_token", "<pad>"),
                ("cls_token", "<s>"),
                ("mask_token", "<mask>"),
            ],
            Self::Gpt2 => &[("bos_token", END), ("eos_token", END), ("unk_token", END)],
            Self::GptNeox => {
                &[("bos_token", END), ("eos_token", END), ("unk_token", END), ("pad_token", "<|padding|>")]
            }
            Self::Qwen2 => &[("eos_token", END), ("unk_token", END), ("pad_token", END)],
            Self::Llama => &[("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")],
            Self::Plain => &[],
        }
    }
}
