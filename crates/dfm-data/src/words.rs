//! What the name of a folder says of the pictures in it.

/// What a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// Pictures of good parts.
    Good,
    /// Pictures of defects.
    Defects,
    /// Neither.
    Nothing,
}

const GOOD: &[&str] = &[
    "good",
    "goods",
    "ok",
    "okay",
    "io",
    "normal",
    "normals",
    "pass",
    "passed",
    "gut",
    "intact",
    "healthy",
    "bon",
    "bueno",
    "buono",
    "undamaged",
    "unbroken",
    "flawless",
    "faultless",
    "defectfree",
    "nodefect",
    "nodefects",
    "nondefective",
    "fehlerfrei",
    "良品",
    "合格",
    "合格品",
    "正常",
];

const DEFECTS: &[&str] = &[
    "bad",
    "bads",
    "ng",
    "nok",
    "ko",
    "nio",
    "notok",
    "notgood",
    "defect",
    "defects",
    "defective",
    "defectives",
    "anomaly",
    "anomalies",
    "anomalous",
    "abnormal",
    "abnormals",
    "abnormality",
    "fail",
    "fails",
    "failed",
    "failure",
    "failures",
    "fault",
    "faults",
    "faulty",
    "broken",
    "reject",
    "rejects",
    "rejected",
    "damage",
    "damaged",
    "damages",
    "scrap",
    "nonconforming",
    "schlecht",
    "defekt",
    "defekte",
    "fehler",
    "fehlerhaft",
    "ausschuss",
    "mauvais",
    "malo",
    "不良",
    "不良品",
    "不合格",
    "不合格品",
    "缺陷",
    "异常",
    "異常",
];

/// Words that turn the next one round.
const NOT: &[&str] = &["no", "non", "not", "without", "zero", "kein", "keine", "ohne"];

/// Says what a folder of this name holds. Case counts nothing, nor do numbers and marks between
/// words: `NG`, `Defects_2` and `not-ok` say defects, `OK` and `no defect` say good. A name that
/// says both says defects.
pub(crate) fn says(name: &str) -> Says {
    match name.trim().to_lowercase().as_str() {
        "train" | "training" => Says::Good,
        _ => says_label(name),
    }
}

/// [`says`] for the label of one picture.
pub(crate) fn says_label(name: &str) -> Says {
    let (mut good, mut defects, mut turned, mut last) = (false, false, false, Says::Nothing);
    let words = words(name);
    // i.O. and n.i.O., in order and not in order.
    let joined = words.concat();
    match joined.as_str() {
        "io" => return Says::Good,
        "nio" => return Says::Defects,
        _ => {}
    }
    for word in words.iter().map(String::as_str) {
        if NOT.contains(&word) {
            turned = true;
            last = Says::Nothing;
            continue;
        }
        if (word == "free" || word == "frei") && last == Says::Defects {
            (good, defects, last) = (true, false, Says::Good);
            continue;
        }
        let said = match word {
            word if GOOD.contains(&word) => Says::Good,
            word if DEFECTS.contains(&word) => Says::Defects,
            _ => Says::Nothing,
        };
        match (said, turned) {
            (Says::Good, false) | (Says::Defects, true) => (good, last, turned) = (true, Says::Good, false),
            (Says::Defects, false) | (Says::Good, true) => {
                (defects, last, turned) = (true, Says::Defects, false)
            }
            // As in `no 1 good`.
            (Says::Nothing, _) => turned &= !word.chars().all(char::is_numeric),
        }
    }
    match (good, defects) {
        (_, true) => Says::Defects,
        (true, false) => Says::Good,
        (false, false) => Says::Nothing,
    }
}

/// The words of a name in small letters. A new word begins behind a mark, between letters and
/// digits, and at a capital behind a small letter.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before: Option<char> = None;
    for letter in name.chars() {
        let joins = before.is_some_and(|before| {
            before.is_alphanumeric()
                && before.is_numeric() == letter.is_numeric()
                && !(before.is_lowercase() && letter.is_uppercase())
        });
        if letter.is_alphanumeric() {
            match words.last_mut().filter(|_| joins) {
                Some(word) => word.extend(letter.to_lowercase()),
                None => words.push(letter.to_lowercase().collect()),
            }
        }
        before = Some(letter);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_good_defects_or_nothing_whatever_their_case() {
        for name in [
            "good",
            "OK",
            "Ok",
            "NORMAL",
            "pass",
            "Passed",
            "good_2",
            "01-ok",
            "goodParts",
            "no_defect",
            "No Defects",
            "non-defective",
            "defect-free",
            "DefectFree",
            "undamaged",
            "train",
            "TRAIN",
            "i.O.",
            "iO",
            "良品",
            "no_1_good",
            "front_ok",
        ] {
            assert_eq!(says(name), Says::Good, "{name}");
        }
        for name in [
            "bad",
            "NG",
            "ng1",
            "NOK",
            "KO",
            "defect",
            "Defects",
            "DEFECTIVE",
            "anomaly",
            "Anomalous",
            "fail",
            "FAILED",
            "broken_large",
            "faulty",
            "not_ok",
            "NotOK",
            "not good",
            "n.i.O.",
            "ok_and_ng",
            "rejects-2024",
            "不良品",
            "defects_scratches",
            "abnormal",
        ] {
            assert_eq!(says(name), Says::Defects, "{name}");
        }
        for name in
            ["", "okra", "scratch", "2024-05-01", "trainset", "no_label", "badge", "camera 1", "passage"]
        {
            assert_eq!(says(name), Says::Nothing, "{name}");
        }
        assert_eq!(says_label("train"), Says::Nothing);
    }
}
