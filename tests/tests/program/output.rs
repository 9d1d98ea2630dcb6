//! What the program writes and where: standard output that breaks, messages, JSON
//! as documented, files that are not files.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Output, Stdio};

use dfm_tests::pictures;
use dfm_tests::program::{Program, SMALL};
use serde_json::Value;

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_dfm-under-test"))
}

/// Runs with a standard output that nobody reads.
fn unread(dfm: &Program, arguments: &[&str]) -> Output {
    let mut command = dfm.command();
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    drop(child.stdout.take());
    child.wait_with_output().expect("its output")
}

#[test]
fn a_reader_that_leaves_early_does_not_change_the_verdict() {
    let dfm = program();
    dfm.fit_small();
    dfm.save("new/a.png", &pictures::good(3, 72, 56));
    dfm.save("new/z.png", &pictures::defective(50, 72, 56));
    dfm.save("good-ones/a.png", &pictures::good(3, 72, 56));
    for format in ["json", "csv", "table"] {
        for (folder, code) in [("good-ones", 0), ("new", 1)] {
            let output = unread(&dfm, &["predict", "model.dfm", folder, "--format", format]);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{folder} as {format}: {said}");
            assert!(said.is_empty(), "{said}");
        }
    }
    fs::write(dfm.path("new/b.png"), b"no picture").unwrap();
    assert_eq!(unread(&dfm, &["predict", "model.dfm", "new", "--format", "json"]).status.code(), Some(2));
    for arguments in
        [&["completions", "bash"][..], &["info", "model.dfm"], &["devices"], &["weights", "list"]]
    {
        let output = unread(&dfm, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        // A graphics driver that looks for a desktop says so on standard error.
        let ours = said.lines().filter(|line| !line.is_empty() && !line.contains("XDG_RUNTIME_DIR"));
        assert!(output.status.code() == Some(0) && ours.count() == 0, "{arguments:?}: {said}");
    }
}

/// A limit on the size of files stands in for a full disk, as in `malformed.rs`.
#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error_for_everything_that_is_written() {
    let dfm = program();
    dfm.fit_small();
    dfm.save("new/a.png", &pictures::defective(3, 400, 400));
    let executable = env!("CARGO_BIN_EXE_dfm-under-test");
    let features = format!("features good -o rows.safetensors {}", SMALL.join(" "));
    for (arguments, blocks, said) in [
        ("completions bash > script", 1, "dfm: "),
        ("predict model.dfm new --maps maps", 2, "cannot write"),
        (features.as_str(), 16, "cannot write rows.safetensors"),
    ] {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec {executable} {arguments}");
        let mut command = std::process::Command::new("sh");
        let output = command.args(["-c", &script]).current_dir(dfm.path("")).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {error}");
        assert!(error.contains(said) && !error.contains("panicked"), "{arguments}: {error}");
    }
    assert!(!dfm.path("rows.safetensors").exists());
    for folder in ["", "maps"] {
        let left = fs::read_dir(dfm.path(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<String> = left.map(|name| name.to_string_lossy().into_owned()).collect();
        let half =
            |name: &&String| name.starts_with(".dfm-") && *name != ".dfm-maps" || name.ends_with(".png");
        assert_eq!(left.iter().find(half), None, "in '{folder}'");
    }
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_a_pipe_is_refused_before_the_fit() {
    let dfm = program();
    dfm.save_good();
    fs::write(dfm.path("real.dfm"), b"").unwrap();
    std::os::unix::fs::symlink("real.dfm", dfm.path("link.dfm")).unwrap();
    dfm.run(&[&["fit", "good", "-o", "link.dfm"], SMALL.as_slice()].concat()).expect_code(0);
    assert!(dfm.path("link.dfm").is_symlink());
    dfm.run(&["info", "real.dfm"]).expect_code(0);
    assert!(std::process::Command::new("mkfifo").arg(dfm.path("pipe")).status().unwrap().success());
    for command in [&["fit", "good"][..], &["features", "good"]] {
        let run = dfm.run(&[command, &["-o", "pipe"], SMALL.as_slice()].concat());
        run.expect_code(2).expect_said(&["cannot write pipe", "a pipe"]);
    }
    assert!(!dfm.path("pipe").is_file());
}

#[test]
fn verbose_says_what_runs_where_and_quiet_says_errors_alone() {
    let dfm = program();
    dfm.save_good();
    let fit = |more: &[&str]| dfm.run(&[&["fit", "good", "-o", "m.dfm"], SMALL.as_slice(), more].concat());
    assert_eq!(fit(&[]).expect_code(0).err_of_small_fit(), "");
    fit(&["-v"]).expect_code(0).expect_said(&[
        "device cpu",
        "threads",
        "network resnet18",
        "12 pictures learnt",
    ]);
    let predict =
        |more: &[&str]| dfm.run(&[&["predict", "m.dfm", "good", "--threshold", "1e9"], more].concat());
    let run = predict(&["-v"]).expect_code(0);
    assert!(!run.err.contains("00.png"), "{}", run.err);
    run.expect_said(&[
        "model m.dfm",
        "self-tested in",
        "12 pictures read and judged in",
        "in the network",
        "of decoding and preparing on each of",
    ]);
    predict(&["-vv"]).expect_code(0).expect_said(&["00.png: decoded in", "a batch of 12 pictures"]);
    let quiet = predict(&["-q"]).expect_code(0);
    assert_eq!((quiet.err.as_str(), quiet.out.lines().count()), ("", 13));
    fs::write(dfm.path("good/zz.png"), b"no picture").unwrap();
    let quiet = predict(&["-q"]).expect_code(2);
    assert_eq!(quiet.err.lines().count(), 1, "{}", quiet.err);
    quiet.expect_said(&["zz.png"]);
}

#[test]
fn what_cannot_be_done_is_refused_before_any_work() {
    let dfm = program();
    dfm.save_good();
    let fit = |more: &[&str]| dfm.run(&[&["fit", "good"], SMALL.as_slice(), more].concat()).expect_code(2);
    // Were they tried after the fit, the broken picture would be reported first.
    fs::write(dfm.path("good/zz.png"), b"no picture").unwrap();
    for run in [
        fit(&["-o", "no/where/m.dfm"]).expect_said(&["expected a folder"]),
        fit(&["-o", "m.dfm", "--threshold", "nan"]).expect_said(&["--threshold", "finite"]),
        dfm.run(&["features", "good", "-o", "no/rows"]).expect_code(2).expect_said(&["expected a folder"]),
    ] {
        assert!(!run.err.contains("zz.png"), "{}", run.err);
    }
    fs::remove_file(dfm.path("good/zz.png")).unwrap();
    dfm.run(&[&["fit", "good", "-o", "nll.dfm", "--score", "nll"], SMALL.as_slice()].concat()).expect_code(0);
    let run =
        dfm.run(&["predict", "nll.dfm", "good", "--maps", "maps"]).expect_code(2).expect_said(&["--maps"]);
    assert_eq!((run.err.lines().count(), run.out.as_str()), (1, ""), "{}", run.err);
    assert!(!dfm.path("maps").exists());
    for command in [&["evaluate", "nll.dfm", "good"][..], &["info", "nll.dfm"], &["bench"]] {
        let run = dfm.run(&[command, &["--format", "csv"]].concat()).expect_code(2);
        run.expect_said(&["possible values: table, json"]);
    }
}

/// The fields in the table below `heading` of `docs/json-schema.md`.
fn documented(heading: &str) -> BTreeSet<String> {
    let text = include_str!("../../../docs/json-schema.md");
    let lines =
        text.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !line.starts_with('#'));
    let fields: BTreeSet<String> =
        lines.filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned())).collect();
    assert!(!fields.is_empty(), "no table below '{heading}'");
    fields
}

#[track_caller]
fn assert_documented(heading: &str, object: &Value) {
    let keys: BTreeSet<String> = object.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(keys, documented(heading), "{heading}");
}

#[test]
fn json_has_the_documented_fields_and_no_others() {
    let dfm = program();
    dfm.fit_small();
    dfm.save_dataset();
    let first = |arguments: &[&str]| {
        dfm.run(&[arguments, &["--format", "json"]].concat()).expect_code(0).json().remove(0)
    };
    assert_documented("## `dfm predict --format json`", &first(&["predict", "model.dfm", "good/00.png"]));
    let defect = ["predict", "model.dfm", "data/test/square/0.png", "--format", "json"];
    let defect = dfm.run(&defect).expect_code(1).json().remove(0);
    assert_documented("### Each of `regions`", &defect["regions"][0]);
    let explanation = first(&["explain", "model.dfm", "good/00.png"]);
    assert_documented("## `dfm explain --format json`", &explanation);
    assert_documented("### Each of `layers`", &explanation["layers"][0]);
    let evaluation = first(&["evaluate", "model.dfm", "data"]);
    assert_documented("## `dfm evaluate --format json`", &evaluation);
    for class in ["good", "square"] {
        assert_documented("### Each class", &evaluation["classes"][class]);
    }
    let keys = |name: &str| evaluation[name].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(keys("best_f1"), set(&["f1", "threshold", "precision", "recall"]));
    let confusion = ["true_positives", "false_positives", "true_negatives", "false_negatives"];
    assert_eq!(keys("confusion"), set(&confusion));
    let info = first(&["info", "model.dfm"]);
    assert_documented("## `dfm info --format json`", &info);
    assert_documented("### `calibration`", &info["calibration"]);
    assert_documented("### `taps`", &info["taps"][0]);
    let audit = first(&["audit", "model.dfm"]);
    assert_documented("## `dfm audit --format json`", &audit);
    assert_documented("### Each of `worst`", &audit["worst"][0]);
    assert_documented("## `dfm devices --format json`", &first(&["devices"]));
    dfm.save("data/train/good/0.png", &pictures::good(300, 72, 56));
    dfm.save("data/train/good/1.png", &pictures::good(301, 72, 56));
    let sweep = first(&[&["sweep", "data", "-q"], SMALL.as_slice()].concat());
    assert_documented("## `dfm sweep --format json`", &sweep);
    assert_documented("### Each of `settings`", &sweep["settings"][0]);
    let bench = ["bench", "--arch", "resnet18", "--layer", "layer1", "--size", "32", "--rounds", "1"];
    assert_documented("## `dfm bench --format json`", &first(&bench));
    for (arguments, heading) in [
        (&["predict", "model.dfm", "good"][..], "## `dfm predict --format json`"),
        (&["devices"], "## `dfm devices --format json`"),
    ] {
        let csv = dfm.run(&[arguments, &["--format", "csv"]].concat()).out;
        let columns = csv.lines().next().unwrap().split(',').map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(columns, documented(heading));
    }
}
