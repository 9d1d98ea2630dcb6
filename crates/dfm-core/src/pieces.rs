//! Pictures on their way to the network, one piece or more for each.

use burn::tensor::{Tensor, TensorData};
use dfm_backbone::{
    Details, FeatureExtractor, Picture, PictureSize, Placement, PreparedPicture, PreprocessError,
    Preprocessor,
};
use rayon::prelude::*;

use crate::error::DfmError;
use crate::host::to_host;

/// The features of one piece of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureRow {
    /// The [`content_hash`](dfm_backbone::content_hash).
    pub content_hash: [u8; 32],
    /// One for each column of the extractor's feature shapes, and behind those one for each column of its
    /// [details](FeatureExtractor::extract_with_details), if it takes them.
    pub values: Vec<f32>,
}

/// Makes pieces of pictures. Cheap to clone; needs no device, so pictures can be prepared on any
/// thread while the network runs.
#[derive(Debug, Clone)]
pub struct Preparer(Preprocessor);

impl Preparer {
    /// For fits and updates with this extractor: pieces know the content hash of their picture.
    pub fn for_fit(extractor: &FeatureExtractor) -> Self {
        Self(extractor.preprocessor().with_content_hash(true))
    }

    /// For judging: nobody asks for content hashes.
    pub(crate) fn for_judging(extractor: &FeatureExtractor) -> Self {
        Self(extractor.preprocessor().with_content_hash(false))
    }

    /// The pieces of the picture with this `number`: the picture itself, or its tiles. Each is prepared
    /// when it is asked for.
    ///
    /// # Errors
    ///
    /// If the picture has no pixels, is not of the size that it must have, or cannot be cut into
    /// tiles, or the levels or the region are those of other pictures.
    pub fn pieces<'p, P: Into<Picture<'p>>>(
        &self,
        number: usize,
        picture: P,
    ) -> Result<impl ExactSizeIterator<Item = Result<Piece, PreprocessError>> + use<'p, P>, PreprocessError>
    {
        let prepared = self.0.prepare_tiles(picture)?;
        let (is_tile, last) = (self.makes_tiles(), prepared.len().saturating_sub(1));
        let piece = move |(tile, prepared): (usize, Result<PreparedPicture, PreprocessError>)| {
            let content = Content::Prepared { picture: prepared?, is_tile };
            Ok(Piece { number, is_last: tile == last, content })
        };
        Ok(prepared.enumerate().map(piece))
    }

    /// Whether pictures are cut into tiles.
    pub fn makes_tiles(&self) -> bool {
        self.0.tiling().is_some()
    }

    /// What prepares each piece.
    pub fn preprocessor(&self) -> &Preprocessor {
        &self.0
    }
}

/// Which piece of which picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PieceId {
    /// The number of its picture.
    pub number: usize,
    /// Which of the tiles of the picture it is; 0 for a picture in one piece.
    pub tile: usize,
    /// Whether it is the last of its picture.
    pub is_last: bool,
}

/// A piece of a picture on its way to the network: the picture itself, or one of its tiles. Those
/// of a picture come one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    number: usize,
    is_last: bool,
    content: Content,
}

#[derive(Debug, Clone, PartialEq)]
enum Content {
    /// For the network; whether it was prepared by a [`Preparer`] that makes tiles.
    Prepared { picture: PreparedPicture, is_tile: bool },
    /// It went through the network before.
    Computed { row: FeatureRow, placement: Placement, size: Option<PictureSize> },
}

impl Piece {
    /// A picture in one piece that a [`Preprocessor`] prepared; a model of tiles refuses it.
    pub fn whole(number: usize, picture: PreparedPicture) -> Self {
        Self { number, is_last: true, content: Content::Prepared { picture, is_tile: false } }
    }

    /// A piece that went through the same extractor before, and is the last of its picture or
    /// not. The `size` of the picture is needed to judge it, not to fit.
    pub fn computed(
        number: usize,
        is_last: bool,
        row: FeatureRow,
        placement: Placement,
        size: Option<PictureSize>,
    ) -> Self {
        Self { number, is_last, content: Content::Computed { row, placement, size } }
    }

    /// The same piece with features that are known already.
    #[must_use]
    pub fn with_features(self, row: FeatureRow) -> Self {
        let (placement, size) = match self.content {
            Content::Prepared { picture, .. } => (picture.placement, Some(picture.original)),
            Content::Computed { placement, size, .. } => (placement, size),
        };
        Self { content: Content::Computed { row, placement, size }, ..self }
    }

    /// Which piece of which picture it is.
    pub fn id(&self) -> PieceId {
        PieceId { number: self.number, tile: self.placement().tile, is_last: self.is_last }
    }

    /// The number of its picture.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The size of its picture, if that is known.
    pub fn size(&self) -> Option<PictureSize> {
        match &self.content {
            Content::Prepared { picture, .. } => Some(picture.original),
            Content::Computed { size, .. } => *size,
        }
    }

    /// How many pixels of its picture are outside of the levels; `None` unless those are a range,
    /// and where the piece went through the network before.
    pub fn outside(&self) -> Option<u64> {
        self.prepared().and_then(|picture| picture.outside)
    }

    /// Where the picture lies in what the network sees.
    pub(crate) fn placement(&self) -> &Placement {
        match &self.content {
            Content::Prepared { picture, .. } => &picture.placement,
            Content::Computed { placement, .. } => placement,
        }
    }

    /// The content hash of its picture.
    ///
    /// # Errors
    ///
    /// If it was not computed when the picture was prepared.
    pub(crate) fn content_hash(&self) -> Result<[u8; 32], DfmError> {
        match &self.content {
            Content::Prepared { picture, .. } => picture.content_hash.ok_or(DfmError::NoContentHash),
            Content::Computed { row, .. } => Ok(row.content_hash),
        }
    }

    /// What the network must see of the piece; `None` if its features are known.
    pub(crate) fn prepared(&self) -> Option<&PreparedPicture> {
        match &self.content {
            Content::Prepared { picture, .. } => Some(picture),
            Content::Computed { .. } => None,
        }
    }

    /// Its features, as many as there are `columns`, if they are known; `index` says where the piece lies in its batch.
    ///
    /// # Errors
    ///
    /// If the features are not those of `extractor`, or only one of the two, the piece or the
    /// extractor, has to do with tiles.
    fn known(
        &self,
        index: usize,
        extractor: &FeatureExtractor,
        columns: usize,
    ) -> Result<Option<&[f32]>, DfmError> {
        let tiles = extractor.preprocessor().tiling().is_some();
        match &self.content {
            Content::Prepared { is_tile, .. } if *is_tile != tiles => {
                Err(DfmError::Tiles { expected: tiles })
            }
            Content::Prepared { .. } => Ok(None),
            Content::Computed { row, .. } if row.values.len() == columns => Ok(Some(&row.values)),
            // Whoever asks for no details takes a row that has them, too.
            Content::Computed { row, .. }
                if columns == extractor.row_len() && row.values.len() == columns + extractor.detail_len() =>
            {
                Ok(Some(&row.values[..columns]))
            }
            Content::Computed { row, .. } => {
                let got = row.values.len();
                Err(DfmError::ComputedFeatures { picture: index, expected: columns, got })
            }
        }
    }
}

/// Runs pictures in one piece through the network and reads their features back, row by row.
///
/// # Errors
///
/// If a picture was prepared for another input size, or the device fails.
pub fn features_of(extractor: &FeatureExtractor, pictures: &[PreparedPicture]) -> Result<Vec<f32>, DfmError> {
    to_host(extractor.extract(pictures)?)
}

/// The features of a batch of pieces, `[N, D]`, and with `details` those of each layer: what is not known
/// goes through the network together.
///
/// # Errors
///
/// If known features have another number of columns, a piece is not what the extractor looks at,
/// or the network refuses it.
pub(crate) fn features(
    extractor: &FeatureExtractor,
    pieces: &[Piece],
    details: bool,
) -> Result<(Tensor<2>, Details), DfmError> {
    let batch = Batch::of(extractor, pieces, details)?;
    if batch.known.iter().all(Option::is_none) {
        return match details {
            true => Ok(extractor.extract_with_details(&batch.prepared)?),
            false => Ok((extractor.extract(&batch.prepared)?, Details::known(Vec::new()))),
        };
    }
    let values = batch.on_host(extractor)?;
    let mut first = 0;
    let mut part = |length: usize| {
        let rows = values.iter().flat_map(|row| &row[first..first + length]).copied();
        let data = TensorData::new(rows.collect::<Vec<f32>>(), [pieces.len(), length]);
        first += length;
        Tensor::from_data(data, extractor.device())
    };
    let rows = part(extractor.row_len());
    let shapes = if details { extractor.detail_shapes() } else { Vec::new() };
    Ok((rows, Details::known(shapes.iter().map(|shape| part(shape.len())).collect())))
}

/// [`features`], a row for each piece on the host: the details, if the extractor takes them, behind each row.
///
/// # Errors
///
/// Those of [`features`].
pub(crate) fn features_on_host(
    extractor: &FeatureExtractor,
    pieces: &[Piece],
) -> Result<Vec<Vec<f32>>, DfmError> {
    Batch::of(extractor, pieces, extractor.takes_details())?.on_host(extractor)
}

/// Pieces sorted into those that the network has to see and those whose features are known.
struct Batch<'p> {
    prepared: Vec<&'p PreparedPicture>,
    /// One for each piece.
    known: Vec<Option<&'p [f32]>>,
    /// The values of each.
    columns: usize,
}

impl<'p> Batch<'p> {
    fn of(extractor: &FeatureExtractor, pieces: &'p [Piece], details: bool) -> Result<Self, DfmError> {
        let columns = extractor.row_len() + if details { extractor.detail_len() } else { 0 };
        let known = pieces.iter().enumerate().map(|(index, piece)| piece.known(index, extractor, columns));
        let known = known.collect::<Result<_, _>>()?;
        Ok(Self { prepared: pieces.iter().filter_map(Piece::prepared).collect(), known, columns })
    }

    fn on_host(self, extractor: &FeatureExtractor) -> Result<Vec<Vec<f32>>, DfmError> {
        let extracted = match self.prepared.is_empty() {
            true => Vec::new(),
            false => self.extracted(extractor)?,
        };
        let mut extracted = extracted.into_iter();
        let row = |known: Option<&[f32]>| match known {
            Some(row) => row.to_vec(),
            None => extracted.next().expect("a piece is known, or was extracted"),
        };
        Ok(self.known.into_iter().map(row).collect())
    }

    /// The rows of the prepared pictures.
    fn extracted(&self, extractor: &FeatureExtractor) -> Result<Vec<Vec<f32>>, DfmError> {
        let (rows, details) = match self.columns > extractor.row_len() {
            true => extractor.extract_with_details(&self.prepared)?,
            false => (extractor.extract(&self.prepared)?, Details::known(Vec::new())),
        };
        let rows = to_host(rows)?;
        let with_capacity = |row: &[f32]| {
            let mut values = Vec::with_capacity(self.columns);
            values.extend_from_slice(row);
            values
        };
        let mut rows: Vec<Vec<f32>> = rows.par_chunks(extractor.row_len()).map(with_capacity).collect();
        let parts = details.parts();
        let size = parts.first().map_or(1, ExactSizeIterator::len);
        rows.par_chunks_mut(size).zip(parts).try_for_each(|(rows, pictures)| {
            for layer in details.of(pictures) {
                let columns = layer.dims()[1];
                let values = to_host(layer)?;
                let of_rows = rows.iter_mut().zip(values.chunks_exact(columns));
                of_rows.for_each(|(row, values)| row.extend_from_slice(values));
            }
            Ok::<(), DfmError>(())
        })?;
        Ok(rows)
    }
}

/// Puts together what is found of the pieces of each picture: one error spoils it.
#[derive(Debug)]
pub(crate) struct Assembly<T> {
    /// A picture of which there are more pieces to come.
    begun: Option<Begun<T>>,
}

#[derive(Debug)]
struct Begun<T> {
    number: usize,
    tiles: usize,
    found: Result<T, DfmError>,
}

impl<T> Assembly<T> {
    pub(crate) fn new() -> Self {
        Self { begun: None }
    }

    /// Adds what was `found` for a piece. If the picture is then complete, returns what was found for
    /// all of its pieces, which `join` puts together two by two. A picture whose last piece never came
    /// is forgotten.
    pub(crate) fn push(
        &mut self,
        piece: &PieceId,
        found: Result<T, DfmError>,
        join: impl FnOnce(T, T) -> T,
    ) -> Option<Result<T, DfmError>> {
        self.begun.take_if(|begun| begun.number != piece.number);
        let (expected, found) = match self.begun.take() {
            None => (0, found),
            Some(begun) => (begun.tiles, begun.found.and_then(|before| Ok(join(before, found?)))),
        };
        let found = match found {
            Ok(_) if piece.tile != expected => Err(DfmError::MissingTile { expected, got: piece.tile }),
            found => found,
        };
        if piece.is_last {
            return Some(found);
        }
        self.begun = Some(Begun { number: piece.number, tiles: expected + 1, found });
        None
    }

    /// Forgets what was found of a picture whose other pieces will not come.
    pub(crate) fn skip(&mut self, number: usize) {
        self.begun.take_if(|begun| begun.number == number);
    }
}

/// Does `run` over `items`, `size` of them at a time. If that fails, it goes over them one by one, so
/// that a single item does not take the others with it.
pub(crate) fn each_of<T, U>(
    items: &[T],
    size: usize,
    mut run: impl FnMut(&[T]) -> Result<Vec<U>, DfmError>,
) -> Vec<Result<U, DfmError>> {
    let mut all = Vec::with_capacity(items.len());
    for batch in items.chunks(size.max(1)) {
        match run(batch) {
            Ok(found) => all.extend(found.into_iter().map(Ok)),
            Err(error) if batch.len() == 1 => all.push(Err(error)),
            Err(_) => {
                for item in batch.chunks(1) {
                    match run(item) {
                        Ok(found) => all.extend(found.into_iter().map(Ok)),
                        Err(error) => all.push(Err(error)),
                    }
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_item_costs_itself_alone() {
        let mut runs = Vec::new();
        let found = each_of(&[1, 2, -3, 4, 5, 6], 4, |batch| {
            runs.push(batch.len());
            match batch.iter().any(|item| *item < 0) {
                true => Err(DfmError::NotCalibrated),
                false => Ok(batch.iter().map(|item| 10 * item).collect()),
            }
        });
        let found: Vec<Option<i32>> = found.into_iter().map(Result::ok).collect();
        assert_eq!(found, [Some(10), Some(20), None, Some(40), Some(50), Some(60)]);
        assert_eq!(runs, [4, 1, 1, 1, 1, 2]);
    }

    #[test]
    fn tiles_of_a_picture_that_never_ended_are_not_those_of_the_next() {
        let mut assembly = Assembly::new();
        let mut push = |number, tile, is_last, found: Result<&str, DfmError>| {
            let found = found.map(str::to_owned);
            assembly.push(&PieceId { number, tile, is_last }, found, |before, piece| before + &piece)
        };
        assert!(push(0, 0, false, Ok("a")).is_none());
        assert!(push(2, 0, false, Ok("b")).is_none());
        assert_eq!(push(2, 1, true, Ok("c")).unwrap().unwrap(), "bc");
        assert!(push(3, 0, false, Err(DfmError::NotCalibrated)).is_none());
        assert!(matches!(push(3, 1, true, Ok("d")), Some(Err(DfmError::NotCalibrated))));
        assert_eq!(push(4, 0, true, Ok("e")).unwrap().unwrap(), "e");
        // One that lacks a tile.
        assert!(push(5, 0, false, Ok("f")).is_none());
        let missing = push(5, 2, true, Ok("g"));
        assert!(matches!(missing, Some(Err(DfmError::MissingTile { expected: 1, got: 2 }))), "{missing:?}");
        assert!(push(6, 0, false, Ok("h")).is_none());
        assembly.skip(6);
        assert!(matches!(assembly_push_last(&mut assembly), Err(DfmError::MissingTile { .. })));
    }

    fn assembly_push_last(assembly: &mut Assembly<String>) -> Result<String, DfmError> {
        let last = PieceId { number: 6, tile: 1, is_last: true };
        assembly.push(&last, Ok("i".to_owned()), |before, piece| before + &piece).unwrap()
    }
}
