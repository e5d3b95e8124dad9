//! Single expressions, compared with what Jinja2 makes of them.

use super::*;
use crate::types::{ChatEnding, ChatRole, ChatTurn};
use serde::Deserialize;
use std::path::Path;

/// tests/golden/expressions.json, written by tests/golden/make_expressions.py.
#[derive(Deserialize)]
struct Golden {
    variables: Map<String, Json>,
    rows: Vec<(String, Option<String>)>,
}

/// What Jinja2 renders and Fovea refuses: lots, links for a browser, lines broken at places that only Python knows.
const REFUSED: [&str; 3] = ["'a' | random", "'http://x.y' | urlize", "'a b' | wordwrap(1)"];

#[test]
fn every_expression_is_what_jinja2_makes_of_it_or_is_refused() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/expressions.json");
    let golden: Golden = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let now = "2026-03-07T09:05:02".parse().unwrap();
    let turns = [ChatTurn::new(ChatRole::User, "hello")];
    let mut prompt = ChatPrompt::new(&turns, ChatEnding::Closed, ChatFormat::Model);
    prompt.variables = golden.variables;
    let mut wrong = Vec::new();
    for (expression, expected) in &golden.rows {
        let text = format!("{{{{ {expression} }}}}");
        let source = Source { name: "default".into(), file: "chat_template.jinja".into(), text };
        let template = ChatTemplate { sources: vec![source], tokens: Map::new() };
        let got = template.start_at(&prompt, now, LONGEST).unwrap().finish();
        let is_right = match (&got, expected) {
            _ if REFUSED.contains(&expression.as_str()) => got.is_err(),
            (Ok(got), Some(expected)) => got.text == *expected,
            (Err(ChatError::Template { .. }), None) => true,
            _ => false,
        };
        if !is_right {
            wrong.push(format!("{expression}\n  got      {got:?}\n  expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} expressions:\n{}", wrong.len(), golden.rows.len(), wrong.join("\n"));
    assert!(golden.rows.len() > 1000);
}
