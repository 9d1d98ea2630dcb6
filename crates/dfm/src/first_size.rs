//! What follows from the size of the first picture of a source.

use dfm_core::{PictureSize, Region};

use crate::source::{Give, Source, ahead};

/// The region for pictures of the size of the first that holds it, so that a rectangle is not taken
/// out of pictures where it means something else.
pub(crate) fn in_pictures_of(source: &dyn Source, region: Region) -> Region {
    if region.picture_size().is_some() {
        return region;
    }
    let bound =
        sizes(source, |sizes| sizes.filter_map(|size| region.clone().for_pictures_of(size).ok()).next());
    bound.unwrap_or(region)
}

/// What `look` finds in the sizes of the pictures that can be read.
pub(crate) fn sizes<T: Send>(
    source: &dyn Source,
    look: impl FnOnce(&mut dyn Iterator<Item = PictureSize>) -> T + Send,
) -> T {
    let prepare = |index: usize, give: Give<'_, PictureSize>| {
        let picture = source.read(index)?.decode()?;
        give(PictureSize { width: picture.width(), height: picture.height() }, true);
        Ok(())
    };
    ahead(source.count(), 1, 1, prepare, |loaded| look(&mut loaded.filter_map(|one| one.found.ok())))
}
