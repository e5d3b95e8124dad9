//! A small Hugging Face hub on loopback: lists of files, redirects, ranges, and every fault a real network has.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use fovea::hub::git_blob_hash;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// From this size on a file lies in large-file storage: elsewhere, and named by its SHA-256.
const LARGE: usize = 10_000;

/// What goes wrong with a file.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The next so many streams break after this many bytes.
    Break { after: usize, times: usize },
    /// Half of it comes, then nothing, and the connection stays open.
    Stall,
    /// Answered with this status and these headers.
    Status { code: u16, headers: &'static str },
    /// The hub says that it is of this many bytes.
    Claims(u64),
    /// The stream has a byte less than the hub says.
    Shorter,
    /// One byte is another.
    OtherBytes,
    /// The list of files is this text.
    List(String),
    /// A web page of this kind (`content-type`) comes instead.
    Page(&'static str),
    /// A zipped body of so many bytes of white space comes instead.
    Zipped(usize),
    /// Ranges are not known: the whole file comes.
    IgnoresRange,
}

/// One request as it came in.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
}

#[derive(Default)]
struct Inside {
    repos: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    faults: BTreeMap<String, Fault>,
    requests: Vec<Request>,
}

/// The server; it ends with the test's process.
#[derive(Clone)]
pub struct HubServer {
    port: u16,
    inside: Arc<Mutex<Inside>>,
}

impl HubServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), inside: Arc::default() };
        let serving = server.clone();
        spawn("hub server", move || {
            for stream in listener.incoming().flatten() {
                let server = serving.clone();
                spawn("hub connection", move || server.serve(&stream));
            }
        });
        server
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn add(&self, id: &str, files: &[(&str, &[u8])]) {
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        self.lock().repos.insert(id.to_owned(), files);
    }

    /// A folder's files, `reference.safetensors` of the golden models left out.
    pub fn add_folder(&self, id: &str, folder: &Path) {
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let read = |path: std::path::PathBuf| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap())
        };
        let files = files.filter(|path| path.is_file() && !path.ends_with("reference.safetensors")).map(read).collect();
        self.lock().repos.insert(id.to_owned(), files);
    }

    pub fn fault(&self, file: &str, fault: Fault) {
        self.lock().faults.insert(file.to_owned(), fault);
    }

    pub fn heal(&self) {
        self.lock().faults.clear();
    }

    pub fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    /// The `Range` headers with which a file's bytes were asked for, in turn; empty for none.
    pub fn ranges(&self, file: &str) -> Vec<String> {
        let gets = self
            .requests()
            .into_iter()
            .filter(|r| r.method == "GET" && r.path.starts_with("/cdn/") && r.path.ends_with(file));
        gets.map(|r| r.headers.get("range").cloned().unwrap_or_default()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some(request) = read_request(&mut reader) {
            self.lock().requests.push(request.clone());
            if self.answer(&request, stream).is_none() {
                // Broken, as by a cable that was pulled: the client sees an end in the middle.
                let _ = stream.shutdown(std::net::Shutdown::Both);
                return;
            }
        }
    }

    /// `None` breaks the connection.
    fn answer(&self, request: &Request, stream: &TcpStream) -> Option<()> {
        let path = request.path.trim_start_matches('/');
        let rest = path.strip_prefix("api/models/").and_then(|rest| rest.split_once("/revision/"));
        if let Some((id, _)) = rest {
            return self.list(id, stream);
        }
        let moved = path.strip_prefix("moved/");
        let cdn = path.strip_prefix("cdn/");
        let plain = moved.or(cdn).unwrap_or(path);
        let Some((id, rest)) = plain.split_once("/resolve/") else { return not_found(stream, "") };
        let Some((_, file)) = rest.split_once('/') else { return not_found(stream, "") };
        let (bytes, fault) = {
            let inside = self.lock();
            let Some(bytes) = inside.repos.get(id).and_then(|files| files.get(file)) else {
                drop(inside);
                return not_found(stream, "x-error-code: EntryNotFound\r\n");
            };
            (bytes.clone(), inside.faults.get(file).cloned())
        };
        match &fault {
            Some(Fault::Status { code, headers }) => return send(stream, &format!("{code} Fault"), headers, b""),
            Some(Fault::Page(kind)) => {
                let head = format!("content-type: {kind}\r\nx-linked-size: {}\r\netag: \"page\"\r\n", bytes.len());
                let page = b"<!DOCTYPE html><html><body>Log in to the network</body></html>";
                return if request.method == "HEAD" {
                    send_head(stream, "200 OK", &head, page.len())
                } else {
                    send(stream, "200 OK", &head, page)
                };
            }
            _ => {}
        }
        if let Some(Fault::Claims(size)) = fault {
            let head = format!("etag: \"{}\"\r\nx-linked-size: {size}\r\n", git_blob_hash(&bytes));
            return send_head(stream, "200 OK", &head, 0);
        }
        let is_large = bytes.len() >= LARGE;
        let etag = if is_large { hex(&Sha256::digest(&bytes)) } else { git_blob_hash(&bytes) };
        let known = format!("x-repo-commit: {COMMIT}\r\n");
        if cdn.is_none() && is_large {
            // Large files lie on another host, which must not see the token.
            let head = format!(
                "{known}x-linked-etag: \"{etag}\"\r\nx-linked-size: {}\r\nlocation: http://localhost:{}/cdn/{path}\r\n",
                bytes.len(),
                self.port
            );
            return send(stream, "302 Found", &head, b"");
        }
        if moved.is_none() && !is_large {
            return send(stream, "307 Temporary Redirect", &format!("{known}location: /moved/{path}\r\n"), b"");
        }
        let head = format!("{known}etag: \"{etag}\"\r\naccept-ranges: bytes\r\n");
        if request.method == "HEAD" {
            return send_head(stream, "200 OK", &head, bytes.len());
        }
        self.send_file(request, stream, file, &bytes, &head, fault.as_ref())
    }

    fn list(&self, id: &str, stream: &TcpStream) -> Option<()> {
        let fault = self.lock().faults.get("api").cloned();
        match fault {
            Some(Fault::Status { code, headers }) => return send(stream, &format!("{code} Fault"), headers, b""),
            Some(Fault::Page(kind)) => {
                return send(stream, "200 OK", &format!("content-type: {kind}\r\n"), b"<html></html>");
            }
            Some(Fault::List(body)) => {
                return send(stream, "200 OK", "content-type: application/json\r\n", body.as_bytes());
            }
            Some(Fault::Zipped(size)) => {
                let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                zipped.write_all(&vec![b' '; size]).unwrap();
                let head = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
                return send(stream, "200 OK", head, &zipped.finish().unwrap());
            }
            _ => {}
        }
        let Some(files) = self.lock().repos.get(id).cloned() else {
            // Nobody is told whether a private model exists.
            return send(stream, "401 Unauthorized", "x-error-code: RepoNotFound\r\n", b"");
        };
        let siblings: Vec<_> = files.keys().map(|name| serde_json::json!({ "rfilename": name })).collect();
        let body = serde_json::json!({ "id": id, "sha": COMMIT, "siblings": siblings }).to_string();
        send(stream, "200 OK", "content-type: application/json\r\n", body.as_bytes())
    }

    fn send_file(
        &self,
        request: &Request,
        mut stream: &TcpStream,
        file: &str,
        whole: &[u8],
        head: &str,
        fault: Option<&Fault>,
    ) -> Option<()> {
        let range = request.headers.get("range").filter(|_| !matches!(fault, Some(Fault::IgnoresRange)));
        let from: Option<usize> = range.and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        let mut bytes = whole.to_vec();
        match fault {
            Some(Fault::Shorter) => drop(bytes.pop()),
            Some(Fault::OtherBytes) => bytes[whole.len() / 2] ^= 1,
            _ => {}
        }
        let total = bytes.len();
        let status = match from {
            Some(from) if from >= total => return send(stream, "416 Range Not Satisfiable", head, b""),
            Some(_) => "206 Partial Content",
            None => "200 OK",
        };
        let start = from.unwrap_or(0);
        let range =
            from.map(|from| format!("content-range: bytes {from}-{}/{total}\r\n", total - 1)).unwrap_or_default();
        send_head(stream, status, &format!("{head}{range}"), total - start)?;
        let body = &bytes[start..];
        match fault {
            Some(Fault::Break { after, times }) if *times > 0 => {
                self.fault(file, Fault::Break { after: *after, times: times - 1 });
                stream.write_all(&body[..(*after).min(body.len())]).ok()?;
                None
            }
            Some(Fault::Stall) => {
                stream.write_all(&body[..body.len() / 2]).ok()?;
                std::thread::sleep(Duration::from_secs(60));
                None
            }
            _ => stream.write_all(body).ok(),
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).unwrap();
}

fn read_request(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Some(Request { method, path, headers })
}

fn send_head(mut stream: &TcpStream, status: &str, headers: &str, length: usize) -> Option<()> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).ok()
}

fn send(mut stream: &TcpStream, status: &str, headers: &str, body: &[u8]) -> Option<()> {
    send_head(stream, status, headers, body.len())?;
    stream.write_all(body).ok()
}

fn not_found(stream: &TcpStream, headers: &str) -> Option<()> {
    send(stream, "404 Not Found", headers, b"")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
