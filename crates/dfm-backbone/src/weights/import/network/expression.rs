//! Functions of one number, as they are computed step by step.
//!
//! Exporters write the same function in many ways: GELU alone has a dozen. A chain of steps that depends on
//! one value is therefore kept as an expression, and recognised by what it computes: it is evaluated at many
//! points and compared with the functions that we know.

use std::f64::consts::FRAC_1_SQRT_2;
use std::rc::Rc;

use dfm_graph::Activation;

/// The most steps of an expression.
const MOST_STEPS: usize = 32;

/// A step of an expression.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// The value itself.
    Value,
    /// A function of one number.
    Of(Function, Rc<Expression>),
    /// Two expressions of the same value.
    Both(Operator, Rc<Expression>, Rc<Expression>),
    /// An expression and a number.
    With(Operator, Rc<Expression>, f64),
    /// A number and an expression.
    Behind(Operator, f64, Rc<Expression>),
}

/// A function of one number that ONNX has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Function {
    Clip(f64, f64),
    Sigmoid,
    Tanh,
    Erf,
    Exp,
    Sqrt,
    Negative,
    Reciprocal,
    /// A function that we have.
    Known(Activation),
}

/// An operator of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
}

/// An expression, and the ONNX node that ends it.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    pub(super) step: Step,
    /// The index of the ONNX node.
    pub(super) node: usize,
    steps: usize,
}

/// What an expression computes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Meaning {
    Activation(Activation),
    /// A factor and a number that is added.
    Affine(f64, f64),
}

impl Expression {
    /// An expression; `None` if it has too many steps.
    pub(super) fn new(step: Step, node: usize) -> Option<Self> {
        let steps = 1 + match &step {
            Step::Value => 0,
            Step::Of(_, one) | Step::With(_, one, _) | Step::Behind(_, _, one) => one.steps,
            Step::Both(_, one, other) => one.steps + other.steps,
        };
        (steps <= MOST_STEPS).then_some(Self { step, node, steps })
    }

    /// Whether it is the value itself.
    pub(super) fn is_value(&self) -> bool {
        matches!(self.step, Step::Value)
    }

    /// What it computes of `x`.
    fn at(&self, x: f64) -> f64 {
        match &self.step {
            Step::Value => x,
            Step::Of(function, one) => function.at(one.at(x)),
            Step::Both(operator, one, other) => operator.of(one.at(x), other.at(x)),
            Step::With(operator, one, number) => operator.of(one.at(x), *number),
            Step::Behind(operator, number, one) => operator.of(*number, one.at(x)),
        }
    }

    /// Whether a step cuts at a number that none of the functions that we have cuts at, and that lies so far out
    /// that a comparison at points could miss it.
    fn cuts_far_out(&self) -> bool {
        let is_far = |bound: f64| bound.abs() > FAR && bound.abs() < f64::from(f32::MAX);
        match &self.step {
            Step::Value => false,
            Step::Of(Function::Clip(least, most), _) if is_far(*least) || is_far(*most) => true,
            Step::Of(_, one) | Step::With(_, one, _) | Step::Behind(_, _, one) => one.cuts_far_out(),
            Step::Both(_, one, other) => one.cuts_far_out() || other.cuts_far_out(),
        }
    }

    /// What it computes, if it is something that we have.
    pub(super) fn meaning(&self) -> Option<Meaning> {
        if let Step::Of(Function::Known(activation), one) = &self.step
            && one.is_value()
        {
            return Some(Meaning::Activation(*activation));
        }
        if self.cuts_far_out() {
            return None;
        }
        // Most functions differ at the first points.
        let agrees = |expected: &dyn Fn(f64) -> f64| {
            points().all(|x| (self.at(x) - expected(x)).abs() <= 2e-6 * (1.0 + x.abs()))
        };
        let found = ACTIVATIONS.into_iter().find(|activation| agrees(&|x| known(*activation, x)));
        if let Some(activation) = found {
            return Some(Meaning::Activation(activation));
        }
        let (shift, factor) = (self.at(0.0), (self.at(64.0) - self.at(-64.0)) / 128.0);
        let is_affine = points().all(|x| {
            let expected = factor * x + shift;
            (self.at(x) - expected).abs() <= 1e-9 * (shift.abs() + (factor * x).abs())
        });
        (is_affine && factor.is_finite() && shift.is_finite()).then_some(Meaning::Affine(factor, shift))
    }
}

impl Function {
    fn at(self, x: f64) -> f64 {
        match self {
            Self::Clip(least, most) => x.max(least).min(most),
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => x.tanh(),
            Self::Erf => erf(x),
            Self::Exp => x.exp(),
            Self::Sqrt => x.sqrt(),
            Self::Negative => -x,
            Self::Reciprocal => x.recip(),
            Self::Known(activation) => known(activation, x),
        }
    }
}

impl Operator {
    pub(super) fn of(self, one: f64, other: f64) -> f64 {
        match self {
            Self::Add => one + other,
            Self::Subtract => one - other,
            Self::Multiply => one * other,
            Self::Divide => one / other,
            Self::Power => one.powf(other),
        }
    }
}

/// The activations that an expression may turn out to be.
const ACTIVATIONS: [Activation; 9] = [
    Activation::Relu,
    Activation::Relu6,
    Activation::Sigmoid,
    Activation::HardSigmoid,
    Activation::HardSwish,
    Activation::Silu,
    Activation::GeluErf,
    Activation::GeluTanh,
    Activation::QuickGelu,
];

/// No function that we have is cut at a number beyond this one.
const FAR: f64 = 300.0;

/// Where functions are compared: closely where they bend, and far out up to 1e30.
fn points() -> impl Iterator<Item = f64> {
    let far = (9..=263).map(|step| 1.3_f64.powi(step)).flat_map(|x| [x, -x]);
    let close = (-500..=500).map(|step| f64::from(step) * 0.025 + 0.0013);
    let first = [1.0, -1.0, 4.0, -4.0, 8.0, -300.0, -64.0, -32.0, -20.0, 0.0, 20.0, 32.0, 64.0, 300.0];
    first.into_iter().chain(close).chain(far)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn known(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Sigmoid => sigmoid(x),
        Activation::HardSigmoid => (x + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::Silu => x * sigmoid(x),
        Activation::GeluErf => x * (1.0 + erf(x * FRAC_1_SQRT_2)) / 2.0,
        Activation::GeluTanh => {
            x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh()) / 2.0
        }
        Activation::QuickGelu => x * sigmoid(1.702 * x),
        _ => f64::NAN,
    }
}

/// The error function, to about 1e-13: its series near zero, and a continued fraction further out.
fn erf(x: f64) -> f64 {
    let z = x.abs();
    let root_of_pi = std::f64::consts::PI.sqrt();
    let value = if z < 3.0 {
        let (mut term, mut sum) = (z, z);
        for n in 1..120 {
            term *= 2.0 * z * z / f64::from(2 * n + 1);
            sum += term;
        }
        2.0 / root_of_pi * (-z * z).exp() * sum
    } else {
        let fraction = (1..=60).rev().fold(z, |below, n| z + f64::from(n) / 2.0 / below);
        1.0 - (-z * z).exp() / (root_of_pi * fraction)
    };
    value.copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(step: Step) -> Rc<Expression> {
        Rc::new(Expression::new(step, 0).unwrap())
    }

    fn with(operator: Operator, one: &Rc<Expression>, number: f64) -> Rc<Expression> {
        expression(Step::With(operator, one.clone(), number))
    }

    #[test]
    fn the_error_function_is_right() {
        // scipy.special.erf
        for (x, expected) in [
            (0.1, 0.1124629160182849),
            (1.0, 0.8427007929497149),
            (2.9, 0.9999589021219005),
            (3.1, 0.9999883513426328),
        ] {
            assert!((erf(x) - expected).abs() < 1e-12, "{x}: {}", erf(x));
            assert!((erf(-x) + expected).abs() < 1e-12);
        }
        assert_eq!((erf(0.0), erf(300.0)), (0.0, 1.0));
    }

    #[test]
    fn a_function_is_recognised_however_it_is_written() {
        let x = expression(Step::Value);
        let root = f64::from(2.0_f32.sqrt());
        let inner = expression(Step::Of(Function::Erf, with(Operator::Divide, &x, root)));
        let inner = with(Operator::Add, &inner, 1.0);
        let gelu =
            expression(Step::Both(Operator::Multiply, with(Operator::Multiply, &x, 0.5), inner.clone()));
        assert_eq!(gelu.meaning(), Some(Meaning::Activation(Activation::GeluErf)));
        let other =
            with(Operator::Multiply, &expression(Step::Both(Operator::Multiply, x.clone(), inner)), 0.5);
        assert_eq!(other.meaning(), gelu.meaning());
        // With another factor it is no function that we have.
        assert_eq!(with(Operator::Multiply, &gelu, 1.01).meaning(), None);
        let clipped = expression(Step::Of(Function::Clip(0.0, 6.0), with(Operator::Add, &x, 3.0)));
        let swish =
            expression(Step::Both(Operator::Multiply, x.clone(), with(Operator::Divide, &clipped, 6.0)));
        assert_eq!(swish.meaning(), Some(Meaning::Activation(Activation::HardSwish)));
        let line = with(Operator::Add, &with(Operator::Multiply, &x, -0.125), 3.0);
        assert_eq!(line.meaning(), Some(Meaning::Affine(-0.125, 3.0)));
        assert_eq!(with(Operator::Power, &x, 2.0).meaning(), None);
        assert_eq!(expression(Step::Of(Function::Clip(0.0, 4.0), x)).meaning(), None);
    }

    #[test]
    fn a_cut_far_out_is_seen() {
        let x = expression(Step::Value);
        let clip = |least: f64, most: f64, one: &Rc<Expression>| {
            expression(Step::Of(Function::Clip(least, most), one.clone())).meaning()
        };
        for most in [100.0, 290.0, 310.0, 400.0, 1e6, 1e30] {
            assert_eq!(clip(0.0, most, &x), None, "Relu up to {most}");
            assert_eq!(clip(-most, most, &x), None, "x up to {most}");
        }
        // The cut lies at 1e9.
        let small = with(Operator::Multiply, &x, 1e-7);
        assert_eq!(clip(-100.0, 100.0, &small), None);
        let no_bound = f64::from(f32::MAX);
        assert_eq!(clip(0.0, no_bound, &x), Some(Meaning::Activation(Activation::Relu)));
        assert_eq!(clip(-no_bound, f64::INFINITY, &x), Some(Meaning::Affine(1.0, 0.0)));
    }

    #[test]
    fn an_expression_that_doubles_at_each_step_ends() {
        let mut one = expression(Step::Value);
        // 3, 7, 15 and 31 steps; the limit is 32.
        for _ in 0..4 {
            one = Rc::new(Expression::new(Step::Both(Operator::Add, one.clone(), one), 0).unwrap());
        }
        assert!(Expression::new(Step::Both(Operator::Add, one.clone(), one), 0).is_none());
    }
}
