//! A folder's tokenizer: tokenizer.json, or the older vocab.txt, or vocab.json with merges.txt, put together as
//! transformers 5 does.

use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::load::tokens::special_tokens::TokenizerSettings;
use crate::load::tokens::tokenizer::{TOKENIZER_FILE, Tokenizer};
use std::path::Path;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::bert::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, decoders};

const WORDS_FILE: &str = "vocab.txt";
const VOCABULARY_FILE: &str = "vocab.json";
const MERGES_FILE: &str = "merges.txt";

/// What an architecture's older tokenizer files are: the same files mean different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::load) enum OlderFiles {
    /// There is nothing but tokenizer.json.
    None,
    /// vocab.txt of WordPiece, texts between `[CLS]` and `[SEP]`.
    WordPiece,
    /// vocab.json and merges.txt of byte-level BPE, texts as they are.
    Gpt2,
    /// vocab.json and merges.txt of byte-level BPE, texts between `<s>` and `</s>`.
    Roberta,
}

/// Reads the tokenizer of a folder, whose ids must lie below `vocabulary`.
///
/// # Errors
/// When there is none, a file of it is broken, or it has tokens the model does not.
pub(in crate::load) fn read_tokenizer(
    dir: &Path,
    older: OlderFiles,
    vocabulary: usize,
) -> Result<Tokenizer, LoadError> {
    let whole = dir.join(TOKENIZER_FILE);
    let words = dir.join(WORDS_FILE);
    let (spelled, merges) = (dir.join(VOCABULARY_FILE), dir.join(MERGES_FILE));
    let (path, tokenizer) = if whole.is_file() {
        let tokenizer = Tokenizer::from_file(&whole)?;
        (whole, tokenizer)
    } else {
        match older {
            OlderFiles::WordPiece if words.is_file() => {
                let tokenizer = word_piece(dir, &words)?;
                (words, tokenizer)
            }
            OlderFiles::Gpt2 | OlderFiles::Roberta if spelled.is_file() && merges.is_file() => {
                let tokenizer = byte_bpe(dir, &spelled, &merges, older)?;
                (spelled, tokenizer)
            }
            _ => return Err(LoadError::MissingFile { dir: dir.to_owned(), file: TOKENIZER_FILE }),
        }
    };
    match tokenizer.largest_id() {
        Some(id) if id as usize >= vocabulary => Err(LoadError::Vocabulary { path, id, vocabulary }),
        _ => Ok(tokenizer),
    }
}

fn broken(path: &Path, problem: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LoadError {
    LoadError::Tokenizer { path: path.to_owned(), problem: problem.into().to_string() }
}

fn read_text(path: &Path) -> Result<String, LoadError> {
    let bytes = std::fs::read(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
    String::from_utf8(bytes).map_err(|error| broken(path, error))
}

/// Refuses settings of a tokenizer that reads the same files in another way.
fn check_class(settings: &TokenizerSettings, known: &[&str]) -> Result<(), LoadError> {
    let Some(fields) = settings.main() else { return Ok(()) };
    match fields.text_if_any("tokenizer_class")? {
        Some(class) if !known.contains(&class) => Err(fields.unsupported("tokenizer_class", &class, known.join(", "))),
        _ => Ok(()),
    }
}

/// The special tokens of these roles, by their given or usual spelling. Each must be in the vocabulary, but for those
/// whose role is in `optional`.
fn special_tokens(
    settings: &TokenizerSettings,
    usual: &[(&str, &str)],
) -> Result<Vec<(String, AddedToken)>, LoadError> {
    let one = |(role, text): &(&str, &str)| {
        let given = settings.special(role)?;
        Ok(((*role).to_owned(), given.unwrap_or_else(|| AddedToken::from(*text, true))))
    };
    usual.iter().map(one).collect()
}

/// Makes the special tokens whole in every text, and those that were added to the vocabulary later.
fn add_tokens(
    tokenizer: &mut tokenizers::Tokenizer,
    settings: &TokenizerSettings,
    special: &[(String, AddedToken)],
    path: &Path,
) -> Result<(), LoadError> {
    for (id, token) in settings.added()? {
        let list = [token.clone()];
        let added = if token.special { tokenizer.add_special_tokens(list) } else { tokenizer.add_tokens(list) };
        added.map_err(|error| broken(path, error))?;
        if tokenizer.token_to_id(&token.content) != Some(id) {
            return Err(broken(path, format!("`{}` should have the id {id}, which it does not", token.content)));
        }
    }
    for (role, token) in special {
        if tokenizer.token_to_id(&token.content).is_none() {
            return Err(broken(path, format!("its {role} `{}` is not in the vocabulary", token.content)));
        }
        tokenizer.add_special_tokens([token.clone()]).map_err(|error| broken(path, error))?;
    }
    Ok(())
}

fn content_of<'a>(special: &'a [(String, AddedToken)], role: &str) -> &'a str {
    special.iter().find(|(r, _)| r == role).map_or("", |(_, token)| &token.content)
}

/// WordPiece (Wu et al. 2016) with BERT's rules for splitting a text into words.
fn word_piece(dir: &Path, path: &Path) -> Result<Tokenizer, LoadError> {
    const CLASSES: [&str; 4] = ["BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "DistilBertTokenizerFast"];
    const SPECIAL: [(&str, &str); 5] = [
        ("unk_token", "[UNK]"),
        ("sep_token", "[SEP]"),
        ("pad_token", "[PAD]"),
        ("cls_token", "[CLS]"),
        ("mask_token", "[MASK]"),
    ];
    let settings = TokenizerSettings::read(dir)?;
    check_class(&settings, &CLASSES)?;
    let special = special_tokens(&settings, &SPECIAL)?;
    let text = read_text(path)?;
    let lines = text.strip_suffix('\n').unwrap_or(&text).split('\n');
    // Of a word that is written twice, the last line counts.
    let vocabulary = lines.enumerate().map(|(id, word)| (word.trim_end_matches('\r').to_owned(), id as u32));
    let model = WordPiece::builder()
        .vocab(vocabulary.collect::<Vocab>())
        .unk_token(content_of(&special, "unk_token").to_owned())
        .max_input_chars_per_word(100)
        .build()
        .map_err(|error| broken(path, error))?;
    let lower = settings.flag("do_lower_case", true)?;
    let chinese = settings.flag("tokenize_chinese_chars", true)?;
    let strip = match settings.main() {
        Some(fields) if fields.value("strip_accents").is_some() => Some(fields.flag("strip_accents", false)?),
        _ => None,
    };
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    let normalizer = BertNormalizer::new(true, chinese, strip, lower);
    tokenizer.with_normalizer(Some(normalizer)).map_err(|error| broken(path, error))?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    tokenizer.with_decoder(Some(decoders::wordpiece::WordPiece::default()));
    add_tokens(&mut tokenizer, &settings, &special, path)?;
    let (first, last) = (content_of(&special, "cls_token"), content_of(&special, "sep_token"));
    let id = |token: &str| tokenizer.token_to_id(token).unwrap_or_default();
    let template = TemplateProcessing::builder()
        .try_single(format!("{first}:0 $A:0 {last}:0"))
        .and_then(|builder| builder.try_pair(format!("{first}:0 $A:0 {last}:0 $B:1 {last}:1")))
        .map_err(|error| broken(path, error))?
        .special_tokens(vec![(first, id(first)), (last, id(last))])
        .build()
        .map_err(|error| broken(path, error))?;
    tokenizer.with_post_processor(Some(template));
    Tokenizer::new(tokenizer).map_err(|error| broken(path, error))
}

/// Byte-level byte-pair encoding (Radford et al. 2019).
fn byte_bpe(dir: &Path, spelled: &Path, merged: &Path, older: OlderFiles) -> Result<Tokenizer, LoadError> {
    const GPT2: [&str; 2] = ["GPT2Tokenizer", "GPT2TokenizerFast"];
    const ROBERTA: [&str; 2] = ["RobertaTokenizer", "RobertaTokenizerFast"];
    const ROBERTA_SPECIAL: [(&str, &str); 7] = [
        ("bos_token", "<s>"),
        ("eos_token", "</s>"),
        ("unk_token", "<unk>"),
        ("sep_token", "</s>"),
        ("pad_token", "<pad>"),
        ("cls_token", "<s>"),
        ("mask_token", "<mask>"),
    ];
    const GPT2_SPECIAL: [(&str, &str); 1] = [("eos_token", "<|endoftext|>")];
    let is_roberta = older == OlderFiles::Roberta;
    let settings = TokenizerSettings::read(dir)?;
    check_class(&settings, if is_roberta { &ROBERTA } else { &GPT2 })?;
    let special = special_tokens(&settings, if is_roberta { &ROBERTA_SPECIAL } else { &GPT2_SPECIAL })?;
    let fields = Fields::read(spelled)?;
    let ids = fields.names().map(|token| {
        let id = fields.value(token).and_then(serde_json::Value::as_u64).and_then(|id| u32::try_from(id).ok());
        Ok((token.to_owned(), id.ok_or_else(|| fields.wrong(token, "is no token id"))?))
    });
    let ids = ids.collect::<Result<Vocab, LoadError>>()?;
    let model = BPE::builder()
        .vocab_and_merges(ids, merges(merged)?)
        .continuing_subword_prefix(String::new())
        .end_of_word_suffix(String::new())
        .build()
        .map_err(|error| broken(merged, error))?;
    let prefix = settings.flag("add_prefix_space", false)?;
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(prefix, true, true)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    add_tokens(&mut tokenizer, &settings, &special, spelled)?;
    if is_roberta {
        let with_id = |role| {
            let token = content_of(&special, role);
            (token.to_owned(), tokenizer.token_to_id(token).unwrap_or_default())
        };
        let ends = RobertaProcessing::new(with_id("sep_token"), with_id("cls_token"));
        tokenizer.with_post_processor(Some(ends.trim_offsets(true).add_prefix_space(prefix)));
    }
    Tokenizer::new(tokenizer).map_err(|error| broken(spelled, error))
}

/// Pairs of pieces, in the order in which they are joined. A line that begins with `#version` is none.
fn merges(path: &Path) -> Result<Merges, LoadError> {
    let text = read_text(path)?;
    let mut merges = Merges::new();
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("#version") || line.is_empty() {
            continue;
        }
        let pair = line.split_once(' ').filter(|(_, second)| !second.contains(' '));
        let pair = pair.ok_or_else(|| broken(path, format!("line {} is no pair of pieces", number + 1)))?;
        merges.push((pair.0.to_owned(), pair.1.to_owned()));
    }
    Ok(merges)
}
