//! `fovea completions` and `fovea man`: what shells and `man` know of the commands, made of their definition.

use super::CliError;
use super::args::{Arguments, CompletionsArgs, ManArgs};
use super::output::{print, tell, write_file};
use crate::types::UserError;
use clap::CommandFactory;
use clap_mangen::Man;

/// Prints what a shell needs to complete commands, options and their values.
pub(super) fn completions(args: &CompletionsArgs) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "fovea", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// Prints the page of the program, or writes the pages of all commands into a folder.
pub(super) fn man(args: &ManArgs) -> Result<(), CliError> {
    let pages = pages();
    let Some(dir) = &args.dir else { return print(&pages[0].text) };
    std::fs::create_dir_all(dir).map_err(|error| {
        UserError::new(
            format!("The folder {} could not be made.", dir.display()),
            error.to_string(),
            "Choose a folder that you may write to.",
        )
    })?;
    for page in &pages {
        write_file(&dir.join(&page.file), page.text.as_bytes())?;
    }
    tell(format_args!("wrote {} pages to {}", pages.len(), dir.display()));
    Ok(())
}

struct Page {
    /// Such as `fovea-train.1`.
    file: String,
    text: String,
}

/// The page of the program, then those of its commands.
fn pages() -> Vec<Page> {
    // `fovea help train` is another way to write `fovea train --help`, and needs no page.
    let mut program = Arguments::command().disable_help_subcommand(true);
    program.build();
    let mut pages = Vec::new();
    add(&program, &mut pages);
    pages
}

fn add(command: &clap::Command, pages: &mut Vec<Page>) {
    let man = Man::new(command.clone());
    let mut text = Vec::new();
    man.render(&mut text).expect("a vector takes every byte");
    pages.push(Page { file: man.get_filename(), text: String::from_utf8_lossy(&text).into_owned() });
    for command in command.get_subcommands() {
        add(command, pages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap_complete::Shell;

    /// Every command below the program with its names from the program on, the program left out.
    fn commands() -> Vec<(Vec<String>, clap::Command)> {
        fn walk(command: &clap::Command, path: &[String], out: &mut Vec<(Vec<String>, clap::Command)>) {
            for inner in command.get_subcommands() {
                let path = [path, &[inner.get_name().to_owned()]].concat();
                walk(inner, &path, out);
                out.push((path, inner.clone()));
            }
        }
        let mut found = Vec::new();
        walk(&Arguments::command(), &[], &mut found);
        found
    }

    #[test]
    fn every_command_option_and_choice_is_described() {
        let program = Arguments::command();
        let all = commands();
        assert!(all.len() > 18, "{}", all.len());
        let empty =
            |text: Option<&clap::builder::StyledStr>| text.is_none_or(|text| text.to_string().trim().is_empty());
        let mut silent = Vec::new();
        let named = all.iter().map(|(path, command)| (path.join(" "), command));
        for (path, command) in named.chain([("fovea".to_owned(), &program)]) {
            if empty(command.get_about()) {
                silent.push(path.clone());
            }
            for argument in command.get_arguments() {
                if empty(argument.get_help()) {
                    silent.push(format!("{path} {}", argument.get_id()));
                }
                for choice in argument.get_possible_values().iter().filter(|_| argument.get_action().takes_values()) {
                    // The names of shells and of yes and no say enough.
                    let known = argument.get_id() == "shell" || ["true", "false"].contains(&choice.get_name());
                    if !known && empty(choice.get_help()) {
                        silent.push(format!("{path} {} {}", argument.get_id(), choice.get_name()));
                    }
                }
            }
        }
        assert!(silent.is_empty(), "without a description: {silent:#?}");
    }

    #[test]
    fn every_command_has_a_page_that_describes_its_options() {
        let pages = pages();
        let program = &pages[0];
        assert_eq!(program.file, "fovea.1");
        for (path, command) in commands() {
            let name = format!("fovea-{}", path.join("-"));
            let page = pages.iter().find(|page| page.file == format!("{name}.1")).unwrap_or_else(|| panic!("{name}"));
            // roff writes a hyphen as \-, so that it is no place to break a line.
            let parent = if path.len() == 1 {
                program
            } else {
                pages.iter().find(|p| p.file == format!("fovea-{}.1", path[0])).unwrap()
            };
            assert!(parent.text.contains(&name.replace('-', "\\-")), "{} does not name {name}", parent.file);
            for option in command.get_arguments().filter_map(|argument| argument.get_long()) {
                let written = format!("\\-\\-{}", option.replace('-', "\\-"));
                assert!(page.text.contains(&written), "{name} does not name --{option}");
            }
        }
    }

    #[test]
    fn completions_of_every_shell_name_every_command() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "fovea", &mut script);
            let script = String::from_utf8(script).unwrap();
            for (path, command) in commands() {
                let name = path.last().unwrap();
                assert!(script.contains(name.as_str()), "{shell} does not know {name}");
                for option in command.get_arguments().filter_map(|argument| argument.get_long()) {
                    assert!(script.contains(option), "{shell} does not know --{option} of {name}");
                }
            }
        }
    }
}
