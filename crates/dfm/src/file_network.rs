//! What a network from a file needs beside one of a known name.

use std::path::{Path, PathBuf};

use dfm_core::{FeatureExtractor, Tap};

use crate::error::Error;
use crate::network::Network;
use crate::note::Note;
use crate::observer::Observer;

impl Network {
    /// `taps` in the order of the network. Names tell the order of a known network. For one that a file describes,
    /// its graph does, whatever the layers are called.
    ///
    /// Cost: reads the file of such a network once more, if there is more than one tap; as often as there are taps,
    /// if the last name is the first layer.
    ///
    /// # Errors
    ///
    /// If the weights cannot be had or lack a layer; [`Error::LayersApart`] if no layer lies behind all others.
    pub fn in_order(&self, taps: &[Tap]) -> Result<Vec<Tap>, Error> {
        let mut ordered = taps.to_vec();
        if taps.len() < 2 || self.file().is_none() {
            return Ok(ordered);
        }
        // The layer whose name comes last is tried first: names are often in the order of the network.
        ordered.sort_by_key(|tap| tap.layer);
        for last in ordered.clone().iter().rev() {
            let weights = self.weights(last.layer.reach())?;
            let graph = weights.graph();
            let place = |tap: &Tap| graph.tap(tap.layer.reach().name());
            if ordered.iter().all(|tap| place(tap).is_some()) {
                // A stable sort: an average stays behind its last layer.
                ordered.sort_by_key(place);
                return Ok(ordered);
            }
        }
        Err(Error::LayersApart(taps.iter().map(|tap| tap.layer).collect()))
    }

    /// Checks that the file of the network is there, if what names it can only be a file.
    pub(crate) fn check_file(&self) -> Result<(), Error> {
        let Some(name) = &self.spec().backbone else { return Ok(()) };
        let is_path = name.contains(['/', '\\']) || name.to_ascii_lowercase().ends_with(".onnx");
        match is_path && self.architecture().is_none() && !Path::new(name).exists() {
            true => Err(Error::NoFile { path: PathBuf::from(name) }),
            false => Ok(()),
        }
    }

    /// Says how the values of pixels become numbers, if an ONNX file is the network and nobody stated it.
    pub(crate) fn tell_pixels(&self, extractor: &FeatureExtractor, observer: &dyn Observer) {
        let spec = self.spec();
        let header = extractor.weights().header();
        if spec.normalisation.is_none() && spec.backbone.is_some() && header.architecture.is_of_onnx() {
            observer.note(&Note::Pixels { normalisation: header.input.normalisation().to_string() });
        }
    }

    /// The file that holds the network.
    fn file(&self) -> Option<&Path> {
        let named = self.spec().backbone.as_deref().or(self.spec().weights.as_deref())?;
        let path = Path::new(named);
        (self.architecture().is_none() && path.is_file()).then_some(path)
    }
}
