//! What a value is, whatever the size of the picture.

use std::fmt;

use crate::error::{GraphError, shown};
use crate::limits::{LARGEST_WINDOW, LONGEST_GRID, MOST_CHANNELS, MOST_PREFIX};
use crate::operation::{Convolution, Operation};
use crate::window::{Padding, Window};

/// What a value is, whatever the size of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Form {
    /// The channels of each pixel or token.
    pub channels: usize,
    /// Whether it is a map or tokens.
    pub layout: Layout,
}

/// How the numbers of a value are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// A map `[C, H, W]`.
    Map,
    /// Tokens `[prefix + H · W, C]`.
    Tokens {
        /// The tokens before those of the grid, such as a class token.
        prefix: usize,
    },
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.layout {
            Layout::Map => write!(f, "a map of {} channels", self.channels),
            Layout::Tokens { prefix } => write!(f, "tokens of {} channels, {prefix} before", self.channels),
        }
    }
}

/// Checks the operation of `node`, and says what it makes of its inputs, whose number is right.
pub(crate) fn infer(node: &str, operation: &Operation, inputs: &[Form]) -> Result<Form, GraphError> {
    let check = Check { node, operation };
    let map = |channels| Form { channels, layout: Layout::Map };
    let form = match (operation, inputs) {
        (Operation::Picture, _) => map(3),
        (Operation::Convolution(convolution), [input]) => {
            check.convolution(convolution, check.map(*input)?)?;
            map(convolution.out)
        }
        (Operation::MaxPool(window) | Operation::AveragePool { window, .. }, [input]) => {
            check.window(window)?;
            check.field("dilation", window.dilation == [1; 2], "1 in a pool", || {
                format!("{:?}", window.dilation)
            })?;
            map(check.map(*input)?)
        }
        (Operation::GlobalAverage, [input]) => map(check.map(*input)?),
        (Operation::Add, [one, other]) => {
            check.inputs(one == other, "two values of one shape", inputs)?;
            *one
        }
        (Operation::Multiply, [one, other]) => {
            check.inputs(one == other, "two values of one shape, or a map and a 1×1 map", inputs)?;
            *one
        }
        (Operation::Mean, [first, rest @ ..]) => {
            check.inputs(rest.iter().all(|other| other == first), "values of one shape", inputs)?;
            *first
        }
        (Operation::Concatenate, [first, rest @ ..]) => {
            let alike = rest.iter().all(|other| other.layout == first.layout);
            check.inputs(alike, "maps alone or tokens alone, with one number of prefix tokens", inputs)?;
            Form { channels: inputs.iter().map(|form| form.channels).sum(), ..*first }
        }
        (Operation::Linear { out }, [input]) => Form { channels: *out, ..*input },
        (Operation::LayerNorm { epsilon } | Operation::GlobalResponseNorm { epsilon }, [input]) => {
            let fits = epsilon.is_finite() && (0.0..1.0).contains(epsilon);
            check.field("epsilon", fits, "from 0 up to 1", || epsilon.to_string())?;
            if matches!(operation, Operation::GlobalResponseNorm { .. }) {
                check.map(*input)?;
            }
            *input
        }
        (Operation::Attention { heads }, [input]) => {
            check.tokens(*input)?;
            let fits = *heads > 0 && input.channels.is_multiple_of(heads.saturating_mul(3));
            let expected = "a divisor of a third of the channels";
            check.field("heads", fits, expected, || format!("{heads} for {} channels", input.channels))?;
            Form { channels: input.channels / 3, ..*input }
        }
        (Operation::ToTokens, [input]) => {
            Form { channels: check.map(*input)?, layout: Layout::Tokens { prefix: 0 } }
        }
        (Operation::PrefixTokens { count }, [input]) => {
            let before = check.tokens(*input)?;
            check.within("count", *count, MOST_PREFIX)?;
            check.within("prefix tokens", before + count, MOST_PREFIX)?;
            Form { layout: Layout::Tokens { prefix: before + count }, ..*input }
        }
        (Operation::Positions { grid, prefix, .. }, [input]) => {
            check.within("rows of the grid", grid[0], LONGEST_GRID)?;
            check.within("columns of the grid", grid[1], LONGEST_GRID)?;
            let got = check.tokens(*input)?;
            check.field("prefix", got == *prefix, &format!("that of the tokens, {got}"), || {
                prefix.to_string()
            })?;
            *input
        }
        (Operation::ToMap, [input]) => {
            check.tokens(*input)?;
            map(input.channels)
        }
        (Operation::Activation(_) | Operation::Scale, [input]) => *input,
        _ => return Err(check.wrong_inputs("another number of values", inputs)),
    };
    check.within("channels", form.channels, MOST_CHANNELS)?;
    Ok(form)
}

/// The checks of one node.
struct Check<'a> {
    node: &'a str,
    operation: &'a Operation,
}

impl Check<'_> {
    fn field(
        &self,
        field: &'static str,
        fits: bool,
        expected: &str,
        got: impl Fn() -> String,
    ) -> Result<(), GraphError> {
        match fits {
            true => Ok(()),
            false => Err(GraphError::Field {
                node: shown(self.node),
                field,
                expected: expected.to_owned(),
                got: got(),
            }),
        }
    }

    fn within(&self, field: &'static str, value: usize, most: usize) -> Result<(), GraphError> {
        self.field(field, (1..=most).contains(&value), &format!("between 1 and {most}"), || value.to_string())
    }

    fn inputs(&self, fits: bool, expected: &str, got: &[Form]) -> Result<(), GraphError> {
        if fits { Ok(()) } else { Err(self.wrong_inputs(expected, got)) }
    }

    fn wrong_inputs(&self, expected: &str, got: &[Form]) -> GraphError {
        let got: Vec<String> = got.iter().take(8).map(Form::to_string).collect();
        GraphError::Inputs {
            node: shown(self.node),
            operation: self.operation.name(),
            expected: expected.to_owned(),
            got: got.join("; "),
        }
    }

    /// The channels of a map.
    fn map(&self, input: Form) -> Result<usize, GraphError> {
        self.inputs(input.layout == Layout::Map, "a map", &[input])?;
        Ok(input.channels)
    }

    /// The prefix of tokens.
    fn tokens(&self, input: Form) -> Result<usize, GraphError> {
        match input.layout {
            Layout::Tokens { prefix } => Ok(prefix),
            Layout::Map => Err(self.wrong_inputs("tokens", &[input])),
        }
    }

    fn convolution(&self, convolution: &Convolution, channels: usize) -> Result<(), GraphError> {
        let Convolution { out, groups, window } = convolution;
        self.within("output channels", *out, MOST_CHANNELS)?;
        let fits = *groups > 0 && channels.is_multiple_of(*groups) && out.is_multiple_of(*groups);
        self.field("groups", fits, "a divisor of the input and output channels", || {
            format!("{groups} for {channels} and {out} channels")
        })?;
        self.window(window)
    }

    fn window(&self, window: &Window) -> Result<(), GraphError> {
        for axis in [0, 1] {
            self.within("kernel", window.kernel[axis], LARGEST_WINDOW)?;
            self.within("stride", window.stride[axis], LARGEST_WINDOW)?;
            self.within("dilation", window.dilation[axis], LARGEST_WINDOW)?;
            if let Padding::Explicit { begin, end } = window.padding {
                // Every window then holds an element of the map.
                let (most, extent) = (begin[axis].max(end[axis]), window.extent(axis));
                let expected = format!("less than the extent of the window, {extent}");
                self.field("padding", most < extent, &expected, || most.to_string())?;
            }
        }
        Ok(())
    }
}
