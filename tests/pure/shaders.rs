//! Every shader, as the drivers of each platform get it.

use deform::kernel::{KERNELS, Sampling, Storage, Variant};
use naga::back::{hlsl, msl, spv, wgsl};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

fn each(translate: impl Fn(&str, &naga::Module, &ModuleInfo)) {
    let storages = [Storage::F32, Storage::F16, Storage::PackedF16];
    let variants = storages.into_iter().flat_map(|storage| {
        [Sampling::Deformed, Sampling::Regular].map(|sampling| Variant { sampling, ..storage.into() })
    });
    let variants: Vec<_> = variants.collect();
    for (kernel, variant) in KERNELS.iter().flat_map(|kernel| variants.iter().map(move |variant| (kernel, *variant))) {
        if kernel.distinct(variant) != variant {
            continue;
        }
        let storage = variant.operands;
        let source = kernel.source(variant);
        let module = naga::front::wgsl::parse_str(&source).unwrap_or_else(|error| panic!("{}: {error}", kernel.name));
        // No capability beyond WebGPU's core, and those that the catalogue names.
        let mut capabilities = Capabilities::empty();
        capabilities.set(Capabilities::SUBGROUP, kernel.subgroups);
        capabilities.set(Capabilities::SHADER_FLOAT16, storage == Storage::F16);
        // WebGPU has unpack2x16float; what lacks it is OpenGL ES.
        capabilities.set(Capabilities::SHADER_FLOAT16_IN_FLOAT32, storage == Storage::PackedF16);
        let info = Validator::new(ValidationFlags::all(), capabilities)
            .validate(&module)
            .unwrap_or_else(|error| panic!("{} {storage:?}: {error:?}", kernel.name));
        translate(kernel.name, &module, &info);
    }
}

#[test]
fn to_spirv() {
    // Subgroup operations came with SPIR-V 1.3, which Vulkan 1.1 takes.
    let options = spv::Options { lang_version: (1, 3), ..Default::default() };
    each(|name, module, info| {
        let words = spv::write_vec(module, info, &options, None).unwrap();
        assert_eq!(words[0], 0x0723_0203, "{name}: SPIR-V's magic number");
    });
}

#[test]
fn to_msl() {
    each(|name, module, info| {
        let (text, _) =
            msl::write_string(module, info, &msl::Options::default(), &msl::PipelineOptions::default()).unwrap();
        assert!(text.contains("kernel void"), "{name}");
    });
}

#[test]
fn to_hlsl() {
    each(|name, module, info| {
        let mut text = String::new();
        let options = hlsl::Options::default();
        let pipeline = hlsl::PipelineOptions::default();
        hlsl::Writer::new(&mut text, &options, &pipeline).write(module, info, None).unwrap();
        assert!(text.contains("numthreads"), "{name}");
    });
}

#[test]
fn to_wgsl_and_back() {
    each(|name, module, info| {
        let text = wgsl::write_string(module, info, wgsl::WriterFlags::empty()).unwrap();
        naga::front::wgsl::parse_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    });
}
