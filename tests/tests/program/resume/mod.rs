//! `dfm fit --resume`: a fit that was interrupted, at whatever moment and by whatever,
//! ends with the bytes of one that was not; and no checkpoint makes a wrong model.

mod checkpoint;
mod interrupted;
mod support;
