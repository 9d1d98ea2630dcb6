//! Gradient noise after Perlin (*Improving Noise*, SIGGRAPH 2002).

use crate::stream::{direction, mix};

/// Smooth noise over the plane, within ±√½ and 0 at whole coordinates. Each seed gives another
/// pattern. Each point of the lattice has a gradient. Between four points, the planes of their
/// gradients are mixed by Perlin's fade `6t⁵ − 15t⁴ + 10t³`.
///
/// Gradients are unit vectors from a hash of the point instead of a table, so the pattern never
/// repeats. The gradients of the last cell are remembered, so a walk along pixels costs little more
/// than the mixing.
#[derive(Debug, Clone)]
pub struct Perlin {
    seed: u64,
    /// The last cell, by its lower corner, and the gradients of its corners: two below, two above.
    cell: Option<([i64; 2], [[f64; 2]; 4])>,
}

impl Perlin {
    /// The pattern of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, cell: None }
    }

    /// The value at a point. Coordinates must be finite; beyond ±2⁶³ all values are equal.
    pub fn at(&mut self, x: f64, y: f64) -> f64 {
        let corner = [x.floor() as i64, y.floor() as i64];
        let gradients = self.gradients(corner);
        let [u, v] = [x - x.floor(), y - y.floor()];
        let plane = |corner: usize, u: f64, v: f64| {
            let [across, down] = gradients[corner];
            across * u + down * v
        };
        let [below, above] = [
            mixed(plane(0, u, v), plane(1, u - 1.0, v), fade(u)),
            mixed(plane(2, u, v - 1.0), plane(3, u - 1.0, v - 1.0), fade(u)),
        ];
        mixed(below, above, fade(v))
    }

    fn gradients(&mut self, corner: [i64; 2]) -> [[f64; 2]; 4] {
        match self.cell {
            Some((known, gradients)) if known == corner => gradients,
            _ => {
                let of = |across: i64, down: i64| {
                    let [x, y] = [corner[0].wrapping_add(across), corner[1].wrapping_add(down)];
                    direction(mix(mix(self.seed ^ x as u64) ^ y as u64))
                };
                let gradients = [of(0, 0), of(1, 0), of(0, 1), of(1, 1)];
                self.cell = Some((corner, gradients));
                gradients
            }
        }
    }
}

fn fade(t: f64) -> f64 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}

fn mixed(one: f64, other: f64, share: f64) -> f64 {
    one + share * (other - one)
}
