//! Names chosen by a pattern.

/// True when the whole name fits the pattern, in which `*` stands for any run of characters.
pub(super) fn glob_matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.first(), name.first()) {
        (None, None) => true,
        (Some(b'*'), _) => glob_matches(&pattern[1..], name) || (!name.is_empty() && glob_matches(pattern, &name[1..])),
        (Some(p), Some(n)) if p == n => glob_matches(&pattern[1..], &name[1..]),
        _ => false,
    }
}
