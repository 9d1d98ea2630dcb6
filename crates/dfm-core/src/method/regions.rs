//! What is asked of the regions of maps.

use dfm_backbone::PictureSize;
use serde::{Deserialize, Serialize};

use crate::error::DfmError;

/// Which pixels of a map belong to its regions. What is `None` is not asked for: a call asks before
/// the model does, and the model before what its good pictures say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RegionRule {
    /// The value of the map from which on a pixel belongs to a region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixel_threshold: Option<f64>,
    /// Gaps of up to so many pixels are closed before regions are counted: a pixel below the
    /// threshold belongs to a region too, unless a square of one pixel more a side contains it that
    /// has no pixel at the threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close: Option<u32>,
    /// The least number of pixels of a region; smaller ones are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_area: Option<u32>,
    /// The side of a pixel on the part, in millimetres: areas are then told in mm² too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixel_size: Option<f64>,
}

impl RegionRule {
    /// The widest gap that can be closed, in pixels.
    pub const MAX_CLOSE: u32 = 1024;

    /// Sets the value from which on a pixel belongs to a region.
    #[must_use]
    pub fn with_pixel_threshold(self, pixel_threshold: impl Into<Option<f64>>) -> Self {
        Self { pixel_threshold: pixel_threshold.into(), ..self }
    }

    /// Sets up to how many pixels a gap is closed.
    #[must_use]
    pub fn with_close(self, close: impl Into<Option<u32>>) -> Self {
        Self { close: close.into(), ..self }
    }

    /// Sets the least number of pixels of a region.
    #[must_use]
    pub fn with_min_area(self, min_area: impl Into<Option<u32>>) -> Self {
        Self { min_area: min_area.into(), ..self }
    }

    /// Sets the side of a pixel on the part, in millimetres.
    #[must_use]
    pub fn with_pixel_size(self, pixel_size: impl Into<Option<f64>>) -> Self {
        Self { pixel_size: pixel_size.into(), ..self }
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// This rule; where it asks for nothing, the `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            pixel_threshold: self.pixel_threshold.or(other.pixel_threshold),
            close: self.close.or(other.close),
            min_area: self.min_area.or(other.min_area),
            pixel_size: self.pixel_size.or(other.pixel_size),
        }
    }

    /// The same rule for a picture that was scaled from one size to another.
    #[must_use]
    pub fn scaled(self, from: PictureSize, to: PictureSize) -> Self {
        let [across, down] = [(to.width, from.width), (to.height, from.height)]
            .map(|(to, from)| f64::from(to) / f64::from(from.max(1)));
        Self {
            close: self.close.map(|close| (f64::from(close) * (across * down).sqrt()).round() as u32),
            min_area: self.min_area.map(|area| (f64::from(area) * across * down).round() as u32),
            ..self
        }
    }

    /// Refuses what is out of its range.
    pub(crate) fn check(&self) -> Result<(), DfmError> {
        let positive = |value: Option<f64>| value.is_none_or(|value| value.is_finite() && value > 0.0);
        let refused = |name, expected, got: String| Err(DfmError::Parameter { name, expected, got });
        if !positive(self.pixel_threshold) {
            let got = self.pixel_threshold.unwrap_or_default().to_string();
            return refused(
                "pixel threshold",
                "a number above 0, since pixels that nothing judged are 0",
                got,
            );
        }
        if !positive(self.pixel_size) {
            let got = self.pixel_size.unwrap_or_default().to_string();
            return refused("pixel size", "a number of millimetres above 0", got);
        }
        match self.close {
            Some(close) if close > Self::MAX_CLOSE => {
                refused("gap to close", "0 to 1024 pixels", close.to_string())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_goes_before_what_is_not_and_is_checked() {
        let asked = RegionRule::default().with_close(2).with_pixel_threshold(3.0);
        let usual = RegionRule::default().with_close(9).with_min_area(4).with_pixel_size(0.1);
        let both = asked.or(usual);
        assert_eq!((both.pixel_threshold, both.close, both.min_area), (Some(3.0), Some(2), Some(4)));
        assert!(both.check().is_ok() && RegionRule::default().is_empty());
        for wrong in [
            asked.with_pixel_threshold(0.0),
            asked.with_pixel_threshold(f64::NAN),
            asked.with_pixel_size(-1.0),
            asked.with_close(RegionRule::MAX_CLOSE + 1),
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
        let [from, to] = [[400, 200], [200, 100]].map(|[width, height]| PictureSize { width, height });
        let scaled = usual.with_close(8).with_min_area(40).scaled(from, to);
        assert_eq!((scaled.close, scaled.min_area), (Some(4), Some(10)));
    }
}
