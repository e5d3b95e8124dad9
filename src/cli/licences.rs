//! `fovea licences`.

use super::CliError;
use super::args::LicencesArgs;
use super::output::print;
use crate::types::{Component, UserError, components};

/// Lists what Fovea is made of, or prints the licences of one part.
pub(super) fn run(args: &LicencesArgs) -> Result<(), CliError> {
    let Some(name) = &args.name else { return print(&list(components())) };
    let found: Vec<String> =
        components().iter().filter(|part| part.name.eq_ignore_ascii_case(name)).map(in_full).collect();
    if found.is_empty() {
        return Err(CliError::User(UserError::new(
            format!("Fovea has no part {name:?}."),
            "Neither a crate nor a typeface it is made of has this name.",
            "`fovea licences` lists all of them.",
        )));
    }
    print(&(found.join("\n\n") + "\n"))
}

fn list(parts: &[Component]) -> String {
    let width = |of: fn(&Component) -> &str| parts.iter().map(|part| of(part).chars().count()).max().unwrap_or(0);
    let (names, versions) = (width(|part| &part.name), width(|part| &part.version));
    let line =
        |part: &Component| format!("{:<names$}  {:<versions$}  {}\n", part.name, part.version, part.expression());
    parts.iter().map(line).collect()
}

fn in_full(part: &Component) -> String {
    let source = part.source().map(|source| format!("{source}\n")).unwrap_or_default();
    format!("{} {}\n{}\n{source}\n{}", part.name, part.version, part.expression(), part.full_text())
}
