//! The catalogue's facts, each proved equal to the WGSL by parsing it.

use deform::kernel::{Access, KERNELS, Kernel, Storage, TexelFormat};
use deform::plan::MAX_LOOP_STEPS;
use naga::{
    AddressSpace, ImageClass, ImageDimension, Literal, Module, Scalar, Statement, StorageAccess, StorageFormat,
    TypeInner,
};

fn parse(kernel: &Kernel) -> Module {
    naga::front::wgsl::parse_str(&kernel.source(Storage::F32))
        .unwrap_or_else(|error| panic!("{}: {error}", kernel.name))
}

#[test]
fn every_shader_file_belongs_to_a_kernel() {
    let mut files = crate::arrows::files("shaders", "wgsl");
    files.retain(|(path, _)| !path.starts_with("shaders/shared"));
    let made_of = |text: &str| KERNELS.iter().filter(move |kernel| kernel.sources[0] == text).collect::<Vec<_>>();
    for (path, text) in &files {
        let name = path.trim_start_matches("shaders/").trim_end_matches(".wgsl");
        let kernels = made_of(text);
        assert!(!kernels.is_empty(), "no kernel is made of {path}");
        for kernel in kernels {
            // Variants of one file add what they differ in.
            assert!(kernel.name.starts_with(name), "{} is made of {path}", kernel.name);
        }
    }
    assert_eq!(files.iter().map(|(_, text)| made_of(text).len()).sum::<usize>(), KERNELS.len());
}

#[test]
fn names_are_unique() {
    let mut names: Vec<_> = KERNELS.iter().map(|kernel| kernel.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), KERNELS.len());
}

#[test]
fn workgroup_sizes() {
    for kernel in KERNELS {
        let module = parse(kernel);
        let [entry] = &module.entry_points[..] else { panic!("{}: one entry point", kernel.name) };
        assert_eq!(
            (entry.name.as_str(), entry.workgroup_size),
            ("main", [kernel.workgroup_size, 1, 1]),
            "{}",
            kernel.name
        );
    }
}

#[test]
fn bindings() {
    for kernel in KERNELS {
        let module = parse(kernel);
        let mut found: Vec<_> = module
            .global_variables
            .iter()
            .filter_map(|(_, variable)| {
                let binding = variable.binding.as_ref()?;
                assert_eq!(binding.group, 0);
                let access = match (&module.types[variable.ty].inner, variable.space) {
                    (_, AddressSpace::Uniform) => "uniform".to_owned(),
                    (_, AddressSpace::Storage { access }) => format!("buffer {access:?}"),
                    (TypeInner::Image { dim: ImageDimension::D2, arrayed: false, class }, AddressSpace::Handle) => {
                        format!("{class:?}")
                    }
                    other => panic!("{}: {other:?}", kernel.name),
                };
                Some((binding.binding, variable.name.clone().unwrap(), access))
            })
            .collect();
        found.sort_by_key(|(binding, ..)| *binding);
        let params = (0, "params".to_owned(), "uniform".to_owned());
        let texture = |access| format!("{:?}", ImageClass::Storage { format: StorageFormat::Rgba32Float, access });
        let buffer = |access: StorageAccess| format!("buffer {access:?}");
        let storage = kernel.bindings.iter().zip(1u32..).map(|(binding, number)| {
            let access = match binding.access {
                Access::Read => buffer(StorageAccess::LOAD),
                Access::ReadWrite => buffer(StorageAccess::LOAD | StorageAccess::STORE),
                Access::TextureRead => texture(StorageAccess::LOAD),
                Access::TextureWrite => texture(StorageAccess::STORE),
                Access::CallersTexture => {
                    format!("{:?}", ImageClass::Sampled { kind: naga::ScalarKind::Float, multi: false })
                }
                Access::CallersTextureWrite(format) => {
                    let format = match format {
                        TexelFormat::Rgba8Unorm => StorageFormat::Rgba8Unorm,
                        TexelFormat::Rgba16Float => StorageFormat::Rgba16Float,
                        TexelFormat::Rgba32Float => StorageFormat::Rgba32Float,
                    };
                    format!("{:?}", ImageClass::Storage { format, access: StorageAccess::STORE })
                }
            };
            (number, binding.name.to_owned(), access)
        });
        let expected: Vec<_> = std::iter::once(params).chain(storage).collect();
        assert_eq!(found, expected, "{}", kernel.name);
    }
}

#[test]
fn params_are_the_same_words_in_the_same_order() {
    for kernel in KERNELS {
        let module = parse(kernel);
        let (_, params) = module.global_variables.iter().find(|(_, v)| v.name.as_deref() == Some("params")).unwrap();
        let words = words(&module, params.ty, 0);
        let names: Vec<_> = words.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, kernel.params, "{}", kernel.name);
        for (n, (name, offset, inner)) in words.into_iter().enumerate() {
            assert_eq!(offset as usize, 4 * n, "{} {name}", kernel.name);
            assert_eq!(*inner, TypeInner::Scalar(Scalar::U32), "{} {name}", kernel.name);
        }
    }
}

/// The members of a struct that begins at byte `offset`: name, byte and type, a struct inside it by its own members.
fn words(module: &Module, ty: naga::Handle<naga::Type>, offset: u32) -> Vec<(String, u32, &TypeInner)> {
    let TypeInner::Struct { members, .. } = &module.types[ty].inner else { panic!("no struct") };
    let member = |member: &naga::StructMember| match &module.types[member.ty].inner {
        TypeInner::Struct { .. } => words(module, member.ty, offset + member.offset),
        inner => vec![(member.name.clone().unwrap(), offset + member.offset, inner)],
    };
    members.iter().flat_map(member).collect()
}

#[test]
fn constants() {
    for kernel in KERNELS {
        let module = parse(kernel);
        for &(name, value) in kernel.constants {
            let (_, constant) = module
                .constants
                .iter()
                .find(|(_, constant)| constant.name.as_deref() == Some(name))
                .unwrap_or_else(|| panic!("{} has no constant {name}", kernel.name));
            let init = &module.global_expressions[constant.init];
            assert!(
                matches!(init, naga::Expression::Literal(Literal::U32(found)) if *found == value),
                "{} {name}: {init:?}, the catalogue has {value}",
                kernel.name
            );
        }
    }
}

/// The loops of a block, as a tree: each loop holds the loops inside it.
#[derive(Debug, PartialEq)]
struct Loop(Vec<Loop>);

fn loops(block: &naga::Block) -> Vec<Loop> {
    block
        .iter()
        .flat_map(|statement| match statement {
            Statement::Loop { body, continuing, .. } => {
                vec![Loop(loops(body).into_iter().chain(loops(continuing)).collect())]
            }
            Statement::Block(block) => loops(block),
            Statement::If { accept, reject, .. } => loops(accept).into_iter().chain(loops(reject)).collect(),
            Statement::Switch { cases, .. } => cases.iter().flat_map(|case| loops(&case.body)).collect(),
            _ => Vec::new(),
        })
        .collect()
}

fn loops_of(name: &str) -> Vec<Loop> {
    let kernel = KERNELS.iter().find(|kernel| kernel.name == name).unwrap();
    let module = parse(kernel);
    let functions = module.functions.iter().map(|(_, function)| function);
    let entries = module.entry_points.iter().map(|entry| &entry.function);
    functions.chain(entries).flat_map(|function| loops(&function.body)).collect()
}

#[test]
fn loops_are_those_that_the_plan_counts() {
    // matmul_loop_steps counts one loop over tiles with two loops in it, one of loads and one of column rows.
    assert_eq!(loops_of("deform_conv2d/matmul"), [Loop(vec![Loop(vec![]), Loop(vec![])])]);
    // One loop over at most CHANNELS_PER_INVOCATION channels, one over trips that Roofline bounds, and none.
    assert_eq!(loops_of("deform_conv2d/im2col"), [Loop(vec![])]);
    assert_eq!(loops_of("roofline/multiply_add"), [Loop(vec![])]);
    assert_eq!(loops_of("roofline/copy"), []);
    // At most ROWS_PER_INVOCATION rows, or QUADS_PER_INVOCATION quads.
    assert_eq!(loops_of("deform_conv2d/pack_input"), [Loop(vec![])]);
    assert_eq!(loops_of("deform_conv2d/pack_grad_output"), [Loop(vec![])]);
    assert_eq!(loops_of("deform_conv2d/pack_weight"), []);
    // At most TAPS_PER_INVOCATION taps; and for each the splits, which are a few hundred where there are many taps.
    assert_eq!(loops_of("deform_conv2d/pack_weight_columns"), [Loop(vec![])]);
    assert_eq!(loops_of("deform_conv2d/grad_weight_reduce"), [Loop(vec![Loop(vec![])])]);
    // fused_subgroup_loop_steps counts quads in the taps of all segments, and the outputs to store.
    for variant in ["deform_conv2d/fused_subgroup_64", "deform_conv2d/fused_subgroup_32"] {
        assert_eq!(loops_of(variant), [Loop(vec![Loop(vec![])]), Loop(vec![])]);
    }
    let per_tap = 1 + (5 + 1);
    assert_eq!(deform::kernel::deform_conv2d::fused_subgroup_loop_steps(3, 9, 5), 3 * 9 * per_tap + 1 + 256 + 1);
    let per_tile = 1 + (16 + 1) + (16 + 1);
    assert_eq!(deform::kernel::deform_conv2d::matmul_loop_steps(160), 10 * per_tile + 1);
    // The backward plan counts two runs over counters and one over the lanes before; bins, then entries, of a walker; cells of a row
    // with their entries; turns, then sums to store.
    assert_eq!(loops_of("deform_conv2d/bin_scan"), [Loop(vec![]), Loop(vec![]), Loop(vec![])]);
    assert_eq!(loops_of("deform_conv2d/bin_count"), [Loop(vec![]), Loop(vec![])]);
    assert_eq!(loops_of("deform_conv2d/bin_fill"), [Loop(vec![])]);
    for grad_input in ["grad_input", "grad_input_paired", "grad_input_depthwise", "grad_input_depthwise_paired"] {
        assert_eq!(loops_of(&format!("deform_conv2d/{grad_input}")), [Loop(vec![Loop(vec![])])]);
    }
    let columns = ["grad_column", "grad_column_subgroup"];
    let weight = ["grad_weight", "grad_weight_sampled", "grad_weight_regular"];
    let weight_64 = weight.map(|name| format!("{name}_subgroup_64"));
    let weight_32 = ["grad_weight_sampled_subgroup_32", "grad_weight_regular_subgroup_32"];
    let weight = weight.into_iter().chain(weight_32).chain(weight_64.iter().map(String::as_str));
    for product in columns.into_iter().chain(weight) {
        assert_eq!(loops_of(&format!("deform_conv2d/{product}")), [Loop(vec![]), Loop(vec![])]);
    }
    let depthwise = ["depthwise", "grad_offset_depthwise", "grad_weight_depthwise"];
    let backward =
        ["pack_taps", "grad_offset", "grad_offset_columns", "grad_bias", "grad_bias_activated", "sum_slices"];
    for one in backward.into_iter().chain(depthwise) {
        assert_eq!(loops_of(&format!("deform_conv2d/{one}")), [Loop(vec![])]);
    }
    const { assert!(MAX_LOOP_STEPS < 65_535) };
}
