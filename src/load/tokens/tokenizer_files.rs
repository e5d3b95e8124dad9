//! A folder's tokenizer: tokenizer.json with its settings, or the older vocab.txt, or vocab.json with merges.txt, put together
//! as transformers 5 does.

use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::load::file;
use crate::load::tokens::json_settings::{add_tokens, apply, bert_normalizer};
use crate::load::tokens::special_tokens::TokenizerSettings;
use crate::load::tokens::tokenizer::{TOKENIZER_FILE, Tokenizer};
use crate::load::tokens::tokenizer_class::{TokenizerClass, UsualClass};
use std::path::Path;
use tokenizers::decoders;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::tokenizer::SplitDelimiterBehavior;

const WORDS_FILE: &str = "vocab.txt";
const VOCABULARY_FILE: &str = "vocab.json";
const MERGES_FILE: &str = "merges.txt";
/// SentencePiece's own file, which is not read.
const PIECES_FILE: &str = "tokenizer.model";

/// How the Qwen family splits a text into words (Qwen2's published tokenizer).
pub(in crate::load) const QWEN_WORDS: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Reads the tokenizer of a folder; texts with ids from `vocabulary` on are refused when they come. A folder without one
/// gets a tokenizer that reads and writes no text and says why.
///
/// # Errors
/// When a file of it is broken, none of its tokens is one of the model, or the folder says to read it in a way that is
/// not built in.
pub(in crate::load) fn read_tokenizer(
    dir: &Path,
    usual: UsualClass,
    vocabulary: usize,
) -> Result<Tokenizer, LoadError> {
    let whole = dir.join(TOKENIZER_FILE);
    let (path, tokenizer) = if whole.is_file() {
        let mut inner = Tokenizer::library(&whole)?;
        let settings = TokenizerSettings::read(dir)?;
        apply(&mut inner, &settings, TokenizerClass::of(&settings, usual)?, &whole)?;
        let tokenizer = Tokenizer::checked(inner, &whole)?;
        (whole, tokenizer)
    } else {
        let there = |files: &[&str]| !files.is_empty() && files.iter().all(|file| dir.join(file).is_file());
        let older = [TokenizerClass::Bert, TokenizerClass::Gpt2].into_iter().find(|class| there(class.files()));
        let settings = TokenizerSettings::read(dir)?;
        let class = match older {
            Some(_) => Some(TokenizerClass::of_older_files(&settings, usual)?).filter(|class| there(class.files())),
            None => None,
        };
        match class {
            Some(TokenizerClass::Bert) => (dir.join(WORDS_FILE), word_piece(&settings, &dir.join(WORDS_FILE))?),
            Some(class) => (dir.join(VOCABULARY_FILE), byte_bpe(&settings, dir, class)?),
            None => return Ok(Tokenizer::none(&crate::types::model_name(dir), why_none(dir, usual)).up_to(vocabulary)),
        }
    };
    match tokenizer.largest_id() {
        Some(id) if id as usize >= vocabulary => Err(LoadError::Vocabulary { path, id, vocabulary }),
        _ => Ok(tokenizer.up_to(vocabulary)),
    }
}

/// Why a folder has no tokenizer.
fn why_none(dir: &Path, usual: UsualClass) -> String {
    let older = usual.class.files().join(" with ");
    let older = if older.is_empty() { String::new() } else { format!(", nor the older {older}") };
    if dir.join(PIECES_FILE).is_file() {
        return format!("its folder has {PIECES_FILE}, which is not read, and no {TOKENIZER_FILE}");
    }
    format!("its folder has no {TOKENIZER_FILE}{older}")
}

fn broken(path: &Path, problem: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LoadError {
    LoadError::Tokenizer { path: path.to_owned(), problem: problem.into().to_string() }
}

fn read_text(path: &Path) -> Result<String, LoadError> {
    String::from_utf8(file::read(path)?).map_err(|error| broken(path, error))
}

/// The spelling and the id of a special token that the class cannot do without.
fn needed(
    tokenizer: &tokenizers::Tokenizer,
    settings: &TokenizerSettings,
    class: TokenizerClass,
    role: &str,
    path: &Path,
) -> Result<(String, u32), LoadError> {
    let token = settings.special_of(role, class)?.map(|token| token.content).unwrap_or_default();
    match tokenizer.token_to_id(&token) {
        Some(id) => Ok((token, id)),
        None => Err(broken(path, format!("its {role} `{token}` is not in the vocabulary"))),
    }
}

/// WordPiece (Wu et al. 2016) with BERT's rules for splitting a text into words.
fn word_piece(settings: &TokenizerSettings, path: &Path) -> Result<Tokenizer, LoadError> {
    let text = read_text(path)?;
    let lines = text.strip_suffix('\n').unwrap_or(&text).split('\n');
    // Of a word that is written twice, the last line counts.
    let vocabulary = lines.enumerate().map(|(id, word)| (word.trim_end_matches('\r').to_owned(), id as u32));
    bert_tokenizer(settings, vocabulary, path)
}

/// The same of words with their ids, which `path` is named for where they are broken.
///
/// # Errors
/// When a special token is missing among them.
pub(in crate::load) fn bert_tokenizer(
    settings: &TokenizerSettings,
    vocabulary: impl IntoIterator<Item = (String, u32)>,
    path: &Path,
) -> Result<Tokenizer, LoadError> {
    let class = TokenizerClass::Bert;
    let unknown = settings.special_of("unk_token", class)?.map(|token| token.content).unwrap_or_default();
    let model = WordPiece::builder()
        .vocab(vocabulary.into_iter().collect::<Vocab>())
        .unk_token(unknown)
        .max_input_chars_per_word(100)
        .build()
        .map_err(|error| broken(path, error))?;
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    tokenizer.with_normalizer(Some(bert_normalizer(settings)?)).map_err(|error| broken(path, error))?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    tokenizer.with_decoder(Some(decoders::wordpiece::WordPiece::default()));
    add_tokens(&mut tokenizer, settings, class, path)?;
    for role in ["unk_token", "pad_token", "mask_token"] {
        needed(&tokenizer, settings, class, role, path)?;
    }
    let first = needed(&tokenizer, settings, class, "cls_token", path)?;
    let last = needed(&tokenizer, settings, class, "sep_token", path)?;
    let (start, end) = (first.0.clone(), last.0.clone());
    let template = TemplateProcessing::builder()
        .try_single(format!("{start}:0 $A:0 {end}:0"))
        .and_then(|builder| builder.try_pair(format!("{start}:0 $A:0 {end}:0 $B:1 {end}:1")))
        .map_err(|error| broken(path, error))?
        .special_tokens(vec![first, last])
        .build()
        .map_err(|error| broken(path, error))?;
    tokenizer.with_post_processor(Some(template));
    Tokenizer::checked(tokenizer, path)
}

/// Byte-level byte-pair encoding (Radford et al. 2019).
fn byte_bpe(settings: &TokenizerSettings, dir: &Path, class: TokenizerClass) -> Result<Tokenizer, LoadError> {
    let (path, merged) = (&dir.join(VOCABULARY_FILE), dir.join(MERGES_FILE));
    let fields = Fields::read(path)?;
    let ids = fields.names().map(|token| {
        let id = fields.value(token).and_then(serde_json::Value::as_u64).and_then(|id| u32::try_from(id).ok());
        Ok((token.to_owned(), id.ok_or_else(|| fields.wrong(token, "is no token id"))?))
    });
    let ids = ids.collect::<Result<Vocab, LoadError>>()?;
    let model = BPE::builder()
        .vocab_and_merges(ids, merges(&merged)?)
        .continuing_subword_prefix(String::new())
        .end_of_word_suffix(String::new())
        .build()
        .map_err(|error| broken(&merged, error))?;
    let prefix = settings.flag("add_prefix_space", false)?;
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    if matches!(class, TokenizerClass::Qwen2 | TokenizerClass::GptNeox) {
        tokenizer.with_normalizer(Some(NFC)).map_err(|error| broken(path, error))?;
    }
    tokenizer.with_pre_tokenizer(Some(match class {
        TokenizerClass::Qwen2 => {
            let words = SplitPattern::Regex(QWEN_WORDS.to_owned());
            let words = Split::new(words, SplitDelimiterBehavior::Isolated, false);
            let words = words.map_err(|error| broken(path, error))?;
            PreTokenizerWrapper::from(Sequence::new(vec![words.into(), ByteLevel::new(prefix, true, false).into()]))
        }
        _ => ByteLevel::new(prefix, true, true).into(),
    }));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    add_tokens(&mut tokenizer, settings, class, path)?;
    if class == TokenizerClass::Roberta {
        for (role, _) in class.usual_special() {
            needed(&tokenizer, settings, class, role, path)?;
        }
        let last = needed(&tokenizer, settings, class, "sep_token", path)?;
        let ends = RobertaProcessing::new(last, needed(&tokenizer, settings, class, "cls_token", path)?);
        tokenizer.with_post_processor(Some(ends.trim_offsets(true).add_prefix_space(prefix)));
    } else {
        add_ends(&mut tokenizer, settings, class, path)?;
    }
    Tokenizer::checked(tokenizer, path)
}

/// Makes the tokenizer put `bos_token` before every text and `eos_token` behind it, where the flags ask for that.
fn add_ends(
    tokenizer: &mut tokenizers::Tokenizer,
    settings: &TokenizerSettings,
    class: TokenizerClass,
    path: &Path,
) -> Result<(), LoadError> {
    let mut ends = [None, None];
    for (end, role) in ends.iter_mut().zip(["bos_token", "eos_token"]) {
        // Without such a token the flag means nothing, as in transformers.
        if settings.flag(&format!("add_{role}"), false)? && settings.special_of(role, class)?.is_some() {
            *end = Some(needed(tokenizer, settings, class, role, path)?);
        }
    }
    put_ends(tokenizer, &ends, path)
}

/// Puts tokens before and behind every text: spelling and id of each.
pub(in crate::load) fn put_ends(
    tokenizer: &mut tokenizers::Tokenizer,
    ends: &[Option<(String, u32)>; 2],
    path: &Path,
) -> Result<(), LoadError> {
    let [first, last] = ends;
    if first.is_none() && last.is_none() {
        return Ok(());
    }
    let one = |sequence: &str, kind: u8| {
        let end = |end: &Option<(String, u32)>| end.as_ref().map(|(token, _)| format!("{token}:{kind}"));
        [end(first), Some(format!("${sequence}:{kind}")), end(last)].into_iter().flatten().collect::<Vec<_>>()
    };
    let pair = [one("A", 0), one("B", 1)].concat();
    let template = TemplateProcessing::builder()
        .try_single(one("A", 0))
        .and_then(|builder| builder.try_pair(pair))
        .map_err(|error| broken(path, error))?
        .special_tokens(ends.iter().flatten().cloned().collect::<Vec<_>>())
        .build()
        .map_err(|error| broken(path, error))?;
    tokenizer.with_post_processor(Some(template));
    Ok(())
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
