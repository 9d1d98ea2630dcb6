//! What the program leaves in its folder.

use std::path::Path;
use std::process::Command;

use portable_atomic as _;

/// Copies the files of a folder and of those below it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let to = to.join(from.file_name().unwrap());
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap();
        }
    }
}

#[test]
fn models_maps_and_a_line_for_each_picture() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("leaves");
    let _ = std::fs::remove_dir_all(&folder);
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo");
    copy(&demo.join("train/good"), &folder.join("pictures/good"));
    copy(&demo.join("test/scratch"), &folder.join("pictures/new"));
    let output =
        Command::new(env!("CARGO_BIN_EXE_dfm-consumer")).current_dir(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let pictures = std::fs::read_dir(folder.join("pictures/new")).unwrap().count();
    assert!(pictures > 0);
    // The README's example says a line of each picture, and each of three settings another.
    assert_eq!(text.lines().count(), 4 * pictures, "{text}");
    for name in ["part.dfm", "default.dfm", "tiles.dfm", "region.dfm", "maps/dfm-legend.png"] {
        assert!(folder.join(name).is_file(), "{name}");
    }
    let overlays = std::fs::read_dir(folder.join("maps")).unwrap().filter(|entry| {
        entry.as_ref().unwrap().file_name().to_string_lossy().ends_with("-overlay.png")
    });
    assert_eq!(overlays.count(), pictures);
}
