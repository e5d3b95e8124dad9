//! Training recipes: TOML files, and the presets that come with Fovea.

use super::args::TrainArgs;
use super::session::model_dir;
use crate::engine::carries_tables;
use crate::types::{FewShotTask, StartFrom, TextShape, TrainSpec, TrainTask, UserError};
use std::path::{Path, PathBuf};

/// The recipes of the shipped models, by name.
const PRESETS: [(&str, &str); 10] = [
    ("clover-blanks", include_str!("../../assets/presets/clover-blanks.toml")),
    ("clover", include_str!("../../assets/presets/clover.toml")),
    ("digits-mlp", include_str!("../../assets/presets/digits-mlp.toml")),
    ("digits-cnn", include_str!("../../assets/presets/digits-cnn.toml")),
    ("seedling", include_str!("../../assets/presets/seedling.toml")),
    ("seedling-templates", include_str!("../../assets/presets/seedling-templates.toml")),
    ("sprout", include_str!("../../assets/presets/sprout.toml")),
    ("sentiment", include_str!("../../assets/presets/sentiment.toml")),
    ("memory-lstm", include_str!("../../assets/presets/memory-lstm.toml")),
    ("memory-transformer", include_str!("../../assets/presets/memory-transformer.toml")),
];

/// The recipe that was asked for, with what the command line overrides. Paths count from the current folder.
///
/// # Errors
/// When it cannot be read, or starts from a model only a window could have open.
pub(super) fn read(args: &TrainArgs) -> Result<TrainSpec, UserError> {
    let mut spec = match (&args.spec, &args.preset) {
        (Some(path), _) => parse(&read_file(path)?, &path.display().to_string())?,
        (None, Some(name)) => preset(name)?,
        (None, None) => return Err(nothing_to_train()),
    };
    if let Some(data) = &args.data {
        match &mut spec.task {
            TrainTask::Text(task) => task.data = vec![data.clone()],
            TrainTask::FewShot(task) => move_data(task, data),
            TrainTask::Digits(task) => task.data.clone_from(data),
            TrainTask::Classify(task) => task.data.clone_from(data),
            TrainTask::Memory(_) => return Err(super::compare::no_data()),
            TrainTask::Masked(task) => move_texts(&mut task.data, data),
            TrainTask::Contrastive(task) => move_texts(&mut task.data, data),
        }
    }
    if args.out.is_some() {
        spec.out.clone_from(&args.out);
    }
    match &mut spec.start {
        StartFrom::Folder { path } => *path = model_dir(path)?,
        StartFrom::Scratch => {}
        StartFrom::OpenModel => {
            return Err(UserError::new(
                "The recipe starts from an open model.",
                "`from = \"open_model\"` is for the window; on the command line no model is open.",
                "Write `from = \"folder\"` and `path = \"…\"` below [start], or `from = \"scratch\"`.",
            ));
        }
    }
    if spec.out.is_none() {
        spec.out = Some(default_out(args));
    }
    check_data(&spec)?;
    Ok(spec)
}

/// A recipe that travels seldom finds its data where it was written.
fn check_data(spec: &TrainSpec) -> Result<(), UserError> {
    let paths = match &spec.task {
        TrainTask::Text(task) => task.data.clone(),
        TrainTask::Masked(task) => task.data.clone(),
        TrainTask::Contrastive(task) => task.data.clone(),
        TrainTask::FewShot(task) => {
            let texts = task.text.iter().map(|source| &source.path);
            task.tasks.iter().chain(&task.more_tasks).chain(texts).cloned().collect()
        }
        TrainTask::Digits(task) => vec![task.data.clone()],
        TrainTask::Memory(_) => Vec::new(),
        TrainTask::Classify(task) => {
            [Some(&task.data), task.validation.as_ref(), task.test.as_ref()].into_iter().flatten().cloned().collect()
        }
    };
    let missing = paths.iter().find(|path| !path.exists() && !carries_tables(path));
    missing.map_or(Ok(()), |path| {
        Err(UserError::new(
            format!("There is no {} to learn from.", path.display()),
            "The recipe names its data by this path, counted from the current folder.",
            "Say where the data is with --data PATH.",
        ))
    })
}

/// `trained/NAME`, after the preset or the recipe's file: the same command finds its checkpoint there again.
fn default_out(args: &TrainArgs) -> PathBuf {
    let stem = args.spec.as_deref().and_then(Path::file_stem).map(PathBuf::from);
    let name = args.preset.as_deref().map(PathBuf::from).or(stem).unwrap_or_default();
    Path::new("trained").join(name)
}

fn read_file(path: &Path) -> Result<String, UserError> {
    crate::engine::read_text(path).map_err(|error| {
        UserError::new(
            format!("{} could not be read.", path.display()),
            error.why,
            format!("Give a TOML file, or --preset with one of {}.", names()),
        )
    })
}

/// The recipe of a preset, as it is written.
///
/// # Errors
/// When there is none of that name.
pub(super) fn preset_text(name: &str) -> Result<&'static str, UserError> {
    let found = PRESETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text).ok_or_else(|| {
        UserError::new(
            format!("There is no preset called {name}."),
            format!("The presets are {}.", names()),
            "Use one of these, or a TOML file of your own.",
        )
    })
}

/// The network that a recipe builds from nothing.
///
/// # Errors
/// When the file cannot be read, or builds none.
pub(super) fn shape_of_recipe(path: &Path) -> Result<TextShape, UserError> {
    let name = path.display().to_string();
    let shape = match parse(&read_file(path)?, &name)?.task {
        TrainTask::Text(task) => task.shape,
        TrainTask::FewShot(task) => task.shape,
        TrainTask::Memory(task) => task.shape,
        TrainTask::Digits(_) | TrainTask::Classify(_) | TrainTask::Masked(_) | TrainTask::Contrastive(_) => None,
    };
    shape.ok_or_else(|| {
        UserError::new(
            format!("{name} builds no model of text that writes."),
            "It has no [task.shape] of a decoder, an LSTM, an RNN or a feed-forward network.",
            "Give a recipe with such a shape, or --model with a folder.",
        )
    })
}

fn preset(name: &str) -> Result<TrainSpec, UserError> {
    parse(preset_text(name)?, &format!("the preset {name}"))
}

fn parse(text: &str, name: &str) -> Result<TrainSpec, UserError> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
        let place = line.map_or(String::new(), |line| format!(" in line {line}"));
        UserError::new(
            format!("{name} is not a training recipe: {}{place}.", error.message().trim_end_matches('.')),
            "Each field has a fixed name and type.",
            "Compare it with a recipe that comes with Fovea: `fovea train --preset sprout --show` prints one.",
        )
        .with_detail(error.to_string())
    })
}

/// A recipe of many paths has those under `data/` looked for in another folder.
fn move_data(task: &mut FewShotTask, data: &Path) {
    let texts = task.text.iter_mut().map(|source| &mut source.path);
    for path in task.tasks.iter_mut().chain(&mut task.more_tasks).chain(texts) {
        if let Ok(rest) = path.strip_prefix("data") {
            *path = data.join(rest);
        }
    }
}

/// Texts under `data/` are looked for in another folder; a recipe that names no such text learns from that folder or file.
fn move_texts(texts: &mut Vec<PathBuf>, data: &Path) {
    if texts.iter().any(|path| !path.starts_with("data")) {
        *texts = vec![data.to_owned()];
        return;
    }
    for path in texts {
        if let Ok(rest) = path.strip_prefix("data") {
            *path = data.join(rest);
        }
    }
}

fn nothing_to_train() -> UserError {
    UserError::new(
        "There is nothing to train.",
        "Neither a recipe nor a preset was given.",
        format!("Give a TOML file, or --preset with one of {}.", names()),
    )
}

fn names() -> String {
    PRESETS.map(|(name, _)| name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_a_recipe_that_starts_by_itself() {
        for (name, _) in PRESETS {
            let spec = preset(name).unwrap();
            assert_ne!(spec.start, StartFrom::OpenModel, "{name}");
            assert!(spec.steps > 0 && spec.batch_size > 0, "{name}");
        }
    }

    #[test]
    fn a_wrong_field_is_named_with_its_line() {
        let text = "learning_rate = 1e-3\nbatch_size = 8\nstep = 10\n[task]\nkind = \"digits\"\ndata = \"d\"\nnetwork = \"mlp\"\n";
        let error = parse(text, "my.toml").unwrap_err();
        assert!(
            error.what.contains("my.toml") && error.what.contains("step") && error.what.contains("line 3"),
            "{error}"
        );
    }

    #[test]
    fn an_unknown_preset_lists_the_known_ones() {
        assert!(preset("gpt-5").unwrap_err().why.contains("digits-mlp"));
    }
}
