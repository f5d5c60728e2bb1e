//! The quantities from which an error bound of an f32 result follows. They take the same loops as the values.

use super::Reference;
use super::position::Position;
use super::quantity::Quantity;

impl Reference<'_> {
    /// Makes the reference compute Σ|terms| of each element, of the output and of the gradients, instead of its value.
    /// A term is a product with one corner of one sample.
    #[must_use]
    pub fn magnitudes(mut self) -> Self {
        self.quantity = Quantity::Magnitude;
        self
    }

    /// Makes the reference compute, instead of each element's value, how much it can differ from the value with
    /// positions rounded to f32: Σ|difference of the terms|. It is 0 unless positions are exact.
    ///
    /// Rounding does not carry a position past a whole number, so a sample changes continuously. A derivative by the
    /// position jumps if rounding carries the position onto a whole number, and the jump counts.
    #[must_use]
    pub fn position_errors(mut self) -> Self {
        self.quantity = Quantity::PositionError;
        self
    }

    /// Reports whether rounding to f32 changes no position, so that all [`Reference::position_errors`] are 0.
    #[must_use]
    pub fn positions_are_f32(&self) -> bool {
        let Some(offset) = self.operands.offset.filter(|_| self.exact_positions) else { return true };
        // Most positions are seen to be exact by their offset: with at most 12 fractional bits a position needs no more
        // than 24 bits in an image of less than 4096 pixels a side, and further out it is outside after rounding too.
        let g = self.geometry;
        let small = g.in_height.max(g.in_width) < 4096;
        if small && offset.iter().all(|offset| (offset * 4096.0).fract() == 0.0 && offset.abs() < 2048.0) {
            return true;
        }
        self.all_positions().all(|(_, position)| position.rounded(g).is(&position))
    }

    /// Returns how many taps read each pixel of an image of an offset group:
    /// `[batch, offset_groups, in_height, in_width]`.
    #[must_use]
    pub fn readers(&self) -> Vec<u32> {
        let g = self.geometry;
        let mut readers = vec![0; g.batch * g.offset_groups * g.in_pixels()];
        for ([b, group], position) in self.all_positions().filter(|(_, position)| position.inside) {
            // The index of a pixel of the first channel.
            for index in self.corner_indices(0, 0, &position).into_iter().flatten() {
                readers[(b * g.offset_groups + group) * g.in_pixels() + index] += 1;
            }
        }
        readers
    }

    /// Returns image and offset group of each tap of each pixel, and its position if that is finite.
    fn all_positions(&self) -> impl Iterator<Item = ([usize; 2], Position)> {
        let g = self.geometry;
        let [taps, pixels] = [g.taps(), g.out_pixels()];
        (0..g.batch * g.offset_groups * taps * pixels).filter_map(move |n| {
            let (plane, oy, ox) = (n / pixels, n % pixels / g.out_width, n % g.out_width);
            let (b, group, tap) = (plane / taps / g.offset_groups, plane / taps % g.offset_groups, plane % taps);
            let position = self.position(b, group * g.channels_per_offset_group(), tap, oy, ox)?;
            Some(([b, group], position))
        })
    }
}
