//! Vision transformers: ViT, DeiT, DINO, DINOv2 with and without registers, and the image towers of CLIP and
//! SigLIP.
//!
//! Sources: Dosovitskiy et al., *An Image is Worth 16×16 Words* (2021); Touvron et al., *DeiT* (2021) and
//! *DeiT III* (2022); Oquab et al., *DINOv2* (2023); Darcet et al., *Vision Transformers Need Registers*
//! (2024); names as in timm.

mod known;
mod network;

pub(crate) use known::VITS;
