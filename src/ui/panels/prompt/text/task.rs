//! Ready-made prompts to begin with, from `assets/tasks`.

use crate::types::{FewShotPrompt, Shot};
use serde::Deserialize;
use std::sync::LazyLock;

/// One ready-made prompt.
pub(super) struct Task {
    pub id: &'static str,
    pub title: String,
    pub prompt: FewShotPrompt,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    #[serde(default)]
    instruction: String,
    template: String,
    #[serde(default = "line_break")]
    separator: String,
    query: String,
    shots: Vec<[String; 2]>,
}

fn line_break() -> String {
    "\n".to_owned()
}

static TASKS: LazyLock<Vec<Task>> = LazyLock::new(|| {
    [
        ("story", include_str!("../../../../../assets/tasks/story.toml")),
        ("opposites", include_str!("../../../../../assets/tasks/opposites.toml")),
        ("plurals", include_str!("../../../../../assets/tasks/plurals.toml")),
        ("feelings", include_str!("../../../../../assets/tasks/feelings.toml")),
    ]
    .into_iter()
    .map(|(id, text)| {
        let file: File = toml::from_str(text).expect("the tasks that are built in are well-formed");
        let shots = file.shots.into_iter().map(|[input, output]| Shot { input, output, on: true }).collect();
        let prompt = FewShotPrompt {
            instruction: file.instruction,
            shots,
            query: file.query,
            template: file.template,
            separator: file.separator,
        };
        Task { id, title: file.title, prompt }
    })
    .collect()
});

pub(super) fn all() -> &'static [Task] {
    &TASKS
}

/// What a person finds on the first start: it suits a model that has only read stories.
pub(super) fn story() -> FewShotPrompt {
    TASKS[0].prompt.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_renders_its_query_last() {
        for task in all() {
            let text = task.prompt.render().text;
            assert!(text.contains(&task.prompt.query), "{}: {text}", task.id);
            assert!(!text.ends_with(' '), "{}", task.id);
        }
        assert_eq!(story().render().text, "Once upon a time");
    }
}
