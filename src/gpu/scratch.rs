//! Scratch memory: the textures and buffers that a plan's steps write and later steps of the same plan read.
//!
//! All calls on a device share it. One queue runs in order, and every recording writes the scratch that it reads, so
//! calls may be recorded on several threads and submitted in any order. Nothing in scratch survives a recording.

use std::collections::HashMap;
use std::fmt;
use std::mem::discriminant;
use std::sync::{Arc, Mutex};

use super::device::Device;
use super::lock::lock;
use crate::error::{Error, Result};
use crate::plan::{Scratch, Size, TEXEL_BYTES};

const TEXTURE_FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba32Float;

/// A texture or buffer on the device.
#[derive(Clone)]
pub(super) enum Resource {
    Texture(wgpu::TextureView),
    Buffer(wgpu::Buffer),
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Texture(_) => "Texture",
            Self::Buffer(_) => "Buffer",
        })
    }
}

impl Resource {
    pub(super) fn new(device: &Device, name: &'static str, size: Size) -> Result<Self> {
        let label = Some(name);
        match size {
            Size::Texels([width, height]) => {
                let limit = device.limits.max_texture_axis;
                let axis = |got: u64| match u32::try_from(got) {
                    Ok(axis) if got <= limit => Ok(axis),
                    _ => Err(Error::TooLarge { what: format!("an axis of the texture {name}"), got, limit }),
                };
                let [width, height] = [axis(width)?, axis(height)?];
                let descriptor = wgpu::TextureDescriptor {
                    label,
                    size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
                    mip_level_count: 1,
                    sample_count: 1,
                    dimension: wgpu::TextureDimension::D2,
                    format: TEXTURE_FORMAT,
                    usage: wgpu::TextureUsages::STORAGE_BINDING | wgpu::TextureUsages::COPY_DST,
                    view_formats: &[],
                };
                let view = || device.device.create_texture(&descriptor).create_view(&Default::default());
                Ok(Self::Texture(device.checked(view)?))
            }
            Size::Bytes(size) => {
                let limit = device.device.limits().max_buffer_size;
                if size > limit {
                    return Err(Error::BufferTooLarge { bytes: size, limit });
                }
                let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
                let descriptor = wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false };
                Ok(Self::Buffer(device.checked(|| device.device.create_buffer(&descriptor))?))
            }
        }
    }

    /// Fills the part that a plan needs with NaN.
    fn poison(&self, device: &Device, size: Size) -> Result<()> {
        let nan = |bytes: u64| f32::NAN.to_le_bytes().repeat(usize::try_from(bytes / 4).unwrap_or(usize::MAX));
        device.checked(|| match (self, size) {
            (Self::Texture(view), Size::Texels([width, height])) => {
                let [columns, rows, bytes_per_row] =
                    [width, height, width * TEXEL_BYTES].map(|size| u32::try_from(size).unwrap_or(u32::MAX));
                let extent = wgpu::Extent3d { width: columns, height: rows, depth_or_array_layers: 1 };
                let bytes_per_row = Some(bytes_per_row);
                let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row, rows_per_image: None };
                let texels = nan(width * height * TEXEL_BYTES);
                device.queue.write_texture(view.texture().as_image_copy(), &texels, layout, extent);
            }
            (Self::Buffer(buffer), Size::Bytes(bytes)) => device.queue.write_buffer(buffer, 0, &nan(bytes)),
            _ => unreachable!("a kind of scratch is either textures or buffers"),
        })
    }
}

/// A kind of scratch: a name, and whether it is a texture or a buffer.
type Kind = (&'static str, std::mem::Discriminant<Size>);

/// The scratch of a device, by kind.
#[derive(Debug)]
pub(super) struct Pool {
    device: Arc<Device>,
    shelves: Mutex<HashMap<Kind, Shelf>>,
}

impl Pool {
    pub(super) fn new(device: &Arc<Device>) -> Self {
        Self { device: Arc::clone(device), shelves: Mutex::default() }
    }
}

/// The scratch of one kind.
#[derive(Debug, Default)]
struct Shelf {
    /// The sizes that the living leases need.
    needed: Vec<Size>,
    /// The resources that are there, with their sizes.
    resources: Vec<(Size, Resource)>,
}

impl Shelf {
    fn get(&self, size: Size) -> Option<Resource> {
        let mut serving = self.resources.iter().filter(|(has, _)| serves(*has, size));
        serving.next().map(|(_, resource)| resource.clone())
    }

    /// Frees the resources that are larger than the living leases need, and those whose leases have a larger one.
    fn trim(&mut self) {
        let shared = shared_sizes(&self.needed);
        let (kept, others) =
            std::mem::take(&mut self.resources).into_iter().partition(|(size, _)| shared.contains(size));
        self.resources = kept;
        // A lease has scratch of its own size if the device could not hold more.
        for (size, resource) in others {
            if self.needed.contains(&size) && self.get(size).is_none() {
                self.resources.push((size, resource));
            }
        }
    }
}

/// The right to use scratch of certain sizes. The pool keeps the scratch as long as a lease on it lives.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Arc<Pool>,
    scratch: Vec<Scratch>,
}

impl Lease {
    /// Leases scratch, and allocates what is missing.
    pub(super) fn new(pool: &Arc<Pool>, scratch: Vec<Scratch>) -> Result<Self> {
        {
            let mut shelves = lock(&pool.shelves);
            for scratch in &scratch {
                shelves.entry(kind(scratch)).or_default().needed.push(scratch.size);
            }
        }
        // If an allocation fails, dropping the lease gives the scratch back.
        let lease = Self { pool: Arc::clone(pool), scratch };
        lease.resources().map(|_| lease)
    }

    /// Returns the scratch by name. It is there since the lease was made, unless a lease on larger scratch has ended
    /// since then. Then the larger scratch is gone, and smaller is allocated.
    pub(super) fn resources(&self) -> Result<Vec<(&'static str, Resource)>> {
        self.scratch.iter().map(|scratch| Ok((scratch.name, self.resource(scratch)?))).collect()
    }

    fn resource(&self, scratch: &Scratch) -> Result<Resource> {
        let size = {
            let mut shelves = lock(&self.pool.shelves);
            let shelf = shelves.entry(kind(scratch)).or_default();
            if let Some(resource) = shelf.get(scratch.size) {
                return Ok(resource);
            }
            let mut shared = shared_sizes(&shelf.needed).into_iter();
            shared.find(|size| serves(*size, scratch.size)).unwrap_or(scratch.size)
        };
        // No recording waits for the allocation.
        let new = |size| Resource::new(&self.pool.device, scratch.name, size).map(|resource| (size, resource));
        // If another lease needs more than the device can hold, that is no error of this one.
        let larger = if size == scratch.size { None } else { new(size).ok() };
        let (size, resource) = larger.map_or_else(|| new(scratch.size), Ok)?;
        let mut shelves = lock(&self.pool.shelves);
        let shelf = shelves.entry(kind(scratch)).or_default();
        if let Some(resource) = shelf.get(scratch.size) {
            return Ok(resource);
        }
        shelf.resources.push((size, resource.clone()));
        shelf.trim();
        Ok(resource)
    }

    pub(super) fn poison(&self) -> Result<()> {
        self.scratch.iter().try_for_each(|scratch| self.resource(scratch)?.poison(&self.pool.device, scratch.size))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut shelves = lock(&self.pool.shelves);
        for scratch in &self.scratch {
            let Some(shelf) = shelves.get_mut(&kind(scratch)) else { continue };
            if let Some(at) = shelf.needed.iter().position(|size| *size == scratch.size) {
                shelf.needed.swap_remove(at);
            }
            shelf.trim();
        }
        shelves.retain(|_, shelf| !shelf.needed.is_empty());
    }
}

fn kind(scratch: &Scratch) -> Kind {
    (scratch.name, discriminant(&scratch.size))
}

/// Returns whether a resource of size `has` serves where `needed` is needed. A larger one does, because kernels address
/// texels and bytes.
fn serves(has: Size, needed: Size) -> bool {
    has.union(needed) == has
}

fn width(size: Size) -> u64 {
    match size {
        Size::Texels([width, _]) => width,
        Size::Bytes(bytes) => bytes,
    }
}

/// Returns the sizes of few resources that serve all these needs. That is the largest alone, unless textures are wide
/// and low for one need and narrow and high for another. Two such needs share a texture if it takes no more memory than
/// one for each.
fn shared_sizes(needed: &[Size]) -> Vec<Size> {
    let mut needed = needed.to_vec();
    // The order is that of the sizes alone, so the result does not depend on which leases came and went.
    needed.sort_by_key(|size| std::cmp::Reverse((size.bytes(), width(*size))));
    let mut shared: Vec<Size> = Vec::new();
    for need in needed {
        let joins = |size: &&mut Size| size.union(need).bytes() <= size.bytes() + need.bytes();
        match shared.iter_mut().find(|size| serves(**size, need)) {
            Some(_) => {}
            None => match shared.iter_mut().find(joins) {
                Some(size) => *size = size.union(need),
                None => shared.push(need),
            },
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_need_serves_the_smaller_ones() {
        let buffers = [40, 160, 8].map(Size::Bytes);
        assert_eq!(shared_sizes(&buffers), [Size::Bytes(160)]);
        let textures = [[4, 4], [8, 6], [8, 2]].map(Size::Texels);
        assert_eq!(shared_sizes(&textures), [Size::Texels([8, 6])]);
        assert_eq!(shared_sizes(&[]), []);
    }

    #[test]
    fn textures_of_other_proportions_share_one_unless_that_takes_more_memory() {
        assert_eq!(shared_sizes(&[[10, 80], [11, 79]].map(Size::Texels)), [Size::Texels([11, 80])]);
        let extremes = [[8192, 1], [1, 8192]].map(Size::Texels);
        assert_eq!(shared_sizes(&extremes), extremes);
    }

    #[test]
    fn the_order_of_the_needs_does_not_matter() {
        let sizes = [[6, 4], [12, 2], [4, 6], [24, 1]].map(Size::Texels);
        let shared = shared_sizes(&sizes);
        for at in 0..4 {
            let mut other = sizes;
            other.rotate_left(at);
            assert_eq!(shared_sizes(&other), shared);
            other.swap(0, 2);
            assert_eq!(shared_sizes(&other), shared);
        }
    }

    #[test]
    #[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    fn scratch_of_which_another_lease_needs_too_much_is_as_large_as_needed() {
        let instance = wgpu::Instance::default();
        let adapter = pollster::block_on(instance.request_adapter(&Default::default())).unwrap();
        let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
        let pool = Arc::new(Pool::new(&Arc::new(Device::new(device, queue, None))));
        let scratch = |bytes| vec![Scratch { name: "scratch", size: Size::Bytes(bytes) }];
        let sizes = || {
            let shelves = lock(&pool.shelves);
            shelves.values().flat_map(|shelf| &shelf.resources).map(|(size, _)| *size).collect::<Vec<_>>()
        };
        // The lease of another thread, which is about to fail.
        let failing = Lease { pool: Arc::clone(&pool), scratch: scratch(1 << 50) };
        lock(&pool.shelves).entry(kind(&failing.scratch[0])).or_default().needed.push(failing.scratch[0].size);
        let lease = Lease::new(&pool, scratch(8)).unwrap();
        assert_eq!(sizes(), [Size::Bytes(8)]);
        assert!(lease.resources().is_ok());
        assert_eq!(sizes(), [Size::Bytes(8)]);
        drop(failing);
        assert_eq!(sizes(), [Size::Bytes(8)]);
        let _larger = Lease::new(&pool, scratch(16)).unwrap();
        assert_eq!(sizes(), [Size::Bytes(16)]);
    }
}
