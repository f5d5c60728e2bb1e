//! The properties of a device that plans depend on, and the windows and grids that it allows.

use super::class::{DeviceKind, GpuClass};
use super::steps::{Scratch, Size, Step, Window};
use crate::error::{Error, Result};
use crate::kernel::shared::subgroup::SUBGROUP_SIZE;
use crate::kernel::{Kernel, Params, Specialization, Storage};

/// The properties of a device that a plan may depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceLimits {
    /// The largest number of bytes that one storage binding may cover (the least of `max_storage_buffer_binding_size`,
    /// `max_buffer_size` and 2³¹ − 256).
    pub max_binding_bytes: u64,
    /// The alignment of a storage binding's offset (`min_storage_buffer_offset_alignment`).
    pub binding_alignment: u64,
    /// The largest number of workgroups along one axis of a dispatch (`max_compute_workgroups_per_dimension`).
    pub max_workgroups_per_axis: u64,
    /// The largest number of texels along one axis of a 2-D texture (`max_texture_dimension_2d`).
    pub max_texture_axis: u64,
    /// The number of lanes of a subgroup, if the feature `SUBGROUP` is on, all subgroups of the device have one size,
    /// and the backend is not a browser's; else 0.
    pub subgroup_size: u64,
    /// The kind of device. The choice of an algorithm depends on it.
    pub kind: DeviceKind,
    /// The class of a GPU. The choice of tiles depends on it.
    pub class: GpuClass,
    /// Whether shaders have the type f16 (`SHADER_F16`).
    pub f16: bool,
}

/// The largest index in a window. Kernels add indices in 32 bits.
pub(crate) const MAX_INDEX: u64 = (1 << 31) - 1;

impl Default for DeviceLimits {
    /// WebGPU's default limits. Every device that [`Gpu::new`](crate::Gpu::new) opens has at least these.
    fn default() -> Self {
        Self {
            max_binding_bytes: 128 << 20,
            binding_alignment: 256,
            max_workgroups_per_axis: 65_535,
            max_texture_axis: 8192,
            subgroup_size: 0,
            kind: DeviceKind::Other,
            class: GpuClass::Unknown,
            f16: false,
        }
    }
}

impl DeviceLimits {
    /// Returns the largest number of f32 elements that a window may hold wherever it starts. Its first byte may have to
    /// move down to the alignment, and indices inside a window stay below 2³¹.
    pub(crate) fn max_window_elements(&self) -> u64 {
        self.max_operand_elements(Storage::F32)
    }

    /// The same for elements of any storage.
    pub(crate) fn max_operand_elements(&self, storage: Storage) -> u64 {
        let fitting = self.max_binding_bytes.saturating_sub(self.binding_alignment) / storage.bytes();
        // Aligning the start may add binding_alignment elements at most.
        fitting.min(MAX_INDEX - self.binding_alignment)
    }

    /// Checks that a window can hold so many elements of `what`, which a plan cannot cut into smaller pieces.
    ///
    /// # Errors
    /// Returns [`Error::BindingTooLarge`] if it cannot.
    pub(crate) fn check_elements(&self, what: &'static str, storage: Storage, elements: u64) -> Result<()> {
        let most = self.max_operand_elements(storage);
        if elements <= most {
            return Ok(());
        }
        Err(binding_too_large(what, storage, elements, most))
    }

    /// Returns whether a binding, or a texture of the device, can hold so much.
    pub(crate) fn hold(&self, scratch: &Scratch) -> bool {
        match scratch.size {
            Size::Texels(size) => size.into_iter().all(|size| size <= self.max_texture_axis),
            Size::Bytes(bytes) => bytes <= self.max_binding_bytes,
        }
    }

    /// Returns the window over `count` f32 elements of `operand` from element `first` on, and the index of that element
    /// in the window.
    pub(crate) fn window(&self, operand: &'static str, first: u64, count: u64) -> (Window, u64) {
        self.operand_window(Storage::F32, operand, first, count)
    }

    /// The same as [`DeviceLimits::window`] for elements of any storage. A window always covers whole 32-bit words, as
    /// tensors do.
    pub(crate) fn operand_window(
        &self,
        storage: Storage,
        operand: &'static str,
        first: u64,
        count: u64,
    ) -> (Window, u64) {
        let first_byte = first * storage.bytes();
        let start = first_byte - first_byte % self.binding_alignment.max(1);
        let bytes = (first_byte + count * storage.bytes() - start).next_multiple_of(4);
        (Window { operand, start, bytes }, (first_byte - start) / storage.bytes())
    }

    /// Makes a dispatch of at least `workgroups` workgroups.
    ///
    /// # Errors
    /// Returns [`Error::TooLarge`] if a parameter exceeds the range of u32, [`Error::BindingTooLarge`] if a window
    /// exceeds the largest binding, and the errors of [`DeviceLimits::fold`].
    pub(crate) fn step<P: Params>(
        &self,
        kernel: &'static Kernel,
        specialization: impl Into<Specialization>,
        params: P,
        windows: Vec<Window>,
        workgroups: u64,
    ) -> Result<Step> {
        let words: &[u64] = bytemuck::cast_slice(std::slice::from_ref(&params));
        // Another kernel's parameters are a mistake in this crate, which the tests find.
        debug_assert_eq!(P::WORDS, kernel.params, "{}", kernel.name);
        // The shaders' unchecked loops and divisions rest on their parameters, and these on the two below.
        assert_eq!(windows.len(), kernel.bindings.len(), "{}", kernel.name);
        assert!(!kernel.subgroups || self.subgroup_size == SUBGROUP_SIZE, "{}", kernel.name);
        let narrow = |(name, &value): (&&str, &u64)| {
            u32::try_from(value).map_err(|_| {
                let what = format!("the parameter {name} of {}", kernel.name);
                Error::TooLarge { what, got: value, limit: u32::MAX.into() }
            })
        };
        for (binding, window) in kernel.bindings.iter().zip(&windows) {
            if binding.access.is_buffer() && window.bytes > self.max_binding_bytes {
                let (what, limit) = (window.operand, self.max_binding_bytes);
                return Err(Error::BindingTooLarge { what, bytes: window.bytes, limit });
            }
        }
        let params = P::WORDS.iter().zip(words).map(narrow).collect::<Result<_>>()?;
        let specialization = kernel.distinct(specialization.into());
        let workgroups = self.fold(kernel, workgroups)?;
        Ok(Step { kernel, specialization, params, windows, workgroups })
    }

    /// Returns a grid of at least `total` workgroups: on one axis if they fit, else folded into as few rows as
    /// possible, which leaves fewer spare workgroups than rows. `shaders/shared/grid.wgsl` unfolds the grid, and
    /// kernels ignore the spare workgroups.
    ///
    /// # Errors
    /// Returns [`Error::TooLarge`] if two axes do not hold them. With WebGPU's limits they hold 65,535² workgroups.
    pub(crate) fn fold(&self, kernel: &Kernel, total: u64) -> Result<[u32; 3]> {
        let limit = self.max_workgroups_per_axis;
        let rows = total.div_ceil(limit.max(1)).max(1);
        let axis = |got: u64| match u32::try_from(got) {
            Ok(axis) if got <= limit => Ok(axis),
            _ => Err(Error::TooLarge { what: format!("the folded grid of {}", kernel.name), got, limit }),
        };
        Ok([axis(total.div_ceil(rows))?, axis(rows)?, 1])
    }
}

/// Makes the error for a binding that holds at most `most` elements while `what` has more.
pub(crate) fn binding_too_large(what: &'static str, storage: Storage, elements: u64, most: u64) -> Error {
    Error::BindingTooLarge { what, bytes: elements.saturating_mul(storage.bytes()), limit: most * storage.bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::roofline::copy;

    #[test]
    fn a_step_has_a_grid_and_windows_within_the_limit() {
        let limits = DeviceLimits { max_binding_bytes: 1024, ..DeviceLimits::default() };
        let step = |bytes| {
            let window = |operand, bytes| Window { operand, start: 0, bytes };
            let windows = vec![window("source", 1024), window("destination", bytes)];
            limits.step(&copy::KERNEL, Storage::F32, copy::Params { count: 64 }, windows, 7)
        };
        assert_eq!(step(1024).map(|step| step.invocations()), Ok(7 * copy::KERNEL.workgroup_size));
        let refused = Error::BindingTooLarge { what: "destination", bytes: 1028, limit: 1024 };
        assert_eq!(step(1028).err(), Some(refused));
    }
}
