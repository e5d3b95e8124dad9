//! Requests to the hub: what a repository holds, what a file is, and its bytes.
//!
//! Redirects are followed here, one by one: the hub tells a file's hash and commit in the headers of the first answer and
//! sends the client elsewhere for the bytes, and the token must not go there.

use super::{HubError, HubSettings, RepoId, Token};
use crate::types::bytes_in_words;
use hf_hub::Repo;
use hf_hub::api::RepoInfo;
use std::io::{ErrorKind, Read};
use std::time::Duration;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

const MOST_REDIRECTS: usize = 8;
/// Longest answer that is held in memory, unpacked: lists of files.
const LONGEST_LIST: u64 = 64_000_000;

/// A client that can be stopped from another thread, by [`Agent::shutdown`] on a clone of its agent.
pub(super) fn agent() -> Agent {
    let seconds = |s| Some(Duration::from_secs(s));
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("fovea/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .timeout_resolve(seconds(15))
        .timeout_connect(seconds(15))
        .timeout_recv_response(seconds(60))
        // A stream without a byte for this long counts as broken; its whole length is not limited.
        .timeout_per_read(seconds(30))
        .build()
        .into()
}

/// What the hub says of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RemoteFile {
    pub(super) name: String,
    pub(super) url: String,
    /// Without quotes; safe as a file name.
    pub(super) etag: String,
    pub(super) size: u64,
}

/// One repository on the hub.
pub(super) struct Remote {
    agent: Agent,
    endpoint: String,
    token: Option<Token>,
    id: RepoId,
}

/// The last answer of a chain of redirects, and what was said on the way.
struct Answer {
    response: Response<Body>,
    url: String,
    etag: Option<String>,
    size: Option<u64>,
}

impl Remote {
    pub(super) fn new(settings: &HubSettings, id: RepoId, agent: Agent) -> Self {
        Self { agent, endpoint: settings.endpoint.clone(), token: settings.token.clone(), id }
    }

    /// Commit and files of the newest version.
    pub(super) fn info(&self) -> Result<RepoInfo, HubError> {
        let url = format!("{}/api/{}", self.endpoint, Repo::model(self.id.to_string()).api_url());
        let mut answer = self.follow("GET", &url, None)?;
        self.check_status(&answer, "the list of files")?;
        refuse_html(&answer)?;
        let wrong = |problem: String| HubError::BadAnswer { url: url.clone(), problem };
        // Some servers zip what they were asked not to, and a limit of the body's own counts what comes over the wire.
        let reader = answer.response.body_mut().with_config().limit(LONGEST_LIST).reader();
        let mut body = Vec::new();
        let read = reader.take(LONGEST_LIST + 1).read_to_end(&mut body);
        read.map_err(|error| self.transport_error(&url, "the list of files", &error.into()))?;
        if body.len() as u64 > LONGEST_LIST {
            return Err(wrong(format!("its list of files is larger than {}", bytes_in_words(LONGEST_LIST))));
        }
        let info: RepoInfo = serde_json::from_slice(&body).map_err(|e| wrong(e.to_string()))?;
        if is_file_name(&info.sha) { Ok(info) } else { Err(wrong(format!("`{}` is no commit", info.sha))) }
    }

    /// Hash and length of a file at a commit, without its bytes.
    pub(super) fn file(&self, commit: &str, name: &str) -> Result<RemoteFile, HubError> {
        let repo = Repo::with_revision(self.id.to_string(), hf_hub::RepoType::Model, commit.to_owned());
        let url = format!("{}/{}/resolve/{}/{name}", self.endpoint, repo.url(), repo.url_revision());
        let answer = self.follow("HEAD", &url, None)?;
        self.check_status(&answer, name)?;
        refuse_html(&answer)?;
        let missing =
            |what: &str| HubError::BadAnswer { url: url.clone(), problem: format!("{name} comes without {what}") };
        let etag = answer.etag.ok_or_else(|| missing("an etag"))?;
        if !is_file_name(&etag) {
            return Err(missing("an etag that can be a file name"));
        }
        Ok(RemoteFile { name: name.to_owned(), etag, size: answer.size.ok_or_else(|| missing("a length"))?, url })
    }

    /// The bytes of a file from a position on. The server may ignore the position: see the status of the response.
    pub(super) fn bytes(&self, file: &RemoteFile, from: u64) -> Result<Response<Body>, HubError> {
        let answer = self.follow("GET", &file.url, (from > 0).then_some(from))?;
        if answer.response.status() != StatusCode::RANGE_NOT_SATISFIABLE {
            self.check_status(&answer, &file.name)?;
            refuse_html(&answer)?;
        }
        Ok(answer.response)
    }

    /// Sends a request and goes where it is sent on to. A HEAD ends where the host changes and all is known.
    fn follow(&self, method: &str, url: &str, from: Option<u64>) -> Result<Answer, HubError> {
        let mut url = url.to_owned();
        let (mut etag, mut size) = (None, None);
        for _ in 0..MOST_REDIRECTS {
            let mut request = match method {
                "HEAD" => self.agent.head(&url),
                _ => self.agent.get(&url),
            };
            if let Some(token) = self.token.as_ref().filter(|_| origin(&url) == origin(&self.endpoint)) {
                request = request.header("authorization", format!("Bearer {}", token.0));
            }
            if let Some(from) = from {
                request = request.header("range", format!("bytes={from}-"));
            }
            let response = request.call().map_err(|error| self.transport_error(&url, "the answer", &error))?;
            let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
            etag = etag.or_else(|| text("x-linked-etag").map(bare_etag));
            size = size.or_else(|| text("x-linked-size").and_then(|text| text.parse().ok()));
            let location = text("location").filter(|_| response.status().is_redirection());
            let next = location.map(|location| join(&url, location));
            let known = method == "HEAD" && etag.is_some() && size.is_some();
            match next {
                Some(next) if !(known && origin(&next) != origin(&url)) => url = next,
                _ => {
                    let is_end = !response.status().is_redirection();
                    let etag = etag.or_else(|| text("etag").map(bare_etag));
                    let length = || text("content-length").and_then(|text| text.parse().ok());
                    let size = size.or_else(|| length().filter(|_| is_end));
                    return Ok(Answer { response, url, etag, size });
                }
            }
        }
        Err(HubError::BadAnswer { url, problem: "it sends from one address to the next without end".into() })
    }

    fn check_status(&self, answer: &Answer, file: &str) -> Result<(), HubError> {
        let status = answer.response.status();
        if status.is_success() || status.is_redirection() {
            return Ok(());
        }
        let header = |name: &str| answer.response.headers().get(name).and_then(|value| value.to_str().ok());
        let (repo, host) = (self.id.clone(), host(&answer.url));
        // Asked without a token for a model that does not exist, the hub answers 401: its own code tells more.
        Err(match (status.as_u16(), header("x-error-code").unwrap_or_default()) {
            (_, "RepoNotFound" | "RevisionNotFound") | (404, "") => HubError::NotFound { repo, host },
            (404, _) => {
                HubError::BadAnswer { url: answer.url.clone(), problem: format!("{file} is not there any more") }
            }
            (401 | 403, _) => {
                HubError::Gated { repo, endpoint: self.endpoint.clone(), has_token: self.token.is_some() }
            }
            (429, _) => {
                let wait = header("retry-after").and_then(|text| text.parse().ok()).map(Duration::from_secs);
                HubError::TooManyRequests { host, wait }
            }
            (status @ 500.., _) => HubError::Server { host, status },
            (status, _) => HubError::BadAnswer { url: answer.url.clone(), problem: format!("its status is {status}") },
        })
    }

    /// What went wrong below HTTP: nobody there, or a connection that broke.
    fn transport_error(&self, url: &str, file: &str, error: &ureq::Error) -> HubError {
        let offline = |detail: &str| HubError::Offline { host: host(url), detail: detail.to_owned() };
        match error {
            ureq::Error::HostNotFound => offline("its name is not known to the network"),
            ureq::Error::Timeout(ureq::Timeout::Resolve) => offline("nobody tells the address of its name"),
            ureq::Error::Timeout(ureq::Timeout::Connect) => offline("nobody answers"),
            ureq::Error::ConnectionFailed | ureq::Error::ConnectProxyFailed(_) => offline(&error.to_string()),
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) => {
                HubError::Untrusted { host: host(url), detail: error.to_string() }
            }
            ureq::Error::Io(io) if io.to_string().contains("certificate") => {
                HubError::Untrusted { host: host(url), detail: io.to_string() }
            }
            ureq::Error::Io(io) => match io.kind() {
                ErrorKind::ConnectionRefused => offline("the connection was refused"),
                ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::NetworkDown => {
                    offline("there is no way to it")
                }
                _ if is_unknown_name(io) => offline("its name is not known to the network"),
                _ => HubError::Broken { file: file.to_owned(), detail: io.to_string() },
            },
            ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::RequireHttpsOnly(_) => {
                HubError::BadAnswer { url: url.to_owned(), problem: error.to_string() }
            }
            _ => HubError::Broken { file: file.to_owned(), detail: error.to_string() },
        }
    }
}

/// True when a name could not be looked up. The standard library has no kind of error for that: Unix has words, Windows
/// the numbers 11001 to 11004.
fn is_unknown_name(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(11_001..=11_004)) || error.to_string().contains("failed to lookup address")
}

/// No file of a model is a web page; one comes from whoever stands between.
fn refuse_html(answer: &Answer) -> Result<(), HubError> {
    let kind = answer.response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.trim_start().to_ascii_lowercase().starts_with("text/html") && !answer.response.status().is_redirection() {
        return Err(HubError::HtmlPage { url: answer.url.clone() });
    }
    Ok(())
}

/// An etag without its quotes and the mark of a weak one.
fn bare_etag(etag: &str) -> String {
    etag.trim().trim_start_matches("W/").trim_matches('"').to_owned()
}

/// True for what can be a file's name as it is.
fn is_file_name(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=128).contains(&text.len()) && text.chars().all(fine) && !text.starts_with('.')
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    url[start..].find('/').map_or(url, |at| &url[..start + at])
}

fn host(url: &str) -> String {
    origin(url).split("://").last().unwrap_or_default().to_owned()
}

/// The address that a `Location` header means.
fn join(url: &str, location: &str) -> String {
    if location.contains("://") {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        let scheme = url.split("://").next().unwrap_or("https");
        format!("{scheme}://{rest}")
    } else if location.starts_with('/') {
        format!("{}{location}", origin(url))
    } else {
        let folder = url.rfind('/').map_or(url, |at| &url[..at]);
        format!("{folder}/{location}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_joined_and_etags_bared() {
        let url = "https://hub.example:8080/a/b/resolve/main/x";
        assert_eq!(join(url, "/api/y"), "https://hub.example:8080/api/y");
        assert_eq!(join(url, "https://cdn.example/z?s=1"), "https://cdn.example/z?s=1");
        assert_eq!(join(url, "//cdn.example/z"), "https://cdn.example/z");
        assert_eq!(join(url, "z"), "https://hub.example:8080/a/b/resolve/main/z");
        assert_eq!(bare_etag("W/\"ab\""), "ab");
        assert_eq!(host(url), "hub.example:8080");
    }

    #[test]
    fn an_etag_that_leads_elsewhere_is_no_file_name() {
        for bad in ["", "../x", "a/b", ".hidden", "a\\b", "a b"] {
            assert!(!is_file_name(bad), "{bad}");
        }
        assert!(is_file_name("5891b5b522d5-1"));
    }
}
