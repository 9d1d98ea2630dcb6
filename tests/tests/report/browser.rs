//! The report's page in a browser: it loads without a complaint, the slider recounts, the
//! filters follow it, and nothing in a file name comes alive.

use dfm_report::{
    Class, Curve, Figure, Image, ImageFormat, Images, MapScale, Measured, Picture, Region, Report, Tick,
    Truth,
};
use dfm_tests::browser::Browser;
use serde_json::json;

/// Found 3.5, 5 and 6; missed 2.5; false alarms 3 and 4; passed 1 and 2.
fn report() -> Report {
    let picture = |(class, score): (&str, f64)| Picture {
        path: format!("test/{class}/{score}.png"),
        class: class.to_owned(),
        truth: if class == "good" { Truth::Good } else { Truth::Defect },
        score,
        p_value: Some(0.25),
        remark: (score > 5.5).then(|| "for review".to_owned()),
        views: Vec::new(),
        regions: vec![Region { corner: [1, 0], size: [2, 2], area: 3, peak: 9.0 }],
    };
    let pictures = [
        ("good", 1.0),
        ("good", 2.0),
        ("good", 3.0),
        ("good", 4.0),
        ("crack", 2.5),
        ("crack", 3.5),
        ("stain", 5.0),
        ("stain", 6.0),
    ];
    let figure = |name: &str| Figure {
        name: name.to_owned(),
        value: Ok(Measured { value: 0.8125, interval: Some([0.5, 1.0]) }),
    };
    let curve = |points: &[[f64; 2]]| Curve {
        name: "pictures".to_owned(),
        of_pictures: true,
        points: Ok(points.to_vec()),
        area: Some(0.8125),
    };
    let classes = ["good", "crack", "stain"];
    Report {
        title: "Tiles".to_owned(),
        figures: vec![figure("image AUROC"), figure("pixel AUROC")],
        roc: vec![curve(&[[0.0, 0.0], [0.0, 0.5], [0.25, 0.75], [0.5, 1.0], [1.0, 1.0]])],
        precision_recall: vec![curve(&[[0.5, 1.0], [1.0, 0.5]])],
        classes: classes
            .map(|name| Class { name: name.to_owned(), figures: vec![figure("image AUROC")] })
            .to_vec(),
        threshold: Some(3.0),
        map_scale: Some(MapScale {
            colours: vec![[0, 0, 4], [252, 255, 164]],
            mark: [0, 229, 255],
            ticks: vec![Tick { level: 0.5, label: "6.26".to_owned(), is_threshold: true }],
        }),
        pictures: pictures.map(picture).to_vec(),
        ..Report::default()
    }
}

fn page(report: &Report) -> String {
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(4, 3).write_to(&mut png, image::ImageFormat::Png).expect("a PNG");
    let image = Image { format: ImageFormat::Png, width: 4, height: 3, bytes: png.into_inner() };
    let mut page = Vec::new();
    let images = |_, _| Ok(Images { picture: Some(image.clone()), map: Some(image.clone()), mask: None });
    report.write(&mut page, images).expect("a page");
    String::from_utf8(page).expect("UTF-8")
}

/// What the page shows of its counts, and the scores in the gallery, from top to bottom.
const READ: &str = "
    const text = (id) => document.getElementById(id).textContent.replace('\\u00a0', ' ');
    const read = () => ({
        counts: ['found', 'missed-count', 'alarms-count', 'passed'].map(text),
        shares: ['recall', 'precision', 'alarms', 'f1'].map(text),
        called: [...document.querySelectorAll('.called')].map((cell) => cell.textContent),
        shown: [...document.querySelectorAll('#entries > li')].filter((entry) => entry.checkVisibility())
            .map((entry) => Number(entry.dataset.score)),
        said: text('shown'),
        line: document.querySelector('#line text').textContent,
    });
    const change = (element, value, event) => {
        element.value = value;
        element.dispatchEvent(new Event(event, { bubbles: true }));
    };
    const plot = document.getElementById('histogram').dataset;
    const move = (id, score) =>
        change(document.getElementById(id), (score - plot.low) / (plot.high - plot.low), 'input');
    const show = (value) => {
        document.querySelector(`[name=show][value='${value}']`).click();
    };
";

#[test]
fn the_page_loads_as_it_is_and_lets_no_other_script_in() {
    let Some(browser) = Browser::find() else { return };
    let page = page(&report());
    let loaded = browser.load(&page);
    assert_eq!(loaded.console, [""; 0]);
    assert!(loaded.dom.contains("class=\"scripted\""), "the script did not run to its end");

    // What these tests look at would be there: the policy keeps a changed script out.
    let changed = browser.load(&page.replace("\"use strict\";", "\"use strict\"; "));
    assert!(
        changed.console.iter().any(|line| line.contains("Content Security Policy")),
        "{:?}",
        changed.console
    );
    assert!(!changed.dom.contains("class=\"scripted\""));
}

#[test]
fn without_scripts_the_page_says_the_same() {
    let Some(browser) = Browser::find() else { return };
    let page = page(&report());
    let (before, rest) = page.split_once("<script>").expect("the script");
    let (_, after) = rest.split_once("</script>").expect("its end");
    let script = "
        const outputs = [...document.querySelectorAll('output[id]')].map((output) => [output.id, output.textContent]);
        const moving = [...document.querySelectorAll('#line, #wrong *, .at')].flatMap((part) =>
            ['transform', 'x', 'width', 'visibility'].map((name) => (part.getAttribute(name) ?? '')
                .replace(/[\\d.]+/g, (number) => Number(number).toFixed(1))));
        return { outputs, called: [...document.querySelectorAll('.called, .verdict')].map((one) => one.textContent), moving };
    ";
    let plain = browser.probe(&format!("{before}{after}"), script);
    let live = browser.probe(&page, &format!(" {script}"));
    assert_eq!(plain.found["called"], live.found["called"]);
    // Texts alone: controls that need the script are not laid out without it.
    assert_eq!(plain.found["outputs"], live.found["outputs"]);
    assert!(
        plain.found["outputs"].as_array().is_some_and(|outputs| outputs.len() == 10),
        "{:?}",
        plain.found
    );
    assert_eq!(plain.found["moving"], live.found["moving"]);
}

#[test]
fn the_slider_recounts_everything() {
    let Some(browser) = Browser::find() else { return };
    let script = format!(
        "{READ}
        const steps = [read()];
        move('slider', 4.5); steps.push(read());
        move('also', 6.1); steps.push(read());
        change(document.getElementById('exact'), '2.5', 'input'); steps.push(read());
        const slider = document.getElementById('slider');
        const follows = Number(slider.value) * (plot.high - plot.low) + Number(plot.low);
        document.getElementById('reset').click();  steps.push(read());
        return {{ steps, follows, spoken: slider.getAttribute('aria-valuetext') }};"
    );
    let loaded = browser.probe(&page(&report()), &script);
    assert_eq!(loaded.console, [""; 0]);
    let found = &loaded.found;
    for (step, counts, shares, called) in [
        (0, ["3", "1", "2", "2"], ["75.0 %", "60.0 %", "50.0 %", "66.7 %"], ["2", "1", "2"]),
        (1, ["2", "2", "0", "4"], ["50.0 %", "100.0 %", "0.0 %", "66.7 %"], ["0", "0", "2"]),
        (
            2,
            ["0", "4", "0", "4"],
            ["0.0 %", "no meaning: no picture is called anomalous", "0.0 %", "0.0 %"],
            ["0", "0", "0"],
        ),
        (3, ["4", "0", "2", "2"], ["100.0 %", "66.7 %", "50.0 %", "80.0 %"], ["2", "2", "2"]),
        (4, ["3", "1", "2", "2"], ["75.0 %", "60.0 %", "50.0 %", "66.7 %"], ["2", "1", "2"]),
    ] {
        let seen = &found["steps"][step];
        assert_eq!(seen["counts"], json!(counts), "step {step}");
        assert_eq!(seen["shares"], json!(shares), "step {step}");
        assert_eq!(seen["called"], json!(called), "step {step}");
    }
    assert_eq!(found["steps"][3]["line"], "threshold 2.5000");
    assert_eq!(found["steps"][4]["line"], "threshold 3.0000");
    assert_eq!(found["spoken"], "3.0000");
    // A slider rounds to its steps: 400 over an axis of 5.3.
    assert!((found["follows"].as_f64().expect("a number") - 2.5).abs() < 0.01, "{}", found["follows"]);
}

#[test]
fn filters_show_what_they_say_and_follow_the_threshold() {
    let Some(browser) = Browser::find() else { return };
    let script = format!(
        "{READ}
        const steps = [read()];
        show('missed'); steps.push(read());
        move('slider', 4.5); steps.push(read());
        show('false alarm'); steps.push(read());
        move('also', 2.2); steps.push(read());
        show('all'); change(document.getElementById('class'), 'stain', 'change'); steps.push(read());
        change(document.getElementById('order'), 'rising', 'change'); steps.push(read());
        change(document.getElementById('class'), '', 'change'); steps.push(read());
        return steps;"
    );
    let loaded = browser.probe(&page(&report()), &script);
    assert_eq!(loaded.console, [""; 0]);
    for (step, (shown, said)) in [
        (json!([6.0, 5.0, 4.0, 3.5, 3.0, 2.5, 2.0, 1.0]), "8 pictures, highest score first."),
        (json!([2.5]), "1 of 8 pictures: misses, highest score first."),
        (json!([3.5, 2.5]), "2 of 8 pictures: misses, highest score first."),
        (json!([]), "No picture is one of these: false alarms, highest score first."),
        (json!([4.0, 3.0]), "2 of 8 pictures: false alarms, highest score first."),
        (json!([6.0, 5.0]), "2 of 8 pictures, class stain, highest score first."),
        (json!([5.0, 6.0]), "2 of 8 pictures, class stain, lowest score first."),
        (json!([1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0]), "8 pictures, lowest score first."),
    ]
    .into_iter()
    .enumerate()
    {
        let seen: Vec<f64> = serde_json::from_value(loaded.found[step]["shown"].clone()).expect("scores");
        let expected: Vec<f64> = serde_json::from_value(shown).expect("scores");
        assert_eq!(seen, expected, "step {step}");
        assert_eq!(loaded.found[step]["said"], said, "step {step}");
    }
}

#[test]
fn everything_has_a_name_and_can_be_reached_by_keyboard() {
    let Some(browser) = Browser::find() else { return };
    let script = "
        const all = (selector) => [...document.querySelectorAll(selector)];
        const controls = all('input, select, button, a');
        const ids = all('[id]').map((element) => element.id);
        return {
            controls: controls.length,
            unreachable: controls.filter((control) => control.tabIndex < 0 || !control.checkVisibility()).length,
            unnamed: controls.filter((control) => !(control.textContent.trim() || control.ariaLabel
                || [...control.labels].some((label) => label.textContent.trim()))).length,
            images: all('img').length,
            silent: all('img:not([alt]), img[alt=\"\"], svg:not([aria-hidden]):not([aria-label])').length,
            broken: all('img').filter((image) => image.naturalWidth !== 4).length,
            repeated: ids.filter((id, index) => ids.indexOf(id) !== index),
            astray: all('a').filter((link) => !document.querySelector(link.getAttribute('href'))).length,
            wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
        };";
    let found = browser.probe(&page(&report()), script).found;
    let expected = json!({
        "controls": 15, "unreachable": 0, "unnamed": 0, "images": 16, "silent": 0, "broken": 0, "repeated": [],
        "astray": 0, "wide": false
    });
    assert_eq!(found, expected);
}

#[test]
fn sets_without_one_truth_or_any_picture_are_pages_too() {
    let Some(browser) = Browser::find() else { return };
    let only = |truth: Option<Truth>| {
        let mut report = report();
        report.pictures.retain(|picture| Some(picture.truth) == truth);
        report
    };
    let equal = Report {
        pictures: report().pictures.into_iter().map(|picture| Picture { score: 7.0, ..picture }).collect(),
        ..report()
    };
    for (report, said) in [
        (only(Some(Truth::Good)), "no picture with a defect"),
        (only(Some(Truth::Defect)), "no good picture"),
        (only(None), "No picture was judged."),
        (equal, "8 pictures judged"),
        (Report { threshold: None, ..report() }, "There is no threshold."),
    ] {
        let loaded = browser.probe(&page(&report), " return document.body.innerText;");
        assert_eq!(loaded.console, [""; 0], "{said}");
        let text = loaded.found.as_str().expect("text");
        assert!(text.contains(said), "{said}: {text}");
        for nothing in ["NaN", "undefined", "null", "Infinity", "[object"] {
            assert!(!text.contains(nothing), "{nothing}: {text}");
        }
    }
}

#[test]
fn a_page_without_a_threshold_takes_one_from_the_slider() {
    let Some(browser) = Browser::find() else { return };
    let script = format!(
        "{READ}
        const steps = [read()];
        show('missed'); steps.push(read());
        move('slider', 3); steps.push(read());
        document.getElementById('reset').click();  steps.push(read());
        return steps;"
    );
    let report = Report { threshold: None, ..report() };
    let found = browser.probe(&page(&report), &script).found;
    assert_eq!(found[0]["counts"], json!(["–", "–", "–", "–"]));
    assert_eq!(found[0]["shares"], json!(["no threshold", "no threshold", "no threshold", "no threshold"]));
    assert_eq!(found[1]["shown"], json!([]));
    assert_eq!(found[2]["shown"], json!([2.5]));
    assert_eq!(found[3]["counts"], found[0]["counts"]);
}

#[test]
fn names_of_files_and_classes_stay_text() {
    let Some(browser) = Browser::find() else { return };
    let names = [
        "</script><script>window.alive = 1</script>",
        "\"><img src=x onerror=\"window.alive = 2\">",
        "' onmouseover='window.alive = 3",
        "</option></select><svg onload=window.alive=4>",
        "<!-- &lt; {{title}} ${window.alive = 5}",
    ];
    let mut report = report();
    for (index, picture) in report.pictures.iter_mut().enumerate() {
        let name = names[index % names.len()];
        (picture.path, picture.class) = (format!("{name}/{index}"), name.to_owned());
    }
    for (class, name) in report.classes.iter_mut().zip(names) {
        class.name = name.to_owned();
    }
    (report.title, report.notes) = (names[0].to_owned(), vec![names[1].to_owned()]);
    let script = "
        const choice = document.getElementById('class');
        const shown = [];
        for (const option of choice.options) {
            choice.value = option.value;
            choice.dispatchEvent(new Event('change', { bubbles: true }));
            shown.push(document.querySelectorAll('#entries > li:not([hidden])').length);
        }
        return {
            alive: window.alive ?? 0, scripts: document.scripts.length, title: document.querySelector('h1').textContent,
            paths: [...document.querySelectorAll('.path')].map((path) => path.textContent), shown,
        };";
    let loaded = browser.probe(&page(&report), script);
    assert_eq!(loaded.console, [""; 0]);
    assert_eq!(loaded.found["alive"], 0);
    // The page's own and the probe.
    assert_eq!(loaded.found["scripts"], 2);
    assert_eq!(loaded.found["title"], names[0]);
    let paths: Vec<String> = serde_json::from_value(loaded.found["paths"].clone()).expect("paths");
    for (index, picture) in report.pictures.iter().enumerate() {
        assert!(paths.contains(&picture.path), "{index}: {paths:?}");
    }
    let shown: Vec<usize> = serde_json::from_value(loaded.found["shown"].clone()).expect("counts");
    assert_eq!((shown[0], shown[1..].iter().sum::<usize>()), (8, 8), "{shown:?}");
}
