//! Shows the frames in a window.

use std::sync::Arc;
use std::time::Instant;

use deform::wgpu;
use winit::application::ApplicationHandler;
use winit::dpi::LogicalSize;
use winit::event::WindowEvent;
use winit::event_loop::{ActiveEventLoop, EventLoop};
use winit::window::{Window, WindowAttributes, WindowId};

use crate::frame::{Frame, HEIGHT, WIDTH};
use crate::{Result, device};

pub(crate) fn run() -> Result<()> {
    let mut app = App { shown: None, start: Instant::now(), failure: None };
    EventLoop::new()?.run_app(&mut app)?;
    app.failure.map_or(Ok(()), Err)
}

struct App {
    shown: Option<Shown>,
    start: Instant,
    failure: Option<Box<dyn std::error::Error>>,
}

struct Shown {
    window: Arc<Window>,
    surface: wgpu::Surface<'static>,
    configuration: wgpu::SurfaceConfiguration,
    device: wgpu::Device,
    queue: wgpu::Queue,
    frame: Frame,
}

impl Shown {
    fn new(events: &ActiveEventLoop) -> Result<Self> {
        let size = LogicalSize::new(2 * WIDTH, 2 * HEIGHT);
        let attributes = WindowAttributes::default().with_title("deform").with_inner_size(size);
        let window = Arc::new(events.create_window(attributes)?);
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let surface = instance.create_surface(Arc::clone(&window))?;
        let options = wgpu::RequestAdapterOptions { compatible_surface: Some(&surface), ..Default::default() };
        let adapter = pollster::block_on(instance.request_adapter(&options))?;
        let (device, queue) = device(&adapter)?;
        let size = window.inner_size();
        let configuration = surface
            .get_default_config(&adapter, size.width.max(1), size.height.max(1))
            .ok_or("the window cannot be drawn to")?;
        surface.configure(&device, &configuration);
        let frame = Frame::new(&device, &queue, configuration.format)?;
        window.request_redraw();
        Ok(Self { window, surface, configuration, device, queue, frame })
    }

    fn resize(&mut self, width: u32, height: u32) {
        (self.configuration.width, self.configuration.height) = (width.max(1), height.max(1));
        self.surface.configure(&self.device, &self.configuration);
    }

    fn draw(&mut self, seconds: f32) -> Result<()> {
        let target = match self.surface.get_current_texture() {
            wgpu::CurrentSurfaceTexture::Success(target) | wgpu::CurrentSurfaceTexture::Suboptimal(target) => target,
            // The surface has no texture at the moment, for example after a resize: it is configured again and this
            // frame is skipped.
            _ => {
                self.surface.configure(&self.device, &self.configuration);
                self.window.request_redraw();
                return Ok(());
            }
        };
        let mut encoder = self.device.create_command_encoder(&Default::default());
        self.frame.record(&self.queue, &mut encoder, seconds, &target.texture.create_view(&Default::default()))?;
        self.queue.submit([encoder.finish()]);
        self.window.pre_present_notify();
        self.queue.present(target);
        self.window.request_redraw();
        Ok(())
    }
}

impl ApplicationHandler for App {
    fn resumed(&mut self, events: &ActiveEventLoop) {
        match Shown::new(events) {
            Ok(shown) => self.shown = Some(shown),
            Err(error) => self.fail(events, error),
        }
    }

    fn window_event(&mut self, events: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        let Some(shown) = &mut self.shown else { return };
        match event {
            WindowEvent::CloseRequested => events.exit(),
            WindowEvent::Resized(size) => shown.resize(size.width, size.height),
            WindowEvent::RedrawRequested => {
                let seconds = self.start.elapsed().as_secs_f32();
                if let Err(error) = shown.draw(seconds) {
                    self.fail(events, error);
                }
            }
            _ => {}
        }
    }
}

impl App {
    fn fail(&mut self, events: &ActiveEventLoop, error: Box<dyn std::error::Error>) {
        self.failure = Some(error);
        events.exit();
    }
}
