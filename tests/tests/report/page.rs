//! `dfm evaluate --report`: one page that says what the figures say, with its plots beside it.

use dfm_tests::browser::Browser;
use dfm_tests::program::{Program, files_below};
use serde_json::{Value, json};

/// Four good pictures and four with a defect and a mask.
fn evaluated() -> (Program, Value) {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    dfm.fit_small();
    dfm.save_dataset();
    let run = dfm.run(&["evaluate", "model.dfm", "data", "--report", "out/run", "--format", "json"]);
    let figures = run.expect_code(0).json().remove(0);
    (dfm, figures)
}

fn page(dfm: &Program) -> String {
    std::fs::read_to_string(dfm.path("out/run/index.html")).expect("a page")
}

#[test]
fn a_report_is_a_page_with_everything_inside_and_plots_and_figures_beside_it() {
    let (dfm, figures) = evaluated();
    let folder = dfm.path("out/run");
    let names: Vec<_> = files_below(&folder)
        .iter()
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    let expected = [
        "config.toml",
        "histogram.svg",
        "index.html",
        "metrics.json",
        "per-region-overlap.svg",
        "precision-recall.svg",
        "predictions.jsonl",
        "roc.svg",
    ];
    assert_eq!(names, expected);
    let page = page(&dfm);
    assert_eq!(page.matches("src=\"data:image/jpeg;base64,/9j/").count(), 16, "a picture and a map each");
    assert_eq!(page.matches("src=\"data:image/png;base64,iVBOR").count(), 4, "a mask for each defect");
    for said in [
        "test/square/3.png",
        "layer1",
        "square, with a defect, p = 0.",
        figures["settings"]["model_digest"].as_str().expect("a hash"),
        "<caption>Pixels at the pixel threshold, ",
        "AUPRO to 30\u{a0}%, 0.",
        "<dt>pixel F1 at the threshold</dt><dd><b>",
    ] {
        assert!(page.contains(said), "{said}");
    }
    for name in ["true_positives", "false_positives", "true_negatives", "false_negatives"] {
        let count = figures["pixel_confusion"][name].as_u64().expect("a count");
        let (thousands, ones) = (count / 1000, count % 1000);
        let shown = if thousands > 0 { format!("{thousands}\u{202f}{ones:03}") } else { ones.to_string() };
        assert!(page.contains(&format!("<b>{shown}</b>")), "{name}: {count}");
    }
    let scratch = dfm.path("").display().to_string();
    assert!(!page.contains(&scratch), "a path of this machine in the page");
}

#[test]
fn the_page_in_a_browser_says_what_the_json_says() {
    let (dfm, figures) = evaluated();
    let Some(browser) = Browser::find() else { return };
    let page = page(&dfm);
    let loaded = browser.load(&page);
    assert_eq!(loaded.console, [""; 0]);
    assert!(loaded.dom.contains("class=\"scripted\""));
    let script = "
        const texts = (selector) => [...document.querySelectorAll(selector)].map((one) => one.textContent);
        return {
            counts: texts('.confusion output').map(Number),
            first: texts('.figures b')[0],
            entries: document.querySelectorAll('#entries > li').length,
            broken: [...document.images].filter((image) => !image.naturalWidth).length,
            falling: [...document.querySelectorAll('#entries > li')].map((entry) => Number(entry.dataset.score))
                .every((score, index, scores) => index === 0 || scores[index - 1] >= score),
        };";
    let found = browser.probe(&page, script).found;
    let confusion = &figures["confusion"];
    let counts = ["true_positives", "false_negatives", "false_positives", "true_negatives"]
        .map(|name| confusion[name].as_f64().expect("a count"));
    let seen: Vec<f64> = serde_json::from_value(found["counts"].clone()).expect("counts");
    assert_eq!(seen, counts);
    assert_eq!(found["first"], format!("{:.3}", figures["image_auroc"].as_f64().expect("a figure")));
    assert_eq!(
        (&found["entries"], &found["broken"], &found["falling"]),
        (&json!(8), &json!(0), &json!(true))
    );
}

#[test]
fn sets_of_one_truth_and_what_cannot_be_read_are_reported() {
    let (dfm, _) = evaluated();
    std::fs::remove_dir_all(dfm.path("data/test/square")).expect("the defects gone");
    dfm.run(&["evaluate", "model.dfm", "data", "--report", "out/run"]).expect_code(0);
    for said in ["regions: no meaning: no picture with a defect", "<b>0</b><span>found</span>"] {
        assert!(page(&dfm).contains(said), "{said}");
    }
    std::fs::write(dfm.path("data/test/good/broken.png"), b"no picture").expect("a file");
    dfm.run(&["evaluate", "model.dfm", "data", "--report", "out/run"])
        .expect_code(2)
        .expect_said(&["broken.png"]);
    assert!(page(&dfm).contains("<dt>not usable</dt><dd><bdi>1</bdi>"));
    assert!(page(&dfm).contains("4 pictures judged"));
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_before_the_work() {
    let (dfm, _) = evaluated();
    std::fs::write(dfm.path("taken"), b"").expect("a file");
    let run = dfm.run(&["evaluate", "model.dfm", "data", "--report", "taken"]);
    let run = run.expect_code(2).expect_said(&["taken"]);
    assert_eq!(run.out, "");
}
