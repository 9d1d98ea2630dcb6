//! What the program says is wrong: the file, what was expected, what was found, and the cure.

use std::fs;

use dfm_tests::program::{Program, SMALL};

fn program() -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    dfm.fit_small();
    dfm
}

#[test]
fn a_picture_in_place_of_the_model_is_called_a_picture() {
    let dfm = program();
    for command in [&["predict", "good/00.png", "model.dfm"][..], &["info", "good/00.png"]] {
        let words =
            ["good/00.png: expected a model that dfm wrote, found a PNG picture", "the model comes first"];
        dfm.run(command).expect_code(2).expect_said(&words);
    }
}

#[test]
fn models_that_differ_say_in_what_and_nothing_else() {
    let dfm = program();
    let fit = |name: &str, more: &[&str]| {
        dfm.run(&[&["fit", "good", "-o", name], SMALL.as_slice(), more].concat()).expect_code(0)
    };
    fit("int8.dfm", &["--precision", "int8"]);
    fit("max.dfm", &["--aggregate", "max", "--close", "2"]);
    let merge = |other: &str| dfm.run(&["merge", "model.dfm", other, "-o", "x.dfm"]).expect_code(2).err;
    let said = merge("int8.dfm");
    assert!(said.contains("expected precision f32, got precision int8;"), "{said}");
    let said = merge("max.dfm");
    let words = "expected aggregation power:4, no regions, got aggregation max, regions {\"close\":2};";
    assert!(said.contains(words), "{said}");
}

#[test]
fn a_path_is_told_once() {
    let dfm = program();
    let said = dfm.run(&["update", "model.dfm", "nosuch"]).expect_code(2).err;
    assert!(said.starts_with("dfm: nosuch: expected a folder or a list"), "{said}");
}

#[test]
fn lists_of_other_programs_are_read_or_the_cure_is_told() {
    let dfm = program();
    let fit = |list: &str| dfm.run(&[&["fit", list, "-o", "x.dfm"], SMALL.as_slice()].concat());
    let lines = |label: &str| -> String {
        let line =
            |seed| format!("{{\"path\":\"good/{seed:02}.png\",\"label\":{label},\"split\":\"train\"}}\n");
        (0..4).map(line).collect()
    };
    // A mark of the byte order, and labels as numbers.
    fs::write(dfm.path("bom.jsonl"), format!("\u{feff}{}", lines("\"good\""))).unwrap();
    fit("bom.jsonl").expect_code(0);
    fs::write(dfm.path("number.jsonl"), lines("0")).unwrap();
    fit("number.jsonl").expect_code(0);
    fs::write(dfm.path("other.jsonl"), lines("7")).unwrap();
    let run = fit("other.jsonl").expect_code(2);
    run.expect_said(&["other.jsonl, line 1", "expected a label in quotes", "found the number 7"]);
    fs::write(dfm.path("semicolons.csv"), "path;label;split\ngood/00.png;good;train\n").unwrap();
    let run = fit("semicolons.csv").expect_code(2);
    run.expect_said(&["dfm: semicolons.csv: expected columns path", "semicolons", "with commas"]);
}

#[test]
fn damaged_and_foreign_pictures_say_what_to_do() {
    let dfm = program();
    let picture = image::open(dfm.path("good/00.png")).unwrap();
    picture.save(dfm.path("a.bmp")).unwrap();
    let bytes = fs::read(dfm.path("a.bmp")).unwrap();
    fs::write(dfm.path("a.bmp"), &bytes[..bytes.len() / 2]).unwrap();
    let run = dfm.run(&["predict", "model.dfm", "a.bmp"]).expect_code(2);
    run.expect_said(&["a.bmp: the BMP picture is cut short after", "copy it again"]);
}

#[test]
fn a_tilde_is_the_users_folder_in_a_file_and_refused_where_no_shell_replaced_it() {
    let dfm = program();
    fs::write(dfm.path("dfm.toml"), "[predict]\nmaps = \"~/maps\"\n").unwrap();
    let mut command = dfm.command();
    command
        .args(["predict", "-q", "model.dfm", "good"])
        .env("HOME", dfm.path("home"))
        .env("USERPROFILE", dfm.path("home"));
    assert!(command.output().unwrap().status.code() < Some(2));
    assert!(dfm.path("home/maps/dfm-legend.png").is_file());
    let run = dfm.run(&["predict", "--no-config", "model.dfm", "good", "--maps=~/maps"]);
    run.expect_code(2).expect_said(&["--maps=~/maps", "write the path in full"]);
    assert!(!dfm.path("~").exists());
}
