//! Tokenizers of every spelling: split, joined and streamed.

use super::*;
use proptest::prelude::*;

/// SentencePiece's spelling in the settings that Llama 2 ships: `▁` for spaces, one before every text, bytes as
/// `<0xE2>` where no piece fits.
fn sentencepiece() -> Arc<Tokenizer> {
    let mut vocabulary = vec!["<unk>".to_owned(), "<s>".to_owned(), "</s>".to_owned()];
    vocabulary.extend((0..=255u8).map(|b| format!("<0x{b:02X}>")));
    vocabulary.extend(["▁", "a", "b", "t", "h", "e", "▁t", "▁th", "▁the", "é"].map(str::to_owned));
    let vocabulary: serde_json::Map<_, _> = vocabulary.into_iter().enumerate().map(|(i, t)| (t, i.into())).collect();
    let special = |id: u32, content: &str| {
        serde_json::json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true })
    };
    tokenizer(&serde_json::json!({
        "version": "1.0",
        "added_tokens": [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
        "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "Prepend", "prepend": "▁" },
            { "type": "Replace", "pattern": { "String": " " }, "content": "▁" }] },
        "pre_tokenizer": null,
        "post_processor": { "type": "TemplateProcessing",
            "single": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
            "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
            "special_tokens": { "<s>": { "id": "<s>", "ids": [1], "tokens": ["<s>"] } } },
        "decoder": { "type": "Sequence", "decoders": [
            { "type": "Replace", "pattern": { "String": "▁" }, "content": " " },
            { "type": "ByteFallback" }, { "type": "Fuse" },
            { "type": "Strip", "content": " ", "start": 1, "stop": 0 }] },
        "model": { "type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true, "vocab": vocabulary,
            "merges": [["▁", "t"], ["▁t", "h"], ["▁th", "e"]] },
    }))
}

/// Words with a `▁` before each, split and joined by Metaspace.
fn metaspace() -> Arc<Tokenizer> {
    let vocabulary: serde_json::Map<_, _> =
        ["▁", "a", "b", "▁a", "▁b"].into_iter().enumerate().map(|(i, t)| (t.to_owned(), i.into())).collect();
    let metaspace = serde_json::json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always" });
    tokenizer(&serde_json::json!({
        "version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": metaspace, "decoder": metaspace,
        "model": { "type": "BPE", "vocab": vocabulary, "merges": [["▁", "a"], ["▁", "b"]] },
    }))
}

fn tokenizer(json: &serde_json::Value) -> Arc<Tokenizer> {
    Arc::new(Tokenizer::new(json.to_string().parse().unwrap()).unwrap())
}

fn streamed(tokenizer: &Arc<Tokenizer>, ids: &[u32]) -> String {
    let mut stream = tokenizer.stream(&[]);
    let text: String = ids.iter().map(|&id| stream.push(id)).collect();
    text + &stream.finish()
}

#[test]
fn a_character_split_over_tokens_comes_with_the_last_of_them() {
    let tokenizer = Arc::new(Tokenizer::bytes());
    let mut stream = tokenizer.stream(&[]);
    let pushed: Vec<String> = "a€b".bytes().map(|b| stream.push(u32::from(b))).collect();
    assert_eq!(pushed, ["a", "", "", "€", "b"]);
    assert_eq!(stream.finish(), "");
    assert_eq!(stream.push(0xE2), "");
    assert_eq!(stream.finish(), "\u{FFFD}");
}

#[test]
fn a_continuation_keeps_its_first_space() {
    let tokenizer = sentencepiece();
    let prompt = tokenizer.ids("the the").unwrap();
    assert_eq!(tokenizer.decode(&prompt[1..]), "the the");
    assert_eq!(streamed(&tokenizer, &prompt[2..]), " the");
    assert_eq!(tokenizer.decode(&prompt), "<s> the the");
}

#[test]
fn bytes_without_a_piece_are_put_together_again() {
    let tokenizer = sentencepiece();
    let ids = tokenizer.ids("é€").unwrap();
    let texts: Vec<String> = ids.iter().map(|&id| tokenizer.token_text(id)).collect();
    assert_eq!(texts, ["<s>", " ", "é", "<E2>", "<82>", "<AC>"]);
    assert_eq!(tokenizer.lossy_token_text(ids[3]), "\u{FFFD}");
    let mut stream = tokenizer.stream(&[]);
    let pushed: Vec<String> = ids[2..].iter().map(|&id| stream.push(id)).collect();
    assert_eq!(pushed, ["é", "", "", "€"]);
}

#[test]
fn bytes_that_are_no_whole_character_are_written_as_numbers() {
    assert_eq!(with_numbers("Größe €".as_bytes()), "Größe €");
    assert_eq!(with_numbers(b" \xE4\xB8"), " <E4B8>");
    assert_eq!(with_numbers(b"\xAD\xE6\x96\x87\xE5"), "<AD>文<E5>");
    assert_eq!(with_numbers(b"\xFF\xC0\x80"), "<FFC080>");
}

#[test]
fn metaspace_gives_its_space_back() {
    let tokenizer = metaspace();
    let ids = tokenizer.ids("a b").unwrap();
    assert_eq!(tokenizer.decode(&ids), "a b");
    assert_eq!(streamed(&tokenizer, &ids), " a b");
}

#[test]
fn spans_cover_the_text_and_added_tokens_are_empty() {
    let tokens = sentencepiece().encode("the ab").unwrap();
    let spans: Vec<_> = tokens.iter().map(|t| (t.text.as_str(), t.span.clone())).collect();
    assert_eq!(spans, [("<s>", 0..0), (" the", 0..3), (" ", 3..4), ("a", 4..5), ("b", 5..6)]);
}

#[test]
fn a_whole_text_gets_no_tokens_beside_its_own() {
    let tokenizer = sentencepiece();
    let tokens = tokenizer.encode_whole("<s>the</s>").unwrap();
    let told: Vec<_> = tokens.iter().map(|t| (t.id, tokenizer.is_special(t.id), t.span.clone())).collect();
    assert_eq!(told, [(1, true, 0..3), (tokenizer.token_id("▁the").unwrap(), false, 3..6), (2, true, 6..10)]);
    assert_eq!(tokenizer.encode("<s>the").unwrap()[..2].iter().map(|t| t.id).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn what_goes_on_is_split_as_if_read_together() {
    let tokenizer = sentencepiece();
    let the = tokenizer.token_id("▁the").unwrap();
    assert_eq!(tokenizer.ids_after("the", " the").unwrap(), [the]);
    assert_eq!(tokenizer.continuation_ids(" the").unwrap(), [the], "the space before every text is not its own");
    // Here the two would become one token, so the text is split by itself.
    assert_eq!(tokenizer.ids_after("t", "he").unwrap(), tokenizer.continuation_ids("he").unwrap());
    let long = "é".repeat(40);
    assert_eq!(tokenizer.ids_after(&long, " the").unwrap(), [the]);
    let bytes = Tokenizer::bytes();
    assert_eq!(bytes.ids_after("", "ab").unwrap(), [97, 98]);
    assert_eq!(bytes.ids_after("x", "").unwrap(), [0; 0]);
}

#[test]
fn a_special_token_is_written_as_it_is() {
    let tokenizer = sentencepiece();
    assert_eq!(tokenizer.token_text(2), "</s>");
    assert_eq!(tokenizer.token_text(9999), "");
}

#[test]
fn a_tokenizer_with_a_decoder_of_its_own_still_streams() {
    let vocabulary = serde_json::json!({ "play": 0, "##ing": 1, "is": 2, "[UNK]": 3 });
    let tokenizer = tokenizer(&serde_json::json!({
        "version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": { "type": "Whitespace" },
        "decoder": { "type": "WordPiece", "prefix": "##", "cleanup": false },
        "model": { "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary },
    }));
    let ids = tokenizer.ids("playing is").unwrap();
    assert_eq!(ids, [0, 1, 2]);
    assert_eq!(streamed(&tokenizer, &ids), "playing is");
}

proptest! {
    #[test]
    fn streaming_bytes_gives_the_decoded_string(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let ids: Vec<u32> = bytes.iter().map(|&b| u32::from(b)).collect();
        prop_assert_eq!(streamed(&Arc::new(Tokenizer::bytes()), &ids), String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn every_text_survives_the_byte_tokenizer(text in "\\PC{0,30}|[ \\n\\t]{0,5}") {
        let tokenizer = Arc::new(Tokenizer::bytes());
        let ids = tokenizer.ids(&text).unwrap();
        prop_assert_eq!(&ids, &text.bytes().map(u32::from).collect::<Vec<_>>());
        prop_assert_eq!(&tokenizer.decode(&ids), &text);
        prop_assert_eq!(&streamed(&tokenizer, &ids), &text);
    }

    #[test]
    fn every_text_survives_sentencepiece(text in "[abthe é€😀]{0,30}") {
        let tokenizer = sentencepiece();
        let ids = tokenizer.ids(&text).unwrap();
        prop_assert_eq!(&tokenizer.decode(&ids[1..]), &text);
        // An empty text gets no space before it.
        let expected = if text.is_empty() { String::new() } else { format!(" {text}") };
        prop_assert_eq!(streamed(&tokenizer, &ids[1..]), expected);
        prop_assert_eq!(tokenizer.inner.decode(&ids, true).unwrap(), text);
    }
}
