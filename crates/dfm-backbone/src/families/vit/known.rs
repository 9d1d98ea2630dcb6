//! The vision transformers that are known by name.

use dfm_image::InputContract;

use super::network::Vit;
use crate::families::family::{Family, Known, Shapes};

/// The family, by timm's names.
pub(crate) const VITS: Family = Family { names, network };

/// Patches of 16 pixels, a class token with a position, no registers.
const PLAIN: Vit = Vit {
    patch: 16,
    width: 192,
    depth: 12,
    heads: 3,
    class: true,
    registers: 0,
    grid_alone: false,
    scaled: false,
    norm_before: false,
    epsilon: 1e-6,
    side: 224,
};
const SMALL: Vit = Vit { width: 384, heads: 6, ..PLAIN };
const BASE: Vit = Vit { width: 768, heads: 12, ..PLAIN };
const LARGE: Vit = Vit { width: 1024, depth: 24, heads: 16, ..PLAIN };

const fn deit3(vit: Vit) -> Vit {
    Vit { grid_alone: true, scaled: true, ..vit }
}

const fn dinov2(vit: Vit) -> Vit {
    Vit { patch: 14, side: 518, scaled: true, ..vit }
}

const fn registers(vit: Vit) -> Vit {
    Vit { registers: 4, grid_alone: true, ..dinov2(vit) }
}

const fn clip(vit: Vit) -> Vit {
    Vit { norm_before: true, epsilon: 1e-5, ..vit }
}

const fn siglip(vit: Vit) -> Vit {
    Vit { class: false, ..vit }
}

/// How the values of pictures are normalised: by those of ImageNet, from −1 to 1, or by those of CLIP.
#[derive(Clone, Copy)]
enum Norm {
    ImageNet,
    Symmetric,
    Clip,
}

const KNOWN: [(&str, Vit, Norm); 23] = [
    ("vit_tiny_patch16_224", PLAIN, Norm::Symmetric),
    ("vit_small_patch16_224", SMALL, Norm::Symmetric),
    ("vit_base_patch16_224", BASE, Norm::Symmetric),
    ("vit_large_patch16_224", LARGE, Norm::Symmetric),
    ("vit_small_patch32_224", Vit { patch: 32, ..SMALL }, Norm::Symmetric),
    ("vit_base_patch32_224", Vit { patch: 32, ..BASE }, Norm::Symmetric),
    ("vit_small_patch8_224", Vit { patch: 8, ..SMALL }, Norm::ImageNet),
    ("vit_base_patch8_224", Vit { patch: 8, ..BASE }, Norm::Symmetric),
    ("deit_tiny_patch16_224", PLAIN, Norm::ImageNet),
    ("deit_small_patch16_224", SMALL, Norm::ImageNet),
    ("deit_base_patch16_224", BASE, Norm::ImageNet),
    ("deit3_small_patch16_224", deit3(SMALL), Norm::ImageNet),
    ("deit3_base_patch16_224", deit3(BASE), Norm::ImageNet),
    ("deit3_large_patch16_224", deit3(LARGE), Norm::ImageNet),
    ("vit_small_patch14_dinov2", dinov2(SMALL), Norm::ImageNet),
    ("vit_base_patch14_dinov2", dinov2(BASE), Norm::ImageNet),
    ("vit_large_patch14_dinov2", dinov2(LARGE), Norm::ImageNet),
    ("vit_small_patch14_reg4_dinov2", registers(SMALL), Norm::ImageNet),
    ("vit_base_patch14_reg4_dinov2", registers(BASE), Norm::ImageNet),
    ("vit_large_patch14_reg4_dinov2", registers(LARGE), Norm::ImageNet),
    ("vit_base_patch16_clip_224", clip(BASE), Norm::Clip),
    ("vit_base_patch32_clip_224", Vit { patch: 32, ..clip(BASE) }, Norm::Clip),
    ("vit_base_patch16_siglip_224", siglip(BASE), Norm::Symmetric),
];

fn names() -> &'static [&'static str] {
    const NAMES: [&str; KNOWN.len()] = {
        let mut names = [""; KNOWN.len()];
        let mut index = 0;
        while index < KNOWN.len() {
            names[index] = KNOWN[index].0;
            index += 1;
        }
        names
    };
    &NAMES
}

fn network(name: &str, shapes: Shapes<'_>) -> Option<Known> {
    let (_, vit, norm) = KNOWN.iter().find(|(known, ..)| *known == name)?;
    let plain = InputContract::imagenet().with_size(vit.side, vit.side);
    let with = |mean, standard_deviation| InputContract { mean, standard_deviation, ..plain };
    let input = match norm {
        Norm::ImageNet => plain,
        Norm::Symmetric => with([0.5; 3], [0.5; 3]),
        Norm::Clip => {
            with([0.481_454_66, 0.457_827_5, 0.408_210_73], [0.268_629_54, 0.261_302_6, 0.275_777_1])
        }
    };
    let draft = vit.draft(vit.grid(shapes("pos_embed")));
    Some(Known { draft, input })
}
