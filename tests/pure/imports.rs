//! Finds the files that each file of the crate names, by following every path of the sources.
//!
//! A path names the file that defines its item, and every file whose `use` it passes on the way. `mod child;` names no
//! file: a module contains its children and need not know them. No path leads to a method or a constant of an inherent
//! impl outside its type's file, so a file that uses one names the impl's file too.
//!
//! Types are not inferred, so some answers are approximate:
//! - A method call counts for every type that its file names, so a file may be said to name an impl of a type whose
//!   method of the same name it does not call. A call on a type that its file does not name does not count.
//! - A call of a trait's method does not count for the file that implements the trait.
//! - Where a glob brings the variants of an enum, every unknown name counts as one of them.
//! - A macro counts where a path or a `use` leads to it, and not where a child module inherits it.
//! - The arguments of an attribute count where they are expressions or, as in `derive`, paths, and not in strings.

use std::collections::{BTreeMap, BTreeSet};

use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Ident, ImplItem, Item, ItemImpl, ItemUse, Macro, Meta, Token, Type, UseTree};

/// The files that each file names.
pub type References = BTreeMap<String, BTreeSet<String>>;

/// A module: its items, and the paths in its code.
#[derive(Default)]
struct Module {
    file: String,
    items: BTreeSet<String>,
    /// The types that its type aliases stand for.
    aliases: BTreeMap<String, Path>,
    /// The paths of `use` declarations, by the names that they bind. `*` stands for the unknown names of a glob.
    uses: BTreeMap<String, Path>,
    globs: Vec<Path>,
    /// All paths, and whether each is a `use` declaration's.
    paths: BTreeSet<(Path, bool)>,
    /// The members of inherent impls, by the path of the type. A macro's name ends in `!`.
    members: Vec<(Path, String)>,
    /// The names of the methods that its code calls.
    called: BTreeSet<String>,
    /// The type that `Self` stands for, while an impl is visited.
    this: Option<Path>,
}

type Path = Vec<String>;

/// An item: its module and its name.
type Found = (String, String);

/// Where a path leads.
enum End {
    Module(String),
    /// An item. The rest of the path, a variant or an associated item, belongs to it.
    Item(Found),
    /// Something that is not the crate's, or a name that only the code around it knows.
    Outside,
    Nowhere,
}

/// The modules of a crate by their paths; the root's is "crate".
pub struct Crate(BTreeMap<String, Module>);

impl Crate {
    /// Parses the files below `src`, each given by its path and its text.
    pub fn parse(files: &[(String, String)]) -> Self {
        let mut modules = Self(BTreeMap::new());
        for (path, text) in files {
            let inner = path.strip_prefix("src/").unwrap().strip_suffix(".rs").unwrap();
            let inner = inner.strip_suffix("/mod").unwrap_or(inner);
            let name = if inner == "lib" { "crate".to_owned() } else { format!("crate/{inner}") };
            modules.add(name, path, &syn::parse_file(text).unwrap().items);
        }
        modules.expand_globs();
        modules
    }

    fn add(&mut self, name: String, file: &str, items: &[Item]) {
        let mut module = Module { file: file.to_owned(), ..Module::default() };
        for item in items {
            match item {
                Item::Mod(item) => {
                    let has = |name| item.attrs.iter().any(|it| it.path().is_ident(name));
                    // `cfg_attr` may hold a path, too. The unit tests, behind a `cfg`, may lie elsewhere.
                    let moved = (has("path") || has("cfg_attr")) && !has("cfg");
                    assert!(!moved, "{file}: this test does not follow the path of mod {}", item.ident);
                    if let Some((_, items)) = &item.content {
                        self.add(format!("{name}/{}", item.ident), file, items);
                    }
                    continue;
                }
                Item::Const(item) => module.define(&item.ident),
                Item::Enum(item) => module.define(&item.ident),
                Item::Fn(item) => module.define(&item.sig.ident),
                Item::Static(item) => module.define(&item.ident),
                Item::Struct(item) => module.define(&item.ident),
                Item::Trait(item) => module.define(&item.ident),
                Item::Type(item) => {
                    module.define(&item.ident);
                    if let Type::Path(of) = &*item.ty {
                        module.aliases.insert(item.ident.to_string(), segments(&of.path));
                    }
                }
                Item::Macro(item) => module.define(item.ident.as_ref().expect("macro_rules")),
                Item::ExternCrate(_) | Item::Use(_) | Item::Impl(_) => {}
                _ => panic!("{file} has an item of a kind that this test does not follow"),
            }
            module.visit_item(item);
        }
        assert!(self.0.insert(name.clone(), module).is_none(), "{name} is defined twice");
    }

    /// Binds the names that globs bring, until no glob brings a new one. An enum's and another crate's are unknown.
    fn expand_globs(&mut self) {
        loop {
            let mut brought = Vec::new();
            for (at, module) in &self.0 {
                for glob in &module.globs {
                    let names = match self.follow(at, glob, &mut BTreeSet::new()) {
                        End::Module(of) => self.names(&of),
                        End::Item(_) | End::Outside => BTreeSet::from(["*".to_owned()]),
                        End::Nowhere => continue,
                    };
                    let new = &names - &self.names(at);
                    brought.extend(new.into_iter().map(|name| (at.clone(), [&glob[..], &[name]].concat())));
                }
            }
            if brought.is_empty() {
                return;
            }
            for (at, path) in brought {
                self.0.get_mut(&at).unwrap().uses.insert(path.last().unwrap().clone(), path);
            }
        }
    }

    /// Returns the names that a module defines or binds.
    fn names(&self, at: &str) -> BTreeSet<String> {
        let children = self.0.keys().filter_map(|child| child.strip_prefix(at)?.strip_prefix('/'));
        let module = &self.0[at];
        module.items.iter().chain(module.uses.keys()).cloned().chain(children.map(str::to_owned)).collect()
    }

    /// Returns the files that each file names.
    pub fn references(&self) -> References {
        let mut references = References::new();
        // The members that each file uses: the type, the member, the file.
        let mut used = BTreeSet::new();
        for (at, module) in &self.0 {
            let file = module.file.as_str();
            let targets = references.entry(file.to_owned()).or_default();
            let mut types: BTreeSet<Found> = module.items.iter().map(|item| (at.clone(), item.clone())).collect();
            for (path, imported) in &module.paths {
                let mut files = BTreeSet::new();
                match self.follow(at, path, &mut files) {
                    End::Nowhere => panic!("{file}: this test finds nothing at {}", path.join("::")),
                    End::Outside => continue,
                    // A single name in code is no module: it is a variable that is called like one.
                    End::Module(_) if path.len() == 1 && !imported => continue,
                    End::Module(of) | End::Item((of, _)) => files.insert(self.0[&of].file.clone()),
                };
                targets.append(&mut files);
                types.extend(self.type_at(at, path));
                let (member, of) = path.split_last().unwrap();
                used.extend(self.type_at(at, of).map(|of| (of, member, file)));
            }
            for method in self.0.values().filter(|other| other.file == file).flat_map(|other| &other.called) {
                used.extend(types.iter().map(|of| (of.clone(), method, file)));
            }
        }
        for (at, module) in &self.0 {
            for (of, member) in &module.members {
                let Some(of) = self.type_at(at, of) else { continue };
                let known = !member.ends_with('!') || self.0[&of.0].file == module.file;
                assert!(known, "{}: this test does not know what {member} defines for {}", module.file, of.1);
                for (_, _, file) in used.iter().filter(|(used, name, _)| (used, *name) == (&of, member)) {
                    references.get_mut(*file).unwrap().insert(module.file.clone());
                }
            }
        }
        references.iter_mut().for_each(|(file, targets)| targets.retain(|target| target != file));
        references
    }

    /// Returns the item at a path, and for an alias the type that it stands for.
    fn type_at(&self, from: &str, path: &[String]) -> Option<Found> {
        let End::Item((at, item)) = self.follow(from, path, &mut BTreeSet::new()) else { return None };
        match self.0[&at].aliases.get(&item) {
            Some(of) => self.type_at(&at, of),
            None => Some((at, item)),
        }
    }

    /// Follows a path from a module and adds the files whose `use` it passes.
    fn follow(&self, from: &str, path: &[String], passed: &mut BTreeSet<String>) -> End {
        let mut at = from.to_owned();
        for (n, name) in path.iter().enumerate() {
            let end = match name.as_str() {
                "self" => continue,
                "crate" => End::Module("crate".to_owned()),
                "super" => End::Module(at.rsplit_once('/').expect("a parent").0.to_owned()),
                _ => self.look_up(&at, name, n + 1 == path.len(), passed),
            };
            match end {
                End::Module(next) => at = next,
                // The name of another crate, of a generic parameter or of a variable.
                End::Nowhere if n == 0 => return End::Outside,
                end => return end,
            }
        }
        End::Module(at)
    }

    /// Looks one name up in a module. `last` says whether the path ends with it.
    fn look_up(&self, at: &str, name: &str, last: bool, passed: &mut BTreeSet<String>) -> End {
        let module = &self.0[at];
        let child = format!("{at}/{name}");
        if self.0.contains_key(&child) {
            // A function may be called like a module. A path that ends there may mean both.
            if last && (module.items.contains(name) || module.uses.contains_key(name)) {
                passed.insert(module.file.clone());
            }
            return End::Module(child);
        }
        if module.items.contains(name) {
            return End::Item((at.to_owned(), name.to_owned()));
        }
        match module.uses.get(name).or(module.uses.get("*")) {
            // `use wgpu;` binds another crate to its own name.
            Some(path) if path[0] == name => End::Outside,
            Some(path) => {
                passed.insert(module.file.clone());
                self.follow(at, path, passed)
            }
            None => End::Nowhere,
        }
    }
}

impl Module {
    fn define(&mut self, ident: &Ident) {
        self.items.insert(ident.to_string());
    }

    fn add_use(&mut self, before: &[String], tree: &UseTree) {
        let with = |ident: &Ident| [before, &[ident.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.add_use(&with(&path.ident), &path.tree),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_use(before, tree)),
            UseTree::Glob(_) => {
                self.globs.push(before.to_vec());
                self.paths.insert((before.to_vec(), true));
            }
            UseTree::Name(name) if name.ident == "self" => self.bind(before.last().unwrap().clone(), before.to_vec()),
            UseTree::Name(name) => self.bind(name.ident.to_string(), with(&name.ident)),
            UseTree::Rename(rename) if rename.ident == "self" => self.bind(rename.rename.to_string(), before.to_vec()),
            UseTree::Rename(rename) => self.bind(rename.rename.to_string(), with(&rename.ident)),
        }
    }

    fn bind(&mut self, name: String, path: Path) {
        self.paths.insert((path.clone(), true));
        self.uses.insert(name, path);
    }
}

/// Returns the segments of a path. A path that begins with `::` leads outside: its first segment is empty.
fn segments(path: &syn::Path) -> Path {
    let outer = path.leading_colon.iter().map(|_| String::new());
    outer.chain(path.segments.iter().map(|segment| segment.ident.to_string())).collect()
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let before: Path = item.leading_colon.iter().map(|_| String::new()).collect();
        self.add_use(&before, &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut names = segments(path);
        if let (Some(this), "Self") = (&self.this, &*names[0]) {
            names.splice(..1, this.clone());
        }
        // `<T>::y` begins with `::`, too. It counts like a method call.
        if names[0].is_empty() {
            self.called.extend(names.last().cloned());
        }
        self.paths.insert((names, false));
        visit::visit_path(self, path);
    }

    // `pub(in crate::ops)` says who may name an item, and is not followed itself.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let Meta::List(list) = &attribute.meta else { return };
        let arguments = list.parse_args_with(Punctuated::<Expr, Token![,]>::parse_terminated);
        arguments.iter().flatten().for_each(|argument| Visit::visit_expr(self, argument));
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        let methods = |rule: ParseStream<'_>| {
            let (pattern, body);
            syn::parenthesized!(pattern in rule);
            assert!(pattern.is_empty(), "this test does not follow macros with parameters");
            rule.parse::<Token![=>]>()?;
            syn::braced!(body in rule);
            let mut methods = Vec::new();
            while !body.is_empty() {
                methods.push(body.parse::<ImplItem>()?);
            }
            rule.parse::<Option<Token![;]>>()?;
            Ok(methods)
        };
        let methods = item.mac.parse_body_with(methods).expect("a macro of one rule that defines methods");
        methods.iter().for_each(|method| Visit::visit_impl_item(self, method));
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        let separated = Punctuated::<Expr, Token![,]>::parse_terminated;
        let repeated = Punctuated::<Expr, Token![;]>::parse_terminated;
        let arguments: Vec<_> = match called.parse_body_with(separated) {
            Ok(arguments) => arguments.into_iter().collect(),
            Err(_) => called.parse_body_with(repeated).expect("a macro of expressions").into_iter().collect(),
        };
        self.paths.insert((segments(&called.path), false));
        arguments.iter().for_each(|argument| Visit::visit_expr(self, argument));
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let this = if let Type::Path(of) = &*item.self_ty { Some(segments(&of.path)) } else { None };
        if let (None, Some(of)) = (&item.trait_, &this) {
            let name = |member: &ImplItem| match member {
                ImplItem::Const(member) => Some(member.ident.to_string()),
                ImplItem::Fn(member) => Some(member.sig.ident.to_string()),
                ImplItem::Macro(called) => Some(format!("{}!", segments(&called.mac.path).join("::"))),
                _ => None,
            };
            self.members.extend(item.items.iter().filter_map(name).map(|member| (of.clone(), member)));
        }
        let outer = std::mem::replace(&mut self.this, this);
        visit::visit_item_impl(self, item);
        self.this = outer;
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.called.insert(call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }
}
