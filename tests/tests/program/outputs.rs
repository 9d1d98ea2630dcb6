//! Outputs destroy nothing: not what is there, not what another run wrote, not the work of another
//! process.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use dfm_tests::pictures;
use dfm_tests::program::{Program, SMALL};

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_dfm-under-test"))
}

/// Every output of every command, each where a user's picture lies.
#[test]
fn an_output_replaces_its_own_kind_alone() {
    let dfm = program();
    dfm.fit_small();
    dfm.save_dataset();
    let picture = dfm.save("mine.png", &pictures::good(0, 72, 56));
    let picture = fs::read(picture).unwrap();
    let small = SMALL.join(" ");
    for (arguments, output) in [
        (format!("fit good -o OUT {small}"), "x.dfm"),
        ("merge model.dfm model.dfm -o OUT".into(), "x.dfm"),
        ("update model.dfm good -o OUT".into(), "x.dfm"),
        ("forget model.dfm good/00.png -o OUT".into(), "x.dfm"),
        (format!("features good -o OUT {small}"), "x.safetensors"),
        ("init OUT --force".into(), "x.toml"),
        ("evaluate model.dfm data --bootstrap 0 -o run".into(), "run/metrics.json"),
        ("evaluate model.dfm data --bootstrap 0 -o run".into(), "run/predictions.jsonl"),
        ("evaluate model.dfm data --bootstrap 0 -o run".into(), "run/config.toml"),
        ("evaluate model.dfm data --bootstrap 0 --report run".into(), "run/index.html"),
        ("evaluate model.dfm data --bootstrap 0 --report run".into(), "run/roc.svg"),
        ("evaluate model.dfm data --bootstrap 0 --report run".into(), "run/histogram.svg"),
    ] {
        let run = || {
            let arguments = arguments.replace("OUT", output);
            dfm.run(&arguments.split(' ').collect::<Vec<_>>())
        };
        let path = dfm.path(output);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Nothing there, then its own kind.
        run().expect_code(0);
        let own = fs::read(&path).unwrap();
        run().expect_code(0);
        assert_eq!(fs::read(&path).unwrap().is_empty(), own.is_empty());
        for other in [&picture[..], b"[package]\nname = \"mine\"\n", b"\0\0\0\0\0\0\0\0\0\0"] {
            fs::write(&path, other).unwrap();
            run().expect_code(2).expect_said(&[
                output,
                "expected",
                "or nothing there, found",
                "choose another",
            ]);
            assert!(fs::read(&path).unwrap() == other, "{arguments}: {output} was changed");
        }
        // An empty file is nobody's loss.
        fs::write(&path, b"").unwrap();
        run().expect_code(0);
        fs::write(&path, own).unwrap();
    }
}

#[test]
fn a_picture_of_the_fit_is_no_place_for_its_model() {
    let dfm = program();
    dfm.save_good();
    let before = fs::read(dfm.path("good/03.png")).unwrap();
    let run = dfm.run(&[&["fit", "good", "-o", "good/03.png"], SMALL.as_slice()].concat());
    run.expect_code(2)
        .expect_said(&["good/03.png", "expected a model or nothing there, found a PNG picture"]);
    assert!(fs::read(dfm.path("good/03.png")).unwrap() == before);
}

/// Maps of one name, and files of the user that have such names.
#[test]
fn maps_change_no_file_that_is_there_and_json_tells_where_they_are() {
    let dfm = program();
    dfm.fit_small();
    dfm.save("a/0001.png", &pictures::good(20, 72, 56));
    dfm.save("b/0001.png", &pictures::defective(21, 72, 56));
    let maps = |folder: &str, into: &str| {
        let mut run = dfm.run(&["predict", "model.dfm", folder, "--maps", into, "--format", "json"]);
        assert!(run.code < 2, "{}", run.err);
        let line = run.json().remove(0);
        let of = |name: &str| line[name].as_str().expect("a path").replace('\\', "/");
        run.err.retain(|letter| letter != '\r');
        ([of("heatmap"), of("overlay")], run.err)
    };
    let content = |path: &str| fs::read(dfm.path(path)).unwrap();
    let (first, said) = maps("a", "maps");
    assert_eq!(first, ["maps/0001.png-heatmap.png", "maps/0001.png-overlay.png"]);
    assert_eq!(said, "");
    let before = first.clone().map(|path| content(&path));
    let (second, said) = maps("b", "maps");
    assert!(said.contains("maps/0001.png-heatmap.png") && said.contains(&second[0]), "{said}");
    assert_eq!(first.clone().map(|path| content(&path)), before);
    assert!(
        second.iter().all(|path| !first.contains(path) && !before.contains(&content(path))),
        "{second:?}"
    );
    // Once more, and nothing is added.
    assert_eq!((maps("a", "maps").0, maps("b", "maps").0), (first, second));
    // The mark, the legend and four maps.
    assert_eq!(fs::read_dir(dfm.path("maps")).unwrap().count(), 6);

    // Among the pictures themselves, where some have such names.
    dfm.save("c/0001.png", &pictures::good(20, 72, 56));
    let own = ["c/0001.png-heatmap.png", "c/dfm-legend.png"];
    let pictures = own.map(|name| fs::read(dfm.save(name, &pictures::good(22, 72, 56))).unwrap());
    let judge = || {
        let run = dfm.run(&["predict", "model.dfm", "c", "--maps", "c", "--format", "json"]);
        assert!(run.code < 2 && run.err.contains("files left out"), "{}", run.err);
        run.paths()
    };
    // What is called as a map is left out, with a word, whoever made it. It stays as it is.
    assert_eq!(judge(), ["c/0001.png"]);
    assert_eq!(judge(), ["c/0001.png"]);
    assert_eq!(own.map(content), pictures);
}

/// Whoever changes a model locks `.NAME.lock` from reading the old one to having written the new one.
#[test]
fn a_second_writer_of_a_model_waits_and_a_crash_blocks_nobody() {
    let dfm = program();
    dfm.fit_small();
    for seed in 40..44 {
        dfm.save(
            &format!("{}/{seed}.png", if seed < 42 { "one" } else { "two" }),
            &pictures::good(seed, 72, 56),
        );
    }
    let pictures = || {
        let run = dfm.run(&["info", "model.dfm", "--format", "json"]).expect_code(0);
        run.json()[0]["record"]["picture_count"].as_u64().unwrap()
    };
    let count = pictures();
    // As a process that was killed leaves it.
    let lock = fs::File::create(dfm.path(".model.dfm.lock")).unwrap();
    lock.lock().unwrap();
    let start = |folder: &str| {
        let mut command = dfm.command();
        command.args(["update", "model.dfm", folder]).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().expect("the program runs")
    };
    let mut both = ["one", "two"].map(start);
    std::thread::sleep(Duration::from_millis(1500));
    assert!(both.iter_mut().all(|child| child.try_wait().unwrap().is_none()), "one did not wait");
    assert_eq!(pictures(), count);
    drop(lock);
    let begun = Instant::now();
    for child in &mut both {
        while child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it waits for ever");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    for child in both {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains("model.dfm: another process is changing it"), "{said}");
    }
    assert_eq!(pictures(), count + 4, "an update was lost");
    assert!(!dfm.path(".model.dfm.lock").exists());
}
