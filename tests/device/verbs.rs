//! The operator's methods, and their promises about memory, submission and threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use deform::ops::deform_conv2d::Algorithm;
use deform::ops::roofline::Roofline;
use deform::{DeformConv2d, Dtype, Gpu, Inputs, Options, Tensor, wgpu};

use crate::device::{
    algorithms, callers_gpu, default_limits_gpu, gpu, operator, poison, run, run_on, upload, upload_to,
};
use crate::support::case::{Case, PLAIN, Sizes, padded};
use crate::support::compare::compare;

#[test]
fn forward_gives_the_same_output_as_record_forward() {
    let case = Case::new("forward", PLAIN, padded());
    let output = operator().forward(&upload(&case).as_ref(), case.options).unwrap();
    assert_eq!(output.shape(), case.geometry().output_shape());
    assert_eq!(output.download::<f32>().unwrap(), run(&case));
}

/// Debug output is for reading: it says what an object is, and not how wgpu holds it.
#[test]
fn objects_print_themselves_in_a_line() {
    let case = Case::new("printed", PLAIN, padded());
    let inputs = upload(&case);
    let inputs = inputs.as_ref();
    let prepared = operator().prepare(&inputs.shapes(), Dtype::F32, case.options).unwrap();
    let packed = prepared.pack_weight(inputs.weight).unwrap();
    let descriptor = wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width: 6, height: 8, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8UnormSrgb,
        usage: wgpu::TextureUsages::TEXTURE_BINDING,
        view_formats: &[],
    };
    let texture = gpu().device().create_texture(&descriptor);
    let region = deform::ops::texture::TextureRegion::whole(&texture);
    assert_eq!(format!("{:?}", inputs.input), "Tensor(f32 [1, 4, 7, 6])");
    assert_eq!(format!("{packed:?}"), "PackedWeight(Tensor(f32 [4, 4, 3, 3]))");
    let expected = "TextureRegion(rgba8unorm-srgb, level 0, 8 rows and 6 columns from row 0, column 0)";
    assert_eq!(format!("{region:?}"), expected);
    let bound = prepared.bind(&inputs, &poison(&case.geometry().output_shape())).unwrap();
    let shift = deform::ops::shift::ChannelShift::new(gpu(), &[[0, 1]], Default::default()).unwrap();
    let textures = deform::ops::texture::Textures::new(gpu());
    let [gpu, operator] = [format!("{:?}", gpu()), format!("{:?}", operator())];
    for text in [gpu, operator, format!("{prepared:?}{bound:?}"), format!("{shift:?}{textures:?}")] {
        assert!(text.len() < 400 && !text.contains("wgpu"), "{text}");
    }
}

#[test]
fn recordings_in_one_submission_do_not_disturb_each_other() {
    let first = Case::new("first", PLAIN, padded());
    let second = Case::new("second", Sizes { in_channels: 8, groups: 2, input: [9, 5], ..PLAIN }, padded());
    let mut third = first.clone();
    third.operands.input.reverse();
    let cases = [first, second, third];
    let mut encoder = gpu().device().create_command_encoder(&Default::default());
    let outputs = cases.each_ref().map(|case| {
        let output = poison(&case.geometry().output_shape());
        let inputs = upload(case);
        let inputs = inputs.as_ref();
        operator().record_forward(&mut encoder, &inputs, &output, case.options).unwrap();
        output
    });
    gpu().queue().submit([encoder.finish()]);
    for (case, output) in cases.iter().zip(outputs) {
        assert_eq!(output.download::<f32>().unwrap(), run(case), "{}", case.name);
    }
}

#[test]
fn threads_share_one_operator() {
    let cases = [
        Case::new("a", Sizes { in_channels: 32, input: [40, 30], ..PLAIN }, padded()),
        Case::new("b", Sizes { batch: 3, input: [30, 20], ..PLAIN }, padded()),
    ];
    let expected = cases.each_ref().map(run);
    let operator = DeformConv2d::new(gpu());
    std::thread::scope(|scope| {
        for (case, expected) in cases.iter().zip(&expected) {
            let operator = operator.clone();
            scope.spawn(move || {
                for _ in 0..8 {
                    let inputs = upload(case);
                    let output = operator.forward(&inputs.as_ref(), case.options).unwrap();
                    assert_eq!(&output.download::<f32>().unwrap(), expected);
                }
            });
        }
    });
}

#[test]
fn handles_are_send_and_sync() {
    fn check<T: Send + Sync + Clone + 'static>() {}
    check::<Gpu>();
    check::<Tensor>();
    check::<DeformConv2d>();
}

#[test]
fn handles_are_shown_in_one_line() {
    let case = Case::new("shown", PLAIN, padded());
    let prepared = operator().prepare(&case.shape_slices(), Dtype::F32, case.options).unwrap();
    let inputs = upload(&case);
    let bound = prepared.bind(&inputs.as_ref(), &poison(&case.geometry().output_shape())).unwrap();
    let name = &gpu().info().name;
    for (shown, words) in [
        (format!("{:#?}", gpu()), name.as_str()),
        (format!("{:#?}", operator()), name),
        (format!("{prepared:#?}"), name),
        (format!("{bound:#?}"), "steps"),
        (format!("{:#?}", inputs.bias.unwrap()), "Tensor(f32 [4])"),
    ] {
        assert!(shown.contains(words) && !shown.contains('\n'), "{shown}");
    }
}

#[test]
fn download_async_needs_no_executor_and_can_be_dropped() {
    let values: Vec<f32> = (0..1000u16).map(f32::from).collect();
    let tensor = Tensor::upload(gpu(), [10, 100], &values).unwrap();
    drop(tensor.download_async::<f32>());
    let mut started = Box::pin(tensor.download_async::<f32>());
    let polled = started.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    drop((polled, started));
    assert_eq!(pollster::block_on(tensor.download_async::<f32>()).unwrap(), values);
}

#[test]
fn tensors_hold_any_number_of_f32_or_f16_elements() {
    for count in [0, 1, 2, 3, 5] {
        let halves: Vec<_> = (0..count).map(|n| half::f16::from_f32(n as f32 + 0.5)).collect();
        let tensor = Tensor::upload(gpu(), [count], &halves).unwrap();
        assert_eq!((tensor.dtype(), tensor.bytes()), (Dtype::F16, 2 * count as u64));
        assert_eq!(tensor.download::<half::f16>().unwrap(), halves);
    }
    assert_eq!(Tensor::new(gpu(), [2, 3], Dtype::F32).unwrap().download::<f32>().unwrap(), [0.0; 6]);
}

#[test]
fn an_empty_batch_gives_an_empty_output() {
    let case = Case::new("empty", Sizes { batch: 0, ..PLAIN }, padded());
    assert!(run(&case).is_empty());
    let output = operator().forward(&upload(&case).as_ref(), case.options).unwrap();
    assert_eq!(output.shape(), [0, 4, 7, 6]);
}

#[test]
fn operands_may_lie_anywhere_in_a_buffer_of_the_caller() {
    let case = Case::new("one buffer", PLAIN, padded());
    let device = gpu().device();
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
    let descriptor = wgpu::BufferDescriptor { label: None, size: 16_384, usage, mapped_at_creation: false };
    let buffer = device.create_buffer(&descriptor);
    let mut offset = 256;
    let mut place = |shape: &[usize], values: &[f32]| {
        gpu().queue().write_buffer(&buffer, offset, bytemuck::cast_slice(values));
        let tensor = Tensor::from_buffer(gpu(), buffer.clone(), offset, shape, Dtype::F32).unwrap();
        offset = (offset + tensor.bytes()).next_multiple_of(256) + 256;
        tensor
    };
    let (shapes, values) = (case.shape_slices(), case.slices());
    let inputs = Inputs {
        input: place(shapes.input, values.input),
        offset: place(shapes.offset, values.offset),
        weight: place(shapes.weight, values.weight),
        mask: shapes.mask.zip(values.mask).map(|(shape, values)| place(shape, values)),
        bias: shapes.bias.zip(values.bias).map(|(shape, values)| place(shape, values)),
    };
    let output = operator().forward(&inputs.as_ref(), case.options).unwrap();
    assert_eq!(output.download::<f32>().unwrap(), run(&case));
}

#[test]
fn a_callers_device_needs_only_default_limits_and_no_feature() {
    let gpu = default_limits_gpu();
    assert_eq!(gpu.device().limits(), wgpu::Limits::default());
    let errors = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&errors);
    gpu.device().on_uncaptured_error(Arc::new(move |_| {
        seen.fetch_add(1, Ordering::Relaxed);
    }));
    let options = Options { algorithm: Algorithm::Columns, ..padded() };
    let sizes = Sizes { in_channels: 70, out_channels: 70, input: [20, 20], ..PLAIN };
    let case = Case::new("default limits", sizes, options);
    assert_eq!(run_on(gpu, &DeformConv2d::new(gpu), &case), run(&case));
    // An error reaches the caller as a value and does not reach the device's handler.
    assert!(Tensor::new(gpu, [1 << 40], Dtype::F32).is_err());
    assert_eq!(errors.load(Ordering::Relaxed), 0);
}

#[test]
fn a_device_with_small_bindings_and_few_workgroups_suffices() {
    // Windows of 64 KiB cut channels, taps and output rows, and 20 workgroups per axis fold every grid.
    let limits = wgpu::Limits {
        max_storage_buffer_binding_size: 64 << 10,
        max_compute_workgroups_per_dimension: 20,
        ..wgpu::Limits::default()
    };
    let gpu = callers_gpu(limits);
    let operator = DeformConv2d::new(&gpu);
    let sizes = Sizes { in_channels: 24, out_channels: 20, input: [33, 41], groups: 2, offset_groups: 3, ..PLAIN };
    let cut = |batch, groups, kernel| Case::new("cut", Sizes { batch, groups, kernel, ..sizes }, padded());
    // 1,323 columns are 21 tiles in 2 rows of 11 workgroups: the spare workgroup must not write into the next image.
    let spare = Sizes { batch: 3, input: [21, 21], kernel: [1, 1], ..PLAIN };
    let spare = Case::new("a spare workgroup", spare, Options::default());
    for case in [cut(2, 2, [3, 3]), cut(1, 1, [5, 2]), cut(1, 4, [1, 1]), spare] {
        let (want, bounds) = case.expected();
        compare(&run_on(&gpu, &operator, &case), &want, &bounds).unwrap();
    }
    // The roofline's micro-kernels must shrink to the bindings of such a device.
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 64 << 10, ..wgpu::Limits::default() };
    let roofline = Roofline::measure(&callers_gpu(limits)).unwrap();
    assert!(roofline.multiply_add_flops > 0.0 && roofline.copy_bytes_per_second > 0.0, "{roofline:?}");
}

#[test]
fn recording_a_prepared_shape_allocates_no_memory() {
    // This test has its own device, because other tests allocate on the shared one meanwhile.
    let gpu = Gpu::new().unwrap();
    let operator = DeformConv2d::new(&gpu);
    let case = Case::new("prepared", PLAIN, padded());
    let prepared = operator.prepare(&case.shape_slices(), Dtype::F32, case.options).unwrap();
    let inputs = upload_to(&gpu, &case);
    let output = Tensor::new(&gpu, case.geometry().output_shape(), Dtype::F32).unwrap();
    gpu.queue().submit([]);
    gpu.wait().unwrap();
    let allocated = || gpu.device().generate_allocator_report().expect("a backend that reports").total_allocated_bytes;
    let before = allocated();
    assert!(before > 0);
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    for _ in 0..10 {
        prepared.record(&mut encoder, &inputs.as_ref(), &output).unwrap();
    }
    assert_eq!(allocated(), before);
    gpu.queue().submit([encoder.finish()]);
    assert_eq!(output.download::<f32>().unwrap(), run(&case));
}

#[test]
fn a_packed_weight_gives_the_same_bits() {
    for algorithm in algorithms() {
        let sizes = Sizes { in_channels: 12, out_channels: 70, input: [20, 20], offset_groups: 2, ..PLAIN };
        let case = Case::new("packed weight", sizes, Options { algorithm, ..padded() });
        let inputs = upload(&case);
        let inputs = inputs.as_ref();
        let prepared = operator().prepare(&inputs.shapes(), Dtype::F32, case.options).unwrap();
        let weight = prepared.pack_weight(inputs.weight).unwrap();
        let output = operator().forward(&inputs.with_weight(&weight), case.options).unwrap();
        assert!(output.download::<f32>().unwrap() == run(&case), "{algorithm:?}");

        // Other offset groups need another packing, which is made from the tensor.
        let sizes = Sizes { offset_groups: 4, ..sizes };
        let other = Case::new("other packing", sizes, Options { algorithm, ..padded() });
        let inputs = Inputs { weight: inputs.weight.clone(), ..upload(&other) };
        let inputs = inputs.as_ref();
        let plain = operator().forward(&inputs, other.options).unwrap().download::<f32>().unwrap();
        let packed = operator().forward(&inputs.with_weight(&weight), other.options).unwrap();
        assert!(packed.download::<f32>().unwrap() == plain, "{algorithm:?}");
    }
}

#[test]
fn a_packed_weight_is_not_packed_again() {
    // The tensor is overwritten after packing, which must not change the packed weight. Columns and direct do not pack.
    let packs = |&algorithm: &Algorithm| !matches!(algorithm, Algorithm::Columns | Algorithm::Direct);
    for algorithm in algorithms().into_iter().filter(packs) {
        let case = Case::new("packed weight", PLAIN, Options { algorithm, ..padded() });
        let inputs = upload(&case);
        let inputs = inputs.as_ref();
        let prepared = operator().prepare(&inputs.shapes(), Dtype::F32, case.options).unwrap();
        let weight = prepared.pack_weight(inputs.weight).unwrap();
        gpu().queue().write_buffer(inputs.weight.buffer(), 0, &vec![0; 4 * 4 * 9 * 4]);
        let output = operator().forward(&inputs.with_weight(&weight), case.options).unwrap();
        assert!(output.download::<f32>().unwrap() == run(&case), "{algorithm:?}");
    }
}

#[test]
#[allow(unsafe_code, reason = "wgpu cannot check that the data of a cache comes from wgpu; here there is no data")]
fn a_callers_pipeline_cache_is_accepted() {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("an adapter");
    let required_features = adapter.features() & wgpu::Features::PIPELINE_CACHE;
    let descriptor = wgpu::DeviceDescriptor { required_features, ..Default::default() };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).expect("a device");
    let descriptor = wgpu::PipelineCacheDescriptor { label: None, data: None, fallback: true };
    // An adapter without the feature has no cache.
    let cache = (!required_features.is_empty()).then(|| unsafe { device.create_pipeline_cache(&descriptor) });
    let gpu = Gpu::from_wgpu(device, queue);
    let gpu = cache.map_or(gpu.clone(), |cache| gpu.with_pipeline_cache(cache).unwrap());
    // lavapipe accepts a cache and leaves it empty, so the test can only check that pipelines compile with it.
    let case = Case::new("cached", PLAIN, Options { algorithm: Algorithm::Columns, ..padded() });
    assert!(run_on(&gpu, &DeformConv2d::new(&gpu), &case) == run(&case));
}

#[test]
fn tuning_an_empty_batch_succeeds() {
    let case = Case::new("empty", Sizes { batch: 0, in_channels: 8, out_channels: 8, ..PLAIN }, padded());
    let inputs = upload(&case);
    let operator = DeformConv2d::new(gpu());
    operator.tune(&inputs.as_ref(), case.options, std::time::Duration::ZERO).unwrap();
}
