//! One frame: the host draws a picture, deform bends it, and the host draws the result.

use deform::ops::texture::TextureRegion;
use deform::ops::texture::Textures;
use deform::{Bound, DeformConv2d, Dtype, Gpu, Inputs, Options, Tensor, wgpu};

use crate::Result;

pub(crate) const WIDTH: u32 = 448;
pub(crate) const HEIGHT: u32 = 288;
const PHOTO: &[u8] = include_bytes!("../../cli/assets/chelsea.jpg");
const SHADERS: &str = include_str!("host.wgsl");
/// The timestamps of a frame: two for each of its three passes.
const TIMESTAMPS: u32 = 6;

struct Timestamps {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    readback: wgpu::Buffer,
}

pub(crate) struct Frame {
    gpu: Gpu,
    // The host's resources.
    time: wgpu::Buffer,
    draw: wgpu::RenderPipeline,
    show: wgpu::RenderPipeline,
    make_offset: wgpu::ComputePipeline,
    draw_group: wgpu::BindGroup,
    show_group: wgpu::BindGroup,
    offset_group: wgpu::BindGroup,
    drawn: wgpu::Texture,
    timestamps: Option<Timestamps>,
    // deform's calls, bound once to their operands. Recording them makes no object.
    bend: Bound,
}

impl Frame {
    pub(crate) fn new(device: &wgpu::Device, queue: &wgpu::Queue, target: wgpu::TextureFormat) -> Result<Self> {
        let gpu = Gpu::from_wgpu(device.clone(), queue.clone());
        let (height, width) = (HEIGHT as usize, WIDTH as usize);
        let new = |shape: [usize; 4]| Tensor::new(&gpu, shape, Dtype::F32);
        let (input, output, offset) =
            (new([1, 3, height, width])?, new([1, 3, height, width])?, new([1, 2, height, width])?);
        // The weight copies the colours; only the offsets change the picture.
        let identity: Vec<f32> = (0..9).map(|n| f32::from(u8::from(n % 4 == 0))).collect();
        let weight = Tensor::upload(&gpu, [3, 3, 1, 1], &identity)?;

        let photo = image::load_from_memory(PHOTO)?.into_rgba8();
        let usage = wgpu::TextureUsages::TEXTURE_BINDING;
        let photo_texture = texture(device, [photo.height(), photo.width()], usage | wgpu::TextureUsages::COPY_DST);
        let bytes_per_row = Some(4 * photo.width());
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row, rows_per_image: None };
        queue.write_texture(photo_texture.as_image_copy(), &photo, layout, photo_texture.size());
        let drawn = texture(device, [HEIGHT, WIDTH], usage | wgpu::TextureUsages::RENDER_ATTACHMENT);
        let bent = texture(device, [HEIGHT, WIDTH], usage | wgpu::TextureUsages::STORAGE_BINDING);

        let (textures, operator) = (Textures::new(&gpu), DeformConv2d::new(&gpu));
        let inputs = Inputs { input: &input, offset: &offset, weight: &weight, mask: None, bias: None };
        let (from, to) = (TextureRegion::whole(&drawn), TextureRegion::whole(&bent));
        let load = textures.prepare_load(from, 3, Dtype::F32)?.bind(from, &input)?;
        let forward = operator.prepare(&inputs.shapes(), Dtype::F32, Options::default())?.bind(&inputs, &output)?;
        let store = textures.prepare_store(to, 3, Dtype::F32)?.bind(&output, to)?;

        let source = wgpu::ShaderSource::Wgsl(SHADERS.into());
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some("host"), source });
        let render = |entry_point, format| {
            device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
                label: Some(entry_point),
                layout: None,
                vertex: wgpu::VertexState {
                    module: &module,
                    entry_point: Some("corner"),
                    compilation_options: Default::default(),
                    buffers: &[],
                },
                fragment: Some(wgpu::FragmentState {
                    module: &module,
                    entry_point: Some(entry_point),
                    compilation_options: Default::default(),
                    targets: &[Some(wgpu::ColorTargetState::from(format))],
                }),
                primitive: Default::default(),
                depth_stencil: None,
                multisample: Default::default(),
                multiview_mask: None,
                cache: None,
            })
        };
        let draw = render("draw", wgpu::TextureFormat::Rgba8Unorm);
        let show = render("show", target);
        let make_offset = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("make_offset"),
            layout: None,
            module: &module,
            entry_point: Some("make_offset"),
            compilation_options: Default::default(),
            cache: None,
        });
        let time = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("time"),
            size: 16,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..Default::default()
        });
        let group = |layout, entries: &[(u32, wgpu::BindingResource<'_>)]| {
            let entries: Vec<_> = entries
                .iter()
                .map(|(binding, resource)| wgpu::BindGroupEntry { binding: *binding, resource: resource.clone() })
                .collect();
            device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout: &layout, entries: &entries })
        };
        let [photo_view, bent_view] = [&photo_texture, &bent].map(|texture| texture.create_view(&Default::default()));
        let (time_binding, sampler) = (time.as_entire_binding(), wgpu::BindingResource::Sampler(&sampler));
        let draw_group = group(
            draw.get_bind_group_layout(0),
            &[(0, time_binding.clone()), (1, wgpu::BindingResource::TextureView(&photo_view)), (2, sampler.clone())],
        );
        let show_group =
            group(show.get_bind_group_layout(0), &[(1, wgpu::BindingResource::TextureView(&bent_view)), (2, sampler)]);
        let offset_group =
            group(make_offset.get_bind_group_layout(0), &[(0, time_binding), (3, offset.buffer().as_entire_binding())]);
        let timestamps = device.features().contains(wgpu::Features::TIMESTAMP_QUERY).then(|| Timestamps::new(device));
        Ok(Self {
            gpu,
            bend: load.then(forward).then(store),
            time,
            draw,
            show,
            make_offset,
            draw_group,
            show_group,
            offset_group,
            drawn,
            timestamps,
        })
    }

    /// Records all passes of a frame.
    pub(crate) fn record(
        &self,
        queue: &wgpu::Queue,
        encoder: &mut wgpu::CommandEncoder,
        seconds: f32,
        target: &wgpu::TextureView,
    ) -> Result<()> {
        let words = [seconds, WIDTH as f32, HEIGHT as f32, 0.0];
        queue.write_buffer(&self.time, 0, bytemuck::cast_slice(&words));
        self.render(encoder, 0, &self.draw, &self.draw_group, &self.drawn.create_view(&Default::default()));
        {
            let timestamp_writes = self.timestamps.as_ref().map(|timestamps| wgpu::ComputePassTimestampWrites {
                query_set: &timestamps.queries,
                beginning_of_pass_write_index: Some(2),
                end_of_pass_write_index: Some(3),
            });
            let descriptor = wgpu::ComputePassDescriptor { label: Some("bend"), timestamp_writes };
            let mut pass = encoder.begin_compute_pass(&descriptor);
            pass.set_pipeline(&self.make_offset);
            pass.set_bind_group(0, &self.offset_group, &[]);
            pass.dispatch_workgroups(WIDTH.div_ceil(8), HEIGHT.div_ceil(8), 1);
            // deform records into the host's pass, after the host's own dispatch.
            self.bend.record(&mut pass);
        }
        self.render(encoder, 4, &self.show, &self.show_group, target);
        if let Some(Timestamps { queries, resolved, readback }) = &self.timestamps {
            encoder.resolve_query_set(queries, 0..TIMESTAMPS, resolved, 0);
            encoder.copy_buffer_to_buffer(resolved, 0, readback, 0, readback.size());
        }
        Ok(())
    }

    fn render(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        first: u32,
        pipeline: &wgpu::RenderPipeline,
        group: &wgpu::BindGroup,
        target: &wgpu::TextureView,
    ) {
        let timestamp_writes = self.timestamps.as_ref().map(|timestamps| wgpu::RenderPassTimestampWrites {
            query_set: &timestamps.queries,
            beginning_of_pass_write_index: Some(first),
            end_of_pass_write_index: Some(first + 1),
        });
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("host"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: target,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::BLACK), store: wgpu::StoreOp::Store },
            })],
            depth_stencil_attachment: None,
            timestamp_writes,
            occlusion_query_set: None,
            multiview_mask: None,
        });
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, group, &[]);
        pass.draw(0..3, 0..1);
    }

    /// Waits for the last frame and returns the milliseconds of drawing, bending and showing it, or `None` without
    /// timestamps.
    pub(crate) fn milliseconds(&self, queue: &wgpu::Queue) -> Result<Option<[f64; 3]>> {
        let Some(Timestamps { readback, .. }) = &self.timestamps else { return Ok(None) };
        readback.map_async(wgpu::MapMode::Read, .., |_| {});
        self.gpu.wait()?;
        let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&readback.get_mapped_range(..)?[..]);
        readback.unmap();
        let period = f64::from(queue.get_timestamp_period()) / 1e6;
        Ok(Some([0, 2, 4].map(|n| ticks[n + 1].saturating_sub(ticks[n]) as f64 * period)))
    }
}

impl Timestamps {
    fn new(device: &wgpu::Device) -> Self {
        let queries = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("timestamps"),
            ty: wgpu::QueryType::Timestamp,
            count: TIMESTAMPS,
        });
        let buffer = |usage| {
            let size = u64::from(TIMESTAMPS) * 8;
            let usage = usage | wgpu::BufferUsages::COPY_DST;
            device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
        };
        let resolved = buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC);
        Self { queries, resolved, readback: buffer(wgpu::BufferUsages::MAP_READ) }
    }
}

fn texture(device: &wgpu::Device, [height, width]: [u32; 2], usage: wgpu::TextureUsages) -> wgpu::Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage,
        view_formats: &[],
    })
}
