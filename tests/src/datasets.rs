//! Tiny data sets in every layout that the program reads: 6 good pictures to learn, 4 good
//! ones and 3 with a defect to judge.

use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};

use crate::pictures;
use crate::program::Program;

const WIDTH: u32 = 72;
const HEIGHT: u32 = 56;
/// Good pictures to learn.
pub const TRAIN: u64 = 6;
/// Good pictures to judge.
pub const GOOD: u64 = 4;
/// Pictures with a defect to judge.
pub const DEFECTS: u64 = 3;

/// The mask of [`pictures::defective`], in the grey level `mark`.
pub fn mask(mark: u8) -> RgbImage {
    let side = WIDTH.min(HEIGHT) / 4;
    let across = (WIDTH - side) / 2..(WIDTH + side) / 2;
    let down = (HEIGHT - side) / 2..(HEIGHT + side) / 2;
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        Rgb([if across.contains(&x) && down.contains(&y) { mark } else { 0 }; 3])
    })
}

/// A good picture; each `seed` is another.
fn good(dfm: &Program, name: &str, seed: u64) {
    dfm.save(name, &pictures::good(seed, WIDTH, HEIGHT));
}

fn bad(dfm: &Program, name: &str, seed: u64) {
    dfm.save(name, &pictures::defective(100 + seed, WIDTH, HEIGHT));
}

/// As a folder for each class has it: `{train}/0.png`, `{test}/{good}/0.png`, ….
fn classes(dfm: &Program, train: &str, test: &str, good_name: &str, defect: &str, extension: &str) {
    (0..TRAIN).for_each(|k| good(dfm, &format!("{train}/{k}.{extension}"), k));
    (0..GOOD).for_each(|k| good(dfm, &format!("{test}/{good_name}/{k}.{extension}"), 20 + k));
    (0..DEFECTS).for_each(|k| bad(dfm, &format!("{test}/{defect}/{k}.{extension}"), k));
}

/// A data set, and how the program calls its layout.
pub struct Layout {
    /// As `--layout` takes it.
    pub name: &'static str,
    /// Where it lies in the scratch folder.
    pub root: &'static str,
    /// The class of its defects.
    pub defect: &'static str,
    /// Writes it.
    pub write: fn(&Program),
}

/// Every layout with masks.
pub const LAYOUTS: [Layout; 9] = [
    Layout { name: "mvtec", root: "mvtec", defect: "square", write: mvtec },
    Layout { name: "mpdd", root: "mpdd", defect: "hole", write: mpdd },
    Layout { name: "mvtec-loco", root: "loco", defect: "logical_anomalies", write: loco },
    Layout { name: "mvtec-ad2", root: "ad2", defect: "bad", write: ad2 },
    Layout { name: "visa", root: "visa/candle", defect: "anomaly", write: visa },
    Layout { name: "btad", root: "btad", defect: "ko", write: btad },
    Layout { name: "ksdd2", root: "ksdd2", defect: "defect", write: kolektor },
    Layout { name: "manifest", root: "lists/list.csv", defect: "Kratzer", write: csv },
    Layout { name: "manifest", root: "lines/list.jsonl", defect: "Kratzer", write: jsonl },
];

fn mvtec(dfm: &Program) {
    classes(dfm, "mvtec/train/good", "mvtec/test", "good", "square", "png");
    for k in 0..DEFECTS {
        dfm.save(&format!("mvtec/ground_truth/square/{k}_mask.png"), &mask(255));
    }
}

fn mpdd(dfm: &Program) {
    classes(dfm, "mpdd/train/good", "mpdd/test", "good", "hole", "png");
    for k in 0..DEFECTS {
        dfm.save(&format!("mpdd/ground_truth/hole/{k}_mask.png"), &mask(255));
    }
}

/// Masks in parts, each in a level of its own.
fn loco(dfm: &Program) {
    classes(dfm, "loco/train/good", "loco/test", "good", "logical_anomalies", "png");
    good(dfm, "loco/validation/good/0.png", 40);
    for k in 0..DEFECTS {
        let whole = mask(254);
        let half = |left: bool| {
            RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
                if (x < WIDTH / 2) == left { *whole.get_pixel(x, y) } else { Rgb([0; 3]) }
            })
        };
        for (part, left) in [true, false].into_iter().enumerate() {
            dfm.save(&format!("loco/ground_truth/logical_anomalies/{k}/{part:03}.png"), &half(left));
        }
    }
}

fn ad2(dfm: &Program) {
    classes(dfm, "ad2/train/good", "ad2/test_public", "good", "bad", "png");
    good(dfm, "ad2/validation/good/0.png", 40);
    good(dfm, "ad2/test_private/0.png", 41);
    for k in 0..DEFECTS {
        dfm.save(&format!("ad2/test_public/ground_truth/bad/{k}_mask.png"), &mask(255));
    }
}

/// Defects are numbered in the masks; a second object shares the list.
fn visa(dfm: &Program) {
    let mut list = "object,split,label,image,mask\n".to_owned();
    for k in 0..TRAIN + GOOD {
        let image = format!("candle/Data/Images/Normal/{k:04}.png");
        good(dfm, &format!("visa/{image}"), k);
        let split = if k < TRAIN { "train" } else { "test" };
        list += &format!("candle,{split},normal,{image},\n");
    }
    for k in 0..DEFECTS {
        let image = format!("candle/Data/Images/Anomaly/{k:03}.png");
        let mask_of = format!("candle/Data/Masks/Anomaly/{k:03}.png");
        bad(dfm, &format!("visa/{image}"), k);
        dfm.save(&format!("visa/{mask_of}"), &mask(1 + k as u8));
        list += &format!("candle,test,anomaly,{image},{mask_of}\n");
    }
    list += "capsules,train,normal,capsules/Data/Images/Normal/000.png,\n";
    write(&dfm.path("visa/split_csv/1cls.csv"), &list);
}

fn btad(dfm: &Program) {
    classes(dfm, "btad/train/ok", "btad/test", "ok", "ko", "bmp");
    for k in 0..DEFECTS {
        dfm.save(&format!("btad/ground_truth/ko/{k}.png"), &mask(255));
    }
}

/// Masks are the labels; one picture to learn shows a defect.
fn kolektor(dfm: &Program) {
    for k in 0..TRAIN {
        good(dfm, &format!("ksdd2/train/{k}.png"), k);
        dfm.save(&format!("ksdd2/train/{k}_GT.png"), &mask(0));
    }
    bad(dfm, "ksdd2/train/99.png", 50);
    dfm.save("ksdd2/train/99_GT.png", &mask(255));
    for k in 0..GOOD {
        good(dfm, &format!("ksdd2/test/{k}.png"), 20 + k);
        dfm.save(&format!("ksdd2/test/{k}_GT.png"), &mask(0));
    }
    for k in 0..DEFECTS {
        bad(dfm, &format!("ksdd2/test/1{k}.png"), k);
        dfm.save(&format!("ksdd2/test/1{k}_GT.png"), &mask(255));
    }
}

/// Pictures of the lists, as `(path, label, mask, split)`.
fn listed(dfm: &Program, folder: &str) -> Vec<[String; 4]> {
    let mut rows = Vec::new();
    for k in 0..TRAIN + GOOD {
        good(dfm, &format!("{folder}/pictures/{k}.png"), k);
        let split = if k < TRAIN { "train" } else { "test" };
        rows.push([format!("pictures/{k}.png"), "OK".to_owned(), String::new(), split.to_owned()]);
    }
    for k in 0..DEFECTS {
        bad(dfm, &format!("{folder}/pictures/x, {k}.png"), k);
        dfm.save(&format!("{folder}/masks/{k}.png"), &mask(255));
        let path = format!("pictures/x, {k}.png");
        rows.push([path, "Kratzer".to_owned(), format!("masks/{k}.png"), "test".to_owned()]);
    }
    rows
}

fn csv(dfm: &Program) {
    let rows = listed(dfm, "lists");
    let lines = rows.iter().map(|[path, label, mask, split]| format!("\"{path}\",{label},{mask},{split}\n"));
    write(&dfm.path("lists/list.csv"), &format!("path,label,mask,split\n{}", lines.collect::<String>()));
}

fn jsonl(dfm: &Program) {
    let rows = listed(dfm, "lines");
    let lines = rows.iter().map(|[path, label, mask, split]| match mask.is_empty() {
        true => format!("{}\n", serde_json::json!({"path": path, "label": label, "split": split})),
        false => {
            format!("{}\n", serde_json::json!({"path": path, "label": label, "mask": [mask], "split": split}))
        }
    });
    write(&dfm.path("lines/list.jsonl"), &lines.collect::<String>());
}

/// Writes a text file, and the folder that it lies in.
pub fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a written file");
}
