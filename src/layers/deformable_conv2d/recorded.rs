//! The layer in a caller's encoder or compute pass.

use super::layer::{Backward, DeformableConv2d, Forward};
use crate::dtype::Dtype;
use crate::error::Result;
use crate::gpu::{Bound, Prepared, Recorder, Tensor};
use crate::layers::conv2d::Conv2d;
use crate::ops::deform_conv2d::{Gradient, Gradients, Mode};
use crate::ops::{conv2d, deform_conv2d};

/// A prepared forward call of a [`DeformableConv2d`]. It holds the layer's parameters.
#[derive(Debug, Clone)]
pub struct PreparedForward {
    layer: DeformableConv2d,
    shapes: Shapes,
    offset: Prepared<conv2d::Forward>,
    mask: Option<Prepared<conv2d::Forward>>,
    regular: Prepared<deform_conv2d::Forward>,
}

/// A prepared backward call of a [`DeformableConv2d`]. It holds the layer's parameters.
#[derive(Debug, Clone)]
pub struct PreparedBackward {
    layer: DeformableConv2d,
    input: Vec<usize>,
    shapes: Shapes,
    mode: Mode,
    regular: Prepared<deform_conv2d::Backward>,
    offset: Prepared<conv2d::Backward>,
    mask: Option<Prepared<conv2d::Backward>>,
}

/// The shapes of the results for an input.
#[derive(Debug, Clone, Copy)]
struct Shapes {
    output: [usize; 4],
    offset: [usize; 4],
    mask: Option<[usize; 4]>,
}

impl Shapes {
    fn mask(&self) -> Option<&[usize]> {
        self.mask.as_ref().map(|shape| &shape[..])
    }
}

impl DeformableConv2d {
    fn shapes(&self, input: &[usize]) -> Result<Shapes> {
        let offset = self.offset_conv.output_shape(input)?;
        let mask = self.mask_conv.as_ref().map(|conv| conv.output_shape(input)).transpose()?;
        let output = self.regular_conv.output_shape(input, &offset, mask.as_ref().map(|shape| &shape[..]))?;
        Ok(Shapes { output, offset, mask })
    }

    /// Prepares a forward call on an input of this shape.
    ///
    /// # Errors
    /// The same as [`DeformableConv2d::forward`].
    pub fn prepare(&self, input: &[usize]) -> Result<PreparedForward> {
        let shapes = self.shapes(input)?;
        Ok(PreparedForward {
            layer: self.clone(),
            shapes,
            offset: self.offset_conv.prepare(input)?,
            mask: self.mask_conv.as_ref().map(|conv| conv.prepare(input)).transpose()?,
            regular: self.regular_conv.prepare(input, &shapes.offset, shapes.mask())?,
        })
    }

    /// Prepares a backward call. `mode` says whether it writes the gradients of the parameters, adds to them, or leaves
    /// them.
    ///
    /// # Errors
    /// The same as [`DeformableConv2d::backward`].
    pub fn prepare_backward(&self, input: &[usize], mode: Mode) -> Result<PreparedBackward> {
        let shapes = self.shapes(input)?;
        let mask = shapes.mask().map_or(Mode::Skip, |_| Mode::Write);
        let modes = Gradients { input: Mode::Write, offset: Mode::Write, mask, ..Gradients::default() };
        let generator = |conv: &Conv2d| conv.prepare_backward(input, Mode::Add, mode);
        Ok(PreparedBackward {
            layer: self.clone(),
            input: input.to_vec(),
            shapes,
            mode,
            regular: self.regular_conv.prepare_backward(input, &shapes.offset, shapes.mask(), modes, mode)?,
            offset: generator(&self.offset_conv)?,
            mask: self.mask_conv.as_ref().map(generator).transpose()?,
        })
    }

    /// Records [`DeformableConv2d::forward`] into the caller's encoder or compute pass, with the caller's results.
    ///
    /// # Errors
    /// The same as the operators' methods.
    pub fn record_forward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        input: &Tensor,
        forward: &Forward,
    ) -> Result<()> {
        let mut recorder = recorder.into();
        let Forward { output, offset, mask } = forward;
        self.offset_conv.record_forward(recorder.reborrow(), input, offset)?;
        if let (Some(conv), Some(mask)) = (&self.mask_conv, mask) {
            conv.record_forward(recorder.reborrow(), input, mask)?;
        }
        self.regular_conv.record_forward(recorder, &self.regular_inputs(input, forward), output)
    }

    /// Records [`DeformableConv2d::backward`] into the caller's encoder or compute pass, with the caller's gradients.
    ///
    /// # Errors
    /// The same as the operators' methods.
    pub fn record_backward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        input: &Tensor,
        forward: &Forward,
        grad_output: &Tensor,
        backward: &Backward,
        mode: Mode,
    ) -> Result<()> {
        let mut recorder = recorder.into();
        let (inputs, targets) = (self.regular_inputs(input, forward), backward.targets());
        self.regular_conv.record_backward(recorder.reborrow(), &inputs, grad_output, &targets, mode)?;
        let more = Gradient::Add(&backward.input);
        for (conv, made, gradient) in self.generated(forward, backward) {
            conv.record_backward(recorder.reborrow(), input, made, gradient, more, mode)?;
        }
        Ok(())
    }

    fn regular_inputs<'a>(&'a self, input: &'a Tensor, forward: &'a Forward) -> deform_conv2d::Inputs<&'a Tensor> {
        self.regular_conv.inputs(input, &forward.offset, forward.mask.as_ref())
    }
}

impl PreparedForward {
    /// Allocates the results of a call.
    ///
    /// # Errors
    /// The same as [`Tensor::new`].
    pub fn allocate(&self) -> Result<Forward> {
        let new = |shape: [usize; 4]| Tensor::new(self.layer.gpu(), shape, Dtype::F32);
        let Shapes { output, offset, mask } = self.shapes;
        Ok(Forward { output: new(output)?, offset: new(offset)?, mask: mask.map(new).transpose()? })
    }

    /// Records the call into the caller's encoder or compute pass. [`PreparedForward::allocate`] makes `forward`.
    ///
    /// # Errors
    /// The same as the operators' methods.
    pub fn record<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        input: &Tensor,
        forward: &Forward,
    ) -> Result<()> {
        self.bind(input, forward)?.record(recorder);
        Ok(())
    }

    /// Binds the tensors of a call that is recorded many times.
    ///
    /// # Errors
    /// The same as the operators' methods.
    pub fn bind(&self, input: &Tensor, forward: &Forward) -> Result<Bound> {
        let Self { layer, offset, mask, regular, .. } = self;
        let mut bound = offset.bind(&layer.offset_conv.inputs(input), &forward.offset)?;
        if let (Some(conv), Some(prepared), Some(mask)) = (&layer.mask_conv, mask, &forward.mask) {
            bound = bound.then(prepared.bind(&conv.inputs(input), mask)?);
        }
        Ok(bound.then(regular.bind(&layer.regular_inputs(input, forward), &forward.output)?))
    }
}

impl PreparedBackward {
    /// Allocates the gradients of a call.
    ///
    /// # Errors
    /// The same as [`Tensor::new`].
    pub fn allocate(&self) -> Result<Backward> {
        Backward::new(self.layer.gpu(), &self.input, &self.shapes.offset, self.shapes.mask())
    }

    /// Records the call into the caller's encoder or compute pass. [`PreparedBackward::allocate`] makes `backward`.
    ///
    /// # Errors
    /// The same as the operators' methods.
    pub fn record<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        input: &Tensor,
        forward: &Forward,
        grad_output: &Tensor,
        backward: &Backward,
    ) -> Result<()> {
        self.bind(input, forward, grad_output, backward)?.record(recorder);
        Ok(())
    }

    /// Binds the tensors of a call that is recorded many times.
    ///
    /// # Errors
    /// The same as the operators' methods.
    pub fn bind(&self, input: &Tensor, forward: &Forward, grad_output: &Tensor, backward: &Backward) -> Result<Bound> {
        let Self { layer, mode, regular, offset, mask, .. } = self;
        let targets = layer.regular_conv.targets(&backward.tensors(), *mode);
        let mut bound = regular.bind(&layer.regular_inputs(input, forward), grad_output, &targets)?;
        let prepared = std::iter::once(offset).chain(mask);
        for (prepared, (conv, made, gradient)) in prepared.zip(layer.generated(forward, backward)) {
            let targets = conv.targets(&backward.input, *mode);
            bound = bound.then(prepared.bind(&conv.inputs(input), made, gradient, &targets)?);
        }
        Ok(bound)
    }
}
