//! A call of `deform_conv2d` that turns a picture into another, and its result.

use anyhow::{Result, ensure};
use deform::layers::HostTensor;
use deform::ops::deform_conv2d::Geometry;
use deform::{DeformConv2d, Inputs, Options};
use deform_case::{Answer, CaseFile, DEFORM_CONV2D};
use wasm_bindgen::prelude::*;

use crate::bend::{Bend, Kernel};
use crate::error::{js_error, max_abs_error};

/// The largest height and width of a picture in a case that the page shows.
const LONGEST_SIDE: usize = 1024;

/// The operands and options of a call whose input and output are pictures of the same size.
#[wasm_bindgen]
pub struct Call {
    operands: Inputs<HostTensor>,
    options: Options,
    geometry: Geometry,
    /// The points that the offsets come from. A case of other origin has none.
    bend: Option<Bend>,
    /// The output that the case expects.
    answer: Option<Answer>,
}

#[wasm_bindgen]
impl Call {
    /// Makes the call that bends a picture with `width` pixels per row and four bytes per pixel. The points have four
    /// numbers each: the start x, y and the movement x, y.
    pub fn bend(rgba: &[u8], width: usize, points: Vec<f32>, kernel: Kernel) -> Result<Call, JsError> {
        let bend = Bend { kernel, points };
        let (operands, options) = (bend.operands(rgba, width), bend.options());
        let geometry = Geometry::new(operands.map(|operand| operand.shape.as_slice()), &options)?;
        Ok(Self { operands, options, geometry, bend: Some(bend), answer: None })
    }

    /// Reads the call in a case file.
    pub fn read(file: Vec<u8>) -> Result<Call, JsError> {
        Self::parse(file).map_err(js_error)
    }
}

impl Call {
    fn parse(file: Vec<u8>) -> Result<Self> {
        let file = CaseFile::parse(&DEFORM_CONV2D, "case", file)?;
        let (operands, options) = (file.operands()?, file.options()?);
        let geometry = file.geometry(&operands, &options)?;
        let shape = &operands.input.shape;
        let sizes = [geometry.in_height, geometry.in_width];
        ensure!(
            shape[..2] == [1, 3] && sizes.iter().all(|size| (1..=LONGEST_SIDE).contains(size)),
            "the page shows one picture of 3 channels, of at most {LONGEST_SIDE} × {LONGEST_SIDE} pixels: input has shape \
             {shape:?}, expected [1, 3, height, width]"
        );
        let output = geometry.output_shape();
        ensure!(
            *shape == output,
            "the page shows an output that is as large as the input: output has shape {output:?}, expected {shape:?}"
        );
        let answer = file.answer("output")?;
        if let Some(Answer { name, shape, .. }) = &answer {
            ensure!(*shape == output, "{name} has shape {shape:?}, expected {output:?}");
        }
        let kernel = Kernel::new(geometry.kernel_height, options.dilation[0], operands.mask.is_some());
        let points = file.optional("points")?.filter(|points| matches!(points.shape[..], [_, 4]));
        let bend = points.map(|points| Bend { kernel, points: points.values });
        // Dragging computes the call from the points, so they count only if that makes the call of the file.
        let bend = bend.filter(|bend| {
            geometry.kernel_height == geometry.kernel_width
                && bend.options() == options
                && bend.operands(&rgba(&operands.input), geometry.in_width) == operands
        });
        Ok(Self { operands, options, geometry, bend, answer })
    }

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
    /// The pixels of the input, four bytes each.
    #[wasm_bindgen(getter)]
    pub fn input(&self) -> Vec<u8> {
        rgba(&self.call.operands.input)
    }

    /// The number of pixels in a row.
    #[wasm_bindgen(getter)]
    pub fn width(&self) -> usize {
        self.call.geometry.in_width
    }

    /// The points that the offsets come from, four numbers each.
    #[wasm_bindgen(getter)]
    pub fn points(&self) -> Option<Vec<f32>> {
        self.call.bend.as_ref().map(|bend| bend.points.clone())
    }

    /// The kernel that the points move.
    #[wasm_bindgen(getter)]
    pub fn kernel(&self) -> Option<Kernel> {
        self.call.bend.as_ref().map(|bend| bend.kernel)
    }

    /// The largest absolute error of the output, if the case says what to expect.
    #[wasm_bindgen(getter)]
    pub fn max_abs_error(&self) -> Option<f64> {
        self.call.answer.as_ref().map(|answer| max_abs_error(&self.output.values, &answer.values))
    }

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

    /// Returns the contents of a case file with the call and its output. The tensor `points` has the dragged points, so
    /// that [`Call::read`] finds them.
    pub fn file(&self) -> Result<Vec<u8>, JsError> {
        let Call { operands, options, bend, .. } = &self.call;
        let tensors = operands.named().chain([("output", &self.output)]);
        let tensors = tensors.map(|(name, tensor)| (name, tensor.shape.clone(), tensor.values.as_slice()));
        let points = bend.as_ref().map(|Bend { points, .. }| ("points", vec![points.len() / 4, 4], points.as_slice()));
        let tensors: Vec<_> = tensors.chain(points).collect();
        let pairs = [("stride", options.stride), ("padding", options.padding), ("dilation", options.dilation)];
        let metadata = pairs.map(|(key, [h, w])| (key.to_owned(), format!("{h},{w}")));
        let tensors = tensors.iter().map(|(name, shape, values)| ((*name).to_owned(), shape.as_slice(), *values));
        deform_case::serialize(tensors, metadata.into()).map_err(js_error)
    }
}

/// Returns the byte of a value in 0…1. A value beyond becomes the nearest.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number is clamped before")]
fn byte(value: f32) -> u8 {
    (255.0 * value).round().clamp(0.0, 255.0) as u8
}

/// Returns the pixels of a picture with three planes, four bytes each.
fn rgba(picture: &HostTensor) -> Vec<u8> {
    let values = &picture.values;
    let pixels = values.len() / 3;
    let pixel = |n: usize| [byte(values[n]), byte(values[n + pixels]), byte(values[n + 2 * pixels]), 255];
    (0..pixels).flat_map(pixel).collect()
}
