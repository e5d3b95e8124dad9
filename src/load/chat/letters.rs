//! What Python knows of single characters, where Rust's standard library knows it too. Where the two may differ, nothing is
//! said, and a template that asks is refused.

use super::limits::wrong;
use super::python::is_printable;
use minijinja::Error;

/// Python's white space: Unicode's, and the four separators of ASCII.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

fn unknown(what: &str, c: char) -> Error {
    wrong(format!("{what} is not known of {c:?}"))
}

/// In scripts whose marks are no letters for Python and alphabetic for Unicode, it is not known.
fn is_letter(c: char) -> Result<bool, Error> {
    let is_plain = matches!(c, '\0'..='\u{344}' | '\u{370}'..='\u{482}' | '\u{48a}'..='\u{58f}' | '\u{5d0}'..='\u{5ea}'
        | '\u{620}'..='\u{64a}' | '\u{1e00}'..='\u{215f}' | '\u{2190}'..='\u{24b5}' | '\u{24ea}'..='\u{2bff}' | '\u{3000}'..='\u{3006}'
        | '\u{3041}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{ff00}'..='\u{ffef}');
    if c.is_alphabetic() && !is_plain { Err(unknown("isalpha", c)) } else { Ok(c.is_alphabetic()) }
}

/// One of the questions `str.isalpha`, …, asked of every character.
///
/// # Errors
/// When it is not known of one.
pub(super) fn all(question: &str, text: &str) -> Result<bool, Error> {
    if text.is_empty() {
        return Ok(matches!(question, "isascii" | "isprintable"));
    }
    for c in text.chars() {
        let holds = match question {
            "isascii" => c.is_ascii(),
            "isspace" => is_space(c),
            "isalpha" => is_letter(c)?,
            "isalnum" => c.is_numeric() || is_letter(c)?,
            "isdecimal" | "isdigit" if c.is_ascii() || !c.is_numeric() => c.is_ascii_digit(),
            "isdigit" if "²³¹⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉".contains(c) => true,
            "isdecimal" | "isdigit" if "²³¹⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉½¼¾⅓⅔".contains(c) => {
                false
            }
            "isnumeric" if !('\u{3400}'..='\u{9fff}').contains(&c) && c < '\u{f900}' => c.is_numeric(),
            "isprintable" => is_printable(c),
            _ => return Err(unknown(question, c)),
        };
        if !holds {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `str.islower` and `str.isupper`: some letter has the case, none the other.
pub(super) fn has_case(text: &str, is_upper: bool) -> bool {
    let (mut wanted, mut other) = (false, false);
    for c in text.chars() {
        wanted |= if is_upper { c.is_uppercase() } else { c.is_lowercase() };
        other |= if is_upper { c.is_lowercase() } else { c.is_uppercase() };
    }
    wanted && !other
}

fn is_cased(c: char) -> bool {
    c.is_lowercase() || c.is_uppercase()
}

/// `str.istitle`.
pub(super) fn is_title(text: &str) -> bool {
    let (mut behind_cased, mut any) = (false, false);
    for c in text.chars() {
        if c.is_uppercase() && behind_cased || c.is_lowercase() && !behind_cased {
            return false;
        }
        any |= is_cased(c);
        behind_cased = is_cased(c);
    }
    any
}

/// The first character in upper case and the others in lower case.
pub(super) fn capitalize(text: &str) -> String {
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    // A letter that becomes two, such as ß, keeps the second small.
    let mut upper = first.to_uppercase();
    let head: String = upper.next().into_iter().chain(upper.flat_map(char::to_lowercase)).collect();
    head + &letters.as_str().to_lowercase()
}

/// `str.title`: every letter behind none begins a word.
pub(super) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars() {
        if is_cased(c) {
            word.push(c);
        } else {
            out.push_str(&capitalize(&std::mem::take(&mut word)));
            out.push(c);
        }
    }
    out + &capitalize(&word)
}

/// `str.swapcase`.
pub(super) fn swap_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_uppercase() {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
    }
    out
}

/// `str.casefold`.
///
/// # Errors
/// For the few letters of which it is not known.
pub(super) fn case_fold(text: &str) -> Result<String, Error> {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == 'ı' || ('\u{13a0}'..='\u{13ff}').contains(&c) || ('\u{ab70}'..='\u{abbf}').contains(&c) {
            return Err(unknown("casefold", c));
        }
        out.extend(c.to_uppercase().flat_map(char::to_lowercase));
    }
    Ok(out)
}
