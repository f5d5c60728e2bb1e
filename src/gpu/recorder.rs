//! The encoder or pass that a call is recorded into.

/// The caller's command encoder or compute pass. Every `record_…` method takes either, as `&mut encoder` or
/// `&mut pass`.
///
/// In an encoder a call begins its own compute pass, labelled `deform` and the algorithm's name. In a pass the same
/// text is a debug group, and the call leaves its own pipeline and bind group 0 set. Every dispatch sees the results of
/// the dispatches before it, as WebGPU guarantees, and has its kernel's name as a debug marker.
#[derive(Debug)]
pub enum Recorder<'a, 'pass> {
    /// The call begins its own pass in this encoder.
    Encoder(&'a mut wgpu::CommandEncoder),
    /// The call adds its dispatches to this pass.
    Pass(&'a mut wgpu::ComputePass<'pass>),
}

impl<'pass> Recorder<'_, 'pass> {
    /// Borrows the same encoder or pass for one of several calls.
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
