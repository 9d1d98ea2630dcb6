//! Pictures in memory: what the library says of them is what it says of files, and one that is no
//! picture costs itself alone.

use std::borrow::Cow;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use dfm::{
    CoarseBecause, Content, Error, Files, Judge, JudgeOptions, Learner, Method, Network, Note, Observer,
    Pictures, Silent, Source,
};
use dfm_core::{Keep, Layer, MapKind, RgbImage, Tiling};
use dfm_tests::models::flex;
use dfm_tests::pictures;
use image::ImageFormat;

fn png(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).expect("a PNG");
    bytes.into_inner()
}

fn good() -> Vec<RgbImage> {
    (0..8).map(|seed| pictures::good(seed, 72, 56)).collect()
}

fn method() -> Method {
    Method::published().with_taps(vec![Layer::named("layer1").pooled(4)]).with_keep(Keep::Components(4))
}

fn learner(method: Method) -> Learner {
    let network = Network::default()
        .with_backbone(Some("resnet18".to_owned()))
        .with_weights(Some("random".to_owned()))
        .with_size(Some([64, 64]));
    Learner::new(method).with_network(network).with_compute(flex())
}

/// Each picture as the bytes of its file and as pixels, in turn.
fn in_memory(of: &[RgbImage]) -> Pictures {
    let mut all = Pictures::default();
    for (number, picture) in of.iter().enumerate() {
        match number % 2 {
            0 => all.push_bytes(format!("{number}.png"), png(picture)),
            _ => all.push_pixels(format!("{number}.png"), picture.clone()),
        }
    }
    all
}

fn scores(judge: &Judge, source: &dyn Source) -> Vec<f64> {
    let verdicts = judge.all(source, &JudgeOptions::default()).expect("options");
    verdicts.into_iter().map(|verdict| verdict.expect("a verdict").score).collect()
}

#[test]
fn files_bytes_and_pixels_have_one_verdict() {
    let folder = tempfile::tempdir().expect("a folder");
    let on_disk = |name: &str, of: &[RgbImage]| {
        let folder = folder.path().join(name);
        fs::create_dir(&folder).expect("a folder");
        for (number, picture) in of.iter().enumerate() {
            fs::write(folder.join(format!("{number}.png")), png(picture)).expect("a file");
        }
        Files::in_folder(&folder, &Silent).expect("pictures")
    };
    let new = [pictures::good(99, 72, 56), pictures::defective(5, 72, 56), pictures::defective(6, 90, 41)];
    let of_files = learner(method()).fit(&on_disk("good", &good()), &Silent).expect("a model");
    let of_memory = learner(method()).fit(&in_memory(&good()), &Silent).expect("a model");
    let [of_files, of_memory] = [of_files, of_memory].map(Judge::new);
    let expected = scores(&of_files, &on_disk("new", &new));
    assert!(expected[1] > expected[0] && expected[2] > expected[0], "{expected:?}");
    assert_eq!(scores(&of_files, &in_memory(&new)), expected);
    assert_eq!(scores(&of_memory, &in_memory(&new)), expected);
}

#[derive(Default)]
struct Heard(Mutex<Vec<PathBuf>>);

impl Observer for Heard {
    fn problem(&self, path: &Path, _: &Error) {
        self.0.lock().expect("no panic").push(path.to_owned());
    }
}

#[test]
fn bytes_that_are_no_picture_cost_themselves_alone() {
    let judge = Judge::new(learner(method()).fit(&in_memory(&good()), &Silent).expect("a model"));
    let mut new = Pictures::default();
    new.push_pixels("first", pictures::good(99, 72, 56));
    new.push_bytes("broken", b"no picture".to_vec());
    new.push_bytes("last", png(&pictures::defective(5, 72, 56)));
    let verdicts = judge.all(&new, &JudgeOptions::default()).expect("options");
    let judged: Vec<bool> = verdicts.iter().map(Result::is_ok).collect();
    assert_eq!(judged, [true, false, true]);
    assert!(matches!(verdicts[1], Err(Error::Data(_))), "{:?}", verdicts[1]);

    let heard = Heard::default();
    let mut indices = Vec::new();
    let problems = judge.each(&new, &JudgeOptions::default(), &heard, |batch| {
        indices.extend(batch.into_iter().map(|one| one.index));
        Ok(())
    });
    assert_eq!((problems.expect("options"), indices), (1, vec![0, 2]));
    assert_eq!(*heard.0.lock().expect("no panic"), [PathBuf::from("broken")]);
}

/// A store of pictures whose first cannot be read without a panic.
struct Panicking(Pictures);

impl Source for Panicking {
    fn count(&self) -> usize {
        self.0.count()
    }

    fn path(&self, index: usize) -> Cow<'_, Path> {
        self.0.path(index)
    }

    fn name(&self, index: usize) -> String {
        self.0.name(index)
    }

    fn read(&self, index: usize) -> Result<Content<'_>, Error> {
        assert!(index != 0, "the first panics");
        self.0.read(index)
    }
}

#[test]
fn a_source_that_panics_costs_one_picture_with_tiles_by_position_too() {
    let tiles = method().with_tiling(Some(Tiling { side: 48, stride: 24 }));
    for by_position in [false, true] {
        let heard = Heard::default();
        let learner = learner(tiles.clone()).with_tiles_by_position(by_position);
        let model = learner.fit(&Panicking(in_memory(&good())), &heard).expect("a model");
        let without = learner.fit(&in_memory(&good()[1..]), &Silent).expect("a model");
        assert_eq!(model.record().picture_count, without.record().picture_count);
        assert_eq!(*heard.0.lock().expect("no panic"), [PathBuf::from("0.png")]);
    }
}

/// A store whose pictures from an index on are others if they are read more often than this.
struct Changing {
    before: Pictures,
    after: Pictures,
    from: usize,
    most: usize,
    reads: AtomicUsize,
}

impl Source for Changing {
    fn count(&self) -> usize {
        self.before.count()
    }

    fn path(&self, index: usize) -> Cow<'_, Path> {
        self.before.path(index)
    }

    fn name(&self, index: usize) -> String {
        self.before.name(index)
    }

    fn read(&self, index: usize) -> Result<Content<'_>, Error> {
        if index >= self.from && self.reads.fetch_add(1, Ordering::Relaxed) >= self.most {
            return self.after.read(index);
        }
        self.before.read(index)
    }
}

#[derive(Default)]
struct Notes(Mutex<Vec<Note>>);

impl Observer for Notes {
    fn note(&self, note: &Note) {
        self.0.lock().expect("no panic").push(note.clone());
    }
}

#[test]
fn foreign_pictures_that_change_while_they_are_learnt_cost_the_fine_maps_and_it_is_said() {
    let good: Vec<RgbImage> = (0..110).map(|seed| pictures::good(seed, 72, 56)).collect();
    let bad: Vec<RgbImage> = (1000..1003).map(|seed| pictures::defective(seed, 72, 56)).collect();
    let all = [good.as_slice(), &bad].concat();
    let learner = learner(Method::default().with_taps([Layer::named("layer1").pooled(4)]));
    for (most, map) in [(bad.len(), MapKind::Coarse), (usize::MAX, MapKind::Fine)] {
        let source = Changing {
            before: in_memory(&all),
            after: in_memory(&[&bad, good.as_slice()].concat()),
            from: good.len(),
            most,
            reads: AtomicUsize::new(0),
        };
        let heard = Notes::default();
        let model = learner.fit(&source, &heard).expect("a model");
        let foreign = model.record().foreign.as_ref().expect("foreign pictures");
        assert_eq!((foreign.pictures.len(), model.map_kind()), (bad.len(), map));
        // Each is read once to learn it, and once more to take out what the maps know of it.
        assert_eq!(source.reads.load(Ordering::Relaxed), 2 * bad.len());
        let why = CoarseBecause::NotReadAgain;
        let expected = if map == MapKind::Coarse { vec![Note::FitCoarse { why }] } else { Vec::new() };
        assert_eq!(*heard.0.lock().expect("no panic"), expected);
    }
}
