//! The facts of a device that plans go by, and what it can bind and dispatch.

use super::steps::{Scratch, Size, Step, Window};
use crate::error::{Error, Result};
use crate::kernel::{Kernel, Params, Specialization, Storage};

/// The facts of a device that a plan may depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceLimits {
    /// The most bytes one storage binding may cover (`max_storage_buffer_binding_size`, at most `max_buffer_size`).
    pub max_binding_bytes: u64,
    /// What a storage binding's offset must be a multiple of (`min_storage_buffer_offset_alignment`).
    pub binding_alignment: u64,
    /// The most workgroups along one axis of a dispatch (`max_compute_workgroups_per_dimension`).
    pub max_workgroups_per_axis: u64,
    /// The most texels along one axis of a 2-D texture (`max_texture_dimension_2d`).
    pub max_texture_axis: u64,
    /// Lanes of every subgroup, where the device has subgroups of one size only and its `SUBGROUP` feature is on; else 0.
    pub subgroup_size: u64,
    /// What kind of device it is: plans are chosen by it.
    pub kind: DeviceKind,
    /// Whether its shaders know f16 (`SHADER_F16`).
    pub f16: bool,
}

/// A kind of device, as far as the choice of an algorithm goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DeviceKind {
    /// A driver that computes on the CPU.
    Cpu,
    /// A GPU that shares the CPU's memory.
    IntegratedGpu,
    /// A GPU with memory of its own.
    DiscreteGpu,
    /// A virtual GPU, or one that does not say.
    #[default]
    Other,
}

impl Default for DeviceLimits {
    /// WebGPU's defaults: what every device has.
    fn default() -> Self {
        Self {
            max_binding_bytes: 128 << 20,
            binding_alignment: 256,
            max_workgroups_per_axis: 65_535,
            max_texture_axis: 8192,
            subgroup_size: 0,
            kind: DeviceKind::Other,
            f16: false,
        }
    }
}

impl DeviceLimits {
    /// The most f32 elements that a window may hold wherever it starts: its first byte may have to move down to the alignment.
    /// Indices inside a window are u32 on the device and stay below 2³¹.
    #[must_use]
    pub fn max_window_elements(&self) -> u64 {
        self.max_operand_elements(Storage::F32)
    }

    /// The same for elements of any storage.
    #[must_use]
    pub fn max_operand_elements(&self, storage: Storage) -> u64 {
        let fitting = self.max_binding_bytes.saturating_sub(self.binding_alignment) / storage.bytes();
        // Less what aligning the start may add.
        fitting.min((1 << 31) - 1 - self.binding_alignment)
    }

    /// An error where a window cannot hold so many elements of `what`, of which a plan can cut no smaller piece.
    ///
    /// # Errors
    /// [`Error::BindingTooLarge`].
    pub fn check_elements(&self, what: &'static str, storage: Storage, elements: u64) -> Result<()> {
        let most = self.max_operand_elements(storage);
        if elements <= most {
            return Ok(());
        }
        Err(binding_too_large(what, storage, elements, most))
    }

    /// Whether the device has bindings, or texture axes, as long as this needs.
    #[must_use]
    pub fn hold(&self, scratch: &Scratch) -> bool {
        match scratch.size {
            Size::Texels(size) => size.into_iter().all(|size| size <= self.max_texture_axis),
            Size::Bytes(bytes) => bytes <= self.max_binding_bytes,
        }
    }

    /// The window over `count` f32 elements of `operand` from element `first`, and where that element lies in it.
    #[must_use]
    pub fn window(&self, operand: &'static str, first: u64, count: u64) -> (Window, u64) {
        self.operand_window(Storage::F32, operand, first, count)
    }

    /// The same for elements of any storage. A window is always whole words, as tensors are.
    #[must_use]
    pub fn operand_window(&self, storage: Storage, operand: &'static str, first: u64, count: u64) -> (Window, u64) {
        let first_byte = first * storage.bytes();
        let start = first_byte - first_byte % self.binding_alignment.max(1);
        let bytes = (first_byte + count * storage.bytes() - start).next_multiple_of(4);
        debug_assert!(bytes <= self.max_binding_bytes, "{operand}: window of {bytes} bytes");
        (Window { operand, start, bytes }, (first_byte - start) / storage.bytes())
    }

    /// A dispatch of at least `workgroups` workgroups.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a parameter that is no u32, and as [`DeviceLimits::fold`].
    pub fn step<P: Params>(
        &self,
        kernel: &'static Kernel,
        specialization: impl Into<Specialization>,
        params: P,
        windows: Vec<Window>,
        workgroups: u64,
    ) -> Result<Step> {
        let words: &[u64] = bytemuck::cast_slice(std::slice::from_ref(&params));
        debug_assert_eq!([words.len(), windows.len()], [kernel.params.len(), kernel.bindings.len()], "{}", kernel.name);
        let narrow = |(name, &value): (&&str, &u64)| {
            u32::try_from(value).map_err(|_| {
                let what = format!("the parameter {name} of {}", kernel.name);
                Error::TooLarge { what, got: value, limit: u32::MAX.into() }
            })
        };
        let params = kernel.params.iter().zip(words).map(narrow).collect::<Result<_>>()?;
        let specialization = kernel.distinct(specialization.into());
        let workgroups = self.fold(kernel, workgroups)?;
        Ok(Step { kernel, specialization, params, windows, workgroups })
    }

    /// `total` workgroups as a grid: one axis where they fit, else folded into two with as few spare ones as can be.
    /// `shaders/shared/grid.wgsl` unfolds it; a kernel ignores the spare workgroups.
    ///
    /// # Errors
    /// [`Error::TooLarge`] where two axes do not hold them: out of reach with WebGPU's limits, whose axes hold 65,535² workgroups.
    pub fn fold(&self, kernel: &Kernel, total: u64) -> Result<[u32; 3]> {
        let limit = self.max_workgroups_per_axis;
        let rows = total.div_ceil(limit.max(1)).max(1);
        if rows > limit {
            return Err(Error::TooLarge { what: format!("the folded grid of {}", kernel.name), got: rows, limit });
        }
        Ok([total.div_ceil(rows) as u32, rows as u32, 1])
    }
}

/// The error where a binding holds `most` elements and `what` has more.
pub(crate) fn binding_too_large(what: &'static str, storage: Storage, elements: u64, most: u64) -> Error {
    Error::BindingTooLarge { what, bytes: elements.saturating_mul(storage.bytes()), limit: most * storage.bytes() }
}
