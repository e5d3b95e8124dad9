//! What the chat mode of the prompt panel does when it is used: turns reach the model as they stand, answers stream into
//! them, and nothing that was said is lost.

mod support;
#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Event as Input, Key, Modifiers};
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Command, Event, InspectSpec, PromptInput, Work};
use fovea::types::{
    ChatEnding, ChatFailure, ChatFormat, ChatPrompt, ChatRole, ChatTurn, GenerationStats, Sampling, UserError,
};
use fovea::ui::{AppOptions, ThemeChoice};
use window::{SMALL, Window, has_adapter, plain, scripted_engine, with_text_model};

const STORY: &str = ", there was a little girl named Lily. She loved to play in the park.\nOne day, she saw a";

fn chat() -> Window<'static> {
    let mut window = Window::on("prompt", with_text_model());
    window.click("Chat");
    // The first question stands in a turn instead of the field at the foot.
    window.click("Add a turn");
    window.harness.event(Input::Text("Who are you?".into()));
    window.settle();
    clear_composer(&mut window);
    window
}

fn composer<'a>(window: &'a Window<'_>) -> egui_kittest::Node<'a> {
    window.harness.get_by_role_and_label(Role::MultilineTextInput, "Message")
}

fn clear_composer(window: &mut Window<'_>) {
    composer(window).focus();
    window.settle();
    window.press(Modifiers::COMMAND, Key::A);
    window.press(Modifiers::NONE, Key::Backspace);
}

/// Types into the field at the foot and presses Enter.
fn say(window: &mut Window<'_>, text: &str) {
    composer(window).focus();
    window.settle();
    window.harness.event(Input::Text(text.into()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
}

/// The conversations sent so far, as the template gets them.
fn sent(window: &Window<'_>) -> Vec<ChatPrompt> {
    let chats = window.engine.generations().into_iter().filter_map(|(_, prompt)| match prompt {
        PromptInput::Chat(chat) => Some(*chat),
        _ => None,
    });
    chats.collect()
}

fn prompt(turns: &[(ChatRole, &str)], ending: ChatEnding) -> ChatPrompt {
    let turns: Vec<ChatTurn> = turns.iter().map(|(role, text)| ChatTurn::new(*role, *text)).collect();
    ChatPrompt::new(&turns, ending, ChatFormat::Model)
}

/// Roles and texts as they stand on the screen.
fn turns(window: &Window<'_>) -> Vec<(String, String)> {
    let fields = window.harness.get_all_by_role(Role::MultilineTextInput);
    let turn = |node: egui_kittest::Node<'_>| {
        let label = node.accesskit_node().label()?;
        let role = label.strip_prefix("Turn ")?.split_once(", ")?.1.to_owned();
        Some((role, node.value().unwrap_or_default()))
    };
    fields.filter_map(turn).collect()
}

fn texts(window: &Window<'_>) -> Vec<String> {
    turns(window).into_iter().map(|(_, text)| text).collect()
}

fn write(window: &mut Window<'_>, turn: &str, text: &str) {
    window.type_into(Role::MultilineTextInput, turn, text);
}

use ChatRole::{Assistant, System, User};

#[test]
fn an_answer_streams_into_a_turn_of_its_own_and_is_continued() {
    let mut window = chat();
    write(&mut window, "Turn 1, user", " And why?");
    window.press(Modifiers::COMMAND, Key::Enter);
    let asked = [(User, "Who are you? And why?")];
    assert_eq!(sent(&window), [prompt(&asked, ChatEnding::GenerationPrompt)]);
    assert_eq!(turns(&window)[1], ("assistant".to_owned(), STORY.to_owned()));
    // What the model would receive now is the turn left open.
    assert!(window.has("Token 0: \" <user>\"") && window.has("Token 6: \" <end>\""), "no tokens of the template");
    window.click("Continue");
    let continued = prompt(&[asked[0], (Assistant, STORY)], ChatEnding::ContinueFinal);
    assert_eq!(sent(&window)[1], continued);
    assert_eq!(texts(&window)[1], format!("{STORY}{STORY}"));
    // One undo takes back one answer, however many tokens it had.
    window.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(texts(&window)[1], STORY);
    window.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(texts(&window), ["Who are you? And why?"]);
    window.press(Modifiers::COMMAND, Key::Y);
    assert_eq!(texts(&window)[1], STORY);
}

#[test]
fn stopping_keeps_what_came_and_the_turn_stays_shut_while_it_is_written() {
    let mut window = chat();
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Enter);
    let (job, _) = window.engine.generations()[0].clone();
    for place in 0..3 {
        window.engine.say(Event::Token { job, token: scripted_engine::token(place) });
    }
    window.settle();
    write(&mut window, "Turn 2, assistant", "not now");
    assert_eq!(texts(&window)[1], ", there was");
    window.click("Stop");
    assert_eq!(window.engine.sent(|c| matches!(c, Command::Cancel { .. }).then_some(())).len(), 1);
    window.engine.say(Event::HeldBack { job, text: " no".into() });
    window.engine.say(Event::Done { job, outcome: fovea::engine::Outcome::Cancelled });
    window.settle();
    assert_eq!(texts(&window)[1], ", there was no");
    write(&mut window, "Turn 2, assistant", " more");
    assert_eq!(texts(&window)[1], ", there was no more");
}

#[test]
fn turns_are_inserted_moved_renamed_and_deleted() {
    let mut window = chat();
    window.click("Insert a turn after turn 1");
    window.harness.event(Input::Text("An owl.".into()));
    window.settle();
    window.click("Add a turn");
    window.harness.event(Input::Text("Be kind.".into()));
    window.settle();
    window.click("Role of turn 3: User");
    window.harness.get_all_by_role_and_label(Role::Button, "System").next().unwrap().click();
    window.settle();
    window.click("Move turn 3 up");
    window.click("Move turn 2 up");
    let shown = turns(&window);
    let expected = [("system", "Be kind."), ("user", "Who are you?"), ("assistant", "An owl.")];
    assert_eq!(shown, expected.map(|(role, text)| (role.to_owned(), text.to_owned())));
    window.click("Delete turn 3");
    window.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(sent(&window), [prompt(&[(System, "Be kind."), (User, "Who are you?")], ChatEnding::GenerationPrompt)]);
}

#[test]
fn an_earlier_turn_is_written_anew_and_what_followed_comes_back() {
    let mut window = chat();
    window.press(Modifiers::COMMAND, Key::Enter);
    window.click("Add a turn");
    window.harness.event(Input::Text("Really?".into()));
    window.settle();
    window.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(texts(&window), ["Who are you?", STORY, "Really?", STORY]);
    write(&mut window, "Turn 2, assistant", " The end.");
    window.click("Write turn 2 anew");
    assert_eq!(sent(&window)[2], prompt(&[(User, "Who are you?")], ChatEnding::GenerationPrompt));
    assert_eq!(texts(&window), ["Who are you?", STORY]);
    window.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(texts(&window), ["Who are you?", &format!("{STORY} The end."), "Really?", STORY]);
    window.click("Continue turn 2");
    assert_eq!(sent(&window)[3].ending, ChatEnding::ContinueFinal);
    assert_eq!(texts(&window)[1], format!("{STORY} The end.{STORY}"));
}

#[test]
fn enter_sends_what_stands_at_the_foot_and_shift_enter_breaks_the_line() {
    let mut window = Window::on("prompt", with_text_model());
    window.click("Chat");
    assert_eq!(composer(&window).value().unwrap_or_default(), "Who are you?", "what a first session asks");
    composer(&window).focus();
    window.settle();
    window.press(Modifiers::COMMAND, Key::End);
    window.press(Modifiers::SHIFT, Key::Enter);
    window.harness.event(Input::Text("And why?".into()));
    window.settle();
    assert!(sent(&window).is_empty());
    window.press(Modifiers::NONE, Key::Enter);
    let asked = [(User, "Who are you?\nAnd why?")];
    assert_eq!(sent(&window), [prompt(&asked, ChatEnding::GenerationPrompt)]);
    assert_eq!(texts(&window), ["Who are you?\nAnd why?", STORY]);
    assert_eq!(composer(&window).value().unwrap_or_default(), "");
    // The keyboard stays where one writes on.
    say(&mut window, "Really?");
    assert_eq!(texts(&window).len(), 4);
    assert_eq!(sent(&window)[1].messages.len(), 3);
    // With nothing to say Enter sends nothing.
    window.press(Modifiers::NONE, Key::Enter);
    assert_eq!(sent(&window).len(), 2);
}

#[test]
fn what_was_typed_is_sent_by_the_enter_key_of_the_same_frame() {
    let mut window = chat();
    composer(&window).focus();
    window.settle();
    window.harness.event(Input::Text("Really?".into()));
    window.harness.key_press_modifiers(Modifiers::NONE, Key::Enter);
    window.settle();
    assert_eq!(texts(&window)[..2], ["Who are you?", "Really?"]);
    assert_eq!(sent(&window).len(), 1);
}

#[test]
fn a_turn_written_anew_is_one_of_several_ways_and_each_keeps_what_followed() {
    let mut window = chat();
    window.press(Modifiers::COMMAND, Key::Enter);
    say(&mut window, "Really?");
    assert!(!window.has("1 / 2"));
    write(&mut window, "Turn 2, assistant", " Indeed.");
    let first = texts(&window);
    window.click("Write turn 2 anew");
    assert_eq!(texts(&window), ["Who are you?", STORY]);
    // The scripted model says the same again, which was the first way; with what was typed behind it, it became another.
    assert!(window.has("1 / 2"), "which way this is");
    window.click("Next answer");
    assert_eq!(texts(&window), first);
    assert!(window.has("2 / 2"));
    window.click("Previous answer");
    assert_eq!(texts(&window)[..2], ["Who are you?", STORY]);
}

#[test]
fn the_tokens_under_a_chat_follow_undo_and_say_when_they_are_old() {
    let mut window = chat();
    window.press(Modifiers::COMMAND, Key::Enter);
    window.harness.get_by_role_and_label(Role::RadioButton, "Answer").click();
    window.settle();
    assert!(window.has("Token 5: \" girl\"") && !window.has("made before the last change"));
    write(&mut window, "Turn 2, assistant", " The end.");
    assert!(window.has("made before the last change"));
    window.press(Modifiers::COMMAND, Key::Z);
    assert!(window.has("Token 5: \" girl\"") && !window.has("made before the last change"));
    window.press(Modifiers::COMMAND, Key::Z);
    assert!(!window.has("Token 5: \" girl\""), "the answer was taken back");
    window.press(Modifiers::COMMAND, Key::Y);
    assert!(window.has("Token 5: \" girl\"") && !window.has("made before the last change"));
}

#[test]
fn conversations_are_kept_gone_back_to_and_written_to_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut window = chat();
    window.press(Modifiers::COMMAND, Key::Enter);
    window.click("New conversation");
    assert!(texts(&window).is_empty());
    say(&mut window, "An owl?");
    window.click("Who are you?");
    assert_eq!(texts(&window), ["Who are you?", STORY]);
    assert!(window.has("An owl?"), "the other one is in the list");
    for (format, name) in [("the conversation as Markdown", "talk.md"), ("the conversation as JSON", "talk.json")] {
        let written = window.export(format, &dir.path().join(name));
        assert!(String::from_utf8(written).unwrap().contains("Who are you?"), "{name}");
    }
    window.click("Delete conversation 1");
    assert!(!window.has("An owl?"));
}

#[test]
fn an_alternative_changes_the_turn_it_stands_in() {
    let mut window = chat();
    window.press(Modifiers::COMMAND, Key::Enter);
    let tab = window.harness.get_by_role_and_label(Role::RadioButton, "Answer");
    tab.click();
    window.settle();
    window.click("Token 2: \" was\"");
    let dog = window
        .harness
        .get_all_by_role(Role::Button)
        .find(|n| n.accesskit_node().label().is_some_and(|l| l.starts_with("·dog ")));
    dog.expect("the alternatives of the clicked token are shown").click();
    window.settle();
    let Some((_, PromptInput::Ids(ids))) = window.engine.generations().pop() else { panic!("no ids") };
    assert_eq!(ids[ids.len() - 3..], [200, 201, 504]);
    assert_eq!(texts(&window)[1], format!(", there dog{STORY}"));
}

#[test]
fn examples_of_the_plain_prompt_become_turns() {
    let mut window = Window::on("prompt", with_text_model());
    window.click("Add an example");
    window.harness.get_by_label("Example 1 input").focus();
    window.settle();
    window.harness.event(Input::Paste("rot\tred\nblau\tblue\n".into()));
    window.settle();
    window.click("Chat");
    window.click("Add examples");
    window.press(Modifiers::COMMAND, Key::Enter);
    let asked = [(User, "rot"), (Assistant, "red"), (User, "blau"), (Assistant, "blue"), (User, "Who are you?")];
    assert_eq!(sent(&window), [prompt(&asked, ChatEnding::GenerationPrompt)]);
    // The examples stay where they were.
    window.click("Plain prompt");
    assert!(window.has("Example 2 input"));
}

#[test]
fn a_model_without_a_template_says_so_and_plain_lines_are_offered() {
    let mut window = Window::on("prompt", with_text_model());
    let error = UserError::new("The model has no chat template.", "It continues text.", "Use the plain prompt.");
    window.engine.0.borrow_mut().chat_error = Some(ChatFailure { is_missing: true, error });
    window.click("Chat");
    assert!(window.has("The model has no chat template."));
    window.press(Modifiers::COMMAND, Key::Enter);
    assert!(sent(&window).is_empty(), "nothing is pretended");
    window.engine.0.borrow_mut().chat_error = None;
    window.click("Write turns as plain lines");
    window.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(sent(&window)[0].format, ChatFormat::Lines);
    let samplings: Vec<Sampling> = window.engine.started(|_, work| match work {
        Work::Generate(spec) => Some(spec.sampling.clone()),
        _ => None,
    });
    assert_eq!(samplings[0].stop, ["\nUser:"]);
    window.click("Use the model's template");
    window.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(sent(&window)[1].format, ChatFormat::Model);
}

#[test]
fn a_template_that_fails_shows_its_line_and_the_plain_prompt_works() {
    let mut window = Window::on("prompt", with_text_model());
    let error = UserError::new("The chat template refuses this conversation: No!", "In line 3.", "Change it.");
    let error = error.with_detail(">    3 │ {{ raise_exception('No!') }}");
    window.engine.0.borrow_mut().chat_error = Some(ChatFailure { is_missing: false, error });
    window.click("Chat");
    for words in
        ["The chat template refuses this conversation: No!", "In line 3.", ">    3 │ {{ raise_exception('No!') }}"]
    {
        assert!(window.has(words), "{words}");
    }
    let unnamed = window.harness.unnamed_widgets();
    assert!(unnamed.is_empty(), "{unnamed:#?}");
    window.click("Use the plain prompt");
    window.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(window.engine.generations()[0].1, PromptInput::Text("Once upon a time".into()));
    assert!(window.has("Token 5: \" girl\""));
    // The chat shows nothing of it, and the other way round.
    window.click("Chat");
    assert!(!window.has("Token 5: \" girl\""));
}

#[test]
fn a_failed_answer_leaves_no_empty_turn() {
    let mut window = chat();
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Enter);
    let (job, _) = window.engine.generations()[0].clone();
    assert_eq!(turns(&window).len(), 2);
    window.engine.say(Event::Failed { job: Some(job), error: UserError::new("Too long.", "Why.", "Next.") });
    window.settle();
    assert_eq!(turns(&window).len(), 1);
    assert!(window.has("Too long."));
}

#[test]
fn attention_looks_at_the_chat_and_every_widget_has_a_name() {
    let mut window = chat();
    window.press(Modifiers::COMMAND, Key::Enter);
    let unnamed = window.harness.unnamed_widgets();
    assert!(unnamed.is_empty(), "{unnamed:#?}");
    window.press(Modifiers::COMMAND, Key::Num3);
    let inspected = window.engine.started(|_, work| match work {
        Work::Inspect(InspectSpec { prompt: PromptInput::Ids(ids), .. }) => Some(ids.len()),
        _ => None,
    });
    let read = window.app().state().latest_run().unwrap().ids().len();
    assert_eq!(inspected, [read]);
}

#[test]
fn a_conversation_survives_the_end_of_the_app() {
    let dir = tempfile::tempdir().unwrap();
    let options = || AppOptions { state_dir: Some(dir.path().to_owned()), ..plain(ThemeChoice::Dark) };
    let mut window = Window::on("prompt", options());
    window.click("Chat");
    window.click("Add a turn");
    window.harness.event(Input::Text("Far away".into()));
    window.settle();
    window.click("Add a turn");
    composer(&window).focus();
    window.settle();
    window.press(Modifiers::COMMAND, Key::End);
    window.harness.event(Input::Text(" Not sent yet".into()));
    window.settle();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !std::fs::read_to_string(dir.path().join("session.json"))
        .is_ok_and(|t| t.contains("Far away") && t.contains("assistant") && t.contains("Not sent yet"))
    {
        assert!(std::time::Instant::now() < deadline, "the session was not written");
        std::thread::sleep(std::time::Duration::from_millis(50));
        window.harness.step();
    }
    drop(window);
    let window = Window::on("prompt", options());
    assert_eq!(composer(&window).value().as_deref(), Some("Who are you? Not sent yet"));
    let expected = [("user", "Far away"), ("assistant", "")];
    assert_eq!(turns(&window), expected.map(|(role, text)| (role.to_owned(), text.to_owned())));
}

#[test]
fn the_tab_key_goes_from_role_to_text_to_tools() {
    let mut window = chat();
    window.harness.get_by_label("Role of turn 1: User").focus();
    window.settle();
    let mut seen = Vec::new();
    for _ in 0..3 {
        window.press(Modifiers::NONE, Key::Tab);
        let focused = window.harness.root().children_recursive().find(|n| n.accesskit_node().is_focused());
        seen.push(focused.and_then(|n| n.accesskit_node().label()).unwrap_or_default());
    }
    assert_eq!(seen, ["Turn 1, user", "Answer turn 1", "Insert a turn after turn 1"]);
}

#[test]
fn the_picture_of_a_chat_is_the_approved_one() {
    if !has_adapter() {
        support::skipped("the_picture_of_a_chat_is_the_approved_one", "no adapter");
        return;
    }
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        let mut window = Window::open(SMALL, 0.5, AppOptions { theme: Some(theme), ..with_text_model() });
        window.click("Chat");
        window.press(Modifiers::COMMAND, Key::Enter);
        window.harness.remove_cursor();
        window.settle();
        // Memory is never the same twice.
        window.harness.mask(egui::Rect::from_min_max(egui::pos2(800.0, 612.0), egui::pos2(1024.0, 640.0)));
        window.harness.snapshot_options(format!("chat-{name}"), &options);
        results.extend_harness(&mut window.harness);
    }
}

#[test]
fn the_token_that_ends_a_turn_is_named() {
    let mut window = chat();
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Enter);
    let (job, _) = window.engine.generations()[0].clone();
    window.engine.say(Event::Token { job, token: scripted_engine::token(0) });
    let mut end = scripted_engine::token(1);
    end.top.iter_mut().filter(|c| c.id == end.id).for_each(|c| c.text = "<|im_end|>".into());
    end.text.clear();
    window.engine.say(Event::Token { job, token: end });
    let stop = fovea::types::StopReason::EndOfSequence;
    let stats = GenerationStats { stop, prompt_tokens: 4, new_tokens: 2, ttft_ms: 1.0, tokens_per_s: 9.0 };
    window.engine.say(Event::Done { job, outcome: fovea::engine::Outcome::Generated(stats) });
    window.settle();
    assert!(window.has("ended with <|im_end|>"));
    // It stands in the strip and not in the text.
    assert_eq!(texts(&window)[1], ",");
    window.harness.get_by_role_and_label(Role::RadioButton, "Answer").click();
    window.settle();
    assert!(window.has("Token 1: \"<|im_end|>\""));
}

#[test]
fn what_suits_a_short_answer_does_not_cut_a_conversation_off() {
    let folder = tempfile::tempdir().unwrap();
    let options = || AppOptions { state_dir: Some(folder.path().to_owned()), ..with_text_model() };
    let drawn = |window: &Window<'_>| {
        let sampling = |_, work: &Work| match work {
            Work::Generate(spec) => Some((spec.sampling.max_new_tokens, spec.sampling.stop.clone())),
            _ => None,
        };
        window.engine.started(sampling).last().cloned().unwrap()
    };
    let short = (8, vec!["\n".to_owned()]);
    let mut window = Window::open(SMALL, 1.0, options());
    window.press(Modifiers::COMMAND, Key::K);
    window.harness.event(Input::Text("example: opposites".into()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
    window.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(drawn(&window), short);
    window.click("Chat");
    say(&mut window, " And what is a fovea?");
    assert_eq!(drawn(&window), (160, Vec::new()));
    window.wait("no word of the conversation in the session", |_| {
        std::fs::read_to_string(folder.path().join("session.json")).is_ok_and(|text| text.contains("what is a fovea"))
    });
    drop(window);
    // Each is kept for the next start.
    let mut window = Window::open(SMALL, 1.0, options());
    window.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(drawn(&window), (160, Vec::new()));
    window.click("Plain prompt");
    window.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(drawn(&window), short);
}
