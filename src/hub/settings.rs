//! Where the cache is and whom to ask, by the variables that Python's huggingface_hub reads.

use super::{FreeSpace, ProgramFolders, RetryPolicy, free_space};
use crate::types::{ModelCard, UserError};
use std::fmt;
use std::path::{Path, PathBuf};

/// Describes a model folder; called on the hub's thread.
pub type ReadCard = fn(&Path) -> Result<ModelCard, UserError>;

/// A secret that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What the hub works with.
#[derive(Clone, Debug)]
pub struct HubSettings {
    /// The folder that holds `models--owner--name` folders.
    pub cache: PathBuf,
    /// Where other programs keep models.
    pub programs: ProgramFolders,
    /// Scheme and host of the hub, without a slash at the end.
    pub endpoint: String,
    /// Sent to the endpoint, and to nobody else.
    pub token: Option<Token>,
    /// True asks nobody.
    pub offline: bool,
    /// How broken connections are tried again.
    pub retry: RetryPolicy,
    /// Describes a model folder.
    pub read_card: ReadCard,
    /// Tells how much room the cache has.
    pub free_space: FreeSpace,
}

impl HubSettings {
    /// `HF_HUB_CACHE`, `HF_HOME`, `HF_ENDPOINT`, `HF_TOKEN`, `HF_TOKEN_PATH` and `HF_HUB_OFFLINE`, else what they are by
    /// default: `~/.cache/huggingface` and huggingface.co. `None` when there is no home folder.
    #[must_use]
    pub fn from_env(read_card: ReadCard) -> Option<Self> {
        let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned());
        Self::from_variables(|name| std::env::var(name).ok(), home.as_deref(), read_card)
    }

    fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
        home: Option<&Path>,
        read_card: ReadCard,
    ) -> Option<Self> {
        let get = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let path = |name: &str| get(name).map(|text| expanded(&text, home));
        let hf_home = path("HF_HOME").or_else(|| {
            let caches = path("XDG_CACHE_HOME").or_else(|| home.map(|home| home.join(".cache")));
            caches.map(|caches| caches.join("huggingface"))
        });
        let cache = path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE"));
        let cache = cache.or_else(|| hf_home.as_ref().map(|home| home.join("hub")))?;
        let token = get("HF_TOKEN").or_else(|| get("HUGGING_FACE_HUB_TOKEN")).or_else(|| {
            let file = path("HF_TOKEN_PATH").or_else(|| hf_home.map(|home| home.join("token")));
            std::fs::read_to_string(file?).ok()
        });
        let token = token.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).map(Token);
        let endpoint = get("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        let is_true = |name: &str| {
            get(name).is_some_and(|v| matches!(v.to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE"))
        };
        let programs = ProgramFolders::of(home, path("OLLAMA_MODELS"));
        Some(Self {
            cache,
            programs,
            endpoint: endpoint.trim().trim_end_matches('/').to_owned(),
            token,
            offline: is_true("HF_HUB_OFFLINE") || is_true("TRANSFORMERS_OFFLINE"),
            retry: RetryPolicy::default(),
            read_card,
            free_space,
        })
    }
}

/// A leading `~` is the home folder.
fn expanded(text: &str, home: Option<&Path>) -> PathBuf {
    match (text.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)], home: &Path) -> HubSettings {
        let get = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        let read_card: ReadCard = |_| Err(UserError::new("", "", ""));
        HubSettings::from_variables(get, Some(home), read_card).unwrap()
    }

    #[test]
    fn folders_are_those_of_the_python_library() {
        let home = Path::new("/home/ada");
        let cache = |variables: &[(&str, &str)]| from(variables, home).cache;
        assert_eq!(cache(&[]), Path::new("/home/ada/.cache/huggingface/hub"));
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/c")]), Path::new("/c/huggingface/hub"));
        assert_eq!(cache(&[("HF_HOME", "~/hf"), ("XDG_CACHE_HOME", "/c")]), Path::new("/home/ada/hf/hub"));
        assert_eq!(cache(&[("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/hub")]), Path::new("/hub"));
    }

    #[test]
    fn the_token_comes_from_the_variable_or_the_file_and_is_not_printed() {
        let scratch = tempfile::tempdir().unwrap();
        let home = scratch.path().display().to_string();
        std::fs::write(scratch.path().join("token"), "hf_file\n").unwrap();
        let with = |variables: &[(&str, &str)]| from(variables, scratch.path());
        assert_eq!(with(&[("HF_HOME", &home)]).token, Some(Token("hf_file".into())));
        let both = with(&[("HF_HOME", &home), ("HF_TOKEN", " hf_variable ")]);
        assert_eq!(both.token, Some(Token("hf_variable".into())));
        assert!(!format!("{both:?}").contains("hf_variable"));
        assert_eq!(with(&[]).token, None);
    }

    #[test]
    fn the_endpoint_has_no_slash_at_its_end() {
        let settings = from(&[("HF_ENDPOINT", "http://127.0.0.1:9/"), ("HF_HUB_OFFLINE", "1")], Path::new("/h"));
        assert_eq!((settings.endpoint.as_str(), settings.offline), ("http://127.0.0.1:9", true));
    }
}
