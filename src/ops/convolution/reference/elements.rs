//! Single elements of the gradients, for layers whose whole gradients would take minutes.

use super::super::gradients::Operand;
use super::Reference;

impl Reference<'_> {
    /// Returns element `n`, in row-major order, of the gradient of an operand.
    ///
    /// # Panics
    /// Panics if there is no such element, or if `grad_output` is shorter than the output.
    #[must_use]
    pub fn gradient_at(&self, operand: Operand, grad_output: &[f32], n: usize) -> f64 {
        let g = self.geometry;
        let pixels = [g.out_height, g.out_width];
        match operand {
            Operand::Input => self.grad_input_at(grad_output, index(n, [g.in_channels, g.in_height, g.in_width])),
            Operand::Offset => {
                self.grad_offset_at(grad_output, index(n, [2 * g.offset_groups * g.taps(), pixels[0], pixels[1]]))
            }
            Operand::Weight => {
                self.grad_weight_at(grad_output, index(n, [g.channels_per_group(), g.kernel_height, g.kernel_width]))
            }
            Operand::Mask => {
                self.grad_mask_at(grad_output, index(n, [g.offset_groups * g.taps(), pixels[0], pixels[1]]))
            }
            Operand::Bias => self.grad_bias_at(grad_output, n),
        }
    }

    /// The gradient of `input[b, c, y, x]`. Every tap of the image may have read it.
    fn grad_input_at(&self, grad_output: &[f32], [b, c, y, x]: [usize; 4]) -> f64 {
        let g = self.geometry;
        let at = ((b * g.in_channels + c) * g.in_height + y) * g.in_width + x;
        let mut sum = 0.0;
        for (tap, oy, ox) in taps_of(g.taps(), g.out_height, g.out_width) {
            let position = self.position(b, c, tap, oy, ox).filter(|position| position.inside);
            let Some(position) = position else { continue };
            let corners = self.corner_indices(b, c, &position).into_iter().zip(self.corner_weights(&position));
            if let Some((_, weight)) = corners.into_iter().find(|(index, _)| *index == Some(at)) {
                let grad_column = self.grad_column_at(grad_output, b, c, tap, oy, ox);
                sum += self.mask(b, c, tap, oy, ox) * grad_column * weight;
            }
        }
        sum
    }

    /// The gradient of `weight[o, c, i, j]`.
    fn grad_weight_at(&self, grad_output: &[f32], [o, c, i, j]: [usize; 4]) -> f64 {
        let g = self.geometry;
        let channel = o / g.out_channels_per_group() * g.channels_per_group() + c;
        let mut sum = 0.0;
        for b in 0..g.batch {
            for (_, oy, ox) in taps_of(1, g.out_height, g.out_width) {
                let grad = grad_output[((b * g.out_channels + o) * g.out_height + oy) * g.out_width + ox];
                sum += self.quantity.operand(grad) * self.column(b, channel, i * g.kernel_width + j, oy, ox);
            }
        }
        sum
    }

    /// The gradient of `mask[b, g·taps + t, oy, ox]`.
    fn grad_mask_at(&self, grad_output: &[f32], [b, channel, oy, ox]: [usize; 4]) -> f64 {
        let tap = channel % self.geometry.taps();
        let sample = |c| self.position(b, c, tap, oy, ox).map_or(0.0, |position| self.sample(b, c, &position));
        let term = |c| self.grad_column_at(grad_output, b, c, tap, oy, ox) * sample(c);
        self.channels_of(channel / self.geometry.taps()).map(term).sum()
    }

    /// The gradient of `offset[b, 2·(g·taps + t) + a, oy, ox]`.
    fn grad_offset_at(&self, grad_output: &[f32], [b, channel, oy, ox]: [usize; 4]) -> f64 {
        let (axis, tap) = (channel % 2, channel / 2 % self.geometry.taps());
        let term = |c| {
            let slopes = self.position(b, c, tap, oy, ox).map_or([0.0; 2], |position| self.slopes(b, c, &position));
            let grad_column = self.grad_column_at(grad_output, b, c, tap, oy, ox);
            self.mask(b, c, tap, oy, ox) * grad_column * slopes[axis]
        };
        self.channels_of(channel / 2 / self.geometry.taps()).map(term).sum()
    }

    fn grad_bias_at(&self, grad_output: &[f32], o: usize) -> f64 {
        let planes = grad_output.chunks(self.geometry.out_pixels()).skip(o).step_by(self.geometry.out_channels);
        planes.flatten().map(|&grad| self.quantity.unsampled(grad)).sum()
    }

    fn channels_of(&self, offset_group: usize) -> std::ops::Range<usize> {
        let channels = self.geometry.channels_per_offset_group();
        offset_group * channels..(offset_group + 1) * channels
    }

    fn grad_column_at(&self, grad_output: &[f32], b: usize, c: usize, tap: usize, oy: usize, ox: usize) -> f64 {
        let g = self.geometry;
        let (group, channel) = (c / g.channels_per_group(), c % g.channels_per_group());
        let rows = group * g.out_channels_per_group()..(group + 1) * g.out_channels_per_group();
        let grad =
            |o| self.quantity.operand(grad_output[((b * g.out_channels + o) * g.out_height + oy) * g.out_width + ox]);
        rows.map(|o| self.weight(o, channel, tap) * grad(o)).sum()
    }
}

/// Returns the index of element `n` along four axes, of which the last three have these sizes.
fn index(n: usize, [depth, height, width]: [usize; 3]) -> [usize; 4] {
    let (n, x) = (n / width, n % width);
    let (n, y) = (n / height, n % height);
    [n / depth, n % depth, y, x]
}

fn taps_of(taps: usize, height: usize, width: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..taps).flat_map(move |tap| (0..height).flat_map(move |oy| (0..width).map(move |ox| (tap, oy, ox))))
}
