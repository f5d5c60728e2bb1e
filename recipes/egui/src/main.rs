//! deform inside an egui application: one device, one encoder, no copy through the host.
//!
//! egui-wgpu calls `prepare` on every paint callback, with the command encoder that it then draws with. In this call
//! deform bends a texture that the user interface shows as an image. An eframe application gets the renderer from
//! `frame.wgpu_render_state()`. This program draws one frame into a PNG file instead, so that it runs without a window:
//! `cargo run --manifest-path recipes/egui/Cargo.toml`.

use deform::ops::texture::TextureRegion;
use deform::ops::texture::Textures;
use deform::wgpu;
use deform::{Bound, DeformConv2d, Dtype, Gpu, Inputs, Options, Tensor};
use egui_wgpu::{CallbackResources, CallbackTrait, RendererOptions, ScreenDescriptor};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const PHOTO: &[u8] = include_bytes!("../../../cli/assets/chelsea.jpg");
const SCREEN: [u32; 2] = [512, 384];

/// deform's calls with their operands on the host's device. They live as long as the renderer, in its callback
/// resources.
struct Bend {
    calls: Bound,
    bent: wgpu::Texture,
}

impl Bend {
    fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Result<Self> {
        let photo = image::load_from_memory(PHOTO)?.into_rgba8();
        let (width, height) = photo.dimensions();
        let picture = texture(device, [height, width], wgpu::TextureUsages::COPY_DST);
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(4 * width), rows_per_image: None };
        queue.write_texture(picture.as_image_copy(), &photo, layout, picture.size());
        let bent = texture(device, [height, width], wgpu::TextureUsages::STORAGE_BINDING);

        // Called once per device. No error handler is installed on the host's device.
        let gpu = Gpu::from_wgpu(device.clone(), queue.clone());
        let (height, width) = (height as usize, width as usize);
        let identity: Vec<f32> = (0..9).map(|n| f32::from(u8::from(n % 4 == 0))).collect();
        let waves: Vec<f32> = (0..2 * height * width).map(|n| 8.0 * ((n % width) as f32 / 20.0).sin()).collect();
        let new = || Tensor::new(&gpu, [1, 3, height, width], Dtype::F32);
        let (input, output) = (new()?, new()?);
        let weight = Tensor::upload(&gpu, [3, 3, 1, 1], &identity)?;
        let offset = Tensor::upload(&gpu, [1, 2, height, width], &waves)?;
        let (textures, operator) = (Textures::new(&gpu), DeformConv2d::new(&gpu));
        let inputs = Inputs { input: &input, offset: &offset, weight: &weight, mask: None, bias: None };
        let (from, to) = (TextureRegion::whole(&picture), TextureRegion::whole(&bent));
        let load = textures.prepare_load(from, 3, Dtype::F32)?.bind(from, &input)?;
        let bend = operator.prepare(&inputs.shapes(), Dtype::F32, Options::default())?.bind(&inputs, &output)?;
        let store = textures.prepare_store(to, 3, Dtype::F32)?.bind(&output, to)?;
        Ok(Self { calls: load.then(bend).then(store), bent })
    }
}

/// The paint callback. It bends the texture before egui paints, and paints nothing itself.
struct BendFirst;

impl CallbackTrait for BendFirst {
    fn prepare(
        &self,
        _: &wgpu::Device,
        _: &wgpu::Queue,
        _: &ScreenDescriptor,
        encoder: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        if let Some(bend) = resources.get::<Bend>() {
            bend.calls.record(encoder);
        }
        Vec::new()
    }

    fn paint(&self, _: egui::PaintCallbackInfo, _: &mut wgpu::RenderPass<'static>, _: &CallbackResources) {}
}

/// Builds the user interface: the bent picture with a heading.
fn interface(ui: &mut egui::Ui, bent: egui::TextureId) {
    ui.heading("bent by deform");
    ui.painter().add(egui_wgpu::Callback::new_paint_callback(ui.max_rect(), BendFirst));
    ui.image((bent, egui::vec2(450.0, 300.0)));
}

fn main() -> Result<()> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default()))?;
    let descriptor = wgpu::DeviceDescriptor {
        required_limits: Gpu::required_limits(&adapter),
        required_features: Gpu::required_features(&adapter),
        ..Default::default()
    };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))?;
    let format = wgpu::TextureFormat::Rgba8Unorm;
    let mut renderer = egui_wgpu::Renderer::new(&device, format, RendererOptions::default());
    let bend = Bend::new(&device, &queue)?;
    let view = bend.bent.create_view(&Default::default());
    let bent = renderer.register_native_texture(&device, &view, wgpu::FilterMode::Linear);
    renderer.callback_resources.insert(bend);

    // The host renders one frame.
    let [width, height] = SCREEN;
    let context = egui::Context::default();
    let screen = egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(width as f32, height as f32));
    let input = egui::RawInput { screen_rect: Some(screen), ..Default::default() };
    let mut output = context.run_ui(input, |ui| {
        egui::CentralPanel::default().show(ui, |ui| interface(ui, bent));
    });
    let jobs = context.tessellate(output.shapes, output.pixels_per_point);
    let screen = ScreenDescriptor { size_in_pixels: SCREEN, pixels_per_point: output.pixels_per_point };
    for (id, deltas) in &output.textures_delta.set {
        deltas.iter().for_each(|delta| renderer.update_texture(&device, &queue, *id, delta));
    }
    output.textures_delta.clear();
    let usage = wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC;
    let target = texture(&device, [height, width], usage);
    let mut encoder = device.create_command_encoder(&Default::default());
    let commands = renderer.update_buffers(&device, &queue, &mut encoder, &jobs, &screen);
    {
        let view = target.create_view(&Default::default());
        let mut pass = encoder
            .begin_render_pass(&wgpu::RenderPassDescriptor {
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &view,
                    depth_slice: None,
                    resolve_target: None,
                    ops: wgpu::Operations {
                        load: wgpu::LoadOp::Clear(wgpu::Color::BLACK),
                        store: wgpu::StoreOp::Store,
                    },
                })],
                ..Default::default()
            })
            .forget_lifetime();
        renderer.render(&mut pass, &jobs, &screen);
    }
    let readback = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: u64::from(width * height * 4),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(width * 4), rows_per_image: None };
    let to = wgpu::TexelCopyBufferInfo { buffer: &readback, layout };
    encoder.copy_texture_to_buffer(target.as_image_copy(), to, target.size());
    queue.submit(commands.into_iter().chain([encoder.finish()]));
    readback.map_async(wgpu::MapMode::Read, .., |_| {});
    device.poll(wgpu::PollType::wait_indefinitely())?;
    let pixels = readback.get_mapped_range(..)?.to_vec();
    let frame = image::RgbaImage::from_raw(width, height, pixels).ok_or("the frame has the wrong size")?;
    std::fs::create_dir_all("target")?;
    frame.save("target/egui.png")?;
    // The middle of the frame shows the cat's forehead, where red exceeds blue; an empty panel is grey.
    let [r, g, b, _] = frame.get_pixel(width / 2, height / 2).0;
    println!("wrote target/egui.png, its middle pixel is {r}, {g}, {b}");
    if r <= b { Err("the frame does not show the picture".into()) } else { Ok(()) }
}

fn texture(device: &wgpu::Device, [height, width]: [u32; 2], usage: wgpu::TextureUsages) -> wgpu::Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: usage | wgpu::TextureUsages::TEXTURE_BINDING,
        view_formats: &[],
    })
}
