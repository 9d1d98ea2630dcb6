//! Fits, judges, maps and saves with the library alone, in the current folder, which holds
//! `pictures/good` and `pictures/new`. Prints for each setting the score of every new picture: the
//! setting, the bits of the score, the path.

use std::path::Path;

use dfm::{
    Error, Files, Judge, JudgeOptions, Learner, Method, ModelStore, PictureSize, Region, SaveOptions, Silent,
    Tiling,
};

include!(concat!(env!("OUT_DIR"), "/readme.rs"));

fn main() -> Result<(), Error> {
    readme()?;
    let region = Region::rectangle(8, 8, PictureSize { width: 80, height: 72 }).map_err(dfm::DataError::from)?;
    let tiles = Method::default().with_tiling(Tiling { side: 64, stride: 48 });
    for (name, method) in [
        ("default", Method::default()),
        ("tiles", tiles),
        ("region", Method::default().with_region(region)),
    ] {
        let good = Files::in_folder(Path::new("pictures/good"), &Silent)?;
        let new = Files::in_folder(Path::new("pictures/new"), &Silent)?;
        let model = Learner::new(method).fit(&good, &Silent)?;
        ModelStore::save(&model, Path::new(&format!("{name}.dfm")), &SaveOptions::default())?;
        let verdicts = Judge::new(model).all(&new, &JudgeOptions::default())?;
        for (path, verdict) in new.paths().iter().zip(verdicts) {
            println!("{name} {:016x} {}", verdict?.score.to_bits(), path.display());
        }
    }
    Ok(())
}
