//! Templates that ask for more work, memory or time than there is.

use super::*;
use crate::types::{ChatEnding, ChatRole, ChatTurn, UserError};

fn start(template: &str, longest: Duration) -> Rendering {
    let source = Source { name: "default".into(), file: "chat_template.jinja".into(), text: template.into() };
    let template = ChatTemplate { sources: vec![source], tokens: Map::new() };
    let prompt = ChatPrompt::new(&[ChatTurn::new(ChatRole::User, "hello")], ChatEnding::Closed, ChatFormat::Model);
    template.start_at(&prompt, now(), longest).unwrap()
}

/// Rendered within so much time that only work and memory can end it.
fn render(template: &str) -> Result<RenderedChat, ChatError> {
    start(template, Duration::from_secs(600)).finish()
}

#[test]
fn a_size_that_a_template_chooses_is_refused_before_memory_is_asked_for() {
    for expression in [
        "'{:>100000000000}'.format('x')",
        "'{:>8000000000}'.format('x')",
        "'{:.10000000000f}'.format(1)",
        "'{:{w}}'.format('x', w=100000000000)",
        "'{:0100000000000,}'.format(1)",
        "'{:99999999999999999999999}'.format(1)",
        "'%100000000000d' % 1",
        "'%.100000000000f' % 1",
        "'%.100000000000d' % 1",
        "'%*d' % (100000000000, 1)",
        "'%-*d' % (-100000000000, 1)",
        "'%100000000000s' | format('x')",
        "'x'.ljust(100000000000)",
        "'x'.rjust(100000000000)",
        "'x'.center(100000000000)",
        "'x'.zfill(100000000000)",
        "'\\t'.expandtabs(100000000000)",
        "'x' | center(100000000000)",
        "'x' | indent(100000000000, true)",
        "'x' * 100000000000",
        "'x' * 100000000 * 100000000",
        "[1] * 100000000000",
        "(1,) * 100000000000",
        "range(100000000000)",
        "[1] | batch(100000000000, 'x') | list",
        "[1] | slice(100000000000) | list",
        "'a' | replace('', 'x' * 9000000) | replace('', 'x' * 9000000)",
        "'aaaaaaaaaa'.replace('a', 'x' * 9000000)",
        "('x' * 9000000).join('abc')",
        "'abc' | join('x' * 9000000)",
        "[[[[1]]]] | tojson(indent='x' * 9000000)",
        "[1, 2, 3] | tojson(separators=('x' * 9000000, ':'))",
        "[1] | tojson(indent=100000000000)",
        "('\\n' * 9000) | indent('x' * 9000)",
        "('&' * 9000000) | escape",
        "2 ** 100000000000",
        "1.5 | round(100000000000)",
        "'x'.encode() * 100000000000",
        "strftime_now('%100000000000Y')",
    ] {
        let error = render(&format!("{{{{ {expression} }}}}")).map(|chat| chat.text.len()).expect_err(expression);
        assert!(!matches!(error, ChatError::Crashed { .. }), "{expression}: {error:?}");
    }
}

#[test]
fn work_on_text_is_counted_by_its_length() {
    let long =
        "{% set s = 'é' * 4000000 %}{% set same = 'é' * 4000000 %}{% for a in range(9999) %}{% for b in range(9999) %}";
    for body in [
        "{% if s[-1] == s[3999999] %}{% endif %}",
        "{% if s[1:] %}{% endif %}",
        "{% if s[::2] %}{% endif %}",
        "{% set x = s[5:6] %}",
        "{% if s == same %}{% endif %}",
        "{% if [s] == [same] %}{% endif %}",
        "{% if s in [same] %}{% endif %}",
        "{% if s < same %}{% endif %}",
        "{% if 'x' in s %}{% endif %}",
        "{% if s | length %}{% endif %}",
        "{% if s.find('x') %}{% endif %}",
        "{% if s is lower %}{% endif %}",
        "{% if {s: 1} %}{% endif %}",
        "{% if {'a': 1}[s] %}{% endif %}",
        "{% set x = s ~ 'a' ~ 'b' %}",
        "{% set x = '%s' % s %}",
        "{% set x = '{}'.format(s) %}",
        "{% if 'x'.startswith(s) or s.startswith('x') %}{% endif %}",
    ] {
        let error =
            render(&format!("{long}{body}{{% endfor %}}{{% endfor %}}")).map(|chat| chat.text.len()).expect_err(body);
        assert!(matches!(error, ChatError::Endless { .. }), "{body}: {error:?}");
    }
}

#[test]
fn nobody_waits_longer_for_a_template_than_its_time() {
    // Enough work for a while, and no time at all.
    let busy = "{% for a in range(9999) %}{% for b in range(99) %}{{ messages[0].role }}{% endfor %}{% endfor %}";
    let error = start(busy, Duration::ZERO).finish().unwrap_err();
    assert!(matches!(error, ChatError::Endless { .. }), "{error:?}");
    assert!(UserError::from(error).what.contains("stopped"));
}

#[test]
fn a_template_that_is_at_work_can_be_looked_at_and_left() {
    let busy = "{% for a in range(9999) %}{% for b in range(99) %}{{ messages[0].role }}{% endfor %}{% endfor %}";
    let mut rendering = start(busy, Duration::from_secs(600));
    // It may be done already; what counts is that the question comes back.
    let _ = rendering.wait(Duration::ZERO);
    drop(rendering);
}

#[test]
fn no_template_takes_the_place_of_what_watches_it() {
    for template in [
        "{% set __fovea_kept = 1 %}",
        "{% macro __fovea_item(a, b) %}{% endmacro %}{{ messages[0] }}",
        "{% for __fovea_item in [1] %}{{ messages[0] }}{% endfor %}",
    ] {
        let error = render(template).unwrap_err();
        assert!(matches!(error, ChatError::Template { .. }), "{template}: {error:?}");
    }
    let source = Source { name: "default".into(), file: "f".into(), text: "{{ messages[0].role }}".into() };
    let template = ChatTemplate { sources: vec![source], tokens: Map::new() };
    let mut prompt = ChatPrompt::new(&[ChatTurn::new(ChatRole::User, "x")], ChatEnding::Closed, ChatFormat::Model);
    prompt.variables.insert("__fovea_item".to_owned(), Json::from(1));
    assert_eq!(template.render(&prompt).unwrap().text, "user");
}

#[test]
fn nothing_nests_without_end() {
    for value in [
        "{'a': ns.x}.items()",
        "{'a': ns.x}.values()",
        "[ns.x] | reverse",
        "[ns.x] | map('default')",
        "[ns.x] | batch(2)",
        "[{'a': 1, 'b': ns.x}] | groupby('a')",
        "cycler(ns.x)",
        "joiner(ns.x)",
        "[ns.x].index",
        "dict(a=ns.x)",
        "(ns.x,) * 2",
        "[ns.x] + []",
        "[ns.x][0:]",
    ] {
        let template = format!(
            "{{% set ns = namespace(x=1) %}}{{% for a in range(90000) %}}{{% set ns.x = {value} %}}{{% endfor %}}"
        );
        let error = render(&template).map(|chat| chat.text).expect_err(value);
        assert!(!matches!(error, ChatError::Crashed { .. }), "{value}: {error:?}");
    }
    // What is made as it is gone through is gone through once, by whatever name, and a group keeps the names of its parts.
    let once = "{% set g = [2, 1] | map('string') %}{{ g | list }}{{ g | list }}";
    assert_eq!(render(once).unwrap().text, "['2', '1'][]");
    let group = "{% for g in [{'r': 1}] | groupby('r') %}{% set h = g %}{{ h.grouper }}{{ h.list }}{% endfor %}";
    assert_eq!(render(group).unwrap().text, "1[{'r': 1}]");
}
