//! What transformers renders, case by case; templates that misbehave; folders as they come.

use super::*;
use crate::types::{ChatEnding, ChatMessage, ChatRole, ChatTurn};
use proptest::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// tests/golden/chat.json, written by tests/golden/make_chat.py.
#[derive(Deserialize)]
struct Golden {
    now: String,
    templates: BTreeMap<String, String>,
    chats: BTreeMap<String, Vec<ChatMessage>>,
    variables: BTreeMap<String, Map<String, Json>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    template: String,
    chat: String,
    ending: ChatEnding,
    variables: String,
    text: Option<String>,
    error: Option<String>,
    /// True when the template itself refused.
    raised: Option<bool>,
    line: Option<usize>,
}

impl Golden {
    /// When the cases were rendered, for those that write the date.
    fn now(&self) -> DateTime {
        self.now.parse().unwrap()
    }
}

/// What transformers refuses and Fovea takes as empty.
const LENIENT: &str = "{% for x in n %}{% endfor %}";

fn golden() -> Golden {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/chat.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn one(template: &str, tokens: &[(&str, &str)]) -> ChatTemplate {
    let source = Source { name: "default".into(), file: "chat_template.jinja".into(), text: template.into() };
    let tokens = tokens.iter().map(|(name, text)| ((*name).to_owned(), Json::from(*text))).collect();
    ChatTemplate { sources: vec![source], tokens }
}

fn ask(text: &str) -> ChatPrompt {
    ChatPrompt::new(&[ChatTurn::new(ChatRole::User, text)], ChatEnding::GenerationPrompt, ChatFormat::Model)
}

/// Rendered as if it were `now`.
fn at(template: &ChatTemplate, prompt: &ChatPrompt, now: DateTime) -> Result<RenderedChat, ChatError> {
    template.start_at(prompt, now, LONGEST)?.finish()
}

#[test]
fn every_case_is_rendered_as_transformers_renders_it() {
    let golden = golden();
    let mut wrong = Vec::new();
    for case in &golden.cases {
        let source = &golden.templates[&case.template];
        let template = one(source, &[("bos_token", "<s>"), ("eos_token", "</s>")]);
        let prompt = ChatPrompt {
            messages: golden.chats[&case.chat].clone(),
            ending: case.ending,
            format: ChatFormat::Model,
            variables: golden.variables[&case.variables].clone(),
        };
        let got = at(&template, &prompt, golden.now());
        let is_right = match (&got, &case.text, &case.error) {
            _ if source == LENIENT => got.as_ref().is_ok_and(|got| got.text.is_empty()),
            (Ok(got), Some(expected), _) => got.text == *expected,
            (Err(ChatError::Refused { message, .. }), None, Some(expected)) if case.raised == Some(true) => {
                message == expected
            }
            (Err(ChatError::Template { place, .. }), None, Some(_)) => {
                case.line.is_none_or(|line| place.line == Some(line))
            }
            (Err(_), None, Some(_)) => case.raised != Some(true),
            _ => false,
        };
        if !is_right {
            let expected = case.text.as_ref().or(case.error.as_ref());
            wrong.push(format!("{}\n  got      {got:?}\n  expected {expected:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), golden.cases.len(), wrong.join("\n"));
    assert!(golden.cases.len() > 140);
}

#[test]
fn places_of_the_messages_are_exact() {
    let golden = golden();
    let mut seen = 0;
    for case in golden.cases.iter().filter(|case| case.text.is_some() && !case.name.starts_with("snippet")) {
        let template = one(&golden.templates[&case.template], &[("bos_token", "<s>"), ("eos_token", "</s>")]);
        let messages = golden.chats[&case.chat].clone();
        let variables = golden.variables[&case.variables].clone();
        let prompt = ChatPrompt { messages: messages.clone(), ending: case.ending, variables, ..ChatPrompt::default() };
        let chat = at(&template, &prompt, golden.now()).unwrap();
        for (message, span) in &chat.spans {
            let words = messages[*message].content().unwrap();
            assert_eq!(chat.text[span.clone()], *words.trim(), "{}", case.name);
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn a_template_that_looks_at_the_words_gets_no_places() {
    let template = one("{{ messages[0].content[0] }}|{{ messages[0].content }}", &[]);
    let chat = template.render(&ask("hello")).unwrap();
    assert_eq!((chat.text.as_str(), chat.spans.len()), ("h|hello", 0));
}

#[test]
fn refusing_is_told_with_line_and_excerpt() {
    let template = one("{% for m in messages %}\n\n  {{ raise_exception('No ' + m.role) }}\n{% endfor %}\n", &[]);
    let error = template.render(&ask("x")).unwrap_err();
    let ChatError::Refused { message, place } = &error else { panic!("{error:?}") };
    assert_eq!((message.as_str(), place.line), ("No user", Some(3)));
    assert!(place.excerpt.contains(">    3 │   {{ raise_exception"), "{}", place.excerpt);
    let told = crate::types::UserError::from(error);
    assert!(told.what.ends_with("No user") && told.why.contains("line 3 of chat_template.jinja"), "{told}");
}

#[test]
fn templates_without_end_are_stopped() {
    let nested = format!("{}x{}", "{% if true %}".repeat(3000), "{% endif %}".repeat(3000));
    let long_sum = format!("{{{{ 1{} }}}}", "+1".repeat(120_000));
    let many_sets = format!("{}{{{{ x }}}}", "{% set x = [x] %}".repeat(5000));
    for (name, template) in [
        (
            "loop",
            "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}",
        ),
        (
            "output",
            "{% for a in range(9999) %}{% for b in range(9999) %}{{ 'more and more and more' }}{% endfor %}{% endfor %}",
        ),
        (
            "doubling",
            "{% set ns = namespace(x='x') %}{% for a in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
        ),
        ("repeated", "{{ 'x' * 999999999999 }}"),
        ("recursion", "{% macro m(x) %}{{ m([x]) }}{% endmacro %}{{ m(1) }}"),
        ("recursive loop", "{% for x in [1] recursive %}{{ loop([x]) }}{% endfor %}"),
        ("nested blocks", nested.as_str()),
        ("nested lists", many_sets.as_str()),
        (
            "growing depth",
            "{% set ns = namespace(x=[]) %}{% for a in range(90000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
        ),
        ("itself", "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}"),
        ("itself in a list", "{% set ns = namespace() %}{% set ns.me = {'a': [ns]} %}{{ ns ~ '' }}"),
        ("padding", "{{ 'a' | center(99999999999) }}{{ '%999999999d' | format(1) }}{{ 'a'.ljust(99999999999) }}"),
    ] {
        let begun = std::time::Instant::now();
        let result = one(template, &[]).render(&ask("hello"));
        let error = result.map(|chat| chat.text.len()).expect_err(name);
        assert!(begun.elapsed().as_secs() < 20, "{name} took {:?}", begun.elapsed());
        assert!(!matches!(error, ChatError::Crashed { .. }), "{name}: {error:?}");
    }
    // Slices of slices are lists again, and a long sum is as long as a template may be: harmless, both.
    let slices =
        "{% set ns = namespace(x=[1]) %}{% for a in range(90000) %}{% set ns.x = ns.x[0:] %}{% endfor %}{{ ns.x }}";
    assert_eq!(one(slices, &[]).render(&ask("x")).unwrap().text, "[1]");
    let text = one(&long_sum, &[]).render(&ask("x")).unwrap().text;
    assert_eq!(text, "120001");
    assert!(matches!(one(&" ".repeat(300 << 10), &[]).render(&ask("x")), Err(ChatError::TooLong { .. })));
}

#[test]
fn a_folder_is_read_as_transformers_reads_it() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let write = |file: &str, text: &str| {
        std::fs::create_dir_all(dir.join(file).parent().unwrap()).unwrap();
        std::fs::write(dir.join(file), text).unwrap();
    };
    let text = |prompt: &ChatPrompt| ChatTemplate::read(dir).unwrap().render(prompt).unwrap();
    assert_eq!(ChatTemplate::read(dir).unwrap_err(), ChatError::NoTemplate { dir: dir.to_owned() });

    write(
        "tokenizer_config.json",
        r#"{"bos_token": {"content": "<a>"}, "pad_token": null, "chat_template": "{{ bos_token }}one{{ pad_token }}"}"#,
    );
    assert_eq!(text(&ask("x")).text, "<a>one");
    // Older folders name the tokens once more.
    write("special_tokens_map.json", r#"{"bos_token": "<b>", "image_token": "<i>"}"#);
    assert_eq!(text(&ask("x")).text, "<b>one");

    let list = r#"{"bos_token": "<a>", "added_tokens_decoder": {}, "chat_template":
        [{"name": "default", "template": "plain {{ bos_token }}"}, {"name": "tool_use", "template": "tools"}]}"#;
    write("tokenizer_config.json", list);
    let chat = text(&ask("x"));
    assert_eq!((chat.text.as_str(), chat.formats), ("plain <a>", vec!["default".to_owned(), "tool_use".to_owned()]));
    let mut with_tools = ask("x");
    with_tools.variables.insert("tools".into(), serde_json::json!([{ "name": "f" }]));
    assert_eq!(text(&with_tools).text, "tools");
    let named = |name: &str| ChatPrompt { format: ChatFormat::Named(name.into()), ..ask("x") };
    assert_eq!(text(&named("tool_use")).text, "tools");
    let error = ChatTemplate::read(dir).unwrap().render(&named("rag")).unwrap_err();
    assert!(
        matches!(&error, ChatError::UnknownTemplate { name, known } if name == "rag" && known.len() == 2),
        "{error:?}"
    );

    write("additional_chat_templates/rag.jinja", "documents");
    write("chat_template.jinja", "{{ bos_token }}file");
    assert_eq!(text(&ask("x")).text, "<a>file");
    assert_eq!(text(&named("rag")).text, "documents");

    let other = tempfile::tempdir().unwrap();
    let template = ChatTemplate::read(dir).unwrap();
    template.write(other.path()).unwrap();
    assert!(other.path().join("additional_chat_templates/rag.jinja").is_file());
    assert_eq!(ChatTemplate::read(other.path()).unwrap().sources, template.sources);

    // Folders that Fovea saved before.
    write("chat_templates/rag.jinja", "older");
    write("chat_templates/once.jinja", "of before");
    assert_eq!(text(&named("rag")).text, "documents");
    assert_eq!(text(&named("once")).text, "of before");
}

#[test]
fn a_field_that_is_null_is_left_out_unless_the_template_needs_it() {
    let message = |json: &str| serde_json::from_str::<ChatMessage>(json).unwrap();
    let calls = message(r#"{"role": "assistant", "content": null, "tool_calls": [], "reasoning": "Hm."}"#);
    let prompt = ChatPrompt { messages: vec![calls], ..ChatPrompt::default() };
    let text = |template: &str| one(template, &[]).render(&prompt).map(|chat| chat.text);
    // As transformers 5 gives it.
    assert_eq!(
        text("{{ messages[0] | tojson }}").unwrap(),
        r#"{"thinking": "Hm.", "role": "assistant", "tool_calls": [], "reasoning": "Hm.", "reasoning_content": "Hm."}"#
    );
    // As transformers 4 gave it to templates that fail without.
    let asks = "{% set m = messages[0] %}{{ 'calls' if m['content'] is none else m.content + '!' }} {{ m.content is defined }}";
    assert_eq!(text(asks).unwrap(), "calls True");
    let open = ChatPrompt { ending: ChatEnding::ContinueFinal, ..prompt.clone() };
    let error = one("{{ messages[0].content }}", &[]).render(&open).unwrap_err();
    assert!(error.to_string().contains("no content to continue"), "{error}");
}

#[test]
fn a_broken_folder_is_told_with_file_and_field() {
    let scratch = tempfile::tempdir().unwrap();
    for (config, words) in [
        ("<!DOCTYPE html>", "not valid JSON"),
        (r#"{"chat_template": 5}"#, "the field `chat_template` is 5"),
        (r#"{"chat_template": [{"name": "default"}]}"#, "without a name and a template"),
    ] {
        std::fs::write(scratch.path().join("tokenizer_config.json"), config).unwrap();
        let error = ChatTemplate::read(scratch.path()).unwrap_err().to_string();
        assert!(error.contains("tokenizer_config.json") && error.contains(words), "{error}");
    }
}

#[test]
fn plain_lines_stand_in_for_a_missing_template() {
    let none = Err(ChatError::NoTemplate { dir: "m".into() });
    let turns = [
        ChatTurn::new(ChatRole::System, "Be brief."),
        ChatTurn::new(ChatRole::User, "Hi"),
        ChatTurn::new(ChatRole::Assistant, "Hello, I"),
    ];
    let text = |turns: &[ChatTurn], ending, format| render_chat(&none, &ChatPrompt::new(turns, ending, format));
    let asked = text(&turns[..2], ChatEnding::GenerationPrompt, ChatFormat::Lines).unwrap();
    assert_eq!(asked.text, "System: Be brief.\nUser: Hi\nAssistant:");
    let open = text(&turns, ChatEnding::ContinueFinal, ChatFormat::Lines).unwrap();
    assert_eq!(open.text, "System: Be brief.\nUser: Hi\nAssistant: Hello, I");
    assert_eq!(open.spans.len(), 3);
    let refused = text(&turns, ChatEnding::Closed, ChatFormat::Model).unwrap_err();
    assert!(matches!(refused, ChatError::NoTemplate { .. }));
}

proptest! {
    #[test]
    fn no_text_as_a_template_panics_or_hangs(template in "\\PC{0,60}|([{}%#'\" \\n|.()\\[\\]~=:,-]|set|for|in|if|else|end|macro|ns|x|\\d){0,60}") {
        let result = one(&template, &[]).render(&ask("hello"));
        prop_assert!(!matches!(result, Err(ChatError::Crashed { .. })), "{result:?}");
    }

    #[test]
    fn no_mutation_of_a_template_panics_or_hangs(
        which in any::<prop::sample::Index>(), changes in prop::collection::vec((any::<prop::sample::Index>(), 0..6u8, any::<u8>()), 1..6),
    ) {
        let golden = golden();
        let templates: Vec<&String> = golden.templates.values().collect();
        let mut text: Vec<char> = which.get(&templates).chars().collect();
        for (place, kind, byte) in changes {
            if text.is_empty() { break; }
            let at = place.index(text.len());
            let end = (at + usize::from(byte)).min(text.len());
            match kind {
                0 => drop(text.remove(at)),
                1 => text.insert(at, char::from(byte % 95 + 32)),
                2 => text[at] = char::from(byte % 95 + 32),
                3 => drop(text.drain(at..end)),
                4 => { let piece: Vec<char> = text[at..end].to_vec(); text.splice(at..at, piece); }
                _ => text.truncate(at),
            }
        }
        let template = one(&text.into_iter().collect::<String>(), &[("bos_token", "<s>"), ("eos_token", "</s>")]);
        let result = at(&template, &ask("hello"), golden.now());
        prop_assert!(!matches!(result, Err(ChatError::Crashed { .. })), "{result:?}");
    }

    #[test]
    fn what_is_said_arrives_whole(words in prop::collection::vec("\\PC{0,12}", 1..5)) {
        let turns: Vec<ChatTurn> = words.iter().enumerate()
            .map(|(i, text)| ChatTurn::new(if i % 2 == 0 { ChatRole::User } else { ChatRole::Assistant }, text.clone())).collect();
        let prompt = ChatPrompt::new(&turns, ChatEnding::Closed, ChatFormat::Model);
        let template = one("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}", &[]);
        let chat = template.render(&prompt).unwrap();
        let expected: String = turns.iter().map(|turn| format!("<{}>{}", turn.role.name(), turn.text)).collect();
        prop_assert_eq!(&chat.text, &expected);
        for (message, span) in &chat.spans {
            prop_assert_eq!(&chat.text[span.clone()], python::strip(&turns[*message].text));
        }
    }
}
