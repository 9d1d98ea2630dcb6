//! Random choices of pictures.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// The pictures of a folder, by name.
///
/// # Errors
///
/// If the folder cannot be read.
pub(crate) fn pictures(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut pictures = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    pictures.sort();
    Ok(pictures)
}

/// Chooses `count` of `pictures`, every choice being equally likely (Fisher and Yates). The same
/// `draw` gives the same choice.
pub(crate) fn chosen(pictures: &[PathBuf], count: usize, draw: u64) -> Vec<&Path> {
    let mut left: Vec<&Path> = pictures.iter().map(PathBuf::as_path).collect();
    let mut state = draw;
    (0..count).map(|_| left.swap_remove((random(&mut state) % left.len() as u64) as usize)).collect()
}

/// The next number of a pseudorandom sequence (SplitMix64).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_of_different_pictures_and_stays_the_same() {
        let pictures: Vec<PathBuf> = (0..40).map(|index| PathBuf::from(format!("{index:02}.png"))).collect();
        let mut first = chosen(&pictures, 30, 1);
        assert_eq!(first, chosen(&pictures, 30, 1));
        assert_ne!(first, chosen(&pictures, 30, 2));
        first.sort();
        first.dedup();
        assert_eq!(first.len(), 30);
    }
}
