//! Rows of bytes compared with a query, one by one: the fine half of a search, and all of one that is flat.

use super::dot_four;
use super::top::Top;

/// What is looked for, as levels, padded as rows are; and what one level is worth.
#[derive(Debug, Clone, Copy)]
pub struct Levels<'q> {
    /// A level for each number.
    pub levels: &'q [i16],
    /// What one is worth.
    pub scale: f32,
}

/// Rows of signed bytes, one after another, each as long as the levels of a query; and what one of each row's bytes is worth.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'b> {
    /// The rows.
    pub bytes: &'b [u8],
    /// An `f32` for each row, little endian.
    pub scales: &'b [[u8; 4]],
}

impl<'b> Rows<'b> {
    #[inline(always)]
    fn at(&self, position: u32, stride: usize) -> (&'b [u8], [u8; 4]) {
        let start = position as usize * stride;
        let row = self.bytes.get(start..start + stride).unwrap_or_default();
        (row, self.scales.get(position as usize).copied().unwrap_or_default())
    }
}

/// Offers all rows.
#[inline(never)]
pub fn scan(query: Levels, rows: Rows, top: &mut Top) {
    let stride = query.levels.len();
    if stride == 0 {
        return;
    }
    let blocks = rows.bytes.chunks_exact(4 * stride);
    let (scales, last_scales) = rows.scales.as_chunks::<4>();
    let last = blocks.remainder();
    let mut position = 0;
    for (block, scales) in blocks.zip(scales) {
        let (front, back) = block.split_at(2 * stride);
        let ((a, b), (c, d)) = (front.split_at(stride), back.split_at(stride));
        offer_four(query, [a, b, c, d], *scales, [position, position + 1, position + 2, position + 3], top);
        position += 4;
    }
    for (row, scale) in last.chunks_exact(stride).zip(last_scales) {
        offer(query, (row, *scale), position, top);
        position += 1;
    }
}

/// Offers some rows; positions beyond the last are compared as rows of zeros.
#[inline(never)]
pub fn scan_at(query: Levels, rows: Rows, positions: &[u32], top: &mut Top) {
    let stride = query.levels.len();
    let (fours, last) = positions.as_chunks::<4>();
    for four in fours {
        let [(a, scale_a), (b, scale_b), (c, scale_c), (d, scale_d)] =
            four.map(|position| rows.at(position, stride));
        offer_four(query, [a, b, c, d], [scale_a, scale_b, scale_c, scale_d], *four, top);
    }
    for position in last {
        offer(query, rows.at(*position, stride), *position, top);
    }
}

#[inline(always)]
fn offer_four(query: Levels, rows: [&[u8]; 4], scales: [[u8; 4]; 4], positions: [u32; 4], top: &mut Top) {
    let sums = dot_four(query.levels, rows);
    for ((sum, scale), position) in sums.into_iter().zip(scales).zip(positions) {
        top.offer((sum as f32 * (f32::from_le_bytes(scale) * query.scale), position as usize));
    }
}

fn offer(query: Levels, (row, scale): (&[u8], [u8; 4]), position: u32, top: &mut Top) {
    let [sum, ..] = dot_four(query.levels, [row; 4]);
    top.offer((sum as f32 * (f32::from_le_bytes(scale) * query.scale), position as usize));
}
