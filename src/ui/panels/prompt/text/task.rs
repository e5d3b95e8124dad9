//! Ready-made prompts to begin with, from `assets/tasks`.

use super::Drawn;
use crate::types::{FewShotPrompt, Shot};
use serde::Deserialize;
use std::sync::LazyLock;

/// One ready-made prompt, with what makes it work.
pub(super) struct Task {
    pub id: &'static str,
    pub title: String,
    pub prompt: FewShotPrompt,
    pub needs: Needs,
    pub temperature: f32,
    pub max_new_tokens: usize,
    /// Stop strings as typed.
    pub stop: String,
}

impl Task {
    /// Puts it in the place of what is typed, with the sampling that suits it.
    pub fn begin(&self, prompt: &mut FewShotPrompt, drawn: &mut Drawn) {
        prompt.clone_from(&self.prompt);
        drawn.sampling.temperature = self.temperature;
        drawn.sampling.max_new_tokens = self.max_new_tokens;
        drawn.stop.clone_from(&self.stop);
    }
}

/// What a model must be able to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Needs {
    #[default]
    Nothing,
    /// To infer a task from its examples, as a small model does that was trained on that.
    Examples,
    /// The same of sentences, which takes a large one.
    LargeModel,
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
    #[serde(default)]
    needs: Needs,
    #[serde(default)]
    temperature: f32,
    max_new_tokens: usize,
    #[serde(default)]
    stop: String,
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
        let shots =
            file.shots.iter().map(|[input, output]| Shot { input: input.clone(), output: output.clone(), on: true });
        let shots = shots.collect();
        let prompt = FewShotPrompt {
            instruction: file.instruction.clone(),
            shots,
            query: file.query.clone(),
            template: file.template.clone(),
            separator: file.separator.clone(),
        };
        let File { title, needs, temperature, max_new_tokens, stop, .. } = file;
        Task { id, title, prompt, needs, temperature, max_new_tokens, stop }
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
