//! AMX: eight tiles of 16 lines of 64 bytes for each thread.
//!
//! The instructions have no stable intrinsics, so they are written as inline assembly. The compiler
//! uses no tiles itself.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use std::sync::OnceLock;

use super::finish::finish;
use super::kernels::{BYTES, PIXELS, Products, Shape, Sums, TileKernels};

pub(super) const KERNELS: TileKernels = TileKernels { begin, end, multiply, store, finish };

/// Whether this processor has the tiles, and the system lets this process use them. Asked once.
pub(super) fn is_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| has_instructions() && is_permitted())
}

/// Whether the processor has AMX-INT8 and the AVX-512 that goes with it, and the system saves the
/// tiles of a thread that it interrupts.
fn has_instructions() -> bool {
    let has_vectors = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni");
    if !has_vectors || !is_x86_feature_detected!("xsave") || __cpuid(0).eax < 7 {
        return false;
    }
    let features = __cpuid_count(7, 0).edx;
    let (has_tiles, has_int8) = (features >> 24 & 1 == 1, features >> 25 & 1 == 1);
    // SAFETY: the processor has XSAVE, and std reports AVX-512 only where the system uses it.
    let saved = unsafe { saved() };
    has_tiles && has_int8 && saved >> 17 & 0b11 == 0b11
}

/// The parts of the processor's state that the system saves.
#[target_feature(enable = "xsave")]
unsafe fn saved() -> u64 {
    // SAFETY: the caller vouches for the instruction; register 0 exists wherever it does.
    unsafe { _xgetbv(0) }
}

/// Asks Linux to let this process use tiles, which hold 8 KiB for every thread.
#[cfg(target_os = "linux")]
fn is_permitted() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const TILE_DATA: u64 = 18;
    let result: i64;
    // SAFETY: the call takes two numbers and touches no memory of this process. A system call
    // overwrites `rcx` and `r11`.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") TILE_DATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}

/// Other systems are not asked: nobody has tried them.
#[cfg(not(target_os = "linux"))]
fn is_permitted() -> bool {
    false
}

/// What `ldtilecfg` reads.
#[repr(C, align(64))]
struct Configuration([u8; 64]);

/// Sets up tiles 0 to 3 for sums, 4 and 5 for pixels, 6 and 7 for weights.
unsafe fn begin(Shape { pixels, depth }: Shape) {
    assert!((1..=PIXELS).contains(&pixels) && (1..=BYTES / 4).contains(&depth));
    let mut configuration = Configuration([0; 64]);
    let bytes = &mut configuration.0;
    bytes[0] = 1;
    for (tile, rows, columns) in (0..8).map(|tile| match tile {
        0..4 => (tile, pixels, BYTES),
        4 | 5 => (tile, pixels, 4 * depth),
        _ => (tile, depth, BYTES),
    }) {
        bytes[16 + 2 * tile] = columns as u8;
        bytes[48 + tile] = rows as u8;
    }
    // SAFETY: the caller vouches for the instruction. By the assertion, no tile is larger than the
    // processor's, or it would refuse them.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const configuration, options(nostack, readonly)) };
}

unsafe fn end() {
    // SAFETY: the caller vouches for the instruction.
    unsafe { asm!("tilerelease", options(nostack, nomem)) };
}

/// Runs the products of all chunks. `$multiply` loads the tiles and multiplies them, with the input of
/// the first tile of pixels at `{t}` and that of the second at `{u}`.
macro_rules! products {
    ($products:ident, $($multiply:literal)*) => {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "mov {t}, [{offsets}]",
            "lea {u}, [{second} + {t}]",
            "add {t}, {first}",
            $($multiply,)*
            "add {weights}, {chunk}",
            "add {offsets}, 8",
            "dec {count}",
            "jnz 2b",
            t = out(reg) _,
            u = out(reg) _,
            first = in(reg) $products.inputs[0],
            second = in(reg) $products.inputs[1],
            step = in(reg) $products.step,
            offsets = inout(reg) $products.offsets.as_ptr() => _,
            count = inout(reg) $products.offsets.len() => _,
            weights = inout(reg) $products.weights => _,
            line = in(reg) $products.blocks * BYTES,
            chunk = in(reg) $products.blocks * $products.shape.depth * BYTES,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack, readonly),
        )
    };
}

/// Tiles 0 and 1 get the sums of the first tile of pixels, and 2 and 3 those of the second.
unsafe fn multiply(products: &Products<'_>) {
    assert!(!products.offsets.is_empty());
    // SAFETY: the caller vouches for the instructions, the tiles' shape and the inputs. The loop runs
    // once for every offset, and reads as many lines of weights as the caller vouches for.
    unsafe {
        match (products.tiles, products.blocks) {
            (2, 2) => products!(
                products,
                "tileloadd tmm4, [{t} + {step}*1]"
                "tileloadd tmm6, [{weights} + {line}*1]"
                "tdpbusd tmm0, tmm4, tmm6"
                "tileloadd tmm7, [{weights} + {line}*1 + 64]"
                "tdpbusd tmm1, tmm4, tmm7"
                "tileloadd tmm5, [{u} + {step}*1]"
                "tdpbusd tmm2, tmm5, tmm6"
                "tdpbusd tmm3, tmm5, tmm7"
            ),
            (1, 2) => products!(
                products,
                "tileloadd tmm4, [{t} + {step}*1]"
                "tileloadd tmm6, [{weights} + {line}*1]"
                "tdpbusd tmm0, tmm4, tmm6"
                "tileloadd tmm7, [{weights} + {line}*1 + 64]"
                "tdpbusd tmm1, tmm4, tmm7"
            ),
            (2, 1) => products!(
                products,
                "tileloadd tmm4, [{t} + {step}*1]"
                "tileloadd tmm6, [{weights} + {line}*1]"
                "tdpbusd tmm0, tmm4, tmm6"
                "tileloadd tmm5, [{u} + {step}*1]"
                "tdpbusd tmm2, tmm5, tmm6"
            ),
            (1, 1) => products!(
                products,
                "tileloadd tmm4, [{t} + {step}*1]"
                "tileloadd tmm6, [{weights} + {line}*1]"
                "tdpbusd tmm0, tmm4, tmm6"
            ),
            (tiles, blocks) => unreachable!("{tiles} tiles by {blocks} blocks"),
        }
    }
}

/// Compiled code uses no tiles, so that they still hold what [`multiply`] left there.
unsafe fn store(sums: &mut Sums) {
    // SAFETY: the caller vouches for the instructions. The sums have room for four tiles of 16 lines of
    // 64 bytes.
    unsafe {
        asm!(
            "tilestored [{sums} + {line}*1], tmm0",
            "tilestored [{sums} + {line}*1 + 1024], tmm1",
            "tilestored [{sums} + {line}*1 + 2048], tmm2",
            "tilestored [{sums} + {line}*1 + 3072], tmm3",
            sums = in(reg) &raw mut *sums,
            line = in(reg) BYTES,
            options(nostack),
        );
    }
}
