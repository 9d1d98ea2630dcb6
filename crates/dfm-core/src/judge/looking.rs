//! A model that looks at another part of pictures than it was fitted to.

use dfm_backbone::{BackboneError, FeatureExtractor, Region};

use crate::error::DfmError;
use crate::model::Dfm;

impl Dfm {
    /// The extractor, looking at another part of every picture.
    pub(super) fn looking_at(&self, region: &Region) -> Result<FeatureExtractor, DfmError> {
        let region = &self.region_of(region)?;
        let fitted = self.preprocessor();
        let asked = self.preprocessor().with_region(Some(region.clone()));
        for shape in self.extractor.feature_shapes() {
            let cells = [shape.height, shape.width];
            let counted = asked.counted_cells(cells).map_err(BackboneError::from)?;
            if counted != fitted.counted_cells(cells).map_err(BackboneError::from)? {
                let fitted = self.extractor.region();
                let expected = fitted.map_or("none".to_owned(), Region::to_string);
                return Err(DfmError::OtherCells { expected, got: region.to_string() });
            }
        }
        let mut extractor = self.extractor.clone();
        extractor.set_region(Some(region.clone()))?;
        Ok(extractor)
    }

    /// The region that was asked for, for pictures of the size of the fit where that is known. A
    /// rectangle can move, but keeps its size: the network would see another scale.
    fn region_of(&self, asked: &Region) -> Result<Region, DfmError> {
        let got = || asked.to_string();
        let Some(fitted) = self.extractor.region() else {
            return Err(DfmError::NoRegion { got: got() });
        };
        if asked.is_mask() || fitted.is_mask() {
            return Ok(asked.clone());
        }
        if asked.size() != fitted.size() {
            return Err(DfmError::OtherRectangle { expected: fitted.size(), got: got() });
        }
        match fitted.picture_size() {
            Some(size) => Ok(asked.clone().for_pictures_of(size).map_err(BackboneError::from)?),
            None => Ok(asked.clone()),
        }
    }
}
