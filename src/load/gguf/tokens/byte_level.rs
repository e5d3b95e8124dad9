//! Byte-level pairs: tokens, merges, and the name of a way to split a text into words before.

use super::vocabulary::Vocabulary;
use crate::load::error::LoadError;
use crate::load::gguf::family::Family;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;

const WAY: &str = "tokenizer.ggml.pre";

/// GPT-2's words (Radford et al. 2019).
const GPT2_WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// Llama 3's (Grattafiori et al. 2024).
const LLAMA3_WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Those of Mistral's newer models.
const TEKKEN_WORDS: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// What llama.cpp does where a file names no way: signs, then GPT-2's words, then digits by themselves and in threes.
const UNNAMED: [&str; 4] = [r"[\p{P}\$\+<=>\^~\|]+", GPT2_WORDS, r"\p{N}+", "[0-9][0-9][0-9]"];

/// How a text is split into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Words {
    Unnamed,
    Gpt2,
    /// Digits one by one, then GPT-2's.
    SingleDigits,
    Llama3,
    Qwen2,
    Tekken,
}

/// A way to split, and what goes with it.
#[derive(Clone, Copy, Debug)]
struct Way {
    words: Words,
    /// A word that is a token is one, whatever its merges say.
    whole_words: bool,
    /// A text begins with the first special token where the file does not say.
    begins: bool,
    /// Texts are put into Unicode's normal form C first.
    composed: bool,
}

const PLAIN: Way = Way { words: Words::Gpt2, whole_words: false, begins: false, composed: false };
/// The ways by the names that files have for them.
const WAYS: [(&[&str], Way); 9] = [
    (&["default"], Way { words: Words::Unnamed, ..PLAIN }),
    (
        &[
            "gpt-2",
            "phi-2",
            "jina-es",
            "jina-de",
            "gigachat",
            "jina-v2-es",
            "jina-v2-de",
            "roberta-bpe",
            "jais",
            "trillion",
        ],
        PLAIN,
    ),
    // Pythia's and its kin's: the same words, composed.
    (&["mpt", "olmo"], Way { composed: true, ..PLAIN }),
    (&["smollm", "starcoder", "refact", "command-r", "codeshell"], Way { words: Words::SingleDigits, ..PLAIN }),
    (
        &["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
        Way { words: Words::Llama3, whole_words: true, begins: true, composed: false },
    ),
    (&["dbrx", "smaug-bpe"], Way { words: Words::Llama3, ..PLAIN }),
    (&["qwen2"], Way { words: Words::Qwen2, composed: true, ..PLAIN }),
    (&["stablelm2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez"], Way { words: Words::Qwen2, ..PLAIN }),
    (&["tekken"], Way { words: Words::Tekken, whole_words: true, begins: true, composed: false }),
];

fn way(tokens: &Vocabulary<'_>) -> Result<Way, LoadError> {
    let name = tokens.metadata().text(WAY)?.unwrap_or("default");
    let known = WAYS.iter().find(|(names, _)| names.contains(&name)).map(|(_, way)| *way);
    known.ok_or_else(|| {
        let names: Vec<&str> = WAYS.iter().flat_map(|(names, _)| *names).copied().collect();
        tokens.metadata().unsupported(WAY, &name, &names.join(", "))
    })
}

/// True where a text begins with a special token unless the file says otherwise.
pub(super) fn begins_with_bos(tokens: &Vocabulary<'_>) -> Result<bool, LoadError> {
    Ok(way(tokens)?.begins)
}

pub(super) fn build(tokens: &Vocabulary<'_>, family: Option<Family>) -> Result<tokenizers::Tokenizer, LoadError> {
    let broken = |error: tokenizers::Error| tokens.broken(error.to_string());
    let way = way(tokens)?;
    let merges = tokens.merges()?.ok_or_else(|| tokens.broken("it has tokens and no merges"))?;
    let vocabulary: Vocab = tokens.texts.iter().zip(0..).map(|(text, id)| ((*text).to_owned(), id)).collect();
    let model = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .continuing_subword_prefix(String::new())
        .end_of_word_suffix(String::new())
        .ignore_merges(way.whole_words)
        .build()
        .map_err(broken)?;
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    if way.composed || family == Some(Family::GptNeox) {
        tokenizer.with_normalizer(Some(NFC)).map_err(broken)?;
    }
    tokenizer.with_pre_tokenizer(Some(splitter(way.words).map_err(broken)?));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    Ok(tokenizer)
}

fn splitter(words: Words) -> tokenizers::Result<PreTokenizerWrapper> {
    let patterns: &[&str] = match words {
        Words::Gpt2 => return Ok(ByteLevel::new(false, true, true).into()),
        Words::Unnamed => &UNNAMED,
        Words::SingleDigits => &[r"\p{N}", GPT2_WORDS],
        Words::Llama3 => &[LLAMA3_WORDS],
        Words::Qwen2 => &[crate::load::tokens::tokenizer_files::QWEN_WORDS],
        Words::Tekken => &[TEKKEN_WORDS],
    };
    let split = |pattern: &&str| {
        let pattern = SplitPattern::Regex((*pattern).to_owned());
        Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map(PreTokenizerWrapper::from)
    };
    let mut steps = patterns.iter().map(split).collect::<tokenizers::Result<Vec<_>>>()?;
    steps.push(ByteLevel::new(false, true, false).into());
    Ok(Sequence::new(steps).into())
}

/// The name of the way a tokenizer splits texts: by `splitter`, as tokenizer.json has it, whole words being tokens or not, and
/// texts being composed first or not.
pub(in crate::load) fn way_of(splitter: &serde_json::Value, whole_words: bool, composed: bool) -> Option<&'static str> {
    let patterns = patterns_of(splitter)?;
    let words = match patterns.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [GPT2_WORDS] => Words::Gpt2,
        [digits, GPT2_WORDS] if *digits == r"\p{N}" => Words::SingleDigits,
        [TEKKEN_WORDS] => Words::Tekken,
        [LLAMA3_WORDS] => Words::Llama3,
        [one] if *one == crate::load::tokens::tokenizer_files::QWEN_WORDS => Words::Qwen2,
        _ => return None,
    };
    let of_words = |way: &Way| way.words == words && way.whole_words == whole_words && way.composed == composed;
    WAYS.iter().find(|(_, way)| of_words(way)).map(|(names, _)| names[0])
}

/// The patterns that a byte-level tokenizer splits by, one after the other; `None` where it does something else.
fn patterns_of(splitter: &serde_json::Value) -> Option<Vec<String>> {
    let steps = match splitter["type"].as_str()? {
        "Sequence" => splitter["pretokenizers"].as_array()?.clone(),
        _ => vec![splitter.clone()],
    };
    let (last, before) = steps.split_last()?;
    if last["type"] != "ByteLevel" || last["add_prefix_space"] == true {
        return None;
    }
    let mut patterns = Vec::new();
    for step in before {
        let is_split = step["type"] == "Split" && step["behavior"] == "Isolated" && step["invert"] != true;
        match step["type"].as_str()? {
            "Digits" if step["individual_digits"] == true => patterns.push(r"\p{N}".to_owned()),
            "Split" if is_split => patterns.push(step["pattern"]["Regex"].as_str()?.to_owned()),
            _ => return None,
        }
    }
    if last["use_regex"] != false {
        patterns.push(GPT2_WORDS.to_owned());
    }
    Some(patterns)
}
