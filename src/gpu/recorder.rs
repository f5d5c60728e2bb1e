//! Where a call is recorded.

/// What a call is recorded into: a command encoder, in which it begins a compute pass of its own, or a compute pass of the caller's, between the
/// caller's own dispatches. Every `record_…` takes either: `&mut encoder` or `&mut pass`.
///
/// In a pass the call leaves its own pipeline and bind group 0 set. Its dispatches see what was written by those before them, as WebGPU has
/// it. Each carries its kernel's name as a debug marker, a pass the algorithm's as its label.
#[derive(Debug)]
pub enum Recorder<'a, 'pass> {
    /// A pass of its own in this encoder.
    Encoder(&'a mut wgpu::CommandEncoder),
    /// This pass.
    Pass(&'a mut wgpu::ComputePass<'pass>),
}

impl<'pass> Recorder<'_, 'pass> {
    /// The same place, for one of several calls.
    pub fn reborrow(&mut self) -> Recorder<'_, 'pass> {
        match self {
            Self::Encoder(encoder) => Recorder::Encoder(encoder),
            Self::Pass(pass) => Recorder::Pass(pass),
        }
    }
}

impl<'a> From<&'a mut wgpu::CommandEncoder> for Recorder<'a, 'static> {
    fn from(encoder: &'a mut wgpu::CommandEncoder) -> Self {
        Self::Encoder(encoder)
    }
}

impl<'a, 'pass> From<&'a mut wgpu::ComputePass<'pass>> for Recorder<'a, 'pass> {
    fn from(pass: &'a mut wgpu::ComputePass<'pass>) -> Self {
        Self::Pass(pass)
    }
}
