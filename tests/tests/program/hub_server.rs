//! A hub of our own: it answers as the official one does, from two ports. The hub says what a file is and
//! points to the store of large files, which sends it, or a part of it.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use dfm_weights::FileHash;
use safetensors::tensor::{Dtype, TensorView};
use sha2::{Digest, Sha256};

/// The only repository.
pub(crate) const REPOSITORY: &str = "acme/convnext_atto.small";
/// The commit that its branch is at first.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the hub has, and what it does wrong.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) commit: String,
    pub(crate) config: String,
    pub(crate) weights: Vec<u8>,
    /// What `X-Linked-Etag` says; `None` for the SHA-256 of the weights.
    pub(crate) stated: Option<String>,
    /// The token without which the hub says 401.
    pub(crate) token: Option<&'static str>,
    /// The status and the code with which the hub answers to everything.
    pub(crate) refuses: Option<(&'static str, &'static str)>,
    /// Where the weights are; `None` for the store of this hub.
    pub(crate) location: Option<String>,
    /// After so many bytes, and so often, the store ends the connection.
    pub(crate) cut: (usize, usize),
    /// Whether the store keeps a connection open that it cuts, and is silent.
    pub(crate) silent: bool,
    /// Whether the store sends parts.
    pub(crate) ranges: bool,
    /// Whether the store changes a byte.
    pub(crate) alters: bool,
    /// Whether the hub ends the connection in the middle of a description.
    pub(crate) cuts_config: bool,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Whether it came to the store.
    pub(crate) store: bool,
    pub(crate) line: String,
    pub(crate) range: Option<String>,
    pub(crate) token: Option<String>,
}

/// A running hub.
pub(crate) struct Hub {
    /// Its URL.
    pub(crate) url: String,
    pub(crate) state: Arc<Mutex<State>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Hub {
    pub(crate) fn start() -> Self {
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let [url, store] =
            [0, 1].map(|it: usize| format!("http://{}", listeners[it].local_addr().expect("an address")));
        let state = State {
            commit: COMMIT.to_owned(),
            config: config("convnext_atto", ""),
            weights: weights(1.0),
            stated: None,
            token: None,
            refuses: None,
            location: None,
            cut: (0, 0),
            silent: false,
            ranges: true,
            alters: false,
            cuts_config: false,
        };
        let hub = Self { url, state: Arc::new(Mutex::new(state)), seen: Arc::default() };
        for (listener, is_store) in listeners.into_iter().zip([false, true]) {
            let (state, seen, store) = (hub.state.clone(), hub.seen.clone(), store.clone());
            thread::spawn(move || {
                for stream in listener.incoming() {
                    let Ok(mut stream) = stream else { return };
                    let request = read(&stream, is_store);
                    seen.lock().expect("no test panics here").push(request.clone());
                    match is_store {
                        true => send(&mut stream, &request, &state),
                        false => answer(&mut stream, &request, &state.lock().expect("a state"), &store),
                    }
                }
            });
        }
        hub
    }

    /// Changes what the hub has or does.
    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().expect("a state"));
    }

    /// The requests that came since the last call.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().expect("requests"))
    }
}

/// `config.json` for a network, with `more` before its end.
pub(crate) fn config(architecture: &str, more: &str) -> String {
    format!(
        r#"{{"architecture": "{architecture}", "num_classes": 1000, "num_features": 320, "pretrained_cfg": {{
        "tag": "small", "custom_load": false, "input_size": [3, 64, 96], "fixed_input_size": false,
        "interpolation": "bicubic", "crop_pct": 0.875, "mean": [0.5, 0.25, 0.125], "std": [0.25, 0.5, 0.75],
        "first_conv": "stem.0", "classifier": "head.fc", "license": "mit"}}{more}}}"#
    )
}

/// A safetensors file with timm's names: `convnext_atto` up to its first stage.
pub(crate) fn weights(gain: f32) -> Vec<u8> {
    let mut shapes =
        vec![("stem.0.weight".to_owned(), vec![40, 3, 4, 4]), ("stem.0.bias".to_owned(), vec![40])];
    let norm = |name: &str| ["weight", "bias"].map(|part| (format!("{name}.{part}"), vec![40]));
    shapes.extend(norm("stem.1"));
    for block in 0..2 {
        let path = |part: &str| format!("stages.0.blocks.{block}.{part}");
        shapes.extend(norm(&path("norm")));
        for (part, shape) in [
            ("conv_dw.weight", vec![40, 1, 7, 7]),
            ("conv_dw.bias", vec![40]),
            ("mlp.fc1.weight", vec![160, 40]),
            ("mlp.fc1.bias", vec![160]),
            ("mlp.fc2.weight", vec![40, 160]),
            ("mlp.fc2.bias", vec![40]),
            ("gamma", vec![40]),
        ] {
            shapes.push((path(part), shape));
        }
    }
    let made = |(name, shape): &(String, Vec<usize>)| {
        let count: usize = shape.iter().product();
        let unit = |index: usize| {
            let mixed = (index as u32).wrapping_mul(2_654_435_761).wrapping_add(name.len() as u32 * 40_503);
            (mixed >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let scale = (3.0 / (count as f32 / 40.0)).sqrt();
        let value = |index: usize| match shape.len() {
            1 if name.ends_with("weight") || name.ends_with("gamma") => 1.0 + 0.25 * unit(index),
            _ => gain * scale * unit(index),
        };
        (0..count).flat_map(|index| value(index).to_le_bytes()).collect::<Vec<u8>>()
    };
    let data: Vec<Vec<u8>> = shapes.iter().map(made).collect();
    let views = shapes.iter().zip(&data).map(|((name, shape), bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).expect("a tensor"))
    });
    safetensors::serialize(views, None).expect("a file")
}

pub(crate) fn hash_of(bytes: &[u8]) -> FileHash {
    let digits: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    digits.parse().expect("a SHA-256")
}

fn read(stream: &TcpStream, store: bool) -> Seen {
    let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines().map_while(Result::ok);
    let mut request = Seen { store, line: lines.next().unwrap_or_default(), range: None, token: None };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or_default();
        let value = Some(value.trim().to_owned());
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = value,
            "authorization" => request.token = value,
            _ => {}
        }
    }
    request
}

/// The hub itself.
fn answer(stream: &mut TcpStream, request: &Seen, state: &State, store: &str) {
    let mut words = request.line.split(' ');
    let is_head = words.next() == Some("HEAD");
    let path = words.next().unwrap_or_default();
    let mut respond = |status: &str, headers: &str, body: &[u8]| {
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
        let sent = if state.cuts_config { length / 2 } else { length };
        let body = if is_head { &[] } else { &body[..sent] };
        // The client may have left already.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    };
    if let Some((status, code)) = state.refuses {
        return respond(status, &format!("X-Error-Code: {code}\r\n"), b"");
    }
    let is_known = |token: &str| request.token.as_deref() == Some(&format!("Bearer {token}"));
    if state.token.is_some_and(|token| !is_known(token)) {
        return respond("401 Unauthorized", "X-Error-Code: GatedRepo\r\n", b"");
    }
    // A repository that was renamed: the hub points to itself.
    if let Some(rest) = path.strip_prefix("/acme/old-name/") {
        return respond("307 Temporary Redirect", &format!("Location: /{REPOSITORY}/{rest}\r\n"), b"");
    }
    let Some((_, file)) = path
        .strip_prefix(&format!("/{REPOSITORY}/resolve/"))
        .and_then(|rest| rest.split_once('/'))
        .filter(|(revision, _)| ["main", "refs%2Fpr%2F1", &state.commit].contains(revision))
    else {
        return respond("404 Not Found", "X-Error-Code: RepoNotFound\r\n", b"");
    };
    let commit = format!("X-Repo-Commit: {}\r\n", state.commit);
    match file {
        "config.json" => {
            let tag = format!("{commit}ETag: \"{}\"\r\n", "1".repeat(40));
            respond("200 OK", &tag, state.config.as_bytes());
        }
        "model.safetensors" => {
            let sha256 = state.stated.clone().unwrap_or_else(|| hash_of(&state.weights).to_string());
            let location = state.location.clone().unwrap_or_else(|| format!("{store}/blob?signature=x"));
            let size = state.weights.len();
            let headers = format!(
                "{commit}X-Linked-Etag: \"{sha256}\"\r\nX-Linked-Size: {size}\r\nLocation: {location}\r\n"
            );
            respond("302 Found", &headers, b"not the file");
        }
        _ => respond("404 Not Found", &format!("{commit}X-Error-Code: EntryNotFound\r\n"), b""),
    }
}

/// The store of large files.
fn send(stream: &mut TcpStream, request: &Seen, state: &Mutex<State>) {
    let mut state = state.lock().expect("a state");
    let mut file = state.weights.clone();
    if state.alters {
        file[1000] ^= 1;
    }
    let from = request
        .range
        .as_deref()
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let from: usize = from.filter(|_| state.ranges).unwrap_or(0);
    if from >= file.len() {
        let _ = stream.write_all(
            b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
        return;
    }
    let (all, rest) = (file.len(), file.split_off(from));
    let (status, range) = match from {
        0 => ("200 OK", String::new()),
        _ => ("206 Partial Content", format!("Content-Range: bytes {from}-{}/{all}\r\n", all - 1)),
    };
    let head =
        format!("HTTP/1.1 {status}\r\n{range}Content-Length: {}\r\nConnection: close\r\n\r\n", rest.len());
    let (after, often) = state.cut;
    let sent = if often > 0 { &rest[..after.min(rest.len())] } else { &rest };
    state.cut.1 = often.saturating_sub(1);
    let is_silent = state.silent && often > 0;
    drop(state);
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(sent));
    if is_silent {
        let open = stream.try_clone();
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(60));
            drop(open);
        });
    }
}
