//! What the library knows of its kernels, each fact proved equal to the WGSL by parsing it.

use std::collections::{BTreeMap, BTreeSet};

use deform::kernel::{Access, KERNELS, Kernel, Sampling, Specialization, Storage, TexelFormat};
use deform::plan::MAX_LOOP_STEPS;
use naga::{
    AddressSpace, Function, ImageClass, ImageDimension, Literal, Module, Scalar, Statement, StorageAccess,
    StorageFormat, TypeInner,
};

use crate::shaders::parse;

/// The module for f32 operands, of a call with an offset.
fn module(kernel: &Kernel) -> Module {
    parse(kernel, Storage::F32.into())
}

#[test]
fn every_shader_file_is_a_kernel_or_a_part_of_one() {
    let mut used = BTreeSet::new();
    for kernel in KERNELS {
        for storage in [Storage::F32, Storage::F16, Storage::PackedF16] {
            let expanded = kernel.expand(storage).unwrap();
            used.extend(expanded.origins.into_iter().map(|(file, _)| file));
        }
    }
    for (path, text) in crate::arrows::files("shaders", "wgsl") {
        let file = path.trim_start_matches("shaders/").trim_end_matches(".wgsl");
        assert!(used.contains(file), "no kernel uses {path}");
        let variants: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("//@ variant ")).collect();
        let kernels = KERNELS.iter().filter(|kernel| kernel.file == file).count();
        let expected = if text.contains("@compute") { variants.len().max(1) } else { 0 };
        assert_eq!(kernels, expected, "{path}");
    }
}

#[test]
fn names_are_unique_and_say_file_and_variant() {
    let names: BTreeSet<_> = KERNELS.iter().map(|kernel| kernel.name).collect();
    assert_eq!(names.len(), KERNELS.len());
    for kernel in KERNELS {
        assert_eq!(kernel.name, format!("{}/{}", kernel.file, kernel.variant).trim_end_matches('/'));
    }
}

#[test]
fn workgroup_sizes() {
    for kernel in KERNELS {
        let module = module(kernel);
        let [entry] = &module.entry_points[..] else { panic!("{}: one entry point", kernel.name) };
        let size = entry.workgroup_size.map(u64::from);
        assert_eq!((entry.name.as_str(), size), ("main", [kernel.workgroup_size, 1, 1]), "{}", kernel.name);
    }
}

fn storage_format(format: TexelFormat) -> StorageFormat {
    match format {
        TexelFormat::Rgba8Unorm => StorageFormat::Rgba8Unorm,
        TexelFormat::Rgba16Float => StorageFormat::Rgba16Float,
        TexelFormat::Rgba32Float => StorageFormat::Rgba32Float,
    }
}

#[test]
fn bindings() {
    for kernel in KERNELS {
        let module = module(kernel);
        let mut found = BTreeMap::new();
        for (_, variable) in module.global_variables.iter() {
            let Some(binding) = variable.binding.as_ref() else { continue };
            let kind = match (&module.types[variable.ty].inner, variable.space) {
                (_, AddressSpace::Uniform) => "uniform".to_owned(),
                (_, AddressSpace::Storage { access }) => format!("buffer {access:?}"),
                (TypeInner::Image { dim: ImageDimension::D2, arrayed: false, class }, AddressSpace::Handle) => {
                    format!("{class:?}")
                }
                other => panic!("{}: {other:?}", kernel.name),
            };
            assert_eq!(binding.group, 0);
            found.insert(binding.binding, (variable.name.clone().unwrap(), kind));
        }
        let texture = |format, access| format!("{:?}", ImageClass::Storage { format: storage_format(format), access });
        let buffer = |access: StorageAccess| format!("buffer {access:?}");
        let mut expected = BTreeMap::from([(0, ("params".to_owned(), "uniform".to_owned()))]);
        for (binding, number) in kernel.bindings.iter().zip(1..) {
            let kind = match binding.access {
                Access::Read => buffer(StorageAccess::LOAD),
                Access::ReadWrite => buffer(StorageAccess::LOAD | StorageAccess::STORE),
                Access::TextureRead(format) => texture(format, StorageAccess::LOAD),
                Access::TextureWrite(format) => texture(format, StorageAccess::STORE),
                Access::SampledTexture => {
                    format!("{:?}", ImageClass::Sampled { kind: naga::ScalarKind::Float, multi: false })
                }
            };
            expected.insert(number, (binding.name.to_owned(), kind));
        }
        assert_eq!(found, expected, "{}", kernel.name);
    }
}

/// An operand is stored as the caller has it, and nothing else is.
#[test]
fn operands() {
    for kernel in KERNELS {
        let packed = parse(kernel, Storage::PackedF16.into());
        for binding in kernel.bindings {
            let (_, variable) =
                packed.global_variables.iter().find(|(_, v)| v.name.as_deref() == Some(binding.name)).unwrap();
            let TypeInner::Array { base, .. } = packed.types[variable.ty].inner else {
                assert!(!binding.operand, "{} {}", kernel.name, binding.name);
                continue;
            };
            let f32s = matches!(packed.types[base].inner, TypeInner::Scalar(Scalar::F32));
            let words = matches!(packed.types[base].inner, TypeInner::Atomic(_) | TypeInner::Scalar(Scalar::U32));
            let text = kernel.expand(Storage::F32).unwrap().text;
            let marked = text.contains(&format!("alias {}_element = f32;", binding.name));
            assert_eq!(binding.operand, marked, "{} {}", kernel.name, binding.name);
            assert!(!binding.operand || words && !f32s, "{} {}", kernel.name, binding.name);
        }
    }
}

#[test]
fn the_text_depends_on_where_taps_lie_where_the_kernel_says_so() {
    for kernel in KERNELS {
        let text = |sampling| kernel.expand(Specialization { sampling, ..Storage::F32.into() }).unwrap().text;
        assert_eq!(text(Sampling::Deformed) != text(Sampling::Regular), kernel.sampling, "{}", kernel.name);
    }
}

#[test]
fn params_are_the_same_words_in_the_same_order() {
    for kernel in KERNELS {
        let module = module(kernel);
        let (_, params) = module.global_variables.iter().find(|(_, v)| v.name.as_deref() == Some("params")).unwrap();
        let words = words(&module, params.ty, 0);
        let names: Vec<_> = words.iter().map(|word| word.name.as_str()).collect();
        assert_eq!(names, kernel.params, "{}", kernel.name);
        for (n, word) in words.iter().enumerate() {
            assert_eq!(word.offset as usize, 4 * n, "{} {}", kernel.name, word.name);
            assert!(word.is_u32, "{} {}", kernel.name, word.name);
        }
    }
}

/// A number of a struct, or of a struct inside it.
struct Word {
    name: String,
    offset: u32,
    is_u32: bool,
}

/// The words of a struct that begins at byte `offset`.
fn words(module: &Module, ty: naga::Handle<naga::Type>, offset: u32) -> Vec<Word> {
    let TypeInner::Struct { members, .. } = &module.types[ty].inner else { panic!("no struct") };
    let member = |member: &naga::StructMember| match &module.types[member.ty].inner {
        TypeInner::Struct { .. } => words(module, member.ty, offset + member.offset),
        inner => vec![Word {
            name: member.name.clone().unwrap(),
            offset: offset + member.offset,
            is_u32: *inner == TypeInner::Scalar(Scalar::U32),
        }],
    };
    members.iter().flat_map(member).collect()
}

/// The u32 constants of a module.
fn constants(module: &Module) -> BTreeMap<&str, u64> {
    let number = |constant: &naga::Constant| match module.global_expressions[constant.init] {
        naga::Expression::Literal(Literal::U32(value)) => Some(u64::from(value)),
        _ => None,
    };
    module.constants.iter().filter_map(|(_, c)| Some((c.name.as_deref()?, number(c)?))).collect()
}

/// Reads the generated file: each of its constants is that of every module which the shader file is a part of, and each variant has its own.
#[test]
fn generated_constants() {
    let modules: Vec<_> = KERNELS.iter().map(|kernel| (kernel, module(kernel))).collect();
    let files = |kernel: &Kernel| {
        let origins = kernel.expand(Storage::F32).unwrap().origins;
        origins.into_iter().map(|(file, _)| file).collect::<BTreeSet<_>>()
    };
    let generated = syn::parse_file(include_str!("../../src/kernel/generated.rs")).unwrap();
    let mut checked = 0;
    for family in generated.items.iter().filter_map(as_module) {
        for (file, items) in
            family.1.iter().filter_map(as_module).map(|(name, items)| (format!("{}/{name}", family.0), items))
        {
            for item in items {
                match item {
                    syn::Item::Const(constant) if constant.ident != "PARAMS" => {
                        let (name, value) = (constant.ident.to_string(), number(&constant.expr));
                        let users = modules.iter().filter(|(kernel, _)| files(kernel).contains(&file));
                        let mut users = users.map(|(_, module)| constants(module)[name.as_str()]).peekable();
                        assert!(users.peek().is_some(), "{file}: no kernel has {name}");
                        assert!(users.all(|found| found == value), "{file}: {name}");
                        checked += 1;
                    }
                    syn::Item::Static(variant) => {
                        let syn::Expr::Struct(expression) = &*variant.expr else { panic!("{file}: no struct") };
                        let name = variant.ident.to_string().to_lowercase();
                        let of = |kernel: &Kernel| {
                            kernel.file == file && (kernel.variant == name || kernel.variant.is_empty())
                        };
                        let (_, module) = modules.iter().find(|(kernel, _)| of(kernel)).unwrap();
                        if expression.path.is_ident("Variant") {
                            for field in expression.fields.iter().skip(1) {
                                let syn::Member::Named(name) = &field.member else { panic!("{file}: no name") };
                                let name = name.to_string().to_uppercase();
                                assert_eq!(
                                    constants(module).get(name.as_str()),
                                    Some(&number(&field.expr)),
                                    "{file}: {name}"
                                );
                                checked += 1;
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(checked > 50, "only {checked} constants were found");
}

fn as_module(item: &syn::Item) -> Option<(String, &[syn::Item])> {
    let syn::Item::Mod(module) = item else { return None };
    Some((module.ident.to_string(), &module.content.as_ref()?.1))
}

fn number(expression: &syn::Expr) -> u64 {
    match expression {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. }) => number.base10_parse().unwrap(),
        _ => panic!("a number is expected"),
    }
}

/// The loops of every kernel that has any, each called by what it counts, with the loops inside it in parentheses. The last column says what
/// keeps the steps of one invocation below [`MAX_LOOP_STEPS`].
const LOOPS: &[(&str, &str, &str)] = &[
    ("backward/col2im", "taps()", "the tiling of the backward pass"),
    ("backward/grad_bias", "pixels()", "the slices of its sum"),
    ("backward/grad_column", "packs() stores()", "the tiling of the backward pass"),
    ("backward/grad_input", "cells(entries())", "the tiling of the backward pass"),
    ("backward/grad_offset", "packs()", "the tiling of the backward pass"),
    ("backward/grad_weight", "turns() stores()", "the splits of its sum"),
    ("backward/grad_weight_depthwise", "pixels()", "the tiling of the backward pass"),
    ("backward/grad_weight_reduce", "taps(splits())", "TAPS_PER_INVOCATION, and a few hundred splits"),
    ("backward/pack_grad_output", "packs()", "PACKS_PER_INVOCATION"),
    ("backward/pack_taps", "taps()", "TAPS_PER_INVOCATION"),
    ("backward/pack_weight_columns", "taps()", "TAPS_PER_INVOCATION"),
    ("backward/sum_slices", "slices()", "the slices of its sum"),
    ("convolution/pack_input", "rows()", "ROWS_PER_INVOCATION"),
    ("forward/depthwise", "taps()", "the plan's own test"),
    ("forward/direct", "taps(channels(outputs()))", "loop_steps of direct"),
    ("forward/fused_subgroup", "taps(packs()) stores()", "loop_steps of fused_subgroup"),
    ("forward/fused_tiled", "samples() loads() taps(blocks(channels()))", "loop_steps_per_block of fused_tiled"),
    ("forward/im2col", "channels()", "CHANNELS_PER_INVOCATION"),
    ("forward/matmul", "tiles(loads() rows())", "matmul_loop_steps"),
    ("forward/reduce", "splits()", "the most splits that fused_tiled has"),
    ("roofline/multiply_add", "trips()", "MAX_TRIPS of the measurement"),
    ("sort/count", "buckets() entries()", "the tiling of the backward pass"),
    ("sort/scan", "counters() lanes() counters()", "the most counters of the sort"),
    ("sort/scatter", "entries()", "the tiling of the backward pass"),
    ("statistics/magnitude", "elements()", "most_elements of the statistics"),
    ("statistics/offset_magnitude", "taps()", "most_elements of the statistics"),
    ("statistics/reduce", "slices()", "SLICES"),
];

/// The loops of a block: each a pair of parentheses around those inside it.
fn loops(block: &naga::Block) -> String {
    let of = |statement: &Statement| match statement {
        Statement::Loop { body, continuing, .. } => format!("({}{})", loops(body), loops(continuing)),
        Statement::Block(block) => loops(block),
        Statement::If { accept, reject, .. } => loops(accept) + &loops(reject),
        Statement::Switch { cases, .. } => cases.iter().map(|case| loops(&case.body)).collect(),
        _ => String::new(),
    };
    block.iter().map(of).collect()
}

#[test]
fn every_loop_is_one_that_the_plan_or_a_constant_bounds() {
    let mut seen = BTreeSet::new();
    for kernel in KERNELS {
        let module = module(kernel);
        let functions = module.functions.iter().map(|(_, function)| function);
        let entries = module.entry_points.iter().map(|entry| &entry.function);
        let found: String = functions.chain(entries).map(|function: &Function| loops(&function.body)).collect();
        let known = LOOPS.iter().find(|(file, ..)| *file == kernel.file);
        let named = known.map_or("", |(_, loops, _)| loops);
        let expected: String = named.chars().filter(|c| "()".contains(*c)).collect();
        assert_eq!(found, expected, "{}", kernel.name);
        seen.extend(known.map(|(file, ..)| *file));
    }
    assert_eq!(seen.len(), LOOPS.len(), "a kernel of the table has no loops, or is none");
    const { assert!(MAX_LOOP_STEPS < 65_535) };
}
