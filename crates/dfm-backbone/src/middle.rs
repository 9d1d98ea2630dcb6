//! The blocks in the middle of a transformer.

use dfm_graph::{Graph, Layout};

use crate::architecture::Architecture;
use crate::layer::Layer;

/// The blocks of the largest DINOv2, and the first and the last of those that SubspaceAD averages there
/// (arXiv 2602.23013).
const PUBLISHED: (usize, usize, usize) = (40, 22, 28);

impl Architecture {
    /// The average of the middle blocks of a transformer: of 40 blocks `blocks.22` to `blocks.28`, as
    /// SubspaceAD does with the largest DINOv2 (arXiv 2602.23013), else the middle third, rounded outwards.
    /// `None` for a network whose blocks give no tokens, or with fewer than four blocks.
    ///
    /// ```
    /// use dfm_backbone::Architecture;
    ///
    /// let middle = |name| Architecture::known(name)?.middle_blocks().map(|layer| layer.to_string());
    /// assert_eq!(middle("vit_small_patch14_dinov2").as_deref(), Some("mean:blocks.4..blocks.7"));
    /// assert_eq!(middle("resnet18"), None);
    /// ```
    pub fn middle_blocks(&self) -> Option<Layer> {
        let [first, last] = middle_of(blocks(&self.graph().ok()?))?;
        format!("mean:blocks.{first}..blocks.{last}").parse().ok()
    }
}

/// The number of blocks that give tokens.
fn blocks(graph: &Graph) -> usize {
    let gives_tokens = |block: &usize| {
        let node = graph.tap(&format!("blocks.{block}"));
        node.is_some_and(|node| matches!(graph.node(node).form().layout, Layout::Tokens { .. }))
    };
    (0..graph.nodes().len()).take_while(gives_tokens).count()
}

fn middle_of(blocks: usize) -> Option<[usize; 2]> {
    match blocks {
        0..4 => None,
        count if count == PUBLISHED.0 => Some([PUBLISHED.1, PUBLISHED.2]),
        count => Some([count / 3, (2 * count).div_ceil(3) - 1]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_a_third_or_what_was_published() {
        assert_eq!(middle_of(3), None);
        assert_eq!(middle_of(4), Some([1, 2]));
        assert_eq!(middle_of(12), Some([4, 7]));
        assert_eq!(middle_of(24), Some([8, 15]));
        assert_eq!(middle_of(40), Some([22, 28]));
        assert_eq!(Architecture::known("efficientnet_b0").unwrap().middle_blocks(), None);
    }
}
