//! A call of `deform_conv2d` that turns a picture into another, and its result.

use std::collections::HashMap;

use anyhow::Result;
use deform::layers::HostTensor;
use deform::ops::deform_conv2d::Geometry;
use deform::{DeformConv2d, Inputs, Options};
use wasm_bindgen::prelude::*;

use crate::bend::{Bend, Kernel};
use crate::js_error;

/// The operands and options of a call whose input and output are pictures of the same size.
#[wasm_bindgen]
pub struct Call {
    operands: Inputs<HostTensor>,
    options: Options,
    geometry: Geometry,
    bend: Bend,
}

#[wasm_bindgen]
impl Call {
    /// Makes the call that bends a picture with `width` pixels per row and four bytes per pixel. The points have four
    /// numbers each: the start x, y and the movement x, y.
    pub fn bend(rgba: &[u8], width: usize, points: Vec<f32>, kernel: Kernel) -> Result<Call, JsError> {
        let bend = Bend { kernel, points };
        let (operands, options) = (bend.operands(rgba, width), bend.options());
        let geometry = Geometry::new(operands.map(|operand| operand.shape.as_slice()), &options)?;
        Ok(Self { operands, options, geometry, bend })
    }
}

impl Call {
    pub(crate) async fn compute(self, operator: &DeformConv2d) -> Result<Computed> {
        let inputs = deform_case::upload(operator.gpu(), &self.operands)?;
        let output = operator.forward(&inputs.as_ref(), self.options)?;
        let output = HostTensor { shape: output.shape().to_vec(), values: output.download_async().await? };
        Ok(Computed { call: self, output })
    }
}

/// A call and its result.
#[wasm_bindgen]
pub struct Computed {
    call: Call,
    output: HostTensor,
}

#[wasm_bindgen]
impl Computed {
    /// The pixels of the output, four bytes each.
    #[wasm_bindgen(getter)]
    pub fn output(&self) -> Vec<u8> {
        rgba(&self.output)
    }

    /// The floating-point operations of the product.
    #[wasm_bindgen(getter)]
    pub fn flops(&self) -> f64 {
        self.call.geometry.flops()
    }

    /// Returns the sampling positions of the taps of an output pixel, as x and y of one tap after the other. Outside the
    /// picture there are none.
    pub fn taps(&self, x: usize, y: usize) -> Vec<f32> {
        let Call { geometry, operands, .. } = &self.call;
        if x >= geometry.out_width || y >= geometry.out_height {
            return Vec::new();
        }
        let [stride, padding, dilation] = [geometry.stride, geometry.padding, geometry.dilation];
        let pixels = geometry.out_width * geometry.out_height;
        let offset = |plane: usize| operands.offset.values[plane * pixels + y * geometry.out_width + x];
        let start = |axis: usize, pixel: usize, tap: usize| {
            (pixel * stride[axis] + tap * dilation[axis]) as f32 - padding[axis] as f32
        };
        let tap = |n: usize| {
            let (row, column) = (n % geometry.taps() / geometry.kernel_width, n % geometry.kernel_width);
            [start(1, x, column) + offset(2 * n + 1), start(0, y, row) + offset(2 * n)]
        };
        (0..geometry.offset_groups * geometry.taps()).flat_map(tap).collect()
    }

    /// Returns the contents of a case file with the call and its output. The metadata entry `points` has the dragged
    /// points, so that a reader can go on dragging them.
    pub fn file(&self) -> Result<Vec<u8>, JsError> {
        let Call { operands, options, bend, .. } = &self.call;
        let pair = |[h, w]: [usize; 2]| format!("{h},{w}");
        let points: Vec<_> = bend.points.iter().map(f32::to_string).collect();
        let metadata = [
            ("stride", pair(options.stride)),
            ("padding", pair(options.padding)),
            ("dilation", pair(options.dilation)),
            ("points", points.join(" ")),
        ];
        let metadata = HashMap::from(metadata.map(|(key, text)| (key.to_owned(), text)));
        let tensors = operands.named().chain([("output", &self.output)]);
        let tensors =
            tensors.map(|(name, tensor)| (name.to_owned(), tensor.shape.as_slice(), tensor.values.as_slice()));
        deform_case::serialize(tensors, metadata).map_err(js_error)
    }
}

/// Returns the pixels of a picture with three planes, four bytes each.
fn rgba(picture: &HostTensor) -> Vec<u8> {
    let values = &picture.values;
    let pixels = values.len() / 3;
    let byte = |value: f32| (255.0 * value).round().clamp(0.0, 255.0) as u8;
    let pixel = |n: usize| [byte(values[n]), byte(values[n + pixels]), byte(values[n + 2 * pixels]), 255];
    (0..pixels).flat_map(pixel).collect()
}
