//! Model files that are read where they lie: the model is that of the stream, and every byte is checked.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use dfm_core::{
    CalibrationKind, CalibrationParams, Dfm, DfmError, JudgeOptions, LoadOptions, Method, ModelFileError,
    ScoreKind,
};
use dfm_tests::models::flex;
use dfm_tests::pictures;
use rayon::prelude::*;

use crate::model_file::{bytes, fitted};

fn file(kind: CalibrationKind, score: ScoreKind) -> Vec<u8> {
    let calibration = CalibrationParams::default().with_kind(kind);
    bytes(&fitted(Method::published().with_score(score).with_calibration(Some(calibration))), false)
}

fn options(fit_statistic: bool) -> LoadOptions {
    LoadOptions { fit_statistic, ..LoadOptions::on(flex()) }
}

fn refused(file: &mut (impl Read + Seek + Send), fit_statistic: bool) -> ModelFileError {
    match Dfm::read_file(file, options(fit_statistic)) {
        Err(DfmError::Model(error)) => error,
        other => panic!("not an error of the file: {other:?}"),
    }
}

#[test]
fn a_file_gives_the_model_of_the_stream() {
    for (kind, score) in [
        (CalibrationKind::LeaveOneOut, ScoreKind::Nll),
        (CalibrationKind::Split, ScoreKind::Mahalanobis),
        (CalibrationKind::JackknifePlus, ScoreKind::Fre),
    ] {
        let file = file(kind, score);
        for fit_statistic in [true, false] {
            let stream = Dfm::read(&mut file.as_slice(), options(fit_statistic)).expect("a model");
            // It begins with the first byte, wherever the reader stands.
            let mut at_the_end = Cursor::new(&file);
            at_the_end.set_position(100);
            let read = Dfm::read_file(&mut at_the_end, options(fit_statistic)).expect("a model");
            assert!(bytes(&read, false) == bytes(&stream, false), "{kind}, {fit_statistic}");
            let new = [pictures::good(100, 72, 56), pictures::defective(200, 72, 56)];
            let new = new.map(|picture| read.preprocessor().prepare(&picture).expect("prepared"));
            let predict = |model: &Dfm| model.predict(&new, &JudgeOptions::default()).expect("verdicts");
            assert_eq!(predict(&read), predict(&stream), "{kind}, {fit_statistic}");
        }
    }
}

#[test]
fn bytes_that_are_not_kept_are_checked_all_the_same() {
    let file = file(CalibrationKind::Split, ScoreKind::Nll);
    let (length, metadata) = safetensors::SafeTensors::read_metadata(&file).expect("safetensors");
    let names = metadata.offset_keys();
    assert!(["coordinates", "directions", "backbone"].iter().all(|name| names.iter().any(|it| it == name)));
    for name in names {
        let (start, end) = metadata.info(&name).expect("a tensor").data_offsets;
        for place in [start, (start + end) / 2, end - 1] {
            let mut changed = file.clone();
            changed[8 + length + place] ^= 1;
            for fit_statistic in [true, false] {
                let error = refused(&mut Cursor::new(&changed), fit_statistic);
                assert!(matches!(error, ModelFileError::Digest { .. }), "{name}: {error}");
            }
        }
    }
}

/// A file that says that it is longer than what can be read of it, as one that is cut meanwhile.
struct Shrinking {
    file: Cursor<Vec<u8>>,
    said: u64,
}

impl Read for Shrinking {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.file.read(into)
    }
}

impl Seek for Shrinking {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::End(0) => Ok(self.said),
            other => self.file.seek(other),
        }
    }
}

#[test]
fn a_file_of_another_length_is_refused() {
    let file = file(CalibrationKind::LeaveOneOut, ScoreKind::Fre);
    let (less, mut more) = (file[..file.len() - 1].to_vec(), file.clone());
    more.push(0);
    let error = refused(&mut Cursor::new(&less), false);
    assert!(matches!(error, ModelFileError::Truncated { part: "tensors", .. }), "{error}");
    let error = refused(&mut Cursor::new(&more), false);
    assert!(matches!(error, ModelFileError::Container { .. }), "{error}");
    assert!(error.to_string().contains("there is more behind"), "{error}");
    let shrinking =
        |length: usize| Shrinking { file: Cursor::new(file[..length].to_vec()), said: file.len() as u64 };
    for length in [file.len() / 2, file.len() - 1] {
        let error = refused(&mut shrinking(length), false);
        assert!(matches!(error, ModelFileError::Io { .. }), "{length}: {error}");
    }
}

/// Each load waits for another thread that reads, while the pool has no thread to spare.
#[test]
fn more_models_than_threads_are_read_at_once() {
    let file = file(CalibrationKind::LeaveOneOut, ScoreKind::Fre);
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let read = |_| Dfm::read_file(&mut Cursor::new(&file), options(false)).is_ok();
        assert!(
            pool.install(|| (0..8).into_par_iter().map(read).collect::<Vec<_>>()).iter().all(|read| *read)
        );
    }
}
