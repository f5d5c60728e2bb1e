//! The positions that the taps of a `deform_conv2d` call sample.

use deform::ops::deform_conv2d::Geometry;

use crate::numbers::{rounded, whole};

/// The sampling positions of a call. A plane is numbered by image, then offset group, then tap.
pub(crate) struct Positions<'a> {
    pub(crate) geometry: Geometry,
    offset: &'a [f32],
}

impl<'a> Positions<'a> {
    /// Takes the geometry of a call and its offset.
    pub(crate) fn new(geometry: Geometry, offset: &'a [f32]) -> Self {
        Self { geometry, offset }
    }

    /// Returns the position at which the tap of an ordinary convolution reads, [y, x].
    pub(crate) fn regular(&self, plane: usize, pixel: usize) -> [i64; 2] {
        let g = &self.geometry;
        let tap = plane % g.taps();
        let (at, step) = ([pixel / g.out_width, pixel % g.out_width], [tap / g.kernel_width, tap % g.kernel_width]);
        let place = |axis: usize| at[axis] * g.stride[axis] + step[axis] * g.dilation[axis];
        [0, 1].map(|axis| whole(place(axis) as f64 - g.padding[axis] as f64))
    }

    /// Returns the offset of the tap, [y, x].
    pub(crate) fn offset(&self, plane: usize, pixel: usize) -> [f32; 2] {
        [0, 1].map(|axis| self.offset[(2 * plane + axis) * self.geometry.out_pixels() + pixel])
    }

    /// Returns the position of the tap, [y, x], not rounded to f32.
    pub(crate) fn exact(&self, plane: usize, pixel: usize) -> [f64; 2] {
        let (regular, offset) = (self.regular(plane, pixel), self.offset(plane, pixel));
        [0, 1].map(|axis| regular[axis] as f64 + f64::from(offset[axis]))
    }

    /// Returns the position of the tap, [y, x], rounded to f32 as by the kernels.
    pub(crate) fn rounded(&self, plane: usize, pixel: usize) -> [f32; 2] {
        self.exact(plane, pixel).map(rounded)
    }

    /// Reports whether a sample at this position can be other than 0.
    pub(crate) fn is_inside(&self, [y, x]: [f32; 2]) -> bool {
        let g = &self.geometry;
        y > -1.0 && y < g.in_height as f32 && x > -1.0 && x < g.in_width as f32
    }

    /// Returns the input pixels around a position inside the image, as indices into a plane of the input: above left,
    /// above right, below left and below right. `None` is outside the image.
    pub(crate) fn corners(&self, [y, x]: [f32; 2]) -> [Option<usize>; 4] {
        let g = &self.geometry;
        [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(dy, dx)| {
            let pixel = |place: f32, next: i64, size: usize| {
                let pixel = whole(place.floor().into()).saturating_add(next);
                usize::try_from(pixel).ok().filter(|pixel| *pixel < size)
            };
            Some(pixel(y, dy, g.in_height)? * g.in_width + pixel(x, dx, g.in_width)?)
        })
    }
}
