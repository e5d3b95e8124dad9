//! How settings name modules: by the end of a path, or by a regular expression.

use tokenizers::utils::SysRegex;

/// Longest expression that is looked at: what names modules is short.
const LONGEST: usize = 1000;

/// True when the path is this name or ends with it, behind a dot.
pub(super) fn ends_with(path: &str, name: &str) -> bool {
    path.strip_suffix(name).is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

/// An expression over module paths, as PEFT understands a key of `rank_pattern`: it holds for a path that it covers from some dot, or
/// from the beginning, to the end.
#[derive(Debug)]
pub(super) struct PathPattern(SysRegex);

impl PathPattern {
    /// `None` where it is no expression.
    pub(super) fn new(key: &str) -> Option<Self> {
        Self::compiled(&format!(r"\A(?:.*\.)?(?:{key})\z"), key)
    }

    /// One that covers whole paths, as `target_modules` is understood where it is one text.
    pub(super) fn of_whole_path(key: &str) -> Option<Self> {
        Self::compiled(&format!(r"\A(?:{key})\z"), key)
    }

    fn compiled(whole: &str, key: &str) -> Option<Self> {
        if key.len() > LONGEST {
            return None;
        }
        SysRegex::new(whole).ok().map(Self)
    }

    pub(super) fn holds_for(&self, path: &str) -> bool {
        self.0.find_iter(path).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hold_from_a_dot_to_the_end() {
        let path = "model.layers.1.self_attn.q_proj";
        let holds = |key: &str| PathPattern::new(key).unwrap().holds_for(path);
        assert!(holds("q_proj") && holds("self_attn.q_proj") && holds(path));
        assert!(holds(r"layers\.1\.self_attn\.q_proj") && holds(r"model\.layers\.[0-9]+\..*_proj"));
        assert!(!holds("proj") && !holds("self_attn") && !holds(r"layers\.2\.self_attn\.q_proj"));
        assert!(PathPattern::new("(q_proj").is_none() && PathPattern::new(&"q".repeat(1001)).is_none());
        let whole = |key: &str| PathPattern::of_whole_path(key).unwrap().holds_for(path);
        assert!(whole(r".*\.q_proj") && !whole("q_proj"));
        assert!(ends_with(path, "q_proj") && ends_with(path, path) && !ends_with(path, "proj"));
    }
}
