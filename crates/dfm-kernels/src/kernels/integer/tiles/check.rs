//! Compares products of tiles with the portable kernels, bit for bit. Where there are no tiles, plain
//! Rust stands for them, so that packing, copies and addresses are tested on every processor.

use super::convolution::TiledConvolution;
use super::kernels::TileKernels;
use super::portable;
use crate::convolution::Convolution;
use crate::instructions::InstructionSet;
use crate::kernels::integer::convolution::IntegerConvolution;
use crate::kernels::integer::ends::{IntegerEnds, Residual};
use crate::kernels::integer::set::IntegerKernels;
use crate::kernels::integer::values::{Values, pixels, pixels_mut};
use crate::kernels::step::Step;
use crate::kernels::steps::Steps;
use crate::layout::{LANES, Lanes, Map};
use crate::window::Window;

/// What is added to the sums.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Added {
    Nothing,
    /// Bytes or numbers from a map of their own.
    Apart(Rounded),
    /// A map of the kind of the output, which the results overwrite.
    Overwritten,
}

/// Whether values are rounded.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rounded {
    Yes,
    No,
}

#[derive(Debug, Clone, Copy)]
struct Case {
    channels: [usize; 2],
    size: [usize; 2],
    kernel: usize,
    stride: usize,
    output: Rounded,
    relu: bool,
    added: Added,
}

fn noise(index: usize, seed: usize) -> usize {
    (index.wrapping_mul(2_654_435_761) + seed * 40_503).wrapping_mul(2_246_822_519) >> 13 & 255
}

fn kind(rounded: Rounded, bytes: Values) -> Values {
    if rounded == Rounded::Yes { bytes } else { Values::Floats }
}

fn fill(part: &mut [Lanes], values: Values, map: Map, seed: usize) {
    for channel in 0..map.channels {
        for pixel in 0..map.pixels() {
            let piece = values.piece(map, channel / LANES, pixel);
            let value = noise(channel * map.pixels() + pixel, seed) as u8;
            match values {
                Values::Floats => part[piece].0[channel % LANES] = f32::from(value) - 100.25,
                Values::Bytes | Values::Groups => pixels_mut(part)[piece][channel % LANES] = value,
            }
        }
    }
}

fn read(part: &[Lanes], values: Values, map: Map) -> Vec<f32> {
    let places = (0..map.channels).flat_map(|channel| (0..map.pixels()).map(move |pixel| (channel, pixel)));
    let value = |(channel, pixel): (usize, usize)| {
        let piece = values.piece(map, channel / LANES, pixel);
        match values {
            Values::Floats => part[piece].0[channel % LANES],
            Values::Bytes | Values::Groups => f32::from(pixels(part)[piece][channel % LANES]),
        }
    };
    places.map(value).collect()
}

/// The results of `case` with bytes of the kind `bytes`, by the step that `step` makes.
fn computed(
    case: Case,
    bytes: Values,
    threads: usize,
    step: impl FnOnce(&Convolution, IntegerEnds) -> Step,
) -> Vec<f32> {
    let Case { channels: [inputs, outputs], size: [height, width], kernel, stride, .. } = case;
    let taps = inputs * kernel * kernel;
    let convolution = Convolution {
        out_channels: outputs,
        in_channels_per_group: inputs,
        kernel: [kernel; 2],
        stride,
        padding: kernel / 2,
        groups: 1,
        weight: (0..outputs * taps).map(|index| noise(index, 1) as f32 - 128.0).collect(),
        bias: (0..outputs).map(|index| noise(index, 2) as f32).collect(),
    };
    let input_map = Map { channels: inputs, height, width };
    let output_map = Window::of(&convolution).map(input_map, outputs).expect("an output");
    let output = kind(case.output, bytes);
    let residual = match case.added {
        Added::Nothing => None,
        Added::Apart(rounded) => Some(kind(rounded, bytes)),
        Added::Overwritten => Some(output),
    };
    let (from, to) = (bytes.len(input_map), output.len(output_map));
    // In front of the output, there is room for any residual.
    let apart = from + output_map.len().max(bytes.len(output_map));
    let at = |values: Values| match case.added {
        Added::Overwritten => apart..apart + to,
        _ => from..from + values.len(output_map),
    };
    let ends = IntegerEnds {
        input: 0..from,
        input_map,
        output: apart..apart + to,
        output_map,
        values: output,
        relu: case.relu || case.output == Rounded::Yes,
        residual: residual.map(|values| Residual { at: at(values), values, factor: 0.75 }),
        steps: [1.0, 40.0 * (taps as f32).sqrt()],
    };
    let steps = Steps::new(vec![step(&convolution, ends)], apart + to, 0, 0);
    let mut memory = steps.new_memory(threads);
    memory.fill(f32::NAN);
    fill(&mut memory.arena_mut()[..from], bytes, input_map, 3);
    if let Some(values) = residual {
        fill(&mut memory.arena_mut()[at(values)], values, output_map, 4);
    }
    steps.run(&mut memory, &[], &mut [], |_| ());
    read(&memory.arena_mut()[apart..], output, output_map)
}

/// Compares both kinds of tiles with the portable kernels.
fn agrees(case: Case) {
    let portable_kernels = IntegerKernels::of(InstructionSet::Portable);
    let expected = computed(case, Values::Bytes, 1, |convolution, ends| {
        Step::Integer(IntegerConvolution::new(convolution, portable_kernels, ends))
    });
    assert!(expected.iter().any(|value| *value > 0.0) && expected.iter().any(|value| *value < 255.0));
    let tiles = TileKernels::of(InstructionSet::Amx);
    for (name, kernels) in [("plain Rust", Some(portable::KERNELS)), ("AMX", tiles)] {
        let Some(kernels) = kernels else { continue };
        for threads in [1, 2, 3] {
            let actual = computed(case, Values::Groups, threads, |convolution, ends| {
                Step::Tiled(TiledConvolution::new(convolution, kernels, ends))
            });
            assert!(actual == expected, "{case:?}, {threads} threads, {name}: other bits");
        }
    }
}

const PLAIN: Case = Case {
    channels: [64, 64],
    size: [8, 8],
    kernel: 1,
    stride: 1,
    output: Rounded::Yes,
    relu: true,
    added: Added::Nothing,
};

#[test]
fn tiles_of_this_processor_are_tested_or_said_to_be_missing() {
    let is_tested = TileKernels::of(InstructionSet::Amx).is_some();
    assert_eq!(is_tested, InstructionSet::Amx.is_available());
    let why = "this processor has no AMX tiles, or the system keeps them: plain Rust stands for them";
    #[expect(clippy::print_stderr, reason = "a test that did not run what it is about says so")]
    if !is_tested {
        eprintln!("{why}");
    }
    // Without tiles, no other set has any.
    let others = [InstructionSet::Portable, InstructionSet::Avx2, InstructionSet::Avx512];
    assert!(others.into_iter().all(|set| TileKernels::of(set).is_none()));
}

#[test]
fn tiles_give_the_same_bits_at_every_number_of_channels() {
    for inputs in [1, 16, 20, 33, 48, 64, 70, 128, 200] {
        for outputs in [5, 16, 31, 48, 64, 80, 130] {
            for kernel in [1, 3] {
                agrees(Case { channels: [inputs, outputs], kernel, size: [5, 7], ..PLAIN });
            }
        }
    }
}

#[test]
fn tiles_give_the_same_bits_at_every_size_and_stride() {
    for size in [[1, 1], [1, 33], [2, 3], [17, 5], [16, 16], [9, 31], [40, 34], [13, 65]] {
        for (kernel, stride) in [(1, 1), (1, 2), (3, 1), (3, 2), (5, 1), (7, 2)] {
            for channels in [[20, 36], [64, 32], [96, 48]] {
                agrees(Case { channels, kernel, stride, size, ..PLAIN });
            }
        }
    }
}

#[test]
fn tiles_give_the_same_bits_with_every_kind_of_result_and_residual() {
    use Rounded::{No, Yes};
    for added in [Added::Nothing, Added::Apart(Yes), Added::Apart(No), Added::Overwritten] {
        for (output, relu) in [(Yes, true), (No, true), (No, false)] {
            for channels in [[48, 20], [64, 96]] {
                for (kernel, size) in [(1, [7, 11]), (3, [6, 19]), (3, [24, 40])] {
                    agrees(Case { channels, size, kernel, output, relu, added, ..PLAIN });
                }
            }
        }
    }
}
