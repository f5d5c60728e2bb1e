//! A sampling position.

use crate::dtype::rounded;
use crate::ops::convolution::geometry::Geometry;

/// A position in the image: its cell, and the fractions within the cell.
pub(super) struct Position {
    pub(super) y: f64,
    pub(super) x: f64,
    pub(super) y0: i64,
    pub(super) x0: i64,
    pub(super) dy: f64,
    pub(super) dx: f64,
    /// Whether the sample can be other than 0.
    pub(super) inside: bool,
}

impl Position {
    pub(super) fn new(geometry: &Geometry, y: f64, x: f64) -> Self {
        let inside = y > -1.0 && y < geometry.in_height as f64 && x > -1.0 && x < geometry.in_width as f64;
        let (y0, x0) = (whole(y.floor()), whole(x.floor()));
        Self { y, x, y0, x0, dy: y - y.floor(), dx: x - x.floor(), inside }
    }

    /// Returns the position rounded to f32.
    pub(super) fn rounded(&self, geometry: &Geometry) -> Self {
        Self::new(geometry, f64::from(rounded(self.y)), f64::from(rounded(self.x)))
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.y == other.y && self.x == other.x
    }

    /// Returns the bilinear weights, in the order of the corners.
    pub(super) fn weights(&self) -> [f64; 4] {
        let (dy, dx) = (self.dy, self.dx);
        [(1.0 - dy) * (1.0 - dx), (1.0 - dy) * dx, dy * (1.0 - dx), dy * dx]
    }

    /// Returns the weights that another position, in the same cell or on its border, gives this position's corners.
    pub(super) fn weights_by(&self, other: &Self) -> [f64; 4] {
        let tent = |position: f64, corner: i64| (1.0 - (position - corner as f64).abs()).max(0.0);
        [[0, 0], [0, 1], [1, 0], [1, 1]]
            .map(|[down, right]| tent(other.y, self.y0 + down) * tent(other.x, self.x0 + right))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a place beyond i64 becomes its end, which is in no image")]
fn whole(place: f64) -> i64 {
    place as i64
}
