//! The taps of one output pixel and their samples, and statistics of the offsets, in plain loops.

use std::fmt;

use deform::Inputs;

use crate::positions::Positions;
use crate::rows::significant;

/// One pixel of the output, at which a call is looked at.
pub(super) struct Pixel<'a> {
    pub(super) positions: &'a Positions<'a>,
    pub(super) values: Inputs<&'a [f32]>,
    /// The image of the batch.
    pub(super) batch: usize,
    /// The index of the pixel in a plane of the output.
    pub(super) index: usize,
}

/// What one tap reads from one input channel. Places are [y, x].
pub(super) struct Tap {
    /// The place in the kernel.
    pub(super) kernel: [usize; 2],
    pub(super) regular: [i64; 2],
    pub(super) offset: [f32; 2],
    pub(super) position: [f32; 2],
    /// 1 if the call has no mask.
    pub(super) mask: f32,
    /// The bilinear weight of each corner, and its value, which a corner outside the image does not have. `None` if the
    /// tap lies outside the image.
    pub(super) corners: Option<[(f64, Option<f32>); 4]>,
    pub(super) sample: f64,
    /// The weight of the tap from the input channel to its first output channel.
    pub(super) weight: f32,
}

impl Pixel<'_> {
    /// Returns the offset group of an input channel.
    pub(super) fn offset_group(&self, channel: usize) -> usize {
        channel / self.positions.geometry.channels_per_offset_group()
    }

    /// Returns the first output channel of an input channel's weight group.
    pub(super) fn first_output(&self, channel: usize) -> usize {
        let g = &self.positions.geometry;
        channel / g.channels_per_group() * g.out_channels_per_group()
    }

    /// Returns what every tap reads from an input channel.
    pub(super) fn taps(&self, channel: usize) -> Vec<Tap> {
        (0..self.positions.geometry.taps()).map(|tap| self.tap(channel, tap)).collect()
    }

    fn tap(&self, channel: usize, tap: usize) -> Tap {
        let g = &self.positions.geometry;
        let plane = (self.batch * g.offset_groups + self.offset_group(channel)) * g.taps() + tap;
        let position = self.positions.rounded(plane, self.index);
        let corners = self.positions.is_inside(position).then(|| self.corners(channel, position));
        let terms = corners.iter().flatten().filter_map(|&(weight, value)| Some(weight * f64::from(value?)));
        let weights = self.first_output(channel) * g.channels_per_group() + channel % g.channels_per_group();
        Tap {
            kernel: [tap / g.kernel_width, tap % g.kernel_width],
            regular: self.positions.regular(plane, self.index),
            offset: self.positions.offset(plane, self.index),
            position,
            mask: self.values.mask.map_or(1.0, |mask| mask[plane * g.out_pixels() + self.index]),
            corners,
            // The sum of no f64 would be -0.
            sample: terms.fold(0.0, |sum, term| sum + term),
            weight: self.values.weight[weights * g.taps() + tap],
        }
    }

    fn corners(&self, channel: usize, position: [f32; 2]) -> [(f64, Option<f32>); 4] {
        let [dy, dx] = position.map(|place| f64::from(place) - f64::from(place).floor());
        let weights = [(1.0 - dy) * (1.0 - dx), (1.0 - dy) * dx, dy * (1.0 - dx), dy * dx];
        let corners = self.positions.corners(position);
        std::array::from_fn(|n| (weights[n], corners[n].map(|corner| self.plane(channel)[corner])))
    }

    /// Returns the values of an input channel.
    pub(super) fn plane(&self, channel: usize) -> &[f32] {
        let g = &self.positions.geometry;
        &self.values.input[(self.batch * g.in_channels + channel) * g.in_pixels()..][..g.in_pixels()]
    }
}

/// How far the offsets of a call move its taps.
pub(super) struct Statistics {
    /// The mean |offset| of the finite offsets, in pixels.
    mean: f64,
    /// The largest |offset| of the finite offsets.
    largest: f32,
    /// The share of offsets that are NaN or infinite.
    not_finite: f64,
    /// The share of taps that sample nothing, because they lie outside the image or are not finite.
    outside: f64,
}

impl Statistics {
    pub(super) fn new(positions: &Positions<'_>) -> Self {
        let g = &positions.geometry;
        let (mut sum, mut largest, mut finite, mut outside, mut taps) = (0.0, 0f32, 0usize, 0usize, 0usize);
        for plane in 0..g.batch * g.offset_groups * g.taps() {
            for pixel in 0..g.out_pixels() {
                for offset in positions.offset(plane, pixel).into_iter().filter(|offset| offset.is_finite()) {
                    sum += f64::from(offset.abs());
                    largest = largest.max(offset.abs());
                    finite += 1;
                }
                outside += usize::from(!positions.is_inside(positions.rounded(plane, pixel)));
                taps += 1;
            }
        }
        let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
        Self {
            mean: sum / finite.max(1) as f64,
            largest,
            not_finite: share(2 * taps - finite, 2 * taps),
            outside: share(outside, taps),
        }
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { not_finite, outside, .. } = self;
        let [mean, largest] = [self.mean, self.largest.into()].map(|pixels| significant(pixels, 4));
        write!(
            f,
            "mean |offset| {mean} pixels, largest {largest}; {:.1} % of the taps are outside the image",
            100.0 * outside
        )?;
        if *not_finite > 0.0 {
            write!(f, "; {:.1} % are not finite", 100.0 * not_finite)?;
        }
        Ok(())
    }
}
