//! A guest in a renderer: `cargo run --release --example embed` (`-- --window` for a window).
//!
//! The program owns the device and the frame. In one command encoder it draws a picture, lets its own shader make an offset field of the time, has
//! deform bend the picture by it, and draws the result: nothing passes through the host. Without a window the frames become PNGs. Where the
//! device has timestamps, it says what each part of the frame took on the GPU.

mod frame;
mod window;

use std::path::PathBuf;

use clap::Parser;
use deform::{Gpu, wgpu};
use frame::{Frame, HEIGHT, WIDTH};
use image::RgbaImage;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Bend a moving picture inside a render loop.
#[derive(Parser)]
struct Arguments {
    /// Show it in a window, until that is closed
    #[arg(long)]
    window: bool,
    /// How many frames to write
    #[arg(long, default_value_t = 24)]
    frames: u32,
    /// Where the frames go
    #[arg(long, value_name = "DIR", default_value = "target/embed")]
    out: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.window { window::run() } else { headless(&arguments) }
}

/// The host's device: what deform would like, and the host's own wish for timestamps.
fn device(adapter: &wgpu::Adapter) -> Result<(wgpu::Device, wgpu::Queue)> {
    let descriptor = wgpu::DeviceDescriptor {
        label: Some("host"),
        required_limits: Gpu::required_limits(adapter),
        required_features: Gpu::required_features(adapter) | (adapter.features() & wgpu::Features::TIMESTAMP_QUERY),
        ..Default::default()
    };
    Ok(pollster::block_on(adapter.request_device(&descriptor))?)
}

fn headless(arguments: &Arguments) -> Result<()> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default()))?;
    let (device, queue) = device(&adapter)?;
    let format = wgpu::TextureFormat::Rgba8Unorm;
    let frame = Frame::new(&device, &queue, format)?;
    let target = device.create_texture(&wgpu::TextureDescriptor {
        label: Some("frame"),
        size: wgpu::Extent3d { width: WIDTH, height: HEIGHT, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    });
    let readback = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("readback"),
        size: u64::from(WIDTH * HEIGHT * 4),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    std::fs::create_dir_all(&arguments.out)?;
    for n in 0..arguments.frames {
        let mut encoder = device.create_command_encoder(&Default::default());
        let seconds = n as f32 / arguments.frames as f32;
        frame.record(&queue, &mut encoder, seconds, &target.create_view(&Default::default()))?;
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(WIDTH * 4), rows_per_image: None };
        let to = wgpu::TexelCopyBufferInfo { buffer: &readback, layout };
        encoder.copy_texture_to_buffer(target.as_image_copy(), to, target.size());
        queue.submit([encoder.finish()]);
        readback.map_async(wgpu::MapMode::Read, .., |_| {});
        device.poll(wgpu::PollType::wait_indefinitely())?;
        let pixels = readback.get_mapped_range(..)?.to_vec();
        readback.unmap();
        let image = RgbaImage::from_raw(WIDTH, HEIGHT, pixels).ok_or("a frame of another size")?;
        image.save(arguments.out.join(format!("frame_{n:02}.png")))?;
        if n + 1 == arguments.frames {
            match frame.milliseconds(&queue)? {
                Some([draw, bend, show]) => {
                    println!(
                        "GPU time of the last frame: drawing {draw:.2} ms, deform {bend:.2} ms, showing {show:.2} ms"
                    );
                }
                None => println!("the device has no timestamps"),
            }
        }
    }
    println!(
        "{} frames of {WIDTH}×{HEIGHT} on {} in {}",
        arguments.frames,
        adapter.get_info().name,
        arguments.out.display()
    );
    Ok(())
}
