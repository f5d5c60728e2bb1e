//! Reads the facts about a kernel from its module, with naga.

use anyhow::{Context, Result, anyhow, bail, ensure};
use naga::front::wgsl::{Frontend, Options};
use naga::{AddressSpace, BuiltIn, Handle, ImageClass, Module, Scalar, StorageAccess, StorageFormat, Type, TypeInner};

use super::expand::Expanded;

/// The facts about a kernel that the library needs.
pub(crate) struct Facts {
    pub(crate) workgroup_size: u32,
    pub(crate) subgroups: bool,
    pub(crate) sampling: bool,
    pub(crate) bindings: Vec<Binding>,
    /// The uniform's struct, which comes last, and the structs that it contains.
    pub(crate) structs: Vec<Struct>,
    /// Every u32 constant.
    pub(crate) constants: Vec<Constant>,
}

/// A storage buffer or texture.
#[derive(PartialEq)]
pub(crate) struct Binding {
    pub(crate) name: String,
    /// The variant of `Access`, as Rust code.
    pub(crate) access: String,
    pub(crate) operand: bool,
}

#[derive(Clone, PartialEq)]
pub(crate) struct Struct {
    /// The file that declares the struct.
    pub(crate) file: String,
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
}

#[derive(Clone, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) docs: Vec<String>,
    /// The name of the field's struct; `None` for a u32.
    pub(crate) of: Option<String>,
}

#[derive(Clone, PartialEq)]
pub(crate) struct Constant {
    pub(crate) file: String,
    pub(crate) name: String,
    pub(crate) docs: Vec<String>,
    pub(crate) value: u32,
}

/// Reads a module. Returns an error if it is not documented as [`Reader::check_documentation`] requires.
pub(crate) fn read(expanded: &Expanded) -> Result<Facts> {
    let text = documentation_alone(expanded)?;
    let module = parse(&text, expanded)?;
    let reader = Reader { module: &module, text: &text, expanded };
    reader.check_documentation()?;
    let [entry] = &module.entry_points[..] else { bail!("{}: expected one entry point", expanded.origins[0].0) };
    ensure!(
        entry.name == "main" && entry.workgroup_size[1..] == [1, 1],
        "{}: expected an entry point `main` of one dimension",
        expanded.origins[0].0
    );
    let lane = naga::Binding::BuiltIn(BuiltIn::SubgroupInvocationId);
    let params = module.global_variables.iter().find(|(_, variable)| variable.space == AddressSpace::Uniform);
    let (_, params) = params.with_context(|| format!("{} has no uniform", expanded.origins[0].0))?;
    let mut structs = Vec::new();
    reader.structs(params.ty, &mut structs)?;
    Ok(Facts {
        workgroup_size: entry.workgroup_size[0],
        subgroups: entry.function.arguments.iter().any(|argument| argument.binding.as_ref() == Some(&lane)),
        sampling: expanded.sampling,
        bindings: reader.bindings()?,
        structs,
        constants: reader.constants()?,
    })
}

/// Returns the text without comments, except doc comments: naga drops a doc comment that follows another comment.
/// Returns an error for a doc comment that is empty, or behind code: naga would attach it to what follows.
fn documentation_alone(expanded: &Expanded) -> Result<String> {
    let mut text = String::new();
    for (n, line) in expanded.text.lines().enumerate() {
        let (code, comment) = line.split_once("//").unwrap_or((line, ""));
        let documents = comment.starts_with('/');
        let misplaced = !code.trim().is_empty() || comment.trim_matches('/').trim().is_empty();
        ensure!(!documents || !misplaced, "{}: a /// line needs text, and no code before it", place(expanded, n + 1));
        text.push_str(if documents { line } else { code });
        text.push('\n');
    }
    Ok(text)
}

/// Parses the module. An error of naga gets the file and the line.
fn parse(text: &str, expanded: &Expanded) -> Result<Module> {
    let mut frontend = Frontend::new_with_options(Options { parse_doc_comments: true, ..Options::new() });
    frontend.parse(text).map_err(|error| {
        let line = error.location(text).map_or(1, |location| location.line_number as usize);
        anyhow!("{}: {}", place(expanded, line), error.message())
    })
}

/// Returns the file and the line that line `line` of a module, counted from 1, was written from.
pub(crate) fn place(expanded: &Expanded, line: usize) -> String {
    match expanded.origins.get(line.saturating_sub(1)) {
        Some((file, line)) => format!("shaders/{file}.wgsl:{line}"),
        None => "after the last line".to_owned(),
    }
}

struct Reader<'a> {
    module: &'a Module,
    /// The text that the module was parsed from. It has the same lines as the expanded text.
    text: &'a str,
    expanded: &'a Expanded,
}

impl Reader<'_> {
    fn line(&self, span: naga::Span) -> usize {
        span.location(self.text).line_number as usize
    }

    /// Returns the file that declares the item with this span.
    fn file(&self, span: naga::Span) -> String {
        self.expanded.origins[self.line(span) - 1].0.clone()
    }

    /// Returns an error if a struct member or a binding has no doc comment. naga attaches a struct's comments to the
    /// wrong members if one of them has none, and a binding must name its axes.
    fn check_documentation(&self) -> Result<()> {
        let docs = self.module.doc_comments.as_deref();
        let documented = |at: (Handle<Type>, usize)| docs.is_some_and(|docs| docs.struct_members.contains_key(&at));
        for (ty, Type { name, inner }) in self.module.types.iter() {
            // naga's own structs are not in the text.
            let TypeInner::Struct { members, .. } = inner else { continue };
            if !self.module.types.get_span(ty).is_defined() {
                continue;
            }
            if let Some(n) = (0..members.len()).find(|&n| !documented((ty, n))) {
                let line = self.line(self.module.types.get_span(ty));
                let member = members[n].name.as_deref().unwrap_or("?");
                let name = name.as_deref().unwrap_or("?");
                bail!("{}: a member of {name} has no /// line: {member}, or one before it", place(self.expanded, line));
            }
        }
        for (variable, declared) in self.module.global_variables.iter() {
            let documented = docs.is_some_and(|docs| docs.global_variables.contains_key(&variable));
            if declared.binding.is_some() && declared.space != AddressSpace::Uniform && !documented {
                let line = self.line(self.module.global_variables.get_span(variable));
                bail!("{}: this binding has no /// line", place(self.expanded, line));
            }
        }
        Ok(())
    }

    fn bindings(&self) -> Result<Vec<Binding>> {
        let mut found = Vec::new();
        for (handle, variable) in self.module.global_variables.iter() {
            let Some(binding) = &variable.binding else { continue };
            let line = self.line(self.module.global_variables.get_span(handle));
            let inner = &self.module.types[variable.ty].inner;
            let access = match (variable.space, inner) {
                (AddressSpace::Uniform, _) => continue,
                (AddressSpace::Storage { access }, _) if access.contains(StorageAccess::STORE) => {
                    "ReadWrite".to_owned()
                }
                (AddressSpace::Storage { .. }, _) => "Read".to_owned(),
                (_, TypeInner::Image { class: ImageClass::Sampled { .. }, .. }) => "SampledTexture".to_owned(),
                (_, TypeInner::Image { class: ImageClass::Storage { format, access }, .. }) => {
                    texture(*format, *access).with_context(|| place(self.expanded, line))?
                }
                _ => bail!("{}: a binding of a kind that the library does not know", place(self.expanded, line)),
            };
            let name = variable.name.clone().unwrap_or_default();
            let operand = self.expanded.operands.contains(&name);
            found.push((binding.binding, Binding { name, access, operand }));
        }
        found.sort_by_key(|(number, _)| *number);
        let counted = found.iter().zip(1..).all(|((number, _), expected)| *number == expected);
        ensure!(counted, "{}: the bindings must be numbered from 1 without a gap", self.expanded.origins[0].0);
        Ok(found.into_iter().map(|(_, binding)| binding).collect())
    }

    /// Adds the structs that `ty` contains, and then `ty` itself.
    fn structs(&self, ty: Handle<Type>, found: &mut Vec<Struct>) -> Result<()> {
        let Type { name, inner } = &self.module.types[ty];
        let span = self.module.types.get_span(ty);
        let TypeInner::Struct { members, .. } = inner else {
            bail!("{}: not a struct", place(self.expanded, self.line(span)))
        };
        let docs = self.module.doc_comments.as_deref();
        let mut fields = Vec::new();
        for (n, member) in members.iter().enumerate() {
            let name = member.name.clone().unwrap_or_default();
            let of = match &self.module.types[member.ty] {
                Type { inner: TypeInner::Scalar(Scalar::U32), .. } => None,
                Type { name: Some(name), inner: TypeInner::Struct { .. } } => {
                    self.structs(member.ty, found)?;
                    Some(name.clone())
                }
                _ => bail!("{}: {name} is neither a u32 nor a struct", place(self.expanded, self.line(span))),
            };
            let lines = docs.and_then(|docs| docs.struct_members.get(&(ty, n)));
            fields.push(Field { name, docs: lines.map_or_else(Vec::new, |lines| text(lines)), of });
        }
        found.push(Struct { file: self.file(span), name: name.clone().unwrap_or_default(), fields });
        Ok(())
    }

    /// Returns the u32 constants. Returns an error for a constant that is an integer without a type, because naga does
    /// not keep it.
    fn constants(&self) -> Result<Vec<Constant>> {
        let kept =
            |name: &str| self.module.constants.iter().any(|(_, constant)| constant.name.as_deref() == Some(name));
        for (n, line) in self.text.lines().enumerate() {
            let name = line.strip_prefix("const ").and_then(|rest| rest.split(['=', ':']).next()).map(str::trim);
            ensure!(name.is_none_or(kept), "{}: this constant has no type: add a suffix", place(self.expanded, n + 1));
        }
        let docs = self.module.doc_comments.as_deref();
        let constants = self.module.constants.iter().filter_map(|(handle, constant)| {
            let naga::Expression::Literal(naga::Literal::U32(value)) = self.module.global_expressions[constant.init]
            else {
                return None;
            };
            let lines = docs.and_then(|docs| docs.constants.get(&handle));
            let docs = lines.map_or_else(Vec::new, |lines| text(lines));
            Some(Constant {
                file: self.file(self.module.constants.get_span(handle)),
                name: constant.name.clone()?,
                docs,
                value,
            })
        });
        Ok(constants.collect())
    }
}

fn text(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| line.trim_start_matches('/').trim().to_owned()).collect()
}

fn texture(format: StorageFormat, access: StorageAccess) -> Result<String> {
    let texel = match format {
        StorageFormat::Rgba8Unorm => "Rgba8Unorm",
        StorageFormat::Rgba16Float => "Rgba16Float",
        StorageFormat::Rgba32Float => "Rgba32Float",
        other => bail!("the library binds no texture of {other:?}"),
    };
    match access {
        StorageAccess::LOAD => Ok(format!("TextureRead(TexelFormat::{texel})")),
        StorageAccess::STORE => Ok(format!("TextureWrite(TexelFormat::{texel})")),
        other => bail!("the library binds no texture for {other:?}"),
    }
}
