//! Writes the facts about the kernels as Rust code.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};

use super::facts::{Constant, Field, Struct};
use super::{Files, Kernel, explained};

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
        writeln!(text, "/// The shaders of `shaders/{family}`.\npub(crate) mod {family} {{")?;
        for (name, module) in modules {
            write_module(&mut text, &format!("{family}/{name}"), name, module, files)?;
        }
        writeln!(text, "}}\n")?;
    }
    writeln!(text, "/// Every kernel.\npub(crate) static KERNELS: &[&super::declaration::Kernel] = &[")?;
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
    writeln!(text, "pub(crate) mod {name} {{")?;
    if !module.kernels.is_empty() {
        let bindings = module.kernels.iter().flat_map(|kernel| &kernel.facts.bindings);
        let texels = bindings.into_iter().any(|binding| binding.access.contains("TexelFormat"));
        let texels = if texels { ", TexelFormat" } else { "" };
        writeln!(text, "use crate::kernel::declaration::{{Access, Binding, Kernel, Params as _{texels}}};")?;
    }
    for constant in &module.constants {
        docs(text, &constant.docs)?;
        writeln!(text, "pub(crate) const {}: u64 = {};", constant.name, constant.value)?;
    }
    if !module.varying.is_empty() {
        writeln!(
            text,
            "/// A variant of the kernel, with its constants.\n#[derive(Debug)]\npub(crate) struct Variant {{ /// The kernel.\npub(crate) kernel: Kernel,"
        )?;
        for name in &module.varying {
            docs(text, &meaning(module, name, &files[path]).with_context(|| format!("shaders/{path}.wgsl"))?)?;
            writeln!(text, "pub(crate) {}: u64,", name.to_lowercase())?;
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
        writeln!(text, "pub(crate) use super::super::{}::Params;", params.file.replace('/', "::"))?;
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
    write!(text, "/// {doc}\npub(crate) static {}: {ty} = ", name_of(kernel))?;
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
    write!(text, "], params: Params::WORDS, files: super::super::FILES }}")?;
    if !varying.is_empty() {
        for name in varying {
            let constant = facts.constants.iter().find(|constant| constant.name == *name);
            let value = constant.with_context(|| format!("shaders/{file}.wgsl: {variant} has no {name}"))?.value;
            write!(text, ", {}: {value}", name.to_lowercase())?;
        }
        write!(text, "}}")?;
    }
    writeln!(text, ";")?;
    Ok(())
}

/// Returns the meaning of a constant that differs between variants: the doc comment of its declaration, or the
/// directive `//@ constant`.
fn meaning(module: &Module<'_>, name: &str, text: &str) -> Result<Vec<String>> {
    let constants = module.kernels.iter().flat_map(|kernel| &kernel.facts.constants);
    let declared = constants.into_iter().find(|constant| constant.name == name && !constant.docs.is_empty());
    if let Some(declared) = declared {
        return Ok(declared.docs.clone());
    }
    let directive = explained(text).find(|(known, _)| *known == name);
    let (_, meaning) = directive.with_context(|| format!("there is no line `//@ constant {name} …`"))?;
    Ok(vec![meaning.to_owned()])
}

/// Returns the names of a struct's words, in order.
fn words<'a>(structs: &[&'a Struct], of: &'a Struct) -> Vec<&'a str> {
    let word = |field: &'a Field| match &field.of {
        None => vec![field.name.as_str()],
        Some(of) => {
            structs.iter().filter(|other| other.name == *of).take(1).flat_map(|of| words(structs, of)).collect()
        }
    };
    of.fields.iter().flat_map(word).collect()
}

fn write_struct(text: &mut String, declared: &Struct, module: &Module<'_>) -> Result<()> {
    let all: Vec<_> = module.kernels.iter().flat_map(|kernel| &kernel.facts.structs).collect();
    writeln!(
        text,
        "/// The kernel's `{0}`: each number reaches the device as a u32.\n#[repr(C)]\n#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]\npub(crate) struct {0} {{",
        declared.name
    )?;
    for field in &declared.fields {
        docs(text, &field.docs)?;
        let ty = match &field.of {
            None => "u64".to_owned(),
            Some(of) => {
                let file = all.iter().find(|other| other.name == *of).map_or("", |other| &other.file);
                format!("super::super::{}::{of}", file.replace('/', "::"))
            }
        };
        writeln!(text, "pub(crate) {}: {ty},", field.name)?;
    }
    let words = words(&all, declared);
    writeln!(
        text,
        "}}\nimpl crate::kernel::declaration::Params for {} {{ const WORDS: &'static [&'static str] = &{words:?}; }}",
        declared.name
    )?;
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
