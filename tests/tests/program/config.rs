//! Flags from a file: what it may say, who goes first, and runs that can be repeated.

use std::fs;

use dfm_tests::program::{Finished, Program, SMALL};

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_dfm-under-test"))
}

fn put(dfm: &Program, name: &str, text: &str) {
    fs::write(dfm.path(name), text).expect("a written file");
}

fn read(dfm: &Program, name: &str) -> Vec<u8> {
    fs::read(dfm.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// [`SMALL`] in a file, and where the pictures are.
const FIT: &str = "[fit]\nfolder = \"good\"\noutput = \"file.dfm\"\nbackbone = \"resnet18\"\nweights = \"random\"\n\
                   layer = \"layer1\"\nsize = 64\n";

#[test]
fn a_file_makes_the_model_that_typed_flags_make() {
    let dfm = program();
    dfm.fit_small();
    put(&dfm, "dfm.toml", FIT);
    let run = dfm.run(&["fit"]).expect_code(0);
    assert_eq!(
        run.err_of_small_fit(),
        "flags from dfm.toml [fit]: folder, output, backbone, weights, layer, size\n"
    );
    assert_eq!(read(&dfm, "file.dfm"), read(&dfm, "model.dfm"));
    // Another folder's file, by name; the flags of another command are none.
    fs::create_dir(dfm.path("elsewhere")).unwrap();
    fs::rename(dfm.path("dfm.toml"), dfm.path("elsewhere/fit.toml")).unwrap();
    let run = dfm.run(&["fit", "-o", "named.dfm", "--config", "elsewhere/fit.toml"]).expect_code(0);
    assert!(!run.err.contains("output"), "{}", run.err);
    assert_eq!(read(&dfm, "named.dfm"), read(&dfm, "model.dfm"));
    let run = dfm.run(&["--config", "elsewhere/fit.toml", "info", "named.dfm"]).expect_code(0);
    assert_eq!(run.err, "flags from elsewhere/fit.toml: none, it has no [info]\n");
}

#[test]
fn a_file_that_lies_there_is_named_once_and_can_be_left_out() {
    let dfm = program();
    dfm.fit_small();
    put(&dfm, "dfm.toml", "[predict]\nformat = \"json\"\nthreshold = 1e9\n");
    let run = dfm.run(&["predict", "model.dfm", "good"]).expect_code(0);
    assert_eq!(
        (run.err.as_str(), run.json().len()),
        ("flags from dfm.toml [predict]: format, threshold\n", 12)
    );
    let run = dfm.run(&["predict", "model.dfm", "good", "-q"]).expect_code(0);
    assert_eq!((run.err.as_str(), run.json().len()), ("", 12));
    let run = dfm.run(&["predict", "model.dfm", "good", "--format", "csv"]).expect_code(0);
    assert!(run.out.starts_with("path,"), "{}", run.out);
    // What excludes a flag of the file goes before it too.
    let run = dfm.run(&["predict", "model.dfm", "good", "--false-alarm", "0.1"]);
    assert_eq!(run.err, "flags from dfm.toml [predict]: format\n");
    assert!(run.json()[0]["threshold"].as_f64().expect("a threshold") < 1e9);
    let run = dfm.run(&["predict", "model.dfm", "good", "--no-config", "--threshold", "1e9"]).expect_code(0);
    assert!(run.err.is_empty() && run.out.contains("picture"), "{}{}", run.out, run.err);
    // Nothing to say of commands that it has no table for.
    assert_eq!(dfm.run(&["info", "model.dfm"]).expect_code(0).err, "");
    put(&dfm, "dfm.toml", "[predict");
    for arguments in [&["fit", "--help"][..], &["--version"], &["completions", "bash"], &["weights", "list"]]
    {
        dfm.run(arguments).expect_code(0);
    }
    // A folder of that name is none.
    fs::remove_file(dfm.path("dfm.toml")).unwrap();
    fs::create_dir(dfm.path("dfm.toml")).unwrap();
    dfm.run(&["info", "model.dfm"]).expect_code(0);
}

/// One line that says all of `words`.
#[track_caller]
fn refused(run: Finished, words: &[&str]) {
    let run = run.expect_code(2).expect_said(words);
    assert_eq!((run.out.as_str(), run.err.lines().count()), ("", 1), "{}", run.err);
}

#[test]
fn what_is_no_flag_or_no_value_of_it_is_one_error() {
    let dfm = program();
    for (text, words) in [
        ("[fti]", &["line 1", "[fit]", "[evaluate]", "found 'fti'"][..]),
        ("batch = 8", &["line 1", "tables", "found 'batch'"]),
        ("fit = 3", &["line 1", "[fit]", "table", "found 3"]),
        ("[init]", &["found 'init'"]),
        ("[fit]\nfalse_alarm = 0.1", &["line 2", "[fit]", "false-alarm", "found 'false_alarm'"]),
        ("[evaluate]\n\nbootstrap = 99", &["line 3", "[evaluate] bootstrap", "100 to 100000", "found 99"]),
        ("[fit]\nbatch = 0", &["[fit] batch", "1 to 1024", "found 0"]),
        ("[fit]\nbatch = \"8\"", &["[fit] batch", "a whole number", "found \"8\""]),
        ("[fit]\nbatch = 8.0", &["[fit] batch", "a whole number", "found 8.0"]),
        ("[fit]\nseed = -3", &["[fit] seed", "from 0", "found -3"]),
        ("[fit]\ntile = 5000000000", &["[fit] tile", "5000000000", "4294967295"]),
        ("[fit]\npca = 1.5", &["[fit] pca", "up to 1.0", "found 1.5"]),
        ("[fit]\npca = [0.97]", &["[fit] pca", "found a list"]),
        ("[fit]\nlayer = []", &["[fit] layer", "at least one", "an empty list"]),
        ("[fit]\nlayer = [\"layer3\", 7]", &["[fit] layer", "layer1", "7"]),
        ("[fit]\nlayout = \"mv\"", &["[fit] layout", "mvtec", "found \"mv\""]),
        ("[fit]\noutput = 5", &["[fit] output", "text in quotes", "found 5"]),
        ("[fit]\nslim = \"yes\"", &["[fit] slim", "true or false", "found \"yes\""]),
        ("[fit]\nthreshold = nan", &["[fit] threshold", "finite", "found nan"]),
        ("[fit]\nthreshold = 1\nfalse-alarm = 0.1", &["line 3", "false-alarm", "threshold", "both"]),
        ("[fit]\nroi = 1979-05-27", &["[fit] roi", "1979-05-27"]),
        ("[fit]\nroi = \"a\\u0000b\"", &["[fit] roi", "zero bytes"]),
        ("[fit]\nbatch = 8\nbatch = 9", &["line 3", "not TOML", "duplicate"]),
        ("[fit]\nbatch = ", &["line 2", "not TOML"]),
    ] {
        put(&dfm, "dfm.toml", text);
        // Whatever the command: a file is right or it is not.
        refused(dfm.run(&["devices"]), &[&["dfm.toml", "--no-config"], words].concat());
        put(&dfm, "other.toml", text);
        let run = dfm.run(&["--config", "other.toml", "devices"]);
        assert!(!run.err.contains("--no-config"), "{}", run.err);
        refused(run, &[&["other.toml"], words].concat());
    }
    fs::write(dfm.path("dfm.toml"), b"[fit]\nroi = \"\xff\"").unwrap();
    refused(dfm.run(&["devices"]), &["dfm.toml", "UTF-8"]);
    put(&dfm, "dfm.toml", &"#".repeat((1 << 20) + 1));
    refused(dfm.run(&["devices"]), &["dfm.toml", "at most 1048576 bytes"]);
    put(&dfm, "dfm.toml", &format!("[fit]\nroi = {}1{}", "[".repeat(100_000), "]".repeat(100_000)));
    refused(dfm.run(&["devices"]), &["dfm.toml", "not TOML"]);
    put(&dfm, "dfm.toml", &format!("[fit]\nroi = \"{}\"", "1".repeat(5000)));
    refused(dfm.run(&["devices"]), &["line 2", "[fit] roi", "4096 bytes", "5000"]);
    for deep in [format!("[fit]\n{}b = 1", "a.".repeat(300_000)), format!("fit = {}", "{a=".repeat(200_000))]
    {
        put(&dfm, "dfm.toml", &deep);
        refused(dfm.run(&["devices"]), &["dfm.toml", "not TOML"]);
    }
    put(&dfm, "dfm.toml", "[fit]\nroi = \"\u{7f}\"");
    refused(dfm.run(&["devices"]), &["dfm.toml"]);
    refused(dfm.run(&["--config", "none.toml", "devices"]), &["none.toml"]);
    put(&dfm, "dfm.toml", "[evaluate]\ndataset = \"data\"\n");
    refused(dfm.run(&["evaluate"]), &["dfm.toml", "[evaluate] dataset", "expected model beside it"]);
}

#[test]
fn init_writes_a_file_and_overwrites_nothing() {
    let dfm = program();
    dfm.save_good();
    let run = dfm.run(&["init"]).expect_code(0);
    assert!(run.out.starts_with("dfm.toml: "), "{}", run.out);
    let text = read(&dfm, "dfm.toml");
    // Everything is in comments: nothing changes, and there is nothing to say unless it was named.
    let fit = [&["fit", "good", "-o", "m.dfm"], SMALL.as_slice()].concat();
    assert_eq!(dfm.run(&fit).expect_code(0).err_of_small_fit(), "");
    let named = [&fit[..], &["--config", "dfm.toml"]].concat();
    assert_eq!(dfm.run(&named).expect_code(0).err_of_small_fit(), "flags from dfm.toml [fit]: none\n");
    refused(dfm.run(&["init"]), &["dfm.toml", "expected nothing there", "--force"]);
    put(&dfm, "dfm.toml", "# mine\n");
    refused(dfm.run(&["init"]), &["dfm.toml"]);
    assert_eq!(read(&dfm, "dfm.toml"), b"# mine\n");
    dfm.run(&["init", "--force"]).expect_code(0);
    assert_eq!(read(&dfm, "dfm.toml"), text);
    dfm.run(&["init", "other.toml"]).expect_code(0);
    assert_eq!(read(&dfm, "other.toml"), text);
    refused(dfm.run(&["init", "no/where.toml"]), &["no/where.toml", "expected a folder"]);
    refused(dfm.run(&["init", "good", "--force"]), &["good", "found a folder"]);
    // A broken file can be written anew.
    put(&dfm, "dfm.toml", "[fit");
    dfm.run(&["init", "--force"]).expect_code(0);
}

#[test]
fn an_evaluation_leaves_what_repeats_it() {
    let dfm = program();
    dfm.fit_small();
    dfm.save_dataset();
    put(&dfm, "dfm.toml", "[evaluate]\nbootstrap = 150\nformat = \"json\"\n");
    let flags = ["evaluate", "model.dfm", "data", "-o", "run", "--report", "page", "--threshold", "123.5"];
    let first = dfm.run(&flags).expect_code(0);
    let names = ["metrics.json", "predictions.jsonl", "config.toml"];
    let before = names.map(|name| read(&dfm, &format!("run/{name}")));
    assert_eq!(read(&dfm, "page/config.toml"), before[2]);
    fs::remove_file(dfm.path("dfm.toml")).unwrap();
    fs::rename(dfm.path("run"), dfm.path("kept")).unwrap();
    let again = dfm.run(&["evaluate", "--config", "kept/config.toml"]).expect_code(0);
    assert_eq!(again.out, first.out);
    for (name, before) in names.iter().zip(&before) {
        assert!(read(&dfm, &format!("run/{name}")) == *before, "{name} differs");
    }
    let text = String::from_utf8(before[2].clone()).unwrap();
    for line in ["bootstrap = 150", "threshold = 123.5", "dataset = \"data\"", "device = \"cpu\""] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    // A flag that is typed goes before the record.
    dfm.run(&["evaluate", "--config", "kept/config.toml", "-o", "other", "--bootstrap", "0"]).expect_code(0);
    assert!(String::from_utf8(read(&dfm, "other/config.toml")).unwrap().contains("bootstrap = 0\n"));
}
