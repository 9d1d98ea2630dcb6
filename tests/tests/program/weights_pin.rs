//! Files of weights are pinned: after the first, no other file with the same eight digits is used.

use dfm_backbone::{CatalogueEntry, Checksum};
use dfm_tests::program::Program;
use dfm_weights::{
    DownloadError, FileHash, PinState, PullOptions, Strength, WeightStore, WeightsStoreError, pull,
};
use sha2::{Digest, Sha256};

use crate::weights_pull::{FILE, RESNET101, STANDS_FOR_RESNET101, entry, from, respond, serve};

/// Other bytes with the same eight digits as [`STANDS_FOR_RESNET101`].
const SAME_DIGITS: &[u8] = b"passes for weights: 10303926422";

fn hash_of(bytes: &[u8]) -> FileHash {
    let digits: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    digits.parse().expect("a SHA-256")
}

/// An entry of which eight digits are known: those that both files begin with.
fn weakly_checked() -> CatalogueEntry {
    let checksum = Checksum::Prefix8("63fe2227");
    CatalogueEntry { name: "weak", file_name: "weak-63fe2227.pth", checksum, ..entry() }
}

/// A store whose folder has [`STANDS_FOR_RESNET101`] and no pin, as one from before there were pins.
fn store_with_a_file(folder: &std::path::Path) -> WeightStore {
    let store = WeightStore::at(folder);
    let path = store.path(&weakly_checked());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, STANDS_FOR_RESNET101).unwrap();
    store
}

fn serve_file(bytes: &'static [u8]) -> String {
    serve(move |stream, _| respond(stream, "200 OK", bytes.len(), bytes))
}

#[test]
fn another_file_with_the_same_digits_is_refused_once_the_first_is_pinned() {
    let [first, second] = [STANDS_FOR_RESNET101, SAME_DIGITS].map(hash_of);
    assert_eq!(first.as_str()[..8], second.as_str()[..8]);
    let (honest, evil) = (serve_file(STANDS_FOR_RESNET101), serve_file(SAME_DIGITS));
    let folder = tempfile::tempdir().unwrap();
    let (store, entry) = (WeightStore::at(folder.path()), weakly_checked());
    let pulled = pull(&entry, from(&honest), &store, |_, _| ()).unwrap();
    assert_eq!(pulled.check.strength, Strength::Leading { digits: 8 });
    assert_eq!((&pulled.check.sha256, &pulled.check.pin), (&first, &PinState::New));
    let check = store.check(&entry, None).unwrap();
    assert_eq!((check.strength, check.pin), (Strength::Pinned, PinState::Known));

    // Another file in the store, and another from a server.
    std::fs::write(&pulled.path, SAME_DIGITS).unwrap();
    let error = store.check(&entry, None).expect_err("another file");
    assert!(matches!(&error, WeightsStoreError::NotPinned { got, .. } if *got == second), "{error}");
    let error = pull(&entry, from(&evil), &store, |_, _| ()).expect_err("another file");
    assert!(matches!(&error, DownloadError::NotPinned { expected, .. } if *expected == first), "{error}");
    for part in [first.as_str(), second.as_str(), "weak-63fe2227.pth.sha256"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let again = pull(&entry, from(&honest), &store, |_, _| ()).unwrap();
    assert_eq!((again.check.strength, &again.check.pin), (Strength::Pinned, &PinState::Known));
    assert_eq!(std::fs::read(&again.path).unwrap(), STANDS_FOR_RESNET101);

    // The user may know that the other file is the right one.
    let options = PullOptions { sha256: Some(&second), ..from(&evil) };
    let other = pull(&entry, options, &store, |_, _| ()).unwrap();
    assert_eq!((&other.check.sha256, other.check.strength), (&second, Strength::Given));
    let check = store.check(&entry, None).unwrap();
    assert_eq!((&check.sha256, check.strength), (&second, Strength::Given));
}

#[test]
fn a_file_that_was_there_before_pins_were_is_pinned_by_its_first_use() {
    let folder = tempfile::tempdir().unwrap();
    let (store, entry) = (store_with_a_file(folder.path()), weakly_checked());
    assert_eq!(store.pin(&entry).unwrap(), None);
    let state = || store.check(&entry, None).unwrap();
    assert_eq!((state().pin, state().pin), (PinState::New, PinState::Known));
    let read = || std::fs::read_to_string(folder.path().join("weights/weak-63fe2227.pth.sha256")).unwrap();
    // What `sha256sum --check` reads.
    let line = format!("{}  weak-63fe2227.pth\n", hash_of(STANDS_FOR_RESNET101));
    assert_eq!(read(), line);
    let error = store.check(&entry, Some(&hash_of(SAME_DIGITS))).expect_err("another hash was given");
    assert!(matches!(error, WeightsStoreError::NotGiven { .. }), "{error}");
    let given = store.check(&entry, Some(&hash_of(STANDS_FOR_RESNET101))).unwrap();
    assert_eq!(given.strength, Strength::Given);
    assert_eq!(read(), format!("# given by the user\n{line}"));
    assert_eq!((state().strength, state().pin), (Strength::Given, PinState::Known));
}

#[test]
fn a_pin_that_cannot_be_read_is_an_error_and_not_a_missing_one() {
    let folder = tempfile::tempdir().unwrap();
    let (store, entry) = (store_with_a_file(folder.path()), weakly_checked());
    let pin = folder.path().join("weights/weak-63fe2227.pth.sha256");
    let url = serve_file(STANDS_FOR_RESNET101);
    for content in ["", "63fe2227", "# given by the user\n", "no hash at all"] {
        std::fs::write(&pin, content).unwrap();
        let error = store.check(&entry, None).expect_err("a damaged pin");
        assert!(error.to_string().contains("delete this file to pin anew"), "{error}");
        let error = pull(&entry, from(&url), &store, |_, _| ()).expect_err("a damaged pin");
        assert!(matches!(error, DownloadError::Pin(_)), "{error}");
    }
    // Whoever knows the file needs no old pin.
    let given = hash_of(STANDS_FOR_RESNET101);
    store.check(&entry, Some(&given)).unwrap();
    assert_eq!(store.check(&entry, None).unwrap().strength, Strength::Given);
}

/// The file is used all the same.
#[cfg(unix)]
#[test]
fn a_pin_that_cannot_be_written_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (store, entry) = (store_with_a_file(folder.path()), weakly_checked());
    std::os::unix::fs::symlink("nowhere", folder.path().join("weights/weak-63fe2227.pth.sha256")).unwrap();
    let check = store.check(&entry, None).unwrap();
    assert_eq!(check.strength, Strength::Leading { digits: 8 });
    assert!(matches!(check.pin, PinState::NotWritten { .. }), "{check}");
    assert!(check.to_string().contains("cannot be pinned"), "{check}");
}

#[test]
fn a_file_without_the_hash_that_was_given_is_refused() {
    let url = serve_file(STANDS_FOR_RESNET101);
    let folder = tempfile::tempdir().unwrap();
    let (store, entry) = (WeightStore::at(folder.path()), weakly_checked());
    let refused = |given: &FileHash| {
        let options = PullOptions { sha256: Some(given), ..from(&url) };
        pull(&entry, options, &store, |_, _| ()).expect_err("another hash")
    };
    let error = refused(&hash_of(SAME_DIGITS));
    assert!(matches!(error, DownloadError::NotGiven { .. }), "{error}");
    // No file of the catalogue can have such a hash: nothing is fetched.
    let error = refused(&hash_of(FILE));
    assert!(matches!(error, DownloadError::NotItsHash { .. }), "{error}");
    assert_eq!((store.find(&entry), store.pin(&entry).unwrap()), (None, None));
}

#[test]
fn the_program_pins_and_takes_a_whole_hash() {
    let (honest, evil) = (serve_file(STANDS_FOR_RESNET101), serve_file(SAME_DIGITS));
    let [first, second] = [STANDS_FOR_RESNET101, SAME_DIGITS].map(|bytes| hash_of(bytes).to_string());
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    let cached = dfm.path("cache/weights").join(RESNET101);
    let pull = |url: &str, more: &[&str]| {
        dfm.run(&[&["weights", "pull", "resnet101", "--endpoint", url], more].concat())
    };
    pull(&honest, &["--sha256", "63fe2227"]).expect_code(2).expect_said(&["64 hexadecimal digits"]);
    let run = pull(&honest, &[]).expect_code(0);
    assert!(run.out.contains("8 of the 64 digits") && run.out.contains(&first), "{}", run.out);
    run.expect_said(&["does not stop an attacker", "--sha256"]);
    let listed = || {
        let list = dfm.run(&["weights", "list"]).expect_code(0).out;
        list.lines().find(|line| line.starts_with("resnet101")).expect("a line").to_owned()
    };
    assert!(listed().contains("all 64 digits of its SHA-256, pinned at its first use"), "{}", listed());
    let list = dfm.run(&["weights", "list"]).expect_code(0).out;
    assert!(list.contains("8 of the 64 digits of its SHA-256, those in its name: f37072fd"), "{list}");

    // Exchanged for a file that has the digits in the name.
    std::fs::write(&cached, SAME_DIGITS).unwrap();
    dfm.save_good();
    let fit = dfm.run(&["fit", "good", "-o", "m.dfm", "--backbone", "resnet101"]).expect_code(2);
    let cure = format!("dfm weights pull resnet101 --sha256 {second}");
    fit.expect_said(&[RESNET101, &first, "has pinned", &cure]);
    assert!(!dfm.path("m.dfm").exists());
    pull(&evil, &[]).expect_code(2).expect_said(&["another file, fetched anew", &first, "not kept", &cure]);

    let run = pull("http://127.0.0.1:9/nowhere", &["--sha256", &second]).expect_code(0);
    assert!(run.out.contains("already here, checked by all 64 digits"), "{}", run.out);
    assert!(listed().contains("given by the user"), "{}", listed());
    let run = pull(&evil, &["--sha256", &first]).expect_code(2);
    run.expect_said(&[&first, &second, "which was given"]);
    assert_eq!(std::fs::read(&cached).unwrap(), SAME_DIGITS);
}
