//! What was changed between two runs, in words.

use super::setup::{Example, Setup, Side};
use crate::types::Draw;
use crate::ui::asked_model::AskedModel;
use crate::ui::edits::all_words;

/// Changes named one by one; more are counted.
const MOST_NAMED: usize = 3;

/// What a run is begun with.
#[derive(Clone, Debug)]
pub(super) struct Begun {
    pub setup: Setup,
    /// The models that are asked, by column; none where none is open.
    pub models: Vec<Option<AskedModel>>,
}

/// What the person changed since an earlier run: a sentence, or with two columns one of both and one of each.
pub(super) fn sentences(before: &Begun, now: &Begun) -> Vec<String> {
    let (was, is) = (&before.setup, &now.setup);
    if was.table.id != is.table.id || was.table.title != is.table.title {
        return vec![format!("Another task: {}.", is.table.title)];
    }
    let mut words = match (was.two, is.two) {
        (false, true) => vec!["Two columns.".to_owned()],
        (true, false) => vec!["One column.".to_owned()],
        _ => Vec::new(),
    };
    let mut of_all = of_all(was, is);
    if !is.two {
        of_all.extend(of_column(before, now, 0, 0));
    }
    words.extend(sentence(of_all, ""));
    for (side, letter) in ["A", "B"].into_iter().enumerate().take(if is.two { 2 } else { 0 }) {
        // A column that was not there before is told by how it differs from the other.
        let old = if was.two { side } else { 0 };
        words.extend(sentence(of_column(before, now, old, side), &format!("Column {letter}: ")));
    }
    words
}

/// One sentence of several changes; none of none.
fn sentence(mut parts: Vec<String>, begin: &str) -> Option<String> {
    let more = parts.len().saturating_sub(MOST_NAMED);
    parts.truncate(MOST_NAMED);
    if parts.is_empty() {
        return None;
    }
    let mut words = begin.to_owned() + &parts.join("; ");
    if more > 0 {
        words += &format!("; and {more} more");
    }
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    Some(format!("{first}{}.", letters.as_str()))
}

/// What is the same in every column.
fn of_all(was: &Setup, is: &Setup) -> Vec<String> {
    let mut parts = Vec::new();
    if was.query != is.query {
        parts.push(format!("the query is {:?}", is.query));
    } else if was.expected != is.expected {
        parts.push(format!("the right answer is {:?}", is.expected));
    }
    let answers = |s: &Setup| (s.pool, s.distractors, s.typed.clone());
    if answers(was) != answers(is) || was.table.labels != is.table.labels {
        parts.push("other answers are compared".to_owned());
    }
    parts
}

/// What differs between a column before, `old`, and one now.
fn of_column(before: &Begun, now: &Begun, old: usize, side: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let model = |begun: &Begun, side: usize| begun.models.get(side).cloned().flatten();
    if let (Some(was), Some(is)) = (model(before, old), model(now, side)) {
        parts.extend(model_changed(&was, &is));
    }
    of_side(&before.setup.sides[old], &now.setup.sides[side], &mut parts);
    parts
}

fn model_changed(was: &AskedModel, is: &AskedModel) -> Option<String> {
    let is_same = was.open == is.open || was.sha256.is_some() && was.sha256 == is.sha256;
    if is_same {
        return None;
    }
    let (old, new) = (was.title(), is.title());
    Some(if old == new { format!("{new} has other weights") } else { format!("the model is {new} (was {old})") })
}

fn of_side(before: &Side, now: &Side, parts: &mut Vec<String>) {
    match (before.says_instruction, now.says_instruction) {
        (true, false) => parts.push("the instruction was dropped".to_owned()),
        (false, true) => parts.push("the instruction is back".to_owned()),
        (true, true) if before.instruction != now.instruction => parts.push("the instruction was rewritten".to_owned()),
        _ => {}
    }
    if before.template != now.template {
        parts.push("the template was rewritten".to_owned());
    }
    if before.separator != now.separator {
        parts.push("another separator".to_owned());
    }
    examples(before, now, parts);
    if before.names != now.names {
        parts.push(renamed(before, now));
    }
    if before.calibrate != now.calibrate {
        parts.push(if now.calibrate { "calibrated" } else { "no longer calibrated" }.to_owned());
    }
    if before.edits != now.edits {
        parts.push(match now.edits.is_empty() {
            true => "no longer edited".to_owned(),
            false => format!("edited: {}", all_words(&now.edits)),
        });
    }
    if before.ending != now.ending {
        let words = if now.ending { "the end of the answer is scored" } else { "the end of the answer is not scored" };
        parts.push(words.to_owned());
    }
}

fn renamed(before: &Side, now: &Side) -> String {
    let changed = now.names.iter().find(|(old, new)| before.names.get(*old) != Some(new) && !new.is_empty());
    changed.map_or_else(
        || "answers have their own names again".to_owned(),
        |(old, new)| format!("{old:?} is called {new:?}"),
    )
}

fn examples(before: &Side, now: &Side, parts: &mut Vec<String>) {
    let (old, new) = (&before.examples, &now.examples);
    if old == new {
        return;
    }
    if before.draw != now.draw && pairs(old) != pairs(new) {
        let how = if now.draw == Draw::Plain { "drawn as they fall" } else { "every label drawn" };
        parts.push(format!("other examples ({how})"));
        return;
    }
    if before.seed != now.seed && pairs(old) != pairs(new) {
        parts.push(format!("other examples (seed {})", now.seed));
        return;
    }
    let mut sorted = (pairs(old), pairs(new));
    sorted.0.sort_unstable();
    sorted.1.sort_unstable();
    if old.len() != new.len() {
        let is_shorter = new.len() < old.len() && new[..] == old[..new.len()];
        let is_longer = new.len() > old.len() && old[..] == new[..old.len()];
        parts.push(match (is_shorter || is_longer, new.len()) {
            (true, 1) => "1 example".to_owned(),
            (true, k) => format!("{k} examples"),
            (false, _) if new.len() < old.len() => missing(old, new),
            (false, _) => "an example was added".to_owned(),
        });
    } else if pairs(old) != pairs(new) && sorted.0 == sorted.1 {
        parts.push(moved(old, new));
    } else {
        for (row, (was, is)) in old.iter().zip(new).enumerate().filter(|(_, (was, is))| was != is) {
            parts.push(one(row + 1, was, is));
        }
    }
}

fn pairs(examples: &[Example]) -> Vec<(&str, &str)> {
    examples.iter().map(|e| (e.input.as_str(), e.output.as_str())).collect()
}

fn missing(old: &[Example], new: &[Example]) -> String {
    let gone = old.iter().position(|example| !new.contains(example));
    gone.map_or_else(|| format!("{} examples", new.len()), |row| format!("example {} was deleted", row + 1))
}

/// Examples in another order: one that moved is named.
fn moved(old: &[Example], new: &[Example]) -> String {
    let differs: Vec<usize> = (0..old.len()).filter(|i| old[*i] != new[*i]).collect();
    if let [a, b] = differs[..] {
        return format!("examples {} and {} changed places", a + 1, b + 1);
    }
    let (Some(&first), Some(&last)) = (differs.first(), differs.last()) else { return "another order".to_owned() };
    if new[last] == old[first] && new[first..last] == old[first + 1..=last] {
        return format!("example {} moved to place {}", first + 1, last + 1);
    }
    if new[first] == old[last] && new[first + 1..=last] == old[first..last] {
        return format!("example {} moved to place {}", last + 1, first + 1);
    }
    "the examples are in another order".to_owned()
}

fn one(number: usize, was: &Example, is: &Example) -> String {
    match (&was.wrong, &is.wrong) {
        _ if was.on != is.on => format!("example {number} was switched {}", if is.on { "on" } else { "off" }),
        (_, Some(wrong)) if was.wrong != is.wrong => {
            format!("the answer of example {number} is wrong now: {wrong:?} for {:?}", is.output)
        }
        (Some(_), None) => format!("the answer of example {number} is right again"),
        _ => format!("example {number} was rewritten"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::TaskTable;
    use std::sync::Arc;

    fn setup() -> Setup {
        let rows = (0..12).map(|i| [format!("word{i}"), ["yes", "no"][i % 2].to_owned()]).collect();
        let labels = vec!["yes".to_owned(), "no".to_owned()];
        Setup::of(Arc::new(TaskTable { rows, labels, title: "T".into(), ..TaskTable::default() }), 4, 7)
    }

    fn begun(setup: Setup) -> Begun {
        let model = AskedModel { name: "sprout".into(), ..AskedModel::default() };
        Begun { setup, models: vec![Some(model.clone()), Some(model)] }
    }

    fn told(before: Setup, now: Setup) -> String {
        sentences(&begun(before), &begun(now)).join(" ")
    }

    fn after(change: impl FnOnce(&mut Setup)) -> String {
        let (before, mut now) = (setup(), setup());
        change(&mut now);
        told(before, now)
    }

    #[test]
    fn each_change_has_its_words() {
        assert_eq!(after(|_| ()), "");
        assert_eq!(after(|s| s.sides[0].examples[1].on = false), "Example 2 was switched off.");
        assert_eq!(after(|s| s.sides[0].examples.swap(0, 2)), "Examples 1 and 3 changed places.");
        assert_eq!(after(|s| s.sides[0].examples.rotate_left(1)), "Example 1 moved to place 4.");
        assert_eq!(after(|s| s.sides[0].examples.rotate_right(1)), "Example 4 moved to place 1.");
        assert_eq!(after(|s| s.sides[0].examples.reverse()), "The examples are in another order.");
        assert_eq!(after(|s| drop(s.sides[0].examples.remove(1))), "Example 2 was deleted.");
        assert_eq!(after(|s| s.resize(0, 6)), "6 examples.");
        assert_eq!(after(|s| s.resize(0, 1)), "1 example.");
        assert_eq!(after(|s| s.draw(0, 4, 9)), "Other examples (seed 9).");
        assert_eq!(after(|s| s.sides[0].says_instruction = false), "The instruction was dropped.");
        assert_eq!(after(|s| drop(s.sides[0].names.insert("yes".into(), "ja".into()))), "\"yes\" is called \"ja\".");
        assert_eq!(after(|s| s.sides[0].calibrate = true), "Calibrated.");
        assert_eq!(after(|s| s.query = "what".into()), "The query is \"what\".");
    }

    #[test]
    fn a_corrupted_answer_is_named_and_so_is_its_return() {
        let mut corrupted = setup();
        let example = corrupted.sides[0].examples[0].clone();
        let wrong = corrupted.wrong_answer(&example, 3);
        assert!(wrong.is_some() && wrong.as_ref() != Some(&example.output));
        corrupted.sides[0].examples[0].wrong.clone_from(&wrong);
        let words = told(setup(), corrupted.clone());
        assert_eq!(
            words,
            format!("The answer of example 1 is wrong now: {:?} for {:?}.", wrong.unwrap(), example.output)
        );
        assert_eq!(told(corrupted, setup()), "The answer of example 1 is right again.");
    }

    #[test]
    fn many_changes_are_counted() {
        let words = after(|s| {
            s.query = "q".into();
            s.sides[0].says_instruction = false;
            s.sides[0].template = "{input}: {output}".into();
            s.sides[0].ending = false;
        });
        assert_eq!(words, "The query is \"q\"; the instruction was dropped; the template was rewritten; and 1 more.");
    }

    #[test]
    fn the_column_that_changed_is_named() {
        let mut before = setup();
        before.show_two(true);
        let mut now = before.clone();
        now.sides[1].calibrate = true;
        assert_eq!(told(before.clone(), now.clone()), "Column B: calibrated.");
        now.query = "what".into();
        now.sides[0].says_instruction = false;
        let words = "The query is \"what\". Column A: the instruction was dropped. Column B: calibrated.";
        assert_eq!(told(before.clone(), now.clone()), words);
        // What a column that is not shown was changed to is no change.
        before.two = false;
        let mut hidden = before.clone();
        hidden.sides[1].calibrate = true;
        assert_eq!(told(before.clone(), hidden), "");
        now.query.clone_from(&before.query);
        let words = "Two columns. Column A: the instruction was dropped. Column B: calibrated.";
        assert_eq!(told(before, now), words);
    }

    #[test]
    fn another_model_is_named_with_the_one_before() {
        let mut setup = setup();
        setup.show_two(true);
        let (before, mut now) = (begun(setup.clone()), begun(setup));
        let seedling = AskedModel { name: "seedling".into(), sha256: Some("aa".into()), ..AskedModel::default() };
        now.models[1] = Some(AskedModel { open: Some((crate::types::ModelId::next(), 0)), ..seedling.clone() });
        assert_eq!(sentences(&before, &now), ["Column B: the model is seedling (was sprout)."]);
        let mut trained = now.clone();
        trained.models[1] = Some(AskedModel { sha256: Some("bb".into()), ..seedling });
        assert_eq!(sentences(&now, &trained), ["Column B: seedling has other weights."]);
    }
}
