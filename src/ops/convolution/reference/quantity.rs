//! What the reference computes of each element: only the numbers that enter its sums differ.

/// The quantity that the reference computes of each element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Quantity {
    Value,
    /// Σ|terms|.
    Magnitude,
    /// Σ|change of the term by the rounding of its position|.
    PositionError,
}

impl Quantity {
    /// Returns what a weight, a mask or an element of `grad_output` contributes to a product.
    pub(super) fn operand(self, value: f32) -> f64 {
        f64::from(if self == Self::Value { value } else { value.abs() })
    }

    /// Returns what a term without a sample contributes to a sum.
    pub(super) fn unsampled(self, value: f32) -> f64 {
        if self == Self::PositionError { 0.0 } else { self.operand(value) }
    }

    pub(super) fn pixel(self, value: f32) -> f64 {
        f64::from(if self == Self::Magnitude { value.abs() } else { value })
    }

    /// Returns the difference of two neighbouring pixels, or the sum of its terms' absolute values.
    pub(super) fn difference(self, high: f64, low: f64) -> f64 {
        if self == Self::Magnitude { high + low } else { high - low }
    }
}
