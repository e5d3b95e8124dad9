//! What a hub answers: its list of files, the headers of a file, the index of the weights.
//!
//! An input is one JSON object: `list` and `index` as they are sent, and `headers` that stand in the answers about files in the
//! place of the usual ones. An input that is none is sent as the list, byte for byte.

use fovea::hub::{HubCommand, HubEvent, HubHandle, HubSettings, RepoId, RetryPolicy, git_blob_hash};
use fovea::types::{UserError, is_unprintable};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

pub fn seeds() -> Vec<Vec<u8>> {
    let file = |name: &str| json!({ "rfilename": name });
    let small = ["config.json", "tokenizer.json", "modules.json", "additional_chat_templates/rag.jinja", "README.md"];
    let list = |weights: &[&str]| {
        let siblings: Vec<Value> = small.iter().chain(weights).map(|name| file(name)).collect();
        json!({ "id": "ada/tiny", "sha": COMMIT, "siblings": siblings })
    };
    let index = |end: &str| json!({ "metadata": { "total_size": 2 }, "weight_map": { "a": format!("1{end}"), "b": format!("2{end}") } });
    let single = list(&["model.safetensors"]);
    let seeds = [
        json!({ "list": single, "headers": {} }),
        json!({ "list": single, "headers": { "etag": "W/\"abc-1\"", "x-repo-commit": COMMIT } }),
        json!({ "list": single, "headers": { "x-linked-etag": "\"abc-2\"", "x-linked-size": "2", "etag": "\"none\"" } }),
        json!({ "list": single, "headers": { "content-type": "application/json; charset=utf-8", "accept-ranges": "bytes" } }),
        json!({ "list": list(&["model.safetensors.index.json"]), "headers": {}, "index": index(".safetensors") }),
        json!({ "list": list(&["pytorch_model.bin.index.json"]), "headers": { "etag": "\"abc-3\"" }, "index": index(".bin") }),
    ];
    seeds.iter().map(|seed| serde_json::to_vec(seed).unwrap()).collect()
}

/// What is answered.
struct Script {
    list: Vec<u8>,
    headers: Vec<(String, String)>,
    index: Vec<u8>,
}

impl Script {
    fn new(input: &[u8]) -> Self {
        let Ok(Value::Object(parts)) = serde_json::from_slice(input) else {
            return Self { list: input.to_vec(), headers: Vec::new(), index: b"{}".to_vec() };
        };
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let headers = parts.get("headers").and_then(Value::as_object);
        let headers = headers.into_iter().flatten().map(|(name, value)| (name.clone(), text(value)));
        // Another host would be looked for in the network.
        let headers = headers.filter(|(_, value)| !value.contains("//")).collect();
        let sent = |part: &str| serde_json::to_vec(parts.get(part).unwrap_or(&Value::Null)).unwrap();
        Self { list: sent("list"), headers, index: sent("index") }
    }

    fn answer(&self, mut stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        reader.read_line(&mut first).ok()?;
        let mut line = String::new();
        while reader.read_line(&mut line).ok()? > 2 {
            line.clear();
        }
        let mut words = first.split(' ');
        let (method, path) = (words.next()?, words.next()?);
        let is_list = path.starts_with("/api/");
        let body: &[u8] = match path {
            _ if is_list => &self.list,
            _ if path.ends_with(".index.json") => &self.index,
            _ => b"{}",
        };
        let usual = [("content-length", body.len().to_string()), ("etag", format!("\"{}\"", git_blob_hash(body)))];
        let mut head = "HTTP/1.1 200 OK\r\nconnection: close\r\n".to_owned();
        let changed = |name: &str| !is_list && self.headers.iter().any(|(other, _)| other == name);
        for (name, value) in usual.iter().filter(|(name, _)| !changed(name)) {
            head += &format!("{name}: {value}\r\n");
        }
        for (name, value) in self.headers.iter().filter(|_| !is_list) {
            // An etag names one content, so that files of other lengths need others.
            let value = match value.strip_suffix('"').filter(|_| name.ends_with("etag")) {
                Some(quoted) => format!("{quoted}-{}\"", body.len()),
                None => value.clone(),
            };
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all((head + "\r\n").as_bytes()).ok()?;
        if method == "GET" { stream.write_all(body).ok() } else { Some(()) }
    }
}

/// A server of one script, until it is dropped.
struct Server {
    port: u16,
    done: Arc<AtomicBool>,
}

impl Server {
    fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, done) = (listener.local_addr().unwrap().port(), Arc::new(AtomicBool::new(false)));
        let ended = Arc::clone(&done);
        let serve = move || {
            for stream in listener.incoming().flatten() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                let _ = script.answer(&stream);
            }
        };
        std::thread::Builder::new().name("hub".to_owned()).spawn(serve).unwrap();
        Self { port, done }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        // It waits for one more.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Fetches a model. Whatever the hub answers, nothing lies outside the cache, and nothing it says moves a cursor.
pub fn attempt(input: &[u8]) -> Result<(), String> {
    let server = Server::start(Script::new(input));
    let scratch = tempfile::tempdir().unwrap();
    let retry = RetryPolicy { tries: 1, first_wait: Duration::ZERO, longest_wait: Duration::ZERO };
    let settings = HubSettings {
        programs: Default::default(),
        cache: scratch.path().join("hub"),
        endpoint: format!("http://127.0.0.1:{}", server.port),
        token: None,
        offline: false,
        retry,
        read_card: |_| Err(UserError::new("", "", "")),
        free_space: |_| Some(1 << 30),
    };
    let hub = HubHandle::start(settings, Box::new(|| ())).unwrap();
    hub.try_send(HubCommand::Fetch { id: RepoId::parse("ada/tiny").unwrap() }).unwrap();
    let result = loop {
        match hub.recv_timeout(Duration::from_secs(1)) {
            Some(HubEvent::Progress { state, .. }) => assert!(!state.file.contains(is_unprintable), "{:?}", state.file),
            Some(HubEvent::Fetched { path, .. }) => {
                assert!(path.join("config.json").is_file() && path.starts_with(scratch.path()));
                break Ok(());
            }
            Some(HubEvent::Failed { error, .. }) => {
                let words = [&error.what, &error.why, &error.next];
                assert!(!words.iter().any(|text| text.contains(is_unprintable)), "{error:?}");
                break Err(error.to_string());
            }
            None => assert!(hub.is_running(), "the hub ended without an answer"),
            _ => {}
        }
    };
    let entries =
        |folder: &Path| std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name()).collect::<Vec<_>>();
    assert!(entries(scratch.path()).iter().all(|name| name == "hub"), "{:?}", entries(scratch.path()));
    result
}
