//! Repositories of a hub of which something is damaged, missing or other than before, by the library.

use std::fs;
use std::sync::Mutex;

use dfm::{Network, Note, Observer, Stage};
use dfm_backbone::Layer;
use dfm_weights::{
    HubError, HubOptions, PinError, PinOrigin, Strength, Token, WeightStore, WeightsStoreError, pull_hub,
};

use crate::hub::{options, pull, repository, spec};
use crate::hub_server::{Hub, hash_of, weights};

/// A store with the repository of the hub.
fn filled(hub: &Hub) -> (tempfile::TempDir, WeightStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = WeightStore::at(folder.path());
    pull(hub, &store).unwrap();
    (folder, store)
}

#[test]
fn a_commit_keeps_the_description_that_came_first() {
    let hub = Hub::start();
    let (_folder, store) = filled(&hub);
    let at = store.find_hub(&repository()).unwrap();
    let description = store.hub_path(&at).with_file_name("config.json");
    let pin = description.with_file_name("config.json.sha256");
    let first = [&description, &pin].map(|path| fs::read_to_string(path).unwrap());
    // Nobody states its SHA-256, so the pin does not say so.
    assert!(!first[1].contains('#'), "{}", first[1]);

    hub.change(|state| state.config = state.config.replace("0.5, 0.25, 0.125", "0.5, 0.5, 0.5"));
    let error = pull(&hub, &store).expect_err("another mean for the same commit");
    let expected = hash_of(first[0].as_bytes());
    assert!(
        matches!(&error, HubError::OtherDescription { expected: pinned, .. } if *pinned == expected),
        "{error}"
    );
    assert_eq!([&description, &pin].map(|path| fs::read_to_string(path).unwrap()), first);
    // The cure that it names.
    assert!(error.to_string().contains(&format!("delete {}", pin.display())), "{error}");
    fs::remove_file(&pin).unwrap();
    pull(&hub, &store).unwrap();
    let mean = store.load(&spec(), Layer::named("stages.0")).unwrap().weights.header().input.mean;
    assert_eq!(mean, [0.5, 0.5, 0.5]);
}

#[test]
fn a_repository_that_is_half_here_is_not_here() {
    let hub = Hub::start();
    let (_folder, store) = filled(&hub);
    let at = store.find_hub(&repository()).unwrap();
    let path = store.hub_path(&at);
    let description = path.with_file_name("config.json");
    fs::remove_file(&description).unwrap();
    assert_eq!(store.find_hub(&at), None);
    let error = store.load(&spec(), Layer::named("stages.0")).expect_err("no description");
    assert!(matches!(error, WeightsStoreError::NotPulled { .. }), "{error}");
    assert!(!pull(&hub, &store).unwrap().is_new, "the weights were here");
    store.load(&spec(), Layer::named("stages.0")).unwrap();

    // A pull that fails at the description has not put the weights into their place.
    fs::remove_file(&path).unwrap();
    fs::remove_file(&description).unwrap();
    fs::create_dir(&description).unwrap();
    let error = pull(&hub, &store).expect_err("a folder in the place of the description");
    assert!(matches!(error, HubError::Store { .. }), "{error}");
    assert!(!path.exists());
    fs::remove_dir(&description).unwrap();
    assert!(pull(&hub, &store).unwrap().is_new);
    store.load(&spec(), Layer::named("stages.0")).unwrap();
}

#[test]
fn a_damaged_description_is_found_and_fetched_again() {
    let hub = Hub::start();
    let (_folder, store) = filled(&hub);
    let at = store.find_hub(&repository()).unwrap();
    store.check_hub(&at, None).unwrap();
    let description = store.hub_path(&at).with_file_name("config.json");
    let sound = fs::read(&description).unwrap();
    fs::write(&description, &sound[..sound.len() - 1]).unwrap();
    let loading = store.load(&spec(), Layer::named("stages.0")).map(|_| ());
    let checking = store.check_hub(&at, None).map(|_| ());
    // The SHA-256 of the weights is no cure.
    let given = store.check_hub(&at, Some(&hash_of(&weights(1.0)))).map(|_| ());
    for error in [loading, checking, given].map(|result| result.expect_err("a damaged description")) {
        assert!(
            matches!(&error, WeightsStoreError::OtherDescription { path, .. } if *path == description),
            "{error}"
        );
    }
    pull_hub(&at, &options(&hub), &store, |_, _| ()).unwrap();
    assert_eq!(fs::read(&description).unwrap(), sound);
    store.check_hub(&at, None).unwrap();
}

#[test]
fn a_pin_of_the_user_stays_and_a_broken_one_can_be_replaced() {
    let hub = Hub::start();
    let (_folder, store) = filled(&hub);
    let at = store.find_hub(&repository()).unwrap();
    let origin = || store.hub_pin(&at).unwrap().map(|pin| pin.origin);
    assert_eq!(origin(), Some(PinOrigin::Hub));
    let knowing = HubOptions { sha256: Some(hash_of(&weights(1.0))), ..options(&hub) };
    pull_hub(&repository(), &knowing, &store, |_, _| ()).unwrap();
    assert_eq!(origin(), Some(PinOrigin::User));
    assert_eq!(pull(&hub, &store).unwrap().check.strength, Strength::Given);
    assert_eq!(origin(), Some(PinOrigin::User));

    fs::write(store.hub_path(&at).with_file_name("model.safetensors.sha256"), "broken").unwrap();
    let error = pull(&hub, &store).expect_err("a broken pin");
    assert!(matches!(error, HubError::Pin(PinError::Content { .. })), "{error}");
    pull_hub(&repository(), &knowing, &store, |_, _| ()).unwrap();
    assert_eq!(origin(), Some(PinOrigin::User));
}

/// 0.0.0.0 leads to this machine as 127.0.0.1 does, but looks like another one.
#[cfg(unix)]
#[test]
fn a_token_that_was_kept_back_is_said() {
    let hub = Hub::start();
    hub.change(|state| state.token = Some("secret"));
    let endpoint = hub.url.replace("127.0.0.1", "0.0.0.0");
    let knowing = HubOptions { endpoint, token: Some(Token::new("secret").unwrap()), ..options(&hub) };
    let folder = tempfile::tempdir().unwrap();
    let store = WeightStore::at(folder.path());
    let error = pull_hub(&repository(), &knowing, &store, |_, _| ()).expect_err("no token");
    assert!(matches!(error, HubError::TokenNotSent { status: 401, .. }), "{error}");
    assert!(error.to_string().contains("https://"), "{error}");
    assert!(hub.seen().iter().all(|it| it.token.is_none()));
    // Without a token that is not the reason.
    let unknown = HubOptions { token: None, ..knowing };
    let error = pull_hub(&repository(), &unknown, &store, |_, _| ()).expect_err("no token");
    assert!(matches!(error, HubError::Denied { .. }), "{error}");
}

/// Keeps what it is told.
#[derive(Default)]
struct Heard {
    notes: Mutex<Vec<Note>>,
    stages: Mutex<Vec<&'static str>>,
}

impl Observer for Heard {
    fn begin(&self, stage: Stage, _total: Option<usize>) {
        assert_eq!(stage, Stage::Fetching);
        self.stages.lock().unwrap().push("begin");
    }

    fn end(&self, _stage: Stage) {
        self.stages.lock().unwrap().push("end");
    }

    fn note(&self, note: &Note) {
        self.notes.lock().unwrap().push(note.clone());
    }
}

#[test]
fn a_network_asks_a_hub_only_if_it_is_told_how_and_the_observer_hears_of_it() {
    let hub = Hub::start();
    let folder = tempfile::tempdir().unwrap();
    let network = Network::default()
        .with_weights(Some(repository().to_string()))
        .with_store(WeightStore::at(folder.path()));
    let heard = Heard::default();
    network.fetch(&heard).unwrap();
    let error = network.weights(Layer::named("stages.0")).expect_err("nothing is here");
    assert!(matches!(&error, dfm::Error::Weights(WeightsStoreError::NotPulled { .. })), "{error}");
    assert!(hub.seen().is_empty() && heard.notes.lock().unwrap().is_empty());

    let network = network.with_hub(Some(options(&hub)));
    network.fetch(&heard).unwrap();
    network.weights(Layer::named("stages.0")).unwrap();
    assert_eq!(*heard.stages.lock().unwrap(), ["begin", "end"]);
    let notes = std::mem::take(&mut *heard.notes.lock().unwrap());
    let [Note::Fetching { reference, endpoint }, Note::Fetched { pulled }] = &notes[..] else {
        panic!("{notes:?}")
    };
    assert_eq!((reference, endpoint), (&repository().to_string(), &hub.url));
    assert_eq!((pulled.license.as_deref(), pulled.check.strength), (Some("mit"), Strength::Hub));
    let text = notes[1].to_string();
    assert!(text.contains("; mit") && text.contains("resized with 'bicubic'"), "{text}");
    // It is here, so nobody is asked and nothing is said.
    hub.seen();
    network.fetch(&heard).unwrap();
    assert!(hub.seen().is_empty() && heard.notes.lock().unwrap().is_empty());
}
