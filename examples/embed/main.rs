//! deform inside a renderer: `cargo run --release --example embed` (`-- --window` for a window).
//!
//! The program owns the device and the frame. In one command encoder it draws a picture, computes an offset field with
//! its own shader, lets deform bend the picture by the offsets, and draws the result. No pixel passes through host
//! memory. Without a window it writes the frames to PNG files. If the device has timestamps, it then prints the GPU
//! time of each part of the last frame.

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
    /// Show the frames in a window until it is closed
    #[arg(long)]
    window: bool,
    /// The number of frames to write
    #[arg(long, default_value_t = 24)]
    frames: u32,
    /// The folder for the frames
    #[arg(long, value_name = "DIR", default_value = "target/embed")]
    out: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.window { window::run() } else { headless(&arguments) }
}

/// Opens the host's device with the limits and features that deform uses, and with timestamps if the adapter has them.
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
        let image = RgbaImage::from_raw(WIDTH, HEIGHT, pixels).ok_or("the frame has the wrong size")?;
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
