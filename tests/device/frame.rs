//! A frame that records bound calls makes no garbage: no object on the device, and no more heap allocations than the
//! same calls of wgpu.

use allocation_counter::measure;
use deform::ops::activation::{Activate, Activation};
use deform::ops::texture::TextureRegion;
use deform::ops::texture::Textures;
use deform::plan::{Plan, Step};
use deform::{Bound, DeformConv2d, Dtype, Gpu, Tensor, wgpu};

use crate::device::{poison_on, upload_to};
use crate::guest::Host;
use crate::support::case::{Case, PLAIN, Sizes, padded};
use crate::texture::texture;

/// The debug label of a call, and the names of its kernels, which are debug markers.
type Names = (String, Vec<&'static str>);

fn names(plan: &Plan) -> Names {
    let label = format!("deform {}", plan.algorithm).trim_end().to_owned();
    (label, plan.steps.iter().map(Step::kernel).collect())
}

/// Binds the calls that read a texture, bend it, apply an activation, and write a texture.
fn bound_calls(gpu: &Gpu, case: &Case) -> (Bound, [Names; 4]) {
    let size = [2, 3].map(|axis| case.shapes.input[axis].try_into().unwrap());
    let texture = |usage| texture(gpu, wgpu::TextureFormat::Rgba8Unorm, size, usage);
    let (from, to) = (texture(wgpu::TextureUsages::TEXTURE_BINDING), texture(wgpu::TextureUsages::STORAGE_BINDING));
    let (from, to) = (TextureRegion::whole(&from), TextureRegion::whole(&to));
    let (textures, operator, activate) = (Textures::new(gpu), DeformConv2d::new(gpu), Activate::new(gpu));
    let inputs = upload_to(gpu, case);
    let inputs = inputs.as_ref();
    let output: Tensor = poison_on(gpu, &case.geometry().output_shape());
    let load = textures.prepare_load(from, 4, Dtype::F32).unwrap();
    let forward = operator.prepare(&inputs.shapes(), Dtype::F32, case.options).unwrap();
    let relu = activate.prepare(output.shape(), Dtype::F32, Activation::Relu).unwrap();
    let store = textures.prepare_store(to, 4, Dtype::F32).unwrap();
    let names = [load.plan(), forward.plan(), relu.plan(), store.plan()].map(names);
    let bound = load.bind(from, inputs.input).unwrap().then(forward.bind(&inputs, &output).unwrap());
    (bound.then(relu.bind(&output).unwrap()).then(store.bind(&output, to).unwrap()), names)
}

/// Records the host's own calls: as many dispatches of its kernel, with the same labels.
fn record_raw(pass: &mut wgpu::ComputePass<'_>, host: &Host, group: &wgpu::BindGroup, calls: &[Names]) {
    for (label, kernels) in calls {
        pass.push_debug_group(label);
        for kernel in kernels {
            pass.insert_debug_marker(kernel);
            pass.set_pipeline(&host.pipeline);
            pass.set_bind_group(0, group, &[]);
            pass.dispatch_workgroups(1, 1, 1);
        }
        pass.pop_debug_group();
    }
}

#[test]
fn a_frame_of_bound_calls_makes_no_garbage() {
    // Other tests make objects on the shared device meanwhile.
    let gpu = Gpu::new().unwrap();
    let case = Case::new("frame", Sizes { in_channels: 4, out_channels: 4, input: [24, 20], ..PLAIN }, padded());
    let (bound, names) = bound_calls(&gpu, &case);
    let host = Host::new(&gpu);
    let group = host.group(&gpu, &poison_on(&gpu, &[64]));
    let recording = |record: &dyn Fn(&mut wgpu::ComputePass<'_>)| {
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        let allocations = measure(|| record(&mut pass)).count_total;
        drop(pass);
        gpu.queue().submit([encoder.finish()]);
        gpu.wait().unwrap();
        allocations
    };
    let objects = || {
        let hal = gpu.device().get_internal_counters().hal;
        let counters = [&hal.buffers, &hal.texture_views, &hal.bind_groups, &hal.bind_group_layouts];
        let more = [&hal.compute_pipelines, &hal.pipeline_layouts, &hal.buffer_memory, &hal.texture_memory];
        [counters, more].map(|counters| counters.map(|counter| counter.read()))
    };
    // wgpu fills its own pools in the first frames.
    for _ in 0..2 {
        recording(&|pass| bound.record(pass));
    }
    let before = objects();
    for _ in 0..10 {
        let ours = recording(&|pass| bound.record(pass));
        let theirs = recording(&|pass| record_raw(pass, &host, &group, &names));
        assert!(ours <= theirs, "{ours} allocations, and {theirs} by wgpu alone");
        assert_eq!(objects(), before);
    }
}
