//! Translates every shader into the language of each platform's drivers.

use std::collections::HashSet;

use deform::kernel::{Expanded, KERNELS, Kernel, Sampling, Specialization, Storage};
use naga::Module;
use naga::back::{hlsl, msl, spv, wgsl};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

/// Parses a kernel's module. Panics with the file, the line and naga's message if it is invalid.
pub fn parse(kernel: &Kernel, specialization: Specialization) -> Module {
    let expanded = expand(kernel, specialization);
    naga::front::wgsl::parse_str(&expanded.text).unwrap_or_else(|error| {
        panic!("{}: {}", place(&expanded, error.location(&expanded.text)), error.message());
    })
}

fn expand(kernel: &Kernel, specialization: Specialization) -> Expanded {
    kernel.expand(specialization).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns the file and the line of a place in a module.
fn place(expanded: &Expanded, location: Option<naga::SourceLocation>) -> String {
    let line = location.map_or(1, |location| location.line_number as usize);
    let (file, line) = &expanded.origins[line - 1];
    format!("shaders/{file}.wgsl:{line}")
}

/// How the operands that a kernel reads and the output are stored. A partial sum is f32 if the operands are f16.
const STORAGES: [[Storage; 2]; 5] = [
    [Storage::F32, Storage::F32],
    [Storage::F16, Storage::F16],
    [Storage::PackedF16, Storage::PackedF16],
    [Storage::F16, Storage::F32],
    [Storage::PackedF16, Storage::F32],
];

/// Validates every distinct module of every kernel and calls `translate` with it.
fn each(translate: impl Fn(&str, &Module, &ModuleInfo)) {
    for kernel in KERNELS {
        let mut seen = HashSet::new();
        for [operands, output] in STORAGES {
            for sampling in [Sampling::Deformed, Sampling::Regular] {
                let specialization = Specialization { operands, output, sampling };
                if !seen.insert(kernel.distinct(specialization)) {
                    continue;
                }
                let module = parse(kernel, specialization);
                // Only WebGPU's core, and what the kernel and the storage declare.
                let mut capabilities = Capabilities::empty();
                capabilities.set(Capabilities::SUBGROUP, kernel.subgroups);
                capabilities.set(Capabilities::SHADER_FLOAT16, operands == Storage::F16);
                // `unpack2x16float` is in WebGPU's core. naga counts it as a capability because OpenGL ES lacks it.
                capabilities.set(Capabilities::SHADER_FLOAT16_IN_FLOAT32, operands == Storage::PackedF16);
                let mut validator = Validator::new(ValidationFlags::all(), capabilities);
                let info = validator.validate(&module).unwrap_or_else(|error| {
                    let expanded = expand(kernel, specialization);
                    panic!("{}: {:?}", place(&expanded, error.location(&expanded.text)), error.as_inner());
                });
                translate(kernel.name, &module, &info);
            }
        }
    }
}

#[test]
fn every_shader_translates_to_spirv() {
    // Subgroup operations need SPIR-V 1.3, which Vulkan 1.1 accepts.
    let options = spv::Options { lang_version: (1, 3), ..Default::default() };
    each(|name, module, info| {
        let words = spv::write_vec(module, info, &options, None).unwrap();
        assert_eq!(words[0], 0x0723_0203, "{name}: SPIR-V's magic number");
    });
}

#[test]
fn every_shader_translates_to_msl() {
    each(|name, module, info| {
        let (text, _) =
            msl::write_string(module, info, &msl::Options::default(), &msl::PipelineOptions::default()).unwrap();
        assert!(text.contains("kernel void"), "{name}");
    });
}

#[test]
fn every_shader_translates_to_hlsl() {
    each(|name, module, info| {
        let mut text = String::new();
        let options = hlsl::Options::default();
        let pipeline = hlsl::PipelineOptions::default();
        hlsl::Writer::new(&mut text, &options, &pipeline).write(module, info, None).unwrap();
        assert!(text.contains("numthreads"), "{name}");
    });
}

#[test]
fn every_shader_translates_to_wgsl_and_back() {
    each(|name, module, info| {
        let text = wgsl::write_string(module, info, wgsl::WriterFlags::empty()).unwrap();
        naga::front::wgsl::parse_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    });
}
