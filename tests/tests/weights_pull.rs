//! Fetching weights from a server of our own: only what passes its check is kept.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use dfm_backbone::{CatalogueEntry, Checksum, InputContract};
use dfm_cli::weights::{Cache, DownloadError, pull};
use dfm_tests::program::Program;
use sha2::{Digest, Sha256};

const FILE: &[u8] = b"these bytes stand for weights";

/// A server that answers each request by `answer`, until the test ends. Returns
/// its URL.
fn serve(answer: impl Fn(&mut TcpStream, &str) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/models", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines();
            let request = lines.next().and_then(Result::ok).unwrap_or_default();
            while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
            answer(&mut stream, request.split(' ').nth(1).unwrap_or_default());
        }
    });
    url
}

fn respond(stream: &mut TcpStream, status: &str, length: usize, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    // The client may have left already.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

/// An entry whose checksum is that of `FILE`.
fn entry() -> CatalogueEntry {
    let hash: String = Sha256::digest(FILE).iter().map(|byte| format!("{byte:02x}")).collect();
    CatalogueEntry {
        name: "small",
        endpoint: "http://127.0.0.1:9/unused/",
        file_name: "small.pth",
        checksum: Checksum::Sha256(hash.leak()),
        license: "none",
        input: InputContract::imagenet(),
    }
}

/// Pulls from `url` into a cache that must stay empty; returns why it failed.
fn refused(url: &str) -> DownloadError {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let error = pull(&entry(), Some(url), &cache, |_, _| ()).expect_err("not the file");
    assert_eq!(cache.find(&entry()), None);
    let left = std::fs::read_dir(folder.path().join("weights")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "something was left in the cache");
    error
}

#[test]
fn the_right_file_is_kept() {
    let url = serve(|stream, path| {
        assert_eq!(path, "/models/small.pth");
        respond(stream, "200 OK", FILE.len(), FILE);
    });
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let mut seen = 0;
    let path = pull(&entry(), Some(&url), &cache, |got, of| {
        seen = got;
        assert_eq!(of, Some(FILE.len() as u64));
    });
    assert_eq!(std::fs::read(path.unwrap()).unwrap(), FILE);
    assert_eq!(seen, FILE.len() as u64);
    assert!(cache.find(&entry()).is_some());
}

#[test]
fn a_redirection_is_followed() {
    let url = serve(|stream, path| match path {
        "/elsewhere" => respond(stream, "200 OK", FILE.len(), FILE),
        _ => respond(stream, "302 Found\r\nLocation: /elsewhere", 0, b""),
    });
    let folder = tempfile::tempdir().unwrap();
    pull(&entry(), Some(&url), &Cache::at(folder.path()), |_, _| ()).unwrap();
}

#[test]
fn altered_bytes_are_not_kept() {
    let url = serve(|stream, _| {
        let mut altered = FILE.to_vec();
        altered[3] ^= 1;
        respond(stream, "200 OK", altered.len(), &altered);
    });
    let error = refused(&url);
    assert!(matches!(error, DownloadError::Checksum { .. }), "{error}");
}

#[test]
fn a_connection_that_ends_early_leaves_nothing() {
    let url = serve(|stream, _| respond(stream, "200 OK", FILE.len() + 1000, FILE));
    let error = refused(&url);
    assert!(matches!(error, DownloadError::CutShort { .. }), "{error}");
}

#[test]
fn a_missing_file_is_an_error() {
    let url = serve(|stream, _| respond(stream, "404 Not Found", 0, b""));
    let error = refused(&url);
    assert!(matches!(&error, DownloadError::Request { reason, .. } if reason.contains("404")), "{error}");
}

#[test]
fn a_file_that_claims_to_be_huge_is_refused() {
    let url = serve(|stream, _| respond(stream, "200 OK", 1 << 40, FILE));
    let error = refused(&url);
    assert!(matches!(error, DownloadError::TooLarge { .. }), "{error}");
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    // Bound and dropped again: nobody listens there now.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = refused(&format!("http://{address}"));
    assert!(matches!(error, DownloadError::Request { .. }), "{error}");
}

#[test]
fn the_program_asks_the_mirror_and_says_what_was_wrong() {
    let url = serve(|stream, path| {
        assert!(path.ends_with("/resnet18-f37072fd.pth"), "{path}");
        respond(stream, "200 OK", FILE.len(), FILE);
    });
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    let run = dfm.run(&["weights", "pull", "resnet18", "--endpoint", &url]).expect_code(2);
    run.expect_said(&["expected a SHA-256 that begins with f37072fd", "not kept"]);
    let output =
        dfm.command().args(["weights", "pull", "resnet18"]).env("DFM_WEIGHTS_ENDPOINT", &url).output();
    assert_eq!(output.unwrap().status.code(), Some(2));
    dfm.run(&["weights", "pull", "vgg16"]).expect_code(2).expect_said(&["vgg16", "resnet50"]);
}
