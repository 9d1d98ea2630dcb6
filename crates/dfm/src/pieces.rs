//! From a picture of a source to the pieces that a fit learns.

use dfm_core::{PictureSize, Piece, Preparer};
use sha2::{Digest, Sha256};

use crate::checkpoint::{Checkpoint, tile_key};
use crate::error::Error;
use crate::levels::{FitLevels, LevelsWatch};
use crate::source::{Content, Give, Source, give_all};

/// The key in the checkpoint, if there is a checkpoint, and the piece.
pub(crate) type Ready = (Option<[u8; 32]>, Piece);

/// Prepares the pieces of picture `index`, unless the checkpoint has their features. `see` hears the
/// sizes of pictures.
pub(crate) fn prepare(
    source: &dyn Source,
    index: usize,
    preparer: &Preparer,
    (levels, watch): (&FitLevels, &LevelsWatch),
    checkpoint: Option<&Checkpoint>,
    see: &dyn Fn(PictureSize),
    give: Give<'_, Ready>,
) -> Result<(), Error> {
    let content = source.read(index)?;
    let file: Option<[u8; 32]> = match (&content, checkpoint) {
        (Content::Encoded(bytes), Some(_)) => Some(Sha256::digest(bytes).into()),
        _ => None,
    };
    let known = |key: &Option<[u8; 32]>| checkpoint?.row(key.as_ref()?);
    // What is decoded in vain is little beside the network, and its size is known then.
    let picture = content.decode_for(preparer.preprocessor())?;
    levels.check(&picture)?;
    see(picture.size());
    watch.picture(&picture);
    if !preparer.makes_tiles()
        && let Some(row) = known(&file)
    {
        give((file, Piece::computed(index, true, row, dfm_core::Placement::WHOLE, None)), true);
        return Ok(());
    }
    let pieces = preparer.pieces(index, picture)?;
    let mut number: u64 = 0;
    give_all(pieces, give, |piece, last| {
        if last {
            watch.piece(&piece);
        }
        let key = match preparer.makes_tiles() {
            true => file.map(|file| tile_key(&file, number)),
            false => file,
        };
        number += 1;
        // Preparing a piece in vain costs little beside the network.
        let piece = match known(&key) {
            Some(row) => piece.with_features(row),
            None => piece,
        };
        (key, piece)
    })?;
    Ok(())
}
