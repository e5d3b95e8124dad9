//! Long documents in stretches against the same documents at once, with the tokenizers of real families.

use super::*;
use std::path::Path;

/// The ids of a document whose text comes in pieces, what a tokenizer adds behind it left out, and how many cuts were clean.
fn in_stretches(text: &str, tokenizer: &Tokenizer) -> (Vec<u32>, usize) {
    let mut document = OpenDocument::default();
    let mut stretches = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, left) = rest.split_at(rest.ceil_char_boundary(rest.len().min(50_001)));
        document.push(piece);
        while let Some(stretch) = document.next(tokenizer).unwrap() {
            stretches.push(stretch);
        }
        rest = left;
    }
    stretches.push(document.finish());
    assert!(stretches.len() > 3);
    let clean = stretches.iter().filter(|stretch| stretch.end == End::Clean).count();
    let (mut ids, mut open) = (Vec::new(), None::<Encoded>);
    for stretch in stretches {
        if stretch.shared == 0 && stretch.end != End::Shared {
            assert!(open.is_none());
            ids.extend(ids_alone(&stretch, tokenizer).unwrap());
            continue;
        }
        let next = Encoded::new(stretch, tokenizer).unwrap();
        let encoded = match open.take() {
            Some(mut encoded) => {
                ids.extend(encoded.go_on(next, tokenizer).unwrap());
                encoded
            }
            None => next,
        };
        if encoded.end() == End::Shared {
            open = Some(encoded);
        } else {
            ids.extend(encoded.ids());
        }
    }
    (ids, clean)
}

/// Words of several scripts in an order that never repeats, joined as `join` says.
fn text(join: impl Fn(usize) -> &'static str) -> String {
    let words = [
        "cat",
        "don't",
        "Übergröße",
        "1234567",
        "x+=1;",
        "猫が好き",
        "שלום",
        "🐈‍⬛",
        "the",
        "mat.",
        "e\u{301}",
        "\"quoted\"",
        "A",
    ];
    let mut random = crate::nn::Random::new(5, 0);
    (0..20_000).map(|i| words[random.below(words.len())].to_owned() + join(i)).collect()
}

fn documents() -> Vec<(&'static str, String)> {
    let digits: String = (0..120_000).map(|i| char::from(b'0' + (i * 7 % 10) as u8)).collect();
    vec![
        ("lines", text(|i| if i % 9 == 0 { "\n" } else { " " })),
        ("paragraphs, tabs and spaces", text(|i| ["\n\n", "   ", "\t", " \n  ", "      \n\n\n  "][i % 5])),
        ("no space at all", text(|_| "")),
        ("one long line", text(|_| " ")),
        ("white space", "word".to_owned() + &" ".repeat(100_001) + "\n\n" + &"\n".repeat(50_000) + "end"),
        ("digits", digits),
        ("one letter", "a".repeat(150_000)),
    ]
}

#[test]
fn the_tokens_of_a_long_document_do_not_depend_on_where_it_is_cut() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = ["gpt2", "llama", "llama3", "qwen2", "gemma2", "gpt-neox", "mistral"];
    let folders = golden.iter().map(|name| root.join("tests/golden").join(name));
    let shipped = ["sprout", "seedling"].iter().map(|name| root.join("models").join(name));
    let documents = documents();
    for folder in folders.chain(shipped) {
        let Ok(tokenizer) = Tokenizer::from_file(&folder.join("tokenizer.json")) else {
            panic!("{} has no tokenizer", folder.display())
        };
        for (name, text) in &documents {
            let whole = match tokenizer.ids(text) {
                Ok(ids) => ids,
                Err(error) => panic!("{} {name}: {error}", folder.display()),
            };
            let (mut ids, clean) = in_stretches(text, &tokenizer);
            ids.extend(tokenizer.added_behind().unwrap());
            // Seedling's tokenizer puts a space before every line, so what begins one is not split as it is alone.
            let may_be_cut = *name == "one long line" || (*name == "lines" && !folder.ends_with("seedling"));
            assert_eq!(clean > 0, may_be_cut, "{} {name}: {clean}", folder.display());
            let differ = ids.iter().zip(&whole).position(|(a, b)| a != b);
            assert!(ids == whole, "{} {name}: token {differ:?} of {}", folder.display(), whole.len());
        }
    }
}
