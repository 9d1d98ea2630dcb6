//! What a checkpoint is good for, and what is refused of one.

use std::fs;

use dfm_tests::pictures;
use dfm_tests::program::SMALL;
use sha2::{Digest, Sha256};

use super::support::{
    RECORD, assert_whole, break_at, bytes, complete, fit, header_len, program, resume, save, stuck,
};

#[test]
fn what_is_made_of_the_features_can_change() {
    let dfm = program(20);
    let checkpoint = complete(&dfm);
    let settings: [&[&str]; 4] = [
        &["--score", "nll", "--pca", "2"],
        &["--threshold", "5"],
        &["--aggregate", "max"],
        &["--val", "synthetic"],
    ];
    for more in settings {
        resume(&dfm, &checkpoint, more).expect_code(0);
        assert_whole(&dfm, "model.dfm", more);
    }
    // So can the batch, on the cpu.
    resume(&dfm, &checkpoint, &["--batch", "3"]).expect_code(0);
    assert_whole(&dfm, "model.dfm", &["--batch", "3"]);
}

#[test]
fn cut_anywhere_behind_its_header_it_is_gone_on_with() {
    let dfm = program(20);
    let checkpoint = complete(&dfm);
    let header = header_len(&checkpoint);
    for length in [0, 1, RECORD - 1, RECORD, 8 * RECORD - 7, 8 * RECORD, 9 * RECORD + 64, 20 * RECORD - 1] {
        resume(&dfm, &checkpoint[..header + length], &[]).expect_code(0);
        assert_whole(&dfm, "model.dfm", &[]);
    }
    for length in [0, 5, 15, header - 1] {
        let cut = &checkpoint[..length];
        resume(&dfm, cut, &[]).expect_code(2).expect_said(&["model.dfm.partial", "cut short", "delete it"]);
        assert_eq!(bytes(&dfm, "model.dfm.partial"), cut);
    }
}

#[test]
fn a_damaged_one_or_something_else_is_refused_and_stays() {
    let dfm = program(20);
    let checkpoint = complete(&dfm);
    let header = header_len(&checkpoint);
    let flipped = |at: usize| {
        let mut damaged = checkpoint.clone();
        damaged[at] ^= 1;
        damaged
    };
    for (content, words) in [
        (flipped(header + 3 * RECORD + 100), "damaged in its record 3"),
        (flipped(20), "header is damaged"),
        (flipped(8), "checkpoint version 0"),
        (flipped(0), "not a checkpoint"),
        (bytes(&dfm, "good/003.png"), "not a checkpoint"),
    ] {
        resume(&dfm, &content, &[]).expect_code(2).expect_said(&["model.dfm.partial", words]);
        assert!(bytes(&dfm, "model.dfm.partial") == content, "{words}: it was changed");
        assert!(!dfm.path("model.dfm").exists());
    }
    // The last record may have been half written.
    resume(&dfm, &flipped(header + 19 * RECORD + 5), &[]).expect_code(0);
    assert_whole(&dfm, "model.dfm", &[]);
    fs::create_dir(dfm.path("model.dfm.partial")).unwrap();
    fit(&dfm, "model.dfm", &["--resume"]).expect_code(2).expect_said(&["model.dfm.partial", "no file"]);
}

#[test]
fn features_that_would_differ_are_refused_and_stay() {
    let dfm = program(20);
    let checkpoint = complete(&dfm);
    for (more, words) in [
        (&["--pool", "2"][..], "pool 2, found layer1, pool 4"),
        (&["--layer", "layer2"], "layers layer2, pool 4, found layer1, pool 4"),
        (&["--size", "96"], "input size 96×96, found 64×64"),
        (&["--resize", "stretch"], "resize stretch, found mirror"),
        (&["--roi", "3,4,40,40"], "region 3,4,40,40 in pictures of 72×56 pixels, found the whole picture"),
        (&["--seed", "1"], "backbone weights"),
        (&["--compat", "anomalib", "--pca", "0.9"], "resize stretch, found mirror"),
        (&["--device", "flex"], "device "),
        (&["--precision", "int8"], "precision int8, found f32"),
        (&["--backbone", "resnet34"], "network resnet34, found resnet18"),
    ] {
        // What is asked for once more takes the place of what it was.
        let network = SMALL.chunks(2).filter(|flag| flag[0] != more[0]).flatten();
        let arguments: Vec<&str> = ["fit", "good", "-o", "model.dfm", "--resume"]
            .iter()
            .chain(network)
            .chain(more)
            .copied()
            .collect();
        dfm.run(&arguments).expect_code(2).expect_said(&["model.dfm.partial", "another fit", words]);
        assert!(bytes(&dfm, "model.dfm.partial") == checkpoint, "{more:?}: it was changed");
        assert!(!dfm.path("model.dfm").exists());
    }
}

#[test]
fn other_pictures_in_the_folder_are_learnt_and_those_that_went_are_not() {
    let dfm = program(20);
    let checkpoint = complete(&dfm);
    save(&dfm, 100);
    fs::remove_file(dfm.path("good/003.png")).unwrap();
    fs::rename(dfm.path("good/001.png"), dfm.path("good/050.png")).unwrap();
    dfm.save("good/002.png", &pictures::good(200, 72, 56));
    // What was learnt of the two that went is not thrown away.
    // Batches of eight: the last four records are of one that is not whole.
    let kept =
        ["model.dfm.partial: 2 of its pictures or tiles are not in this fit", "model.dfm.partial.other-1"];
    resume(&dfm, &checkpoint, &[]).expect_code(0).expect_said(&kept);
    assert_whole(&dfm, "model.dfm", &[]);
    let aside = bytes(&dfm, "model.dfm.partial.other-1");
    let (_, records) = checkpoint.split_at(header_len(&checkpoint));
    for record in records.chunks(RECORD) {
        assert!(aside.windows(RECORD).any(|there| there == record), "a record is lost");
    }
    // Nor is it when that happens again.
    resume(&dfm, &checkpoint, &[]).expect_code(0).expect_said(&["model.dfm.partial.other-2"]);
    assert!(bytes(&dfm, "model.dfm.partial.other-1") == aside);
}

#[test]
fn a_checkpoint_of_other_pictures_is_refused_and_stays() {
    let dfm = program(20);
    let checkpoint = complete(&dfm);
    fs::rename(dfm.path("good"), dfm.path("elsewhere")).unwrap();
    (100..105).for_each(|place| save(&dfm, place));
    let words =
        ["model.dfm.partial", "features of 20 others and of none of these 5", "choose another output"];
    resume(&dfm, &checkpoint, &[]).expect_code(2).expect_said(&words);
    assert!(bytes(&dfm, "model.dfm.partial") == checkpoint, "it was changed");
    assert!(!dfm.path("model.dfm").exists());
    // The fit that it belongs to goes on.
    fs::remove_dir_all(dfm.path("good")).unwrap();
    fs::rename(dfm.path("elsewhere"), dfm.path("good")).unwrap();
    resume(&dfm, &checkpoint, &[]).expect_code(0);
    assert_whole(&dfm, "model.dfm", &[]);
}

#[test]
fn other_pictures_among_the_first_are_refused_in_int8_whose_steps_they_decide() {
    let dfm = program(72);
    let int8 = ["--precision", "int8"];
    break_at(&dfm, 66);
    stuck(&dfm, "model.dfm", &int8, 64).end("KILL");
    let checkpoint = bytes(&dfm, "model.dfm.partial");
    dfm.save("good/000.png", &pictures::defective(0, 72, 56));
    resume(&dfm, &checkpoint, &int8).expect_code(2).expect_said(&["model.dfm.partial", "steps of int8"]);
    assert!(bytes(&dfm, "model.dfm.partial") == checkpoint);
    save(&dfm, 0);
    resume(&dfm, &checkpoint, &int8).expect_code(0);
    assert_whole(&dfm, "model.dfm", &int8);
}

#[test]
fn the_features_come_from_the_checkpoint() {
    let dfm = program(20);
    let mut checkpoint = complete(&dfm);
    let header = header_len(&checkpoint);
    // Twice the features of the first picture, with the hash that they take.
    let (head, records) = checkpoint.split_at_mut(header);
    for bytes in records[64..RECORD - 32].as_chunks_mut::<4>().0 {
        *bytes = (2.0 * f32::from_le_bytes(*bytes)).to_le_bytes();
    }
    let hash = Sha256::new().chain_update(&head[header - 32..]).chain_update(&records[..RECORD - 32]);
    records[RECORD - 32..RECORD].copy_from_slice(&hash.finalize());
    assert_eq!(records[..32], Sha256::digest(bytes(&dfm, "good/000.png"))[..]);
    resume(&dfm, &checkpoint, &[]).expect_code(0);
    fit(&dfm, "whole.dfm", &[]).expect_code(0);
    assert!(bytes(&dfm, "model.dfm") != bytes(&dfm, "whole.dfm"), "they were computed again");
}
