//! Weights from a repository of a hub, by the library.

use std::path::Path;
use std::time::Duration;

use dfm_backbone::Layer;
use dfm_weights::{
    HubError, HubOptions, HubPulled, HubReference, PinOrigin, PinState, Strength, Token, WeightStore,
    WeightsSpec, WeightsStoreError, pull_hub,
};

use crate::hub_server::{COMMIT, Hub, REPOSITORY, Seen, config, hash_of, weights};

pub(crate) fn reference(text: &str) -> HubReference {
    text.parse().expect(text)
}

pub(crate) fn repository() -> HubReference {
    reference(&format!("hf:{REPOSITORY}"))
}

pub(crate) fn options(hub: &Hub) -> HubOptions {
    let mut options = HubOptions::default();
    options.endpoint.clone_from(&hub.url);
    options.patience = Duration::from_secs(20);
    options
}

pub(crate) fn pull(hub: &Hub, store: &WeightStore) -> Result<HubPulled, HubError> {
    pull_hub(&repository(), &options(hub), store, |_, _| ())
}

/// Pulls into a store that must not get the weights.
fn refused(options: &HubOptions) -> HubError {
    let folder = tempfile::tempdir().unwrap();
    let store = WeightStore::at(folder.path());
    let error = pull_hub(&repository(), options, &store, |_, _| ()).expect_err("no weights");
    assert_eq!(store.find_hub(&repository()), None);
    assert_eq!(store.hub_references(), []);
    error
}

pub(crate) fn spec() -> WeightsSpec {
    WeightsSpec { weights: Some(repository().to_string()), ..WeightsSpec::default() }
}

fn lines(seen: &[Seen]) -> Vec<String> {
    seen.iter().map(|it| format!("{}{}", if it.store { "store " } else { "" }, it.line)).collect()
}

#[test]
fn a_repository_is_fetched_checked_and_loaded_with_what_it_states() {
    let hub = Hub::start();
    let folder = tempfile::tempdir().unwrap();
    let store = WeightStore::at(folder.path());
    let error = store.load(&spec(), Layer::named("stages.0")).expect_err("nothing is here");
    assert!(
        matches!(&error, WeightsStoreError::NotPulled { name } if *name == spec().weights.unwrap()),
        "{error}"
    );

    let mut told = Vec::new();
    let pulled = pull_hub(&repository(), &options(&hub), &store, |got, of| told.push((got, of))).unwrap();
    let size = weights(1.0).len() as u64;
    assert_eq!(told.last(), Some(&(size, Some(size))));
    assert!(pulled.is_new);
    assert_eq!(pulled.reference, reference(&format!("hf:{REPOSITORY}@{COMMIT}")));
    assert_eq!(std::fs::read(&pulled.path).unwrap(), weights(1.0));
    assert_eq!((pulled.license.as_deref(), pulled.interpolation.as_deref()), (Some("mit"), Some("bicubic")));
    let sha256 = hash_of(&weights(1.0));
    assert_eq!((&pulled.check.sha256, pulled.check.strength), (&sha256, Strength::Hub));
    assert_eq!(pulled.check.pin, PinState::New);
    // The small file comes whole; the hub is asked what the large one is, and the store sends it.
    let path = |revision: &str, file: &str| format!("/{REPOSITORY}/resolve/{revision}/{file} HTTP/1.1");
    let expected = [
        format!("HEAD {}", path("main", "config.json")),
        format!("GET {}", path(COMMIT, "config.json")),
        format!("HEAD {}", path(COMMIT, "model.safetensors")),
        format!("GET {}", path(COMMIT, "model.safetensors")),
        "store GET /blob?signature=x HTTP/1.1".to_owned(),
    ];
    assert_eq!(lines(&hub.seen()), expected);

    let loaded = store.load(&spec(), Layer::named("stages.0")).unwrap();
    let header = loaded.weights.header();
    assert_eq!(header.architecture.name(), "convnext_atto");
    assert_eq!((header.input.height, header.input.width), (64, 96));
    assert_eq!((header.input.mean, header.input.standard_deviation), ([0.5, 0.25, 0.125], [0.25, 0.5, 0.75]));
    assert_eq!(
        (header.license.as_str(), header.source.clone()),
        ("mit", format!("hf:{REPOSITORY}@{COMMIT}"))
    );
    assert_eq!(loaded.weights.fetched_sha256(), Some(sha256.as_str()));
    assert_eq!(loaded.check.map(|check| check.strength), Some(Strength::Hub));
    // Loading asks nobody.
    assert_eq!(hub.seen(), []);
    assert_eq!(store.hub_pin(&pulled.reference).unwrap().map(|pin| pin.origin), Some(PinOrigin::Hub));

    // It is here: only its description is asked for again.
    let again = pull(&hub, &store).unwrap();
    assert!(!again.is_new && again.check.pin == PinState::Known, "{again:?}");
    assert!(lines(&hub.seen()).iter().all(|line| !line.starts_with("store")));
    let other = WeightsSpec { backbone: Some("convnext_tiny".to_owned()), ..spec() };
    let error = store.load(&other, Layer::named("stages.0")).expect_err("another network");
    assert!(error.to_string().contains("these weights are for 'convnext_atto'"), "{error}");
}

#[test]
fn a_branch_moves_and_a_commit_does_not() {
    let hub = Hub::start();
    let folder = tempfile::tempdir().unwrap();
    let store = WeightStore::at(folder.path());
    let first = pull(&hub, &store).unwrap();
    let newer = "f".repeat(40);
    hub.change(|state| {
        state.commit.clone_from(&newer);
        state.weights = weights(0.5);
    });
    // Until it is pulled again, the branch is what it was.
    assert_eq!(store.find_hub(&repository()), Some(first.reference.clone()));
    let second = pull(&hub, &store).unwrap();
    assert_eq!(second.reference.revision(), newer);
    assert_eq!(store.find_hub(&repository()), Some(second.reference.clone()));
    // A model of the first commit finds its weights.
    assert_eq!(store.find_hub(&first.reference), Some(first.reference.clone()));
    assert_eq!(std::fs::read(&first.path).unwrap(), weights(1.0));
    let error = pull_hub(&first.reference, &options(&hub), &store, |_, _| ()).expect_err("the hub forgot it");
    assert!(matches!(error, HubError::NotFound { status: 404, .. }), "{error}");
    let listed: Vec<String> = store.hub_references().iter().map(ToString::to_string).collect();
    assert_eq!(listed.len(), 3, "{listed:?}");
    assert!(listed.contains(&repository().to_string()), "{listed:?}");

    // A revision with a slash, and a repository that was renamed.
    let nested = reference(&format!("hf:{REPOSITORY}@refs/pr/1"));
    assert_eq!(pull_hub(&nested, &options(&hub), &store, |_, _| ()).unwrap().reference.revision(), newer);
    let renamed = reference("hf:acme/old-name");
    let pulled = pull_hub(&renamed, &options(&hub), &store, |_, _| ()).unwrap();
    assert_eq!(pulled.reference, reference(&format!("hf:acme/old-name@{newer}")));
}

#[test]
fn a_broken_download_goes_on_where_it_ended() {
    let hub = Hub::start();
    let folder = tempfile::tempdir().unwrap();
    let store = WeightStore::at(folder.path());
    // Within one call, as long as something comes.
    hub.change(|state| state.cut = (30_000, 2));
    let pulled = pull(&hub, &store).unwrap();
    assert_eq!(std::fs::read(&pulled.path).unwrap(), weights(1.0));
    let ranges = |hub: &Hub| -> Vec<Option<String>> {
        hub.seen().into_iter().filter(|it| it.store).map(|it| it.range).collect()
    };
    assert_eq!(ranges(&hub), [None, Some("bytes=30000-".to_owned()), Some("bytes=60000-".to_owned())]);

    // In a later call.
    std::fs::remove_file(&pulled.path).unwrap();
    hub.change(|state| state.cut = (10_000, 100));
    let error = pull(&hub, &store).expect_err("too many broken connections");
    assert!(error.to_string().contains("it goes on from there"), "{error}");
    let HubError::CutShort { got, expected, .. } = error else { panic!("{error}") };
    assert_eq!((got, expected), (80_000, weights(1.0).len() as u64));
    assert!(ranges(&hub).len() == 8);
    hub.change(|state| state.cut = (0, 0));
    pull(&hub, &store).unwrap();
    assert_eq!(ranges(&hub), [Some("bytes=80000-".to_owned())]);

    // A server without parts sends all again, and what is here may be of another file.
    std::fs::remove_file(&pulled.path).unwrap();
    let part = pulled.path.with_file_name("model.safetensors.part");
    std::fs::write(&part, &weights(1.0)[..50_000]).unwrap();
    hub.change(|state| state.ranges = false);
    pull(&hub, &store).unwrap();
    assert_eq!(std::fs::read(&pulled.path).unwrap(), weights(1.0));
    std::fs::remove_file(&pulled.path).unwrap();
    std::fs::write(&part, vec![7; 50_000]).unwrap();
    hub.change(|state| state.ranges = true);
    let error = pull(&hub, &store).expect_err("the beginning is of another file");
    assert!(matches!(error, HubError::Checksum { .. }), "{error}");
    assert!(!part.exists());
    pull(&hub, &store).unwrap();
    // Longer than the file.
    std::fs::remove_file(&pulled.path).unwrap();
    std::fs::write(&part, vec![7; 1 << 20]).unwrap();
    pull(&hub, &store).unwrap();
    assert!(!part.exists());
}

#[test]
fn a_silent_store_is_given_up_and_what_came_is_kept() {
    let hub = Hub::start();
    let folder = tempfile::tempdir().unwrap();
    let store = WeightStore::at(folder.path());
    hub.change(|state| (state.cut, state.silent) = ((5_000, 100), true));
    let patience = Duration::from_millis(200);
    let hasty = HubOptions { patience, ..options(&hub) };
    let error = pull_hub(&repository(), &hasty, &store, |_, _| ()).expect_err("silence");
    // Eight connections bring something each.
    assert!(matches!(error, HubError::Stalled { got: 40_000, .. }), "{error}");
    hub.change(|state| (state.cut, state.silent) = ((0, 0), false));
    hub.seen();
    pull(&hub, &store).unwrap();
    assert!(hub.seen().iter().any(|it| it.store && it.range.is_some()), "it began anew");
}

#[test]
fn another_file_than_the_hub_states_is_not_kept() {
    let hub = Hub::start();
    hub.change(|state| state.alters = true);
    let error = refused(&options(&hub));
    assert!(
        matches!(&error, HubError::Checksum { expected, .. } if *expected == hash_of(&weights(1.0))),
        "{error}"
    );
    hub.change(|state| (state.alters, state.stated) = (false, Some("ab".repeat(32))));
    assert!(matches!(refused(&options(&hub)), HubError::Checksum { .. }));
    // The tag of a small file is no SHA-256.
    hub.change(|state| state.stated = Some("1".repeat(40)));
    let error = refused(&options(&hub));
    assert!(matches!(error, HubError::NoHash { .. }), "{error}");
    // The user may know it.
    let sha256 = Some(hash_of(&weights(1.0)));
    let folder = tempfile::tempdir().unwrap();
    let store = WeightStore::at(folder.path());
    let knowing = HubOptions { sha256: sha256.clone(), ..options(&hub) };
    let pulled = pull_hub(&repository(), &knowing, &store, |_, _| ()).unwrap();
    assert_eq!(pulled.check.strength, Strength::Given);
    hub.change(|state| state.stated = None);
    let wrong = HubOptions { sha256: Some(hash_of(b"other")), ..options(&hub) };
    assert!(matches!(refused(&wrong), HubError::NotGiven { .. }));
    assert!(hub.seen().iter().filter(|it| it.store).count() == 3, "a file that cannot be right was fetched");
}

#[test]
fn a_file_that_was_exchanged_in_the_store_is_not_used() {
    let hub = Hub::start();
    let folder = tempfile::tempdir().unwrap();
    let store = WeightStore::at(folder.path());
    let pulled = pull(&hub, &store).unwrap();
    let load = || store.load(&spec(), Layer::named("stages.0")).map(|_| ());
    load().unwrap();
    std::fs::write(&pulled.path, weights(0.5)).unwrap();
    let error = load().expect_err("other weights");
    assert!(matches!(error, WeightsStoreError::NotPinned { .. }), "{error}");
    // Fetched again; what was there is kept beside it.
    assert!(pull(&hub, &store).unwrap().is_new);
    load().unwrap();
    let aside = pulled.path.with_file_name("model.safetensors.other-1");
    assert_eq!(std::fs::read(aside).unwrap(), weights(0.5));
    // The description decides what pictures look like to the network.
    let description = pulled.path.with_file_name("config.json");
    std::fs::write(&description, config("convnext_atto", " ")).unwrap();
    let error = load().expect_err("another description");
    assert!(error.to_string().contains("config.json"), "{error}");
    // A commit never changes: a hub that states another hash for it is not believed.
    hub.change(|state| state.weights = weights(0.25));
    let error = pull(&hub, &store).expect_err("another file for the same commit");
    assert!(matches!(error, HubError::NotPinned { .. }), "{error}");
}

#[test]
fn a_token_reaches_the_hub_alone() {
    let hub = Hub::start();
    hub.change(|state| state.token = Some("secret"));
    let error = refused(&options(&hub));
    assert!(
        matches!(&error, HubError::Denied { status: 401, code: Some(code), .. } if code == "GatedRepo"),
        "{error}"
    );
    // The library says what helps, and the program how it is given.
    assert!(error.to_string().contains("give a token") && !error.to_string().contains("HF_"), "{error}");
    hub.seen();
    let folder = tempfile::tempdir().unwrap();
    let knowing = HubOptions { token: Some(Token::new("secret").unwrap()), ..options(&hub) };
    pull_hub(&repository(), &knowing, &WeightStore::at(folder.path()), |_, _| ()).unwrap();
    let seen = hub.seen();
    assert!(seen.iter().any(|it| it.store) && seen.iter().any(|it| !it.store));
    for request in seen {
        // Another port is another host: the store never sees it.
        assert_eq!(request.token.is_some(), !request.store, "{request:?}");
    }
}

#[test]
fn what_a_hub_answers_wrongly_is_one_clear_error() {
    let hub = Hub::start();
    let with = |change: &dyn Fn(&mut crate::hub_server::State)| {
        let before = hub.state.lock().unwrap().clone();
        hub.change(|state| change(state));
        let error = refused(&options(&hub));
        hub.change(|state| *state = before);
        error
    };
    let error = with(&|state| state.refuses = Some(("404 Not Found", "EntryNotFound")));
    assert!(matches!(&error, HubError::NotFound { status: 404, .. }), "{error}");
    assert!(error.to_string().contains("EntryNotFound"), "{error}");
    let error = with(&|state| state.refuses = Some(("503 Service Unavailable", "")));
    assert!(matches!(error, HubError::Status { status: 503, .. }), "{error}");
    for commit in ["", "main", "0123"] {
        let error = with(&|state| state.commit = commit.to_owned());
        assert!(matches!(error, HubError::NoCommit { .. }), "{error}");
    }
    for location in ["file:///etc/passwd", "", "https://user:secret@example.org/x"] {
        let error = with(&|state| state.location = Some(location.to_owned()));
        assert!(matches!(error, HubError::Redirection { .. }), "{error}");
    }
    let error = with(&|state| state.location = Some(format!("/{REPOSITORY}/resolve/main/model.safetensors")));
    assert!(matches!(&error, HubError::Redirection { reason, .. } if reason.contains("too many")), "{error}");
    for text in [
        String::new(),
        "[]".to_owned(),
        config("swin_tiny", ""),
        config("convnext_atto", r#", "model_args": {"patch_size": 2}"#),
    ] {
        let error = with(&|state| state.config.clone_from(&text));
        assert!(matches!(error, HubError::Config { .. }), "{error}");
    }
    let error = with(&|state| state.config = " ".repeat(5 << 20));
    assert!(matches!(error, HubError::TooLarge { .. }), "{error}");
    assert!(hub.seen().iter().all(|it| !it.store), "the large file was asked for");

    let error = with(&|state| state.cuts_config = true);
    let all = config("convnext_atto", "").len() as u64;
    assert!(
        matches!(&error, HubError::CutShort { got, expected, kept: false, .. } if (*got, *expected) == (all / 2, all)),
        "{error}"
    );
    assert!(!error.to_string().contains("goes on"), "{error}");

    let nobody = HubOptions { endpoint: "http://127.0.0.1:9".to_owned(), ..options(&hub) };
    let error = refused(&nobody);
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
    assert!(!error.to_string().contains("HF_"), "{error}");
    for endpoint in ["huggingface.co", "ftp://a", "https://user:secret@example.org"] {
        let error = refused(&HubOptions { endpoint: endpoint.to_owned(), ..options(&hub) });
        assert!(matches!(error, HubError::Endpoint { .. }), "{error}");
    }
    let error = refused(&HubOptions { offline: true, ..options(&hub) });
    assert!(matches!(error, HubError::Offline { .. }) && !error.to_string().contains("HF_"), "{error}");
}

#[test]
fn a_damaged_note_of_a_branch_is_no_other_branch() {
    let hub = Hub::start();
    let folder = tempfile::tempdir().unwrap();
    let store = WeightStore::at(folder.path());
    let pulled = pull(&hub, &store).unwrap();
    let note = |name: &str| -> std::path::PathBuf {
        let repository = pulled.path.ancestors().nth(2).map(Path::to_owned).unwrap();
        repository.join("refs").join(name)
    };
    assert_eq!(std::fs::read_to_string(note("main")).unwrap(), format!("{COMMIT}  main\n"));
    // On a disk that does not tell Main from main, the note of one is found under the other name.
    std::fs::copy(note("main"), note("Main")).unwrap();
    assert_eq!(store.find_hub(&reference(&format!("hf:{REPOSITORY}@Main"))), None);
    for text in ["", "../../../x  main\n", "0123  main\n"] {
        std::fs::write(note("main"), text).unwrap();
        assert_eq!(store.find_hub(&repository()), None, "{text}");
    }
}
