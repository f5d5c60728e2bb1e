//! The reference on the CPU: plain loops over the definition, summed in f64. It is slow and simple, and tests compare
//! every kernel with it.
//!
//! The reference itself is compared with torchvision's results, which are stored under `tests/golden`: the output and
//! all five gradients.

mod elements;
mod errors;
mod position;
mod quantity;

use self::position::Position;
use self::quantity::Quantity;
use super::geometry::Geometry;
use super::gradients::Gradients;
use super::operands::Operands;
use super::options::BorderGradient;
use crate::dtype::rounded;
use crate::error::Result;
use crate::kernel::Sampling;
use crate::plan::check_elements;

/// The operator on host slices.
#[derive(Debug, Clone, Copy)]
pub struct Reference<'a> {
    geometry: &'a Geometry,
    operands: Operands<&'a [f32]>,
    exact_positions: bool,
    border_gradient: BorderGradient,
    quantity: Quantity,
}

impl<'a> Reference<'a> {
    /// Takes the operands of a call with this geometry. Positions are rounded to f32 once, as by the kernels.
    /// Everything else is f64.
    ///
    /// # Errors
    /// Returns [`Error::ElementCount`](crate::Error::ElementCount) if the length of a slice does not fit the geometry.
    /// The length is 0 for an operand that the call does not have.
    pub fn new(geometry: &'a Geometry, operands: impl Into<Operands<&'a [f32]>>) -> Result<Self> {
        let (g, operands) = (geometry, operands.into());
        let offset_channels = g.offset_groups * g.taps();
        let deformed = g.sampling == Sampling::Deformed;
        let check = |there: bool, shape: [usize; 4], values: Option<&[f32]>| {
            check_elements(if there { &shape } else { &[0] }, values.unwrap_or_default().len())
        };
        let of_taps = |planes| [g.batch, planes * offset_channels, g.out_height, g.out_width];
        check(true, [g.batch, g.in_channels, g.in_height, g.in_width], Some(operands.input))?;
        check(deformed, of_taps(2), operands.offset)?;
        let weight_shape = [g.out_channels, g.channels_per_group(), g.kernel_height, g.kernel_width];
        check(true, weight_shape, Some(operands.weight))?;
        check(g.has_mask, of_taps(1), operands.mask)?;
        check_elements(&[if g.has_bias { g.out_channels } else { 0 }], operands.bias.unwrap_or_default().len())?;
        let border_gradient = BorderGradient::default();
        Ok(Self { geometry, operands, exact_positions: false, border_gradient, quantity: Quantity::Value })
    }

    /// Turns off the rounding of positions. Everything is then f64, as in the stored cases.
    #[must_use]
    pub fn with_exact_positions(mut self) -> Self {
        self.exact_positions = true;
        self
    }

    /// Sets the derivative at exactly −1. The default is torchvision's.
    #[must_use]
    pub fn with_border_gradient(mut self, border_gradient: BorderGradient) -> Self {
        self.border_gradient = border_gradient;
        self
    }

    /// Returns the geometry of the call.
    #[must_use]
    pub fn geometry(&self) -> &'a Geometry {
        self.geometry
    }

    /// Computes the output, `[batch, out_channels, out_height, out_width]`, without the activation.
    #[must_use]
    pub fn forward(&self) -> Vec<f64> {
        let g = self.geometry;
        let mut output = vec![0.0; g.output_shape().iter().product()];
        for b in 0..g.batch {
            for oy in 0..g.out_height {
                for group in 0..g.groups {
                    let columns: Vec<_> = (0..g.out_width).map(|ox| self.columns(b, group, oy, ox)).collect();
                    for o in group * g.out_channels_per_group()..(group + 1) * g.out_channels_per_group() {
                        let weights = self.weights(o);
                        for (ox, columns) in columns.iter().enumerate() {
                            let at = ((b * g.out_channels + o) * g.out_height + oy) * g.out_width + ox;
                            output[at] = self.bias(o) + product(&weights, columns);
                        }
                    }
                }
            }
        }
        output
    }

    /// Computes one element of the output, at `[b, o, oy, ox]`.
    ///
    /// # Panics
    /// Panics if there is no such element.
    #[must_use]
    pub fn output_at(&self, [b, o, oy, ox]: [usize; 4]) -> f64 {
        let columns = self.columns(b, o / self.geometry.out_channels_per_group(), oy, ox);
        self.bias(o) + product(&self.weights(o), &columns)
    }

    /// Returns the columns of a weight group at one pixel, channel by channel and tap by tap.
    fn columns(&self, b: usize, group: usize, oy: usize, ox: usize) -> Vec<f64> {
        let g = self.geometry;
        let channels = group * g.channels_per_group()..(group + 1) * g.channels_per_group();
        channels.flat_map(|c| (0..g.taps()).map(move |tap| self.column(b, c, tap, oy, ox))).collect()
    }

    /// Returns the weights of an output channel, channel by channel and tap by tap.
    fn weights(&self, o: usize) -> Vec<f64> {
        let row = self.geometry.channels_per_group() * self.geometry.taps();
        self.operands.weight[o * row..][..row].iter().map(|&weight| self.quantity.operand(weight)).collect()
    }

    fn bias(&self, o: usize) -> f64 {
        self.operands.bias.map_or(0.0, |bias| self.quantity.unsampled(bias[o]))
    }

    /// Computes the gradients of all operands of the call.
    ///
    /// ```text
    /// grad_bias[o]  = Σ_{b,oy,ox} grad_output            grad_weight = grad_output · columnᵀ
    /// grad_column   = weightᵀ · grad_output              grad_mask   = Σ_{c in offset group} grad_column · sample
    /// grad_offset_y = Σ_{c in offset group} mask · grad_column · ∂sample/∂y                          and the same for grad_offset_x
    /// grad_input    = mask · grad_column, scattered to the four corners with the bilinear weights
    /// ```
    ///
    /// At whole positions the derivative with respect to the position is the right-hand one. At exactly −1 the sample
    /// is 0; its derivative is torchvision's, which is not 0, unless [`Reference::with_border_gradient`] sets another.
    /// A tap outside the image, or with an offset that is not finite, has a sample and derivatives of 0; 0 · NaN is NaN.
    ///
    /// # Errors
    /// Returns [`Error::ElementCount`](crate::Error::ElementCount) if `grad_output` has another number of elements than
    /// the output.
    pub fn backward(&self, grad_output: &[f32]) -> Result<Gradients<Option<Vec<f64>>>> {
        let (g, operands) = (self.geometry, &self.operands);
        check_elements(&g.output_shape(), grad_output.len())?;
        let zeros = |operand: Option<&[f32]>| vec![0.0; operand.map_or(0, <[f32]>::len)];
        let mut sums = Gradients {
            input: zeros(Some(operands.input)),
            offset: zeros(operands.offset),
            weight: zeros(Some(operands.weight)),
            mask: zeros(operands.mask),
            bias: zeros(operands.bias),
        };
        for b in 0..g.batch {
            for oy in 0..g.out_height {
                for group in 0..g.groups {
                    let columns: Vec<_> = (0..g.out_width).map(|ox| self.columns(b, group, oy, ox)).collect();
                    let mut grad_columns: Vec<_> = columns.iter().map(|columns| vec![0.0; columns.len()]).collect();
                    for o in group * g.out_channels_per_group()..(group + 1) * g.out_channels_per_group() {
                        let weights = self.weights(o);
                        let grad_weight = &mut sums.weight[o * weights.len()..][..weights.len()];
                        for ox in 0..g.out_width {
                            let value = grad_output[((b * g.out_channels + o) * g.out_height + oy) * g.out_width + ox];
                            let grad = self.quantity.operand(value);
                            add_multiple(grad_weight, grad, &columns[ox]);
                            add_multiple(&mut grad_columns[ox], grad, &weights);
                            if operands.bias.is_some() {
                                sums.bias[o] += self.quantity.unsampled(value);
                            }
                        }
                    }
                    for (ox, grad_columns) in grad_columns.into_iter().enumerate() {
                        for (k, grad_column) in grad_columns.into_iter().enumerate() {
                            let c = group * g.channels_per_group() + k / g.taps();
                            self.backward_tap(&mut sums, grad_column, [b, c, k % g.taps(), oy, ox]);
                        }
                    }
                }
            }
        }
        Ok(Gradients {
            input: Some(sums.input),
            offset: operands.offset.map(|_| sums.offset),
            weight: Some(sums.weight),
            mask: operands.mask.map(|_| sums.mask),
            bias: operands.bias.map(|_| sums.bias),
        })
    }

    /// Adds what a column's gradient contributes to the gradients of the input, the offset and the mask.
    fn backward_tap(&self, sums: &mut Gradients<Vec<f64>>, grad_column: f64, [b, c, tap, oy, ox]: [usize; 5]) {
        let position = self.position(b, c, tap, oy, ox);
        let mask = self.mask(b, c, tap, oy, ox);
        if self.operands.mask.is_some() {
            sums.mask[self.mask_index(b, c, tap, oy, ox)] +=
                grad_column * position.as_ref().map_or(0.0, |position| self.sample(b, c, position));
        }
        if self.operands.offset.is_some() {
            let [slope_y, slope_x] = position.as_ref().map_or([0.0; 2], |position| self.slopes(b, c, position));
            let [y, x] = self.offset_indices(b, c, tap, oy, ox);
            sums.offset[y] += mask * grad_column * slope_y;
            sums.offset[x] += mask * grad_column * slope_x;
        }
        if let Some(position) = position.filter(|position| position.inside) {
            for (index, weight) in self.corner_indices(b, c, &position).into_iter().zip(self.corner_weights(&position))
            {
                if let Some(index) = index {
                    sums.input[index] += mask * grad_column * weight;
                }
            }
        }
    }

    /// Returns `mask · sample`, an element of the column buffer.
    fn column(&self, b: usize, c: usize, tap: usize, oy: usize, ox: usize) -> f64 {
        let sample = self.position(b, c, tap, oy, ox).map_or(0.0, |position| self.sample(b, c, &position));
        self.mask(b, c, tap, oy, ox) * sample
    }

    fn weight(&self, o: usize, channel_in_group: usize, tap: usize) -> f64 {
        let g = self.geometry;
        self.quantity.operand(self.operands.weight[(o * g.channels_per_group() + channel_in_group) * g.taps() + tap])
    }

    fn mask(&self, b: usize, c: usize, tap: usize, oy: usize, ox: usize) -> f64 {
        self.operands.mask.map_or(1.0, |mask| self.quantity.operand(mask[self.mask_index(b, c, tap, oy, ox)]))
    }

    fn mask_index(&self, b: usize, c: usize, tap: usize, oy: usize, ox: usize) -> usize {
        let g = self.geometry;
        let offset_group = c / g.channels_per_offset_group();
        let channel = offset_group * g.taps() + tap;
        ((b * g.offset_groups * g.taps() + channel) * g.out_height + oy) * g.out_width + ox
    }

    /// Returns the indices of the tap's y and x offsets.
    fn offset_indices(&self, b: usize, c: usize, tap: usize, oy: usize, ox: usize) -> [usize; 2] {
        let g = self.geometry;
        let offset_group = c / g.channels_per_offset_group();
        let channel = 2 * (offset_group * g.taps() + tap);
        let y = ((b * 2 * g.offset_groups * g.taps() + channel) * g.out_height + oy) * g.out_width + ox;
        [y, y + g.out_pixels()]
    }

    /// Returns the position of the tap, or `None` if its offset is not finite.
    fn position(&self, b: usize, c: usize, tap: usize, oy: usize, ox: usize) -> Option<Position> {
        let g = self.geometry;
        let [i, j] = [tap / g.kernel_width, tap % g.kernel_width];
        let indices = self.offset_indices(b, c, tap, oy, ox);
        let [y, x] = self.operands.offset.map_or([0.0; 2], |offset| indices.map(|index| offset[index]));
        let base = |axis: usize, out: usize, tap: usize| {
            (out * g.stride[axis] + tap * g.dilation[axis]) as f64 - g.padding[axis] as f64
        };
        let place = |base: f64, offset: f32| {
            if self.exact_positions { base + f64::from(offset) } else { f64::from(rounded(base) + offset) }
        };
        let y = place(base(0, oy, i), y);
        let x = place(base(1, ox, j), x);
        (y.is_finite() && x.is_finite()).then(|| Position::new(g, y, x))
    }

    fn pixel(&self, index: usize) -> f64 {
        self.quantity.pixel(self.operands.input[index])
    }

    fn sample(&self, b: usize, c: usize, position: &Position) -> f64 {
        let at = |position| self.interpolate(b, c, position);
        match self.quantity {
            Quantity::Value | Quantity::Magnitude => at(position),
            Quantity::PositionError => (at(position) - at(&position.rounded(self.geometry))).abs(),
        }
    }

    /// Returns the derivatives of the sample by y and x.
    fn slopes(&self, b: usize, c: usize, position: &Position) -> [f64; 2] {
        let at = |position| self.derivatives(b, c, position);
        match self.quantity {
            Quantity::Value | Quantity::Magnitude => at(position),
            Quantity::PositionError => {
                let (exact, rounded) = (at(position), at(&position.rounded(self.geometry)));
                [0, 1].map(|axis| (exact[axis] - rounded[axis]).abs())
            }
        }
    }

    /// Returns the weights with which the gradient of a sample reaches its corners.
    fn corner_weights(&self, position: &Position) -> [f64; 4] {
        let weights = position.weights();
        match self.quantity {
            Quantity::Value | Quantity::Magnitude => weights,
            Quantity::PositionError => {
                let rounded = position.weights_by(&position.rounded(self.geometry));
                [0, 1, 2, 3].map(|corner| (weights[corner] - rounded[corner]).abs())
            }
        }
    }

    fn interpolate(&self, b: usize, c: usize, position: &Position) -> f64 {
        if !position.inside {
            return 0.0;
        }
        // Corners outside the image are left out, so that they cannot contribute NaN.
        let indices = self.corner_indices(b, c, position).into_iter().zip(position.weights());
        indices.filter_map(|(index, weight)| Some(weight * self.pixel(index?))).sum()
    }

    fn derivatives(&self, b: usize, c: usize, position: &Position) -> [f64; 2] {
        if self.border_gradient == BorderGradient::Mmcv && !position.inside {
            return [0.0, 0.0];
        }
        let corner = |index: Option<usize>| index.map_or(0.0, |index| self.pixel(index));
        let [v00, v01, v10, v11] = self.corner_indices(b, c, position).map(corner);
        let difference = |high, low| self.quantity.difference(high, low);
        let (dy, dx) = (position.dy, position.dx);
        [
            dx * difference(v11, v01) + (1.0 - dx) * difference(v10, v00),
            dy * difference(v11, v10) + (1.0 - dy) * difference(v01, v00),
        ]
    }

    /// Returns the indices of the corners (y0, x0), (y0, x1), (y1, x0), (y1, x1); `None` outside the image.
    fn corner_indices(&self, b: usize, c: usize, position: &Position) -> [Option<usize>; 4] {
        let g = self.geometry;
        let within = |at: i64, size: usize| usize::try_from(at).ok().filter(|&at| at < size);
        [[0, 0], [0, 1], [1, 0], [1, 1]].map(|[down, right]| {
            let y = within(position.y0.saturating_add(down), g.in_height)?;
            let x = within(position.x0.saturating_add(right), g.in_width)?;
            Some(((b * g.in_channels + c) * g.in_height + y) * g.in_width + x)
        })
    }
}

/// Returns Σ left · right. Eight sums run side by side, because one would wait for each addition.
fn product(left: &[f64], right: &[f64]) -> f64 {
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks::<8>(), right.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (left, right) in left.iter().zip(right) {
        (0..8).for_each(|n| sums[n] += left[n] * right[n]);
    }
    let rest = left_rest.iter().zip(right_rest).map(|(left, right)| left * right);
    sums.into_iter().chain(rest).sum()
}

fn add_multiple(sums: &mut [f64], factor: f64, values: &[f64]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += factor * value;
    }
}
