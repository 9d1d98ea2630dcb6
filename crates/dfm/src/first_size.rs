//! What follows from the size of the first picture of a source.

use dfm_core::{PictureSize, Region, Transparency};

use crate::levels::FitLevels;
use crate::source::{Give, Source, ahead};

/// The region for pictures of the size of the first that holds it, so that a rectangle is not taken
/// out of pictures where it means something else.
pub(crate) fn in_pictures_of(source: &dyn Source, levels: FitLevels, region: Region) -> Region {
    if region.picture_size().is_some() {
        return region;
    }
    let bound = sizes(source, levels, |sizes| {
        sizes.filter_map(|size| region.clone().for_pictures_of(size).ok()).next()
    });
    bound.unwrap_or(region)
}

/// What `look` finds in the sizes of the pictures that can be read and are made of what a fit takes.
pub(crate) fn sizes<T: Send>(
    source: &dyn Source,
    levels: FitLevels,
    look: impl FnOnce(&mut dyn Iterator<Item = PictureSize>) -> T + Send,
) -> T {
    let prepare = |index: usize, give: Give<'_, PictureSize>| {
        let picture = source.read(index)?.decode_with(Transparency::Background, levels.levels)?;
        levels.check(&picture)?;
        give(picture.size(), true);
        Ok(())
    };
    ahead(source.count(), 1, 1, prepare, |loaded| look(&mut loaded.filter_map(|one| one.found.ok())))
}
