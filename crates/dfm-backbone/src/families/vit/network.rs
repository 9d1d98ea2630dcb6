//! The graph of a vision transformer.

use dfm_graph::{Activation, Convolution, Interpolation, NodeId, Padding};

use crate::families::draft::Draft;

/// What a vision transformer is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vit {
    /// The side of a patch, in pixels.
    pub(crate) patch: usize,
    pub(crate) width: usize,
    pub(crate) depth: usize,
    pub(crate) heads: usize,
    /// Whether there is a class token.
    pub(crate) class: bool,
    /// The number of registers.
    pub(crate) registers: usize,
    /// Whether positions are those of the grid alone, and the prefix tokens have none.
    pub(crate) grid_alone: bool,
    /// Whether each branch ends with a factor for each channel.
    pub(crate) scaled: bool,
    /// Whether there is a norm before the blocks, and no bias in the patches (CLIP).
    pub(crate) norm_before: bool,
    /// The number that layer norms add to a variance.
    pub(crate) epsilon: f64,
    /// The side of the usual pictures.
    pub(crate) side: usize,
}

impl Vit {
    /// The number of prefix tokens.
    fn prefix(&self) -> usize {
        usize::from(self.class) + self.registers
    }

    /// The side of the grid of positions of this shape; that of the usual pictures unless the shape is that
    /// of a square grid.
    pub(super) fn grid(&self, positions: Option<Vec<usize>>) -> usize {
        let usual = self.side / self.patch;
        let Some(dims) = positions else { return usual };
        let all = dims.iter().rev().nth(1).copied().unwrap_or(0);
        let cells = all.saturating_sub(if self.grid_alone { 0 } else { self.prefix() });
        let side = cells.isqrt();
        if side > 0 && side * side == cells { side } else { usual }
    }

    /// The network without its head, with positions for `side` × `side` cells, tapped behind each block
    /// (`blocks.5`) and behind the last norm (`norm`).
    pub(crate) fn draft(&self, side: usize) -> Draft {
        let mut net = Draft::new(&["head", "head_dist", "fc_norm", "attn_pool", "mask_token", "pre_logits"]);
        let picture = net.picture();
        let patches = Convolution::new(self.width, self.patch).stride(self.patch).padded(Padding::NONE);
        let patches = net.convolution("patch_embed.proj", picture, patches);
        match self.norm_before {
            true => net.unbiased(patches, "patch_embed.proj"),
            false => net.plain(patches, "patch_embed.proj"),
        }
        let tokens = net.to_tokens("patch_embed", patches);
        let mut x = match self.grid_alone {
            true => {
                let placed = self.positions(&mut net, tokens, side, 0);
                self.prefixed(&mut net, placed)
            }
            false => {
                let all = self.prefixed(&mut net, tokens);
                self.positions(&mut net, all, side, self.prefix())
            }
        };
        if self.norm_before {
            x = net.plain_norm("norm_pre", x, self.epsilon);
        }
        for index in 0..self.depth {
            x = self.block(&mut net, &format!("blocks.{index}"), x);
            net.tap(&format!("blocks.{index}"), x);
        }
        let last = net.plain_norm("norm", x, self.epsilon);
        net.tap("norm", last);
        net
    }

    fn prefixed(&self, net: &mut Draft, tokens: NodeId) -> NodeId {
        if self.prefix() == 0 {
            return tokens;
        }
        let node = net.prefix_tokens("prefix", tokens, self.prefix());
        let parts = [("cls_token", usize::from(self.class)), ("reg_token", self.registers)];
        let parts: Vec<_> = parts.into_iter().filter(|(_, rows)| *rows > 0).collect();
        net.joined(node, &parts);
        node
    }

    fn positions(&self, net: &mut Draft, tokens: NodeId, side: usize, prefix: usize) -> NodeId {
        let node = net.positions("pos_embed", tokens, [side; 2], prefix, Interpolation::BicubicAntialiased);
        net.joined(node, &[("pos_embed", prefix + side * side)]);
        node
    }

    /// Attention and a two-layer network, each behind a norm and added to what it reads.
    fn block(&self, net: &mut Draft, name: &str, input: NodeId) -> NodeId {
        let path = |part: &str| format!("{name}.{part}");
        let x = net.plain_norm(&path("norm1"), input, self.epsilon);
        let x = net.plain_linear(&path("attn.qkv"), x, 3 * self.width);
        let x = net.attention(&path("attn.heads"), x, self.heads);
        let x = self.last(net, &path("attn.proj"), &path("ls1.gamma"), x);
        let between = net.add(&path("sum"), x, input);
        let x = net.plain_norm(&path("norm2"), between, self.epsilon);
        let x = net.plain_linear(&path("mlp.fc1"), x, 4 * self.width);
        let x = net.activation(&path("mlp.act"), x, Activation::GeluErf);
        let x = self.last(net, &path("mlp.fc2"), &path("ls2.gamma"), x);
        net.add(&path("out"), x, between)
    }

    /// The last matrix product of a branch.
    fn last(&self, net: &mut Draft, name: &str, scale: &str, input: NodeId) -> NodeId {
        let node = net.linear(name, input, self.width);
        match self.scaled {
            true => net.scaled(node, name, scale),
            false => net.plain(node, name),
        }
        node
    }
}
