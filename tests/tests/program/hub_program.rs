//! Weights from a repository of a hub, by the program.

use dfm_tests::program::{Finished, Program};

use crate::hub_server::{COMMIT, Hub, REPOSITORY, hash_of, weights};

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Runs the program with a hub and nothing else of the user's about hubs.
fn run(dfm: &Program, endpoint: &str, more: &[(&str, &str)], arguments: &[&str]) -> Finished {
    let mut command = dfm.command();
    for name in ["HF_TOKEN", "HF_HUB_OFFLINE"] {
        command.env_remove(name);
    }
    let command = command.env("HF_ENDPOINT", endpoint).envs(more.iter().copied()).args(arguments);
    Finished::new(arguments, command.output().expect("the program runs"))
}

fn program() -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    dfm.save_good();
    dfm
}

fn fit<'a>(output: &'a str, weights: &'a str) -> Vec<&'a str> {
    let usual = ["fit", "good", "-o", output, "--weights", weights];
    [&usual[..], &["--layer", "stages.0", "--pool", "4"]].concat()
}

#[test]
fn a_fit_fetches_a_repository_once_and_the_model_records_it() {
    let hub = Hub::start();
    let dfm = program();
    let name = format!("hf:{REPOSITORY}");
    let sha256 = hash_of(&weights(1.0)).to_string();
    // Nothing is here, and no connection may be opened or is there.
    let offline = [("HF_HUB_OFFLINE", "1")];
    let refused = run(&dfm, &hub.url, &offline, &fit("m.dfm", &name)).expect_code(2);
    refused.expect_said(&[&name, "HF_HUB_OFFLINE"]);
    let refused = run(&dfm, NOWHERE, &[], &fit("m.dfm", &name)).expect_code(2);
    refused.expect_said(&["cannot reach http://127.0.0.1:9", "HF_ENDPOINT"]);
    assert_eq!(hub.seen(), []);
    assert!(!dfm.path("m.dfm").exists());

    let first = run(&dfm, &hub.url, &[], &fit("m.dfm", &name)).expect_code(0);
    first.expect_said(&["are fetched from", COMMIT, "which the hub stated", "; mit", "'bicubic'"]);
    // From now on without a connection.
    let again = run(&dfm, NOWHERE, &[], &fit("slim.dfm", &name)[..]).expect_code(0);
    assert!(!again.err.contains("fetched"), "{}", again.err);
    let slim = [&fit("slim.dfm", &name)[..], &["--slim"]].concat();
    run(&dfm, &hub.url, &offline, &slim).expect_code(0);
    for model in ["m.dfm", "slim.dfm"] {
        let info = dfm.run(&["info", model, "--format", "json"]).expect_code(0).json().remove(0);
        assert_eq!(info["weights_file_sha256"], sha256.as_str());
        assert_eq!(info["source"], format!("{name}@{COMMIT}"));
        assert_eq!(info["license"], "mit");
        assert_eq!((&info["input"]["height"], &info["input"]["width"]), (&64.into(), &96.into()));
    }
    let predict = |model: &str, more: &[&str]| {
        let arguments = [&["predict", model, "good", "--format", "json"], more].concat();
        run(&dfm, NOWHERE, &[], &arguments)
    };
    let scores = predict("m.dfm", &[]).scores();
    assert_eq!(predict("slim.dfm", &["--weights", &name]).scores(), scores);
    // A prediction fetches them too, and says so.
    let cache = dfm.path("other-cache").display().to_string();
    let elsewhere = ["predict", "slim.dfm", "good", "--format", "json", "--weights", &name];
    let predicted = run(&dfm, &hub.url, &[("DFM_CACHE_DIR", &cache)], &elsewhere);
    let predicted = predicted.expect_said(&["are fetched from", COMMIT]);
    assert_eq!(predicted.scores(), scores);
    // The branch moves: the commit of the fit is still here, and other weights are not taken for it.
    hub.change(|state| {
        state.commit = "e".repeat(40);
        state.weights = weights(0.5);
    });
    run(&dfm, &hub.url, &[], &["weights", "pull", &name]).expect_code(0);
    let other = hash_of(&weights(0.5)).to_string();
    predict("slim.dfm", &["--weights", &name]).expect_code(2).expect_said(&[&sha256, &other]);
    let named = format!("{name}@{COMMIT}");
    assert_eq!(predict("slim.dfm", &["--weights", &named]).scores(), scores);
}

#[test]
fn pull_says_what_is_known_and_list_shows_what_is_here() {
    let hub = Hub::start();
    let dfm = program();
    let name = format!("hf:{REPOSITORY}");
    let pull = |endpoint: &str, more: &[(&str, &str)], name: &str| {
        run(&dfm, endpoint, more, &["weights", "pull", name])
    };
    let first = pull(&hub.url, &[], &name).expect_code(0);
    assert!(first.out.contains(COMMIT) && first.out.contains("which the hub stated"), "{}", first.out);
    assert!(first.out.contains("; mit"), "{}", first.out);
    first.expect_said(&["'bicubic'"]);
    assert!(pull(&hub.url, &[], &name).expect_code(0).out.contains("already here"));
    hub.seen();
    // A commit is asked for nobody, and without a connection a branch is what it was.
    let named = format!("{name}@{COMMIT}");
    assert!(pull(NOWHERE, &[], &named).expect_code(0).out.contains("already here"));
    assert!(pull(&hub.url, &[("HF_HUB_OFFLINE", "1")], &name).expect_code(0).out.contains("already here"));
    assert_eq!(hub.seen(), []);
    let unknown = pull(NOWHERE, &[], &name).expect_code(0);
    assert!(unknown.out.contains("already here"), "{}", unknown.out);
    unknown.expect_said(&["cannot reach", "not known whether"]);
    pull(NOWHERE, &[], "hf:acme/other").expect_code(2).expect_said(&["cannot reach"]);
    pull(&hub.url, &[], "hf:acme/other").expect_code(2).expect_said(&["RepoNotFound", "check owner"]);
    pull(&hub.url, &[], "hf:acme").expect_code(2).expect_said(&["hf:OWNER/NAME", "'hf:acme'"]);
    // A damaged description is fetched again, and without a connection it is an error that says how.
    let commit = ["cache", "weights", "hf", REPOSITORY, COMMIT, "config.json"];
    let description = commit.iter().fold(dfm.path(""), |path, part| path.join(part));
    let sound = std::fs::read_to_string(&description).unwrap();
    std::fs::write(&description, format!("{sound} ")).unwrap();
    let offline = [("HF_HUB_OFFLINE", "1")];
    let help = format!("run `dfm weights pull {named}`");
    pull(&hub.url, &offline, &named).expect_code(2).expect_said(&["config.json", &help]);
    pull(&hub.url, &[], &named).expect_code(0).expect_said(&["config.json", "fetched anew"]);
    assert_eq!(std::fs::read_to_string(&description).unwrap(), sound);
    let endpoint = ["weights", "pull", &name, "--endpoint", &hub.url];
    run(&dfm, NOWHERE, &[], &endpoint).expect_code(0);
    let sha256 = ["weights", "pull", &name, "--endpoint", &hub.url, "--sha256", &"ab".repeat(32)];
    run(&dfm, NOWHERE, &[], &sha256).expect_code(2).expect_said(&["which was given", "another file"]);

    let list = dfm.run(&["weights", "list"]).expect_code(0).out;
    let line =
        |name: &str| list.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{list}"));
    assert!(line(&name).contains("yes") && line(&name).contains("which the hub stated"), "{list}");
    assert!(line("convnext_tiny").contains("hf:timm/convnext_tiny"), "{list}");
    let dinov2 = line("vit_small_patch14_reg4_dinov2");
    assert!(dinov2.contains("Apache-2.0") && dinov2.contains("states no digit"), "{dinov2}");
    assert!(line("vit_small_patch14_dinov2").contains("copies"), "{list}");
    // A short name is not fetched without being asked for.
    let refused = run(
        &dfm,
        &hub.url,
        &[],
        &["fit", "good", "-o", "m.dfm", "--backbone", "convnext_tiny", "--layer", "stages.0"],
    );
    refused.expect_code(2).expect_said(&["dfm weights pull convnext_tiny"]);
    let refused = run(&dfm, &hub.url, &[], &fit("m.dfm", "hf:acme/../x"));
    refused.expect_code(2).expect_said(&["hf:OWNER/NAME"]);
}

#[test]
fn a_token_that_cannot_be_sent_is_an_error() {
    let hub = Hub::start();
    let dfm = program();
    let name = format!("hf:{REPOSITORY}");
    hub.change(|state| state.token = Some("secret"));
    let pull = |token: &str| run(&dfm, &hub.url, &[("HF_TOKEN", token)], &["weights", "pull", &name]);
    let refused = pull("not secret").expect_code(2);
    assert!(!refused.err.contains("not secret"), "{}", refused.err);
    refused.expect_said(&["HF_TOKEN"]);
    let refused = pull("other").expect_code(2);
    assert!(!refused.err.contains("other"), "{}", refused.err);
    // Weights of no hub need no token.
    let here = ["fit", "good", "-o", "m.dfm", "--weights", "random", "--layer", "layer1", "--size", "32x32"];
    run(&dfm, &hub.url, &[("HF_TOKEN", "not secret")], &here).expect_code(0);
    pull("secret").expect_code(0);
}
