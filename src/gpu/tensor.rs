//! Tensors: ranges of buffers on the device, with a shape and an element type.

use std::fmt;

use futures_intrusive::channel::shared::{OneshotReceiver, oneshot_channel};

use super::context::Gpu;
use super::texture::flag_names;
use crate::dtype::{Dtype, Element};
use crate::error::{Error, Result};
use crate::plan::check_elements;

/// An array on the device, dense and row-major: the last axis is contiguous. The handle is cheap to clone, and clones
/// share the memory.
#[derive(Clone)]
pub struct Tensor {
    gpu: Gpu,
    buffer: wgpu::Buffer,
    offset: u64,
    shape: Vec<usize>,
    dtype: Dtype,
}

impl Tensor {
    /// Copies `elements` to a new tensor on the device.
    ///
    /// # Errors
    /// Returns [`Error::ElementCount`] if their number is not the product of `shape`, [`Error::BufferTooLarge`], or
    /// [`Error::Device`] if memory runs out.
    pub fn upload<T: Element>(gpu: &Gpu, shape: impl AsRef<[usize]>, elements: &[T]) -> Result<Self> {
        let shape = shape.as_ref();
        element_count(shape)?;
        check_elements(shape, elements.len())?;
        let tensor = Self::new(gpu, shape, T::DTYPE)?;
        tensor.write(elements)?;
        Ok(tensor)
    }

    /// Replaces the contents by `elements`. Work submitted before this call sees the old contents, and work submitted
    /// after it sees the new.
    ///
    /// # Errors
    /// Returns [`Error::ElementCount`] or [`Error::Dtype`] if `elements` do not fit the tensor,
    /// [`Error::UnsuitableBuffer`] if the tensor is a part of a caller's buffer without `COPY_DST` usage, or
    /// [`Error::Device`].
    pub fn write<T: Element>(&self, elements: &[T]) -> Result<()> {
        check_elements(&self.shape, elements.len())?;
        if T::DTYPE != self.dtype {
            return Err(Error::Dtype { operand: "tensor", expected: T::DTYPE, got: self.dtype });
        }
        self.check_usage(wgpu::BufferUsages::COPY_DST)?;
        let mut bytes: std::borrow::Cow<'_, [u8]> = bytemuck::cast_slice(elements).into();
        if !bytes.len().is_multiple_of(4) {
            // Writes are in whole words, and an odd number of f16 ends in half a word.
            let whole_words = bytes.len().next_multiple_of(4);
            bytes.to_mut().resize(whole_words, 0);
        }
        self.gpu.checked(|| self.gpu.queue().write_buffer(&self.buffer, self.offset, &bytes))
    }

    /// Allocates a tensor of zeros.
    ///
    /// # Errors
    /// Returns [`Error::BufferTooLarge`], or [`Error::Device`] if memory runs out.
    pub fn new(gpu: &Gpu, shape: impl AsRef<[usize]>, dtype: Dtype) -> Result<Self> {
        let shape = shape.as_ref();
        // WebGPU does not bind empty ranges, so even an empty tensor has one word.
        let bytes = (element_count(shape)? as u64).saturating_mul(dtype.bytes()).checked_next_multiple_of(4);
        let bytes = bytes.unwrap_or(u64::MAX).max(4);
        let limit = gpu.device().limits().max_buffer_size;
        if bytes > limit {
            return Err(Error::BufferTooLarge { bytes, limit });
        }
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let descriptor =
            wgpu::BufferDescriptor { label: Some("deform tensor"), size: bytes, usage, mapped_at_creation: false };
        let buffer = gpu.checked(|| gpu.device().create_buffer(&descriptor))?;
        Ok(Self { gpu: gpu.clone(), buffer, offset: 0, shape: shape.to_vec(), dtype })
    }

    /// Makes a tensor of a part of the caller's buffer, from byte `offset` on. The buffer must belong to `gpu`'s
    /// device. wgpu cannot tell, and would take another device's buffer for a different buffer of this one.
    ///
    /// # Errors
    /// Returns [`Error::UnsuitableBuffer`] if the buffer lacks `STORAGE` usage or is too short, or if `offset` is not a
    /// multiple of the device's `min_storage_buffer_offset_alignment`.
    pub fn from_buffer(
        gpu: &Gpu,
        buffer: wgpu::Buffer,
        offset: u64,
        shape: impl AsRef<[usize]>,
        dtype: Dtype,
    ) -> Result<Self> {
        let shape = shape.as_ref();
        let alignment = gpu.limits().binding_alignment;
        let end = (element_count(shape)? as u64)
            .saturating_mul(dtype.bytes())
            .checked_next_multiple_of(4)
            .and_then(|bytes| bytes.max(4).checked_add(offset));
        let unsuitable = if !buffer.usage().contains(wgpu::BufferUsages::STORAGE) {
            Some(format!("its usage is {}, without STORAGE", flag_names(buffer.usage().iter_names())))
        } else if !offset.is_multiple_of(alignment) {
            Some(format!("offset {offset} is not a multiple of {alignment}"))
        } else if end.is_none_or(|end| end > buffer.size()) {
            Some(format!("{shape:?} of {dtype} from byte {offset} does not fit into {} bytes", buffer.size()))
        } else {
            None
        };
        match unsuitable {
            Some(reason) => Err(Error::UnsuitableBuffer { reason }),
            None => Ok(Self { gpu: gpu.clone(), buffer, offset, shape: shape.to_vec(), dtype }),
        }
    }

    /// Copies the elements to the host. Blocks until the work on the queue that they depend on is done. Not available
    /// on the web, where nothing may block.
    ///
    /// # Errors
    /// Returns [`Error::Dtype`] if the tensor's elements are not of type `T`, [`Error::UnsuitableBuffer`] if it lies in a
    /// caller's buffer without the usage `COPY_SRC`, [`Error::Timeout`], or [`Error::Device`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn download<T: Element>(&self) -> Result<Vec<T>> {
        let (readback, submission) = self.start_readback::<T>()?;
        self.gpu.wait_for(Some(submission))?;
        pollster::block_on(readback.finish(self))
    }

    /// Copies the elements to the host without blocking the caller. The future needs no particular executor: a separate
    /// thread waits for the device, or, on the web, the browser does. Dropping the future abandons the copy.
    ///
    /// On the web wgpu reports errors after the call that caused them. The next download returns such an error.
    ///
    /// # Errors
    /// The same as [`Tensor::download`].
    pub async fn download_async<T: Element>(&self) -> Result<Vec<T>> {
        let (readback, submission) = self.start_readback::<T>()?;
        self.gpu.wait_for_async(submission).await?;
        readback.finish(self).await
    }

    /// Checks the usage of the buffer, which may be a caller's.
    fn check_usage(&self, needed: wgpu::BufferUsages) -> Result<()> {
        let usage = self.buffer.usage();
        if usage.contains(needed) {
            return Ok(());
        }
        let [usage, needed] = [usage, needed].map(|usage| flag_names(usage.iter_names()));
        Err(Error::UnsuitableBuffer { reason: format!("its usage is {usage}, without {needed}") })
    }

    fn start_readback<T: Element>(&self) -> Result<(Readback, wgpu::SubmissionIndex)> {
        if T::DTYPE != self.dtype {
            return Err(Error::Dtype { operand: "tensor", expected: T::DTYPE, got: self.dtype });
        }
        self.check_usage(wgpu::BufferUsages::COPY_SRC)?;
        let device = self.gpu.device();
        let size = self.bytes().next_multiple_of(4).max(4);
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let label = Some("deform download");
        let (staging, submission) = self.gpu.checked(|| {
            let staging =
                device.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false });
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label });
            encoder.copy_buffer_to_buffer(&self.buffer, self.offset, &staging, 0, size);
            let submission = self.gpu.queue().submit([encoder.finish()]);
            (staging, submission)
        })?;
        let (sender, mapped) = oneshot_channel();
        let map = || staging.map_async(wgpu::MapMode::Read, .., move |result| drop(sender.send(result)));
        // On a lost device the copy raises no error, and the mapping does.
        self.gpu.checked(map).map_err(|error| self.gpu.no_answer(&error.to_string()))?;
        Ok((Readback { staging, mapped }, submission))
    }

    /// Returns the sizes of the axes.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Returns the element type.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Returns the number of bytes of all elements.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.shape.iter().product::<usize>() as u64 * self.dtype.bytes()
    }

    /// Returns the handle of the tensor's device.
    #[must_use]
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Returns the buffer that holds the tensor.
    #[must_use]
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.buffer
    }

    /// Returns the byte of the buffer at which the tensor starts.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

impl fmt::Debug for Tensor {
    /// Writes one line: the element type and the shape.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({} {:?})", self.dtype, self.shape)
    }
}

/// A copy on its way to the host: a buffer that the host can map, and the message that it is mapped.
struct Readback {
    staging: wgpu::Buffer,
    mapped: OneshotReceiver<Result<(), wgpu::BufferAsyncError>>,
}

impl Readback {
    /// Returns the elements. On native platforms the caller has waited for the copy, and wgpu has called the mapping's
    /// callback during that wait. On the web this function waits for the callback.
    async fn finish<T: Element>(self, tensor: &Tensor) -> Result<Vec<T>> {
        let gpu = &tensor.gpu;
        let unmapped = |error: &dyn std::fmt::Display| gpu.no_answer(&format!("no download: {error}"));
        let answer = self.mapped.receive().await.ok_or_else(|| unmapped(&"wgpu never answered"))?;
        gpu.late_error()?;
        answer.map_err(|error| unmapped(&error))?;
        let view = self.staging.get_mapped_range(..).map_err(|error| unmapped(&error))?;
        let bytes = tensor.shape.iter().product::<usize>() * size_of::<T>();
        Ok(bytemuck::pod_collect_to_vec(&view[..bytes]))
    }
}

fn element_count(shape: &[usize]) -> Result<usize> {
    let too_large = Error::TooLarge { what: "the number of elements".into(), got: u64::MAX, limit: isize::MAX as u64 };
    shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size)).ok_or(too_large)
}
