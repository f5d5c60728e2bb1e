//! Compares the library's descriptions of its kernels with the parsed WGSL.

use std::collections::{BTreeMap, BTreeSet};

use deform::kernel::{Access, KERNELS, Kernel, Sampling, Specialization, Storage, TexelFormat};
use naga::{
    AddressSpace, ImageClass, ImageDimension, Literal, Module, Scalar, StorageAccess, StorageFormat, TypeInner,
};

use super::shaders::parse;

/// Parses a kernel's module for f32 operands and a call with an offset.
pub fn module(kernel: &Kernel) -> Module {
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
    for (path, text) in super::files::files("shaders", "wgsl") {
        let file = path.trim_start_matches("shaders/").trim_end_matches(".wgsl");
        assert!(used.contains(file), "no kernel uses {path}");
        let variants: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("//@ variant ")).collect();
        let kernels = KERNELS.iter().filter(|kernel| kernel.file == file).count();
        let expected = if text.contains("@compute") { variants.len().max(1) } else { 0 };
        assert_eq!(kernels, expected, "{path}");
    }
}

#[test]
fn every_kernel_says_what_it_does_and_why() {
    for (path, text) in super::files::files("shaders", "wgsl") {
        if !text.contains("@compute") {
            continue;
        }
        let head: Vec<_> = text.lines().map_while(|line| line.strip_prefix("//")).collect();
        for part in [" Reads  ", " Writes  ", " Runs  ", " Order  ", " Why this shape."] {
            let count = head.iter().filter(|line| line.starts_with(part)).count();
            assert_eq!(count, 1, "{path}: the head needs one paragraph{part}");
        }
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
fn workgroup_sizes_are_those_of_the_wgsl() {
    for kernel in KERNELS {
        let module = module(kernel);
        let [entry] = &module.entry_points[..] else { panic!("{}: expected one entry point", kernel.name) };
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
fn bindings_are_those_of_the_wgsl() {
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

#[test]
fn operands_and_nothing_else_are_stored_as_the_caller_chooses() {
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
fn only_kernels_that_say_so_depend_on_the_sampling() {
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

/// A number in a struct, or in a struct inside it.
struct Word {
    name: String,
    offset: u32,
    is_u32: bool,
}

/// Returns the words of a struct that begins at byte `offset`.
fn words(module: &Module, ty: naga::Handle<naga::Type>, offset: u32) -> Vec<Word> {
    let TypeInner::Struct { members, .. } = &module.types[ty].inner else { panic!("not a struct") };
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

/// Returns the u32 constants of a module.
pub fn constants(module: &Module) -> BTreeMap<&str, u64> {
    let number = |constant: &naga::Constant| match module.global_expressions[constant.init] {
        naga::Expression::Literal(Literal::U32(value)) => Some(u64::from(value)),
        _ => None,
    };
    module.constants.iter().filter_map(|(_, c)| Some((c.name.as_deref()?, number(c)?))).collect()
}

/// Reads the generated file. A constant must have the same value in every module that its shader file is a part of, and
/// a constant that differs between variants must have the value of each variant's module.
#[test]
fn generated_constants_are_those_of_the_wgsl() {
    let modules: Vec<_> = KERNELS.iter().map(|&kernel| (kernel, module(kernel))).collect();
    let generated = syn::parse_file(include_str!("../../src/kernel/generated.rs")).unwrap();
    let mut checked = 0;
    for (family, files) in generated.items.iter().filter_map(as_module) {
        for (name, items) in files.iter().filter_map(as_module) {
            let file = format!("{family}/{name}");
            for item in items {
                checked += match item {
                    syn::Item::Const(item) => check_constant(&file, item, &modules),
                    syn::Item::Static(item) => check_variant(&file, item, &modules),
                    _ => 0,
                };
            }
        }
    }
    assert!(checked > 50, "only {checked} constants were found");
}

/// Compares a generated constant with every module that its shader file is a part of. Returns the number of compared
/// constants, which is 1.
fn check_constant(file: &str, item: &syn::ItemConst, modules: &[(&Kernel, Module)]) -> usize {
    let (name, value) = (item.ident.to_string(), number(&item.expr));
    let mut users = 0;
    for (kernel, module) in modules {
        let origins = kernel.expand(Storage::F32).unwrap().origins;
        if origins.iter().any(|(origin, _)| origin == file) {
            assert_eq!(constants(module)[name.as_str()], value, "{file}: {name} in {}", kernel.name);
            users += 1;
        }
    }
    assert!(users > 0, "{file}: no kernel has {name}");
    1
}

/// Compares the constants of a generated variant with the variant's module. Returns the number of compared constants.
fn check_variant(file: &str, item: &syn::ItemStatic, modules: &[(&Kernel, Module)]) -> usize {
    let syn::Expr::Struct(expression) = &*item.expr else { panic!("{file}: not a struct") };
    let variant = item.ident.to_string().to_lowercase();
    let has_variant = |kernel: &Kernel| kernel.variant == variant || kernel.variant.is_empty();
    let (_, module) = modules.iter().find(|(kernel, _)| kernel.file == file && has_variant(kernel)).unwrap();
    if !expression.path.is_ident("Variant") {
        return 0;
    }
    // The first field is the kernel.
    for field in expression.fields.iter().skip(1) {
        let syn::Member::Named(name) = &field.member else { panic!("{file}: a field without a name") };
        let name = name.to_string().to_uppercase();
        assert_eq!(constants(module).get(name.as_str()), Some(&number(&field.expr)), "{file}: {name}");
    }
    expression.fields.len() - 1
}

fn as_module(item: &syn::Item) -> Option<(String, &[syn::Item])> {
    let syn::Item::Mod(module) = item else { return None };
    Some((module.ident.to_string(), &module.content.as_ref()?.1))
}

fn number(expression: &syn::Expr) -> u64 {
    match expression {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. }) => number.base10_parse().unwrap(),
        _ => panic!("expected a number"),
    }
}
