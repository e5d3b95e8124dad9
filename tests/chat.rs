//! Chats end to end: from a folder's template over its tokenizer to the model, on the command line and in the engine.

mod support;

use fovea::engine::{Command as Ask, InspectSpec, PromptInput, Work};
use fovea::types::{
    ChatEnding, ChatFormat, ChatPrompt, ChatRole, ChatTurn, DeviceChoice, JobId, Sampling, SiteFilter, StopReason,
};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::root;
use support::script::{Script, stop_of};

/// Every letter of it is in the vocabulary of the golden models.
const TEMPLATE: &str = "{% for m in messages %}
{% if m.role == 'system' %}{{ raise_exception('No system messages, please') }}{% endif %}
{{ m.role }}.{{ m.content }}{{ eos_token }}{% endfor %}
{% if add_generation_prompt %}assistant.{% endif %}";

/// A golden model with a chat template.
fn chat_model(dir: &Path, template: &str) -> PathBuf {
    for file in ["config.json", "tokenizer.json", "model.safetensors", "generation_config.json"] {
        fs::copy(root().join("tests/golden/llama").join(file), dir.join(file)).unwrap();
    }
    let config = json!({ "eos_token": "<|end|>", "chat_template": template });
    fs::write(dir.join("tokenizer_config.json"), config.to_string()).unwrap();
    dir.to_owned()
}

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fovea"));
    command.current_dir(root()).env_remove("RUST_LOG").env_remove("FOVEA_MODELS").args(arguments).output().unwrap()
}

fn text(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The message of a command that must fail.
fn failure(arguments: &[&str]) -> String {
    let output = run(arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments:?}: {message}");
    assert!(message.contains("\n  why: ") && message.contains("\n  next: "), "{arguments:?}: {message}");
    message
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_command_line_prints_what_the_template_writes() {
    let scratch = tempfile::tempdir().unwrap();
    let model = chat_model(scratch.path(), TEMPLATE).display().to_string();
    // The weights are not needed for that.
    fs::remove_file(scratch.path().join("model.safetensors")).unwrap();
    let common = ["chat-template", "--model", &model];
    let with = |rest: &[&str]| text(&[&common[..], rest].concat());
    let asked = ["--chat", "--user", "Hello"];
    assert_eq!(with(&asked), "user.Hello<|end|>assistant.");
    assert_eq!(with(&[&asked[..], &["--assistant", "I am "]].concat()), "user.Hello<|end|>assistant.I am ");
    let closed = ["--assistant", "I am", "--ending", "closed"];
    assert_eq!(with(&[&asked[..], &closed].concat()), "user.Hello<|end|>assistant.I am<|end|>");
    assert_eq!(with(&[&asked[..], &["--lines"]].concat()), "User: Hello\nAssistant:");

    let file = scratch.path().join("messages.json");
    let path = file.display().to_string();
    let messages = json!([{ "role": "user", "content": "a" }, { "role": "tool", "content": "b" }]);
    for written in [messages.clone(), json!({ "messages": messages, "tools": [] })] {
        fs::write(&file, written.to_string()).unwrap();
        assert_eq!(with(&["--messages", &path]), "user.a<|end|>tool.b<|end|>assistant.");
    }
    // As editors and spreadsheets save it.
    let wide = |unit: fn(u16) -> [u8; 2]| messages.to_string().encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    for (mark, written) in [
        (&b"\xEF\xBB\xBF"[..], messages.to_string().into_bytes()),
        (b"\xFF\xFE", wide(u16::to_le_bytes)),
        (b"\xFE\xFF", wide(u16::to_be_bytes)),
    ] {
        fs::write(&file, [mark, &written].concat()).unwrap();
        assert_eq!(with(&["--messages", &path]), "user.a<|end|>tool.b<|end|>assistant.");
    }
    for (written, words) in
        [("[1]", "Message 1 is no object with a role"), ("{", "not valid JSON"), ("{\"messages\": 1}", "not a list")]
    {
        fs::write(&file, written).unwrap();
        assert!(failure(&[&common[..], &["--messages", &path]].concat()).contains(words));
    }
}

#[test]
fn a_template_that_refuses_is_told_with_its_line() {
    let scratch = tempfile::tempdir().unwrap();
    let model = chat_model(scratch.path(), TEMPLATE).display().to_string();
    let refused = ["--chat", "--system", "s", "--user", "u"];
    for verb in ["chat-template", "generate"] {
        let message = failure(&[&[verb, "--model", &model][..], &refused].concat());
        assert!(message.contains("No system messages, please") && message.contains("line 2"), "{message}");
        assert!(message.contains(">    2 │ {% if m.role"), "{message}");
    }
    let out_of_turn = ["chat-template", "--model", &model, "--chat", "--user", "a", "--user", "b"];
    assert!(failure(&out_of_turn).contains("2 turns of the user and 0 of the assistant"));
    let none = root().join("tests/golden/llama").display().to_string();
    assert!(failure(&["chat-template", "--model", &none, "--chat", "--user", "a"]).contains("no chat template"));
    assert!(
        failure(&["chat-template", "--model", "no/such/model", "--chat", "--user", "a"])
            .contains("There is no model no/such/model")
    );
    // The plain prompt needs no template, but the tokenizer's other settings.
    let plain = ["generate", "--device", "cpu", "--model", &model, "--prompt", "abc", "--max-new-tokens", "2"];
    fs::write(scratch.path().join("tokenizer_config.json"), "<html>").unwrap();
    assert!(failure(&["chat-template", "--model", &model, "--chat", "--user", "a"]).contains("not valid JSON"));
    assert!(failure(&plain).contains("not valid JSON"));
    fs::write(scratch.path().join("tokenizer_config.json"), "{}").unwrap();
    text(&plain);
}

#[test]
fn a_chat_is_answered_as_its_text_is_continued() {
    let scratch = tempfile::tempdir().unwrap();
    let model = chat_model(scratch.path(), TEMPLATE).display().to_string();
    let common = ["generate", "--device", "cpu", "--model", &model, "--max-new-tokens", "6", "--json"];
    let answer = |rest: &[&str]| lines(&text(&[&common[..], rest].concat()));
    for (turns, written) in [
        (&["--chat", "--user", "Hi"][..], "user.Hi<|end|>assistant."),
        (&["--chat", "--user", "Hi", "--assistant", "I "], "user.Hi<|end|>assistant.I "),
    ] {
        let (chat, plain) = (answer(turns), answer(&["--prompt", written]));
        let ids = |lines: &[Value]| lines.iter().map(|line| line["id"].clone()).collect::<Vec<_>>();
        assert_eq!(ids(&chat), ids(&plain));
        assert_eq!(chat.last().unwrap()["done"]["prompt_tokens"], plain.last().unwrap()["done"]["prompt_tokens"]);
    }
    assert!(failure(&[&common[..], &["--prompt", "a", "--temperature", "-1"]].concat()).contains("temperature is -1"));
}

#[test]
fn the_engine_tells_what_a_chat_is_written_as_and_stops_at_the_end_of_a_turn() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = chat_model(scratch.path(), TEMPLATE);
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&dir).id;
    let turns = [ChatTurn::new(ChatRole::User, "Hi"), ChatTurn::new(ChatRole::Assistant, "I")];
    let ask =
        |turns: &[ChatTurn], ending| PromptInput::Chat(Box::new(ChatPrompt::new(turns, ending, ChatFormat::Model)));
    let job = JobId::next();
    script.send(Ask::start(job, model, Work::Tokenize(ask(&turns, ChatEnding::Closed))));
    let fovea::engine::Outcome::Tokenized(read) = script.end(job).unwrap() else { panic!("not tokenized") };
    let (ids, special) = (read.tokens.iter().map(|t| t.id).collect::<Vec<_>>(), &read.special);
    let chat = read.chat.clone().unwrap().unwrap();
    assert_eq!(chat.text, "user.Hi<|end|>assistant.I<|end|>");
    assert_eq!(chat.spans, [(0, 5..7), (1, 24..25)]);
    assert_eq!(special.iter().map(|&i| ids[i]).collect::<Vec<_>>(), [63, 63]);

    // An inspection reads the same tokens.
    let job = JobId::next();
    let sites: SiteFilter = "embed".parse().unwrap();
    script.send(Ask::start(
        job,
        model,
        Work::Inspect(InspectSpec { prompt: ask(&turns, ChatEnding::Closed), sites, edits: Vec::new() }),
    ));
    let fovea::engine::Outcome::Inspected(report) = script.end(job).unwrap() else { panic!("not inspected") };
    assert_eq!(report.tokens.iter().map(|t| t.id).collect::<Vec<_>>(), ids);

    // The token that ends a turn is named by tokenizer_config.json alone.
    for file in ["config.json", "generation_config.json"] {
        let mut config: Value = serde_json::from_slice(&fs::read(dir.join(file)).unwrap()).unwrap();
        config["eos_token_id"] = Value::Null;
        fs::write(dir.join(file), config.to_string()).unwrap();
    }
    let model = script.open(&dir).id;
    let mut ended = false;
    for seed in 1..200 {
        let sampling = Sampling { temperature: 4.0, max_new_tokens: 12, seed, ..Sampling::default() };
        let job = script.generate(model, ask(&turns[..1], ChatEnding::GenerationPrompt), sampling);
        let (stop, count) = stop_of(script.end(job).unwrap());
        let ids = script.ids_of(job);
        assert_eq!(
            ids.iter().position(|id| *id == 63).map(|at| at + 1),
            (stop == StopReason::EndOfSequence).then_some(count)
        );
        ended |= stop == StopReason::EndOfSequence;
    }
    assert!(ended, "no run ended by itself");
}

#[test]
fn a_job_can_be_stopped_while_its_template_is_at_work() {
    let scratch = tempfile::tempdir().unwrap();
    let busy =
        "{% for a in range(9999) %}{% for b in range(9999) %}{% if messages %}{% endif %}{% endfor %}{% endfor %}";
    let dir = chat_model(scratch.path(), busy);
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&dir).id;
    let turns = [ChatTurn::new(ChatRole::User, "Hi")];
    let prompt = ChatPrompt::new(&turns, ChatEnding::GenerationPrompt, ChatFormat::Model);
    let ask = || PromptInput::Chat(Box::new(prompt.clone()));
    let generation = script.generate(model, ask(), Sampling::default());
    script.send(Ask::Cancel { job: generation });
    assert_eq!(stop_of(script.end(generation).unwrap()), (StopReason::Cancelled, 0));
    // And left alone, it ends with what is wrong.
    let generation = script.generate(model, ask(), Sampling::default());
    assert!(script.end(generation).unwrap_err().what.contains("stopped"));
}
