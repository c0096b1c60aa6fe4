//! How a feature map lies in memory.

/// A map of `channels` × `height` × `width` in blocks of sixteen channels, `[block][y][x][channel]`, each block with a border of
/// `border` pixels on all sides. A map of a few channels, the network's input, is one block of `lanes` channels instead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::net) struct Plane {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    pub border: usize,
    pub lanes: usize,
}

impl Plane {
    #[cfg(test)]
    pub(super) fn blocked(channels: usize, height: usize, width: usize, border: usize) -> Plane {
        Plane { channels, height, width, border, lanes: super::LANES }
    }

    pub(in crate::net) fn blocks(&self) -> usize {
        self.channels.div_ceil(self.lanes)
    }

    /// Numbers from one row to the next.
    pub(in crate::net) fn row(&self) -> usize {
        (self.width + 2 * self.border) * self.lanes
    }

    /// Numbers from one block to the next.
    pub(in crate::net) fn block(&self) -> usize {
        (self.height + 2 * self.border) * self.row()
    }

    /// Numbers of the whole map.
    pub(in crate::net) fn len(&self) -> usize {
        self.blocks() * self.block()
    }

    /// The first number of a pixel in the first block; the border begins at (0, 0) − border.
    pub(in crate::net) fn at(&self, y: usize, x: usize) -> usize {
        (y + self.border) * self.row() + (x + self.border) * self.lanes
    }

    /// Writes the border of every block.
    pub(in crate::net) fn fill_border<T: Copy>(&self, map: &mut [T], value: T) {
        if self.border == 0 {
            return;
        }
        let (row, side) = (self.row(), self.border * self.lanes);
        for block in map[..self.len()].chunks_exact_mut(self.block()) {
            let (above, rest) = block.split_at_mut(self.border * row);
            let (rows, below) = rest.split_at_mut(self.height * row);
            above.fill(value);
            below.fill(value);
            for line in rows.chunks_exact_mut(row) {
                line[..side].fill(value);
                line[row - side..].fill(value);
            }
        }
    }
}

/// The window of a convolution or a pooling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::net) struct Window {
    pub height: usize,
    pub width: usize,
    pub stride: usize,
    pub top: usize,
    pub left: usize,
}

impl Window {
    /// The border that an input needs so that no window of the output leaves it.
    pub(in crate::net) fn border(&self, input: (usize, usize), output: (usize, usize)) -> usize {
        let reach = |outputs: usize, size: usize, before: usize, inputs: usize| {
            ((outputs.max(1) - 1) * self.stride + size).saturating_sub(before + inputs)
        };
        let below = reach(output.0, self.height, self.top, input.0);
        let right = reach(output.1, self.width, self.left, input.1);
        self.top.max(self.left).max(below).max(right)
    }
}
