//! The connected components of a mask: regions of pixels that touch.

/// Which component each pixel belongs to, and how large it is.
#[derive(Debug, Clone)]
pub(crate) struct Components {
    /// For each pixel, the index in `areas` plus one; 0 if the pixel is not marked.
    pub(crate) of: Vec<u32>,
    /// Pixels of each component, in the order of their first pixels.
    pub(crate) areas: Vec<u32>,
}

/// The components of `mask`, in rows of `width` pixels; pixels that touch at a corner belong
/// together, as in OpenCV and in MVTec's own evaluation.
///
/// Cost: two passes, and four bytes a pixel.
pub(crate) fn components(mask: &[bool], width: usize) -> Components {
    let mut of = vec![0_u32; mask.len()];
    // The first pixel of a tree is its own parent. Index 0 stands for no component.
    let mut parents = vec![0_u32];
    for at in 0..mask.len() {
        if !mask[at] {
            continue;
        }
        let column = at % width;
        let (left, right) = (column > 0, column + 1 < width);
        let neighbours = [
            (left, 1),
            (at >= width && left, width + 1),
            (at >= width, width),
            (at >= width && right, width.saturating_sub(1)),
        ];
        for (there, back) in neighbours {
            let neighbour = if there { of[at - back] } else { 0 };
            match (of[at], neighbour) {
                (_, 0) => {}
                (0, neighbour) => of[at] = neighbour,
                (own, neighbour) => join(&mut parents, own, neighbour),
            }
        }
        if of[at] == 0 {
            of[at] = parents.len() as u32;
            parents.push(of[at]);
        }
    }
    let mut numbers = vec![0_u32; parents.len()];
    let mut areas = Vec::new();
    for component in &mut of {
        if *component == 0 {
            continue;
        }
        let root = root(&mut parents, *component) as usize;
        if numbers[root] == 0 {
            areas.push(0);
            numbers[root] = areas.len() as u32;
        }
        *component = numbers[root];
        areas[*component as usize - 1] += 1;
    }
    Components { of, areas }
}

fn join(parents: &mut [u32], one: u32, other: u32) {
    let (one, other) = (root(parents, one), root(parents, other));
    // The earlier one stays the root.
    parents[one.max(other) as usize] = one.min(other);
}

fn root(parents: &mut [u32], mut component: u32) -> u32 {
    while parents[component as usize] != component {
        let grandparent = parents[parents[component as usize] as usize];
        parents[component as usize] = grandparent;
        component = grandparent;
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(rows: &[&str]) -> Components {
        let mask: Vec<bool> = rows.iter().flat_map(|row| row.bytes().map(|byte| byte == b'#')).collect();
        components(&mask, rows[0].len())
    }

    #[test]
    fn corners_join_and_late_bridges_merge() {
        let found = drawn(&["#.#..#", "#.#.#.", "###...", ".....#"]);
        assert_eq!(found.areas, [7, 2, 1]);
        assert_eq!(found.of[..6], [1, 0, 1, 0, 0, 2]);
        // The ends of rows are no neighbours.
        assert_eq!(drawn(&["..#", "#.."]).areas, [1, 1]);
        assert_eq!(drawn(&["#", "#", ".", "#"]).areas, [2, 1]);
        assert!(drawn(&["..."]).areas.is_empty());
    }
}
