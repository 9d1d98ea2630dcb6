//! Fetching weights from a server of our own: only what passes its check is kept.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use dfm_backbone::{CatalogueEntry, Checksum, InputContract};
use dfm_tests::program::Program;
use dfm_weights::{DownloadError, PullOptions, Strength, WeightStore, pull};
use sha2::{Digest, Sha256};

pub(crate) const FILE: &[u8] = b"these bytes stand for weights";
/// Bytes whose SHA-256 begins with 63fe2227, as that of the catalogue's `resnet101`
/// does. Such are found in a minute, which is why eight digits are called a prefix
/// and not a hash; here they stand for the file.
pub(crate) const STANDS_FOR_RESNET101: &[u8] = b"stands for weights: 321956357";
pub(crate) const RESNET101: &str = "resnet101-63fe2227.pth";

/// A server that answers each request by `answer`, until the test ends. Returns
/// its URL.
pub(crate) fn serve(answer: impl Fn(&mut TcpStream, &str) + Send + 'static) -> String {
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

pub(crate) fn respond(stream: &mut TcpStream, status: &str, length: usize, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    // The client may have left already.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

/// An entry whose checksum is that of `FILE`.
pub(crate) fn entry() -> CatalogueEntry {
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

pub(crate) fn from(url: &str) -> PullOptions<'_> {
    PullOptions { endpoint: Some(url), ..PullOptions::default() }
}

/// Pulls from `url` into a cache that must stay empty; returns why it failed.
fn refused(url: &str) -> DownloadError {
    refused_by(from(url))
}

fn refused_by(options: PullOptions<'_>) -> DownloadError {
    let folder = tempfile::tempdir().unwrap();
    let store = WeightStore::at(folder.path());
    let error = pull(&entry(), options, &store, |_, _| ()).expect_err("not the file");
    assert_eq!(store.find(&entry()), None);
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
    let store = WeightStore::at(folder.path());
    let mut seen = 0;
    let pulled = pull(&entry(), from(&url), &store, |got, of| {
        seen = got;
        assert_eq!(of, Some(FILE.len() as u64));
    })
    .unwrap();
    assert_eq!(std::fs::read(pulled.path).unwrap(), FILE);
    assert_eq!(pulled.check.strength, Strength::Published);
    assert_eq!(seen, FILE.len() as u64);
    let kept = store.find(&entry()).expect("the file");
    store.check(&entry(), None).unwrap();
    // As other files that a program writes: readable by whom the umask lets.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let other = folder.path().join("other");
        std::fs::write(&other, b"").unwrap();
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&kept), mode(&other));
    }
    std::fs::write(&kept, b"something else").unwrap();
    let error = store.check(&entry(), None).expect_err("another file");
    assert!(error.to_string().contains("altered or damaged"), "{error}");
}

#[test]
fn a_redirection_is_followed() {
    let url = serve(|stream, path| match path {
        "/elsewhere" => respond(stream, "200 OK", FILE.len(), FILE),
        _ => respond(stream, "302 Found\r\nLocation: /elsewhere", 0, b""),
    });
    let folder = tempfile::tempdir().unwrap();
    pull(&entry(), from(&url), &WeightStore::at(folder.path()), |_, _| ()).unwrap();
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
fn a_connection_that_ends_early_leaves_nothing_where_no_length_was_said() {
    let url = serve(|stream, _| {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1d\r\n";
        // The chunk is whole and its file too, but not the end of the chunks.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(FILE));
    });
    let error = refused(&url);
    assert!(matches!(error, DownloadError::Request { .. }), "{error}");
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let url = serve(|stream, _| {
        respond(stream, "200 OK", FILE.len() + 1000, FILE);
        // Open, and silent for longer than the test has patience.
        let open = stream.try_clone();
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(60));
            drop(open);
        });
    });
    let start = Instant::now();
    let options = PullOptions { patience: Duration::from_millis(300), ..from(&url) };
    let error = refused_by(options);
    assert!(
        matches!(error, DownloadError::Stalled { got, .. } if got == FILE.len() as u64),
        "{error}: {error:?}"
    );
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
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
    let pull = |endpoint: &str| {
        let mut command = dfm.command();
        command.args(["weights", "pull", "resnet18"]).env("DFM_WEIGHTS_ENDPOINT", endpoint);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let said = pull(&url);
    assert!(said.contains(&url) && said.contains("f37072fd"), "{said}");
    // Nobody listens on that port; the official home would be another.
    let said = pull("http://127.0.0.1:9/mirror");
    assert!(said.contains("http://127.0.0.1:9/mirror/resnet18-f37072fd.pth"), "{said}");
    dfm.run(&["weights", "pull", "vgg16"]).expect_code(2).expect_said(&["vgg16", "resnet50"]);
}

#[test]
fn the_program_pulls_once_and_again_only_what_was_altered() {
    let url = serve(|stream, path| {
        assert!(path.ends_with(RESNET101), "{path}");
        respond(stream, "200 OK", STANDS_FOR_RESNET101.len(), STANDS_FOR_RESNET101);
    });
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    let cached = dfm.path("cache/weights").join(RESNET101);
    let pull = |url: &str| dfm.run(&["weights", "pull", "resnet101", "--endpoint", url]).expect_code(0);
    let first = pull(&url);
    assert!(first.out.contains(RESNET101) && first.out.contains("BSD-3-Clause"), "{}", first.out);
    assert_eq!(std::fs::read(&cached).unwrap(), STANDS_FOR_RESNET101);
    // From nowhere: nothing is fetched.
    let second = pull("http://127.0.0.1:9/nowhere");
    assert!(second.out.contains("already here, checked"), "{}", second.out);
    assert!(first.out.contains("8 of the 64 digits"), "{}", first.out);
    assert!(second.out.contains("all 64 digits of its SHA-256, pinned"), "{}", second.out);

    std::fs::write(&cached, b"junk").unwrap();
    let run = dfm.run(&["weights", "pull", "resnet101", "--endpoint", "http://127.0.0.1:9/nowhere"]);
    run.expect_code(2).expect_said(&["altered or damaged"]);
    pull(&url).expect_said(&["altered or damaged, fetched anew", ".other-1"]);
    assert_eq!(std::fs::read(&cached).unwrap(), STANDS_FOR_RESNET101);
    // It may be anybody's, and is kept; weights that were altered are not.
    let folder = cached.parent().unwrap();
    assert_eq!(std::fs::read(folder.join(format!("{RESNET101}.other-1"))).unwrap(), b"junk");
    std::fs::write(&cached, b"PK\x03\x04junk").unwrap();
    pull(&url).expect_said(&["altered or damaged, fetched anew"]);
    assert!(!folder.join(format!("{RESNET101}.other-2")).exists());
}

/// Sound weights under the name of others: they would be read without complaint.
#[test]
fn cached_weights_that_were_exchanged_are_not_used() {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    dfm.save_good();
    std::fs::create_dir_all(dfm.path("cache/weights")).unwrap();
    let junk = dfm_tests::golden::bytes("backbone/tiny-zip.pth");
    std::fs::write(dfm.path("cache/weights").join(RESNET101), junk).unwrap();
    for more in [&["--backbone", "resnet101"][..], &["--weights", "resnet101"]] {
        let run = dfm.run(&[&["fit", "good", "-o", "m.dfm"], more].concat()).expect_code(2);
        run.expect_said(&[RESNET101, "63fe2227", "dfm weights pull"]);
    }
}

/// The program, with nothing that names a folder.
fn without_folder(dfm: &Program) -> std::process::Command {
    let mut command = dfm.command();
    for name in ["DFM_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn the_list_needs_no_cache_folder() {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    let output = without_folder(&dfm).args(["weights", "list"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("resnet101"));
    // What needs one says how it is named.
    for name in ["resnet101", "hf:acme/other"] {
        let output = without_folder(&dfm).args(["weights", "pull", name]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("no folder") && said.contains("DFM_CACHE_DIR names it"), "{said}");
    }
}
