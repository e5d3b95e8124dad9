//! What filters and methods of texts share: padding, replacing, wrapping, escaping.

use super::limits::{pay, room, wrong};
use minijinja::{Error, State};

/// Where it is padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
    Both,
}

/// A text padded to a width, as Python's `ljust`, `rjust` and `center` do.
///
/// # Errors
/// When the width is out of reach, or `fill` is not one character.
pub(super) fn padded(state: &State<'_, '_>, text: &str, width: i64, fill: &str, side: Side) -> Result<String, Error> {
    if fill.chars().count() != 1 {
        return Err(wrong("a text is padded with one character"));
    }
    let length = text.chars().count();
    let width = usize::try_from(width).unwrap_or(0);
    let missing = width.saturating_sub(length);
    room(state, missing.saturating_mul(fill.len()).saturating_add(text.len()))?;
    let left = match side {
        Side::Left => missing,
        Side::Right => 0,
        // The odd one stands left when the width is odd.
        Side::Both => missing / 2 + (missing & width & 1),
    };
    Ok(fill.repeat(left) + text + &fill.repeat(missing - left))
}

/// `text.replace(old, new, most)`, without a bound where `most` is negative.
///
/// # Errors
/// When the result is out of reach.
pub(super) fn replaced(state: &State<'_, '_>, text: &str, old: &str, new: &str, most: i64) -> Result<String, Error> {
    pay(state, text.len())?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let found = text.matches(old).take(most).count();
    room(state, text.len().saturating_sub(found * old.len()).saturating_add(found.saturating_mul(new.len())))?;
    Ok(text.replacen(old, new, most))
}

/// As Markup escapes it.
///
/// # Errors
/// When the result is out of reach.
pub(super) fn escaped(state: &State<'_, '_>, text: &str) -> Result<String, Error> {
    room(state, text.len())?;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&#34;"),
            c => out.push(c),
        }
    }
    room(state, out.len())?;
    Ok(out)
}

/// As `urllib.parse.quote` writes it; a query writes `+` for a space.
pub(super) fn quoted(text: &str, is_query: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => out.push(char::from(byte)),
            b'/' if !is_query => out.push('/'),
            b' ' if is_query => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
