//! Writes the facts about the kernels as Rust code.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Result, ensure};

use super::facts::{Constant, Struct};
use super::{Files, Kernel};

/// The declarations of one shader file.
#[derive(Default)]
struct Module<'a> {
    kernels: Vec<&'a Kernel>,
    structs: Vec<&'a Struct>,
    constants: Vec<&'a Constant>,
    /// The constants that differ between the file's variants.
    varying: Vec<&'a str>,
}

/// Returns the text of the generated file.
pub(super) fn rust(files: &Files, kernels: &[Kernel]) -> Result<String> {
    let modules = modules(kernels)?;
    let mut text = String::from(
        "//! The declarations of the shaders: a module for each file that is a kernel, or declares parameters or constants.
//!
//! Written by `cargo xtask kernels`. Do not edit: `cargo xtask check` fails if this file does not match the shaders.

",
    );
    let mut families: BTreeMap<&str, Vec<(&str, &Module<'_>)>> = BTreeMap::new();
    for (path, module) in &modules {
        let (family, name) = path.split_once('/').unwrap_or(("", path));
        families.entry(family).or_default().push((name, module));
    }
    for (family, modules) in &families {
        writeln!(text, "/// The shaders of `shaders/{family}`.\npub mod {family} {{")?;
        for (name, module) in modules {
            write_module(&mut text, &format!("{family}/{name}"), name, module, files)?;
        }
        writeln!(text, "}}\n")?;
    }
    writeln!(text, "/// Every kernel.\npub static KERNELS: &[&super::declaration::Kernel] = &[")?;
    for kernel in kernels {
        let path = kernel.file.replace('/', "::");
        let field = if modules[kernel.file.as_str()].varying.is_empty() { "" } else { ".kernel" };
        writeln!(text, "&{path}::{}{field},", name_of(kernel))?;
    }
    writeln!(
        text,
        "];\n\n/// The text of every shader file, by its path below `shaders/`.\nstatic FILES: &[(&str, &str)] = &["
    )?;
    for path in files.keys() {
        writeln!(text, "({path:?}, include_str!(\"../../shaders/{path}.wgsl\")),")?;
    }
    writeln!(text, "];")?;
    Ok(text)
}

/// Collects the declarations of each file, by its path.
fn modules(kernels: &[Kernel]) -> Result<BTreeMap<&str, Module<'_>>> {
    let mut modules: BTreeMap<&str, Module<'_>> = BTreeMap::new();
    for kernel in kernels {
        modules.entry(&kernel.file).or_default().kernels.push(kernel);
        for declared in &kernel.facts.structs {
            let structs = &mut modules.entry(&declared.file).or_default().structs;
            match structs.iter().find(|known| known.name == declared.name) {
                Some(known) => ensure!(**known == *declared, "{} has several structs {}", declared.file, declared.name),
                None => structs.push(declared),
            }
        }
    }
    for kernel in kernels {
        let of_file = kernels.iter().filter(|other| other.file == kernel.file);
        let others: Vec<_> = of_file.map(|other| other.facts.constants.as_slice()).collect();
        // The field `workgroup_size` of the kernel holds this constant.
        for constant in kernel.facts.constants.iter().filter(|constant| constant.name != "WORKGROUP_SIZE") {
            let differs =
                |other: &&[Constant]| other.iter().any(|c| c.name == constant.name && c.value != constant.value);
            if others.iter().any(differs) {
                let varying = &mut modules.entry(&kernel.file).or_default().varying;
                if !varying.contains(&constant.name.as_str()) {
                    varying.push(&constant.name);
                }
                continue;
            }
            ensure!(!constant.docs.is_empty(), "shaders/{}.wgsl: {} has no /// line", constant.file, constant.name);
            let constants = &mut modules.entry(&constant.file).or_default().constants;
            match constants.iter().find(|known| known.name == constant.name) {
                Some(known) => {
                    ensure!(**known == *constant, "{} has several values of {}", constant.file, constant.name)
                }
                None => constants.push(constant),
            }
        }
    }
    Ok(modules)
}

/// Returns a kernel's name in Rust.
fn name_of(kernel: &Kernel) -> String {
    if kernel.variant.is_empty() { "KERNEL".to_owned() } else { kernel.variant.to_uppercase() }
}

fn write_module(text: &mut String, path: &str, name: &str, module: &Module<'_>, files: &Files) -> Result<()> {
    for line in purpose(&files[path]) {
        writeln!(text, "/// {line}")?;
    }
    writeln!(text, "pub mod {name} {{")?;
    if let Some(first) = module.kernels.first() {
        let bindings = module.kernels.iter().flat_map(|kernel| &kernel.facts.bindings);
        let texels = bindings.into_iter().any(|binding| binding.access.contains("TexelFormat"));
        let texels = if texels { ", TexelFormat" } else { "" };
        writeln!(text, "use crate::kernel::{{Access, Binding, Kernel{texels}}};")?;
        let words = words(&first.facts.structs, first.facts.structs.last());
        writeln!(text, "const PARAMS: &[&str] = &{words:?};")?;
    }
    for constant in &module.constants {
        docs(text, &constant.docs)?;
        writeln!(text, "pub const {}: u64 = {};", constant.name, constant.value)?;
    }
    if !module.varying.is_empty() {
        writeln!(
            text,
            "/// A variant of the kernel, with its constants.\n#[derive(Debug)]\npub struct Variant {{ /// The kernel.\npub kernel: Kernel,"
        )?;
        for name in &module.varying {
            writeln!(text, "/// The constant `{name}`.\npub {}: u64,", name.to_lowercase())?;
        }
        writeln!(text, "}}")?;
    }
    for kernel in &module.kernels {
        write_kernel(text, kernel, &module.varying)?;
    }
    for declared in &module.structs {
        write_struct(text, declared, module)?;
    }
    if let Some(params) =
        module.kernels.first().and_then(|kernel| kernel.facts.structs.last()).filter(|params| params.file != path)
    {
        writeln!(text, "pub use crate::kernel::{}::Params;", params.file.replace('/', "::"))?;
    }
    writeln!(text, "}}\n")?;
    Ok(())
}

fn write_kernel(text: &mut String, kernel: &Kernel, varying: &[&str]) -> Result<()> {
    let Kernel { file, variant, facts } = kernel;
    let (name, doc) = if variant.is_empty() {
        (file.clone(), "The kernel.".to_owned())
    } else {
        (format!("{file}/{variant}"), format!("The kernel's variant `{variant}`."))
    };
    let ty = if varying.is_empty() { "Kernel" } else { "Variant" };
    write!(text, "/// {doc}\npub static {}: {ty} = ", name_of(kernel))?;
    if !varying.is_empty() {
        write!(text, "Variant {{ kernel: ")?;
    }
    write!(
        text,
        "Kernel {{ name: {name:?}, file: {file:?}, variant: {variant:?}, workgroup_size: {}, subgroups: {}, sampling: {}, bindings: &[",
        facts.workgroup_size, facts.subgroups, facts.sampling
    )?;
    for binding in &facts.bindings {
        write!(
            text,
            "Binding {{ name: {:?}, access: Access::{}, operand: {} }},",
            binding.name, binding.access, binding.operand
        )?;
    }
    write!(text, "], params: PARAMS, files: super::super::FILES }}")?;
    if !varying.is_empty() {
        for name in varying {
            // A variant without the constant gets 0.
            let value =
                facts.constants.iter().find(|constant| constant.name == *name).map_or(0, |constant| constant.value);
            write!(text, ", {}: {value}", name.to_lowercase())?;
        }
        write!(text, "}}")?;
    }
    writeln!(text, ";")?;
    Ok(())
}

/// Returns the names of a struct's words, in order.
fn words<'a>(structs: &'a [Struct], of: Option<&'a Struct>) -> Vec<&'a str> {
    let fields = of.map_or(&[][..], |declared| &declared.fields);
    let word = |field: &'a super::facts::Field| match &field.of {
        None => vec![field.name.as_str()],
        Some(of) => words(structs, structs.iter().find(|declared| declared.name == *of)),
    };
    fields.iter().flat_map(word).collect()
}

fn write_struct(text: &mut String, declared: &Struct, module: &Module<'_>) -> Result<()> {
    let all = module.kernels.iter().flat_map(|kernel| &kernel.facts.structs);
    let all: Vec<_> = all.collect();
    writeln!(
        text,
        "/// The kernel's `{0}`: each number reaches the device as a u32.\n#[repr(C)]\n#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]\npub struct {0} {{",
        declared.name
    )?;
    for field in &declared.fields {
        docs(text, &field.docs)?;
        let ty = match &field.of {
            None => "u64".to_owned(),
            Some(of) => {
                let file = all.iter().find(|other| other.name == *of).map_or("", |other| &other.file);
                format!("crate::kernel::{}::{of}", file.replace('/', "::"))
            }
        };
        writeln!(text, "pub {}: {ty},", field.name)?;
    }
    writeln!(text, "}}\nimpl crate::kernel::Params for {} {{}}", declared.name)?;
    Ok(())
}

fn docs(text: &mut String, lines: &[String]) -> Result<()> {
    lines.iter().try_for_each(|line| writeln!(text, "/// {line}"))?;
    Ok(())
}

/// Returns the first paragraph of the comment at the top of a file.
fn purpose(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map_while(|line| line.strip_prefix("// ")).map(str::trim)
}
