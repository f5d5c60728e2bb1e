//! The files that each file of the crate names: every path of the sources is followed to where it leads.
//!
//! A path leads to the file that defines its item, and to every file whose `use` it passes on the way. `mod child;` is no arrow: a module
//! contains its children and need not know them.

use std::collections::{BTreeMap, BTreeSet};

use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, Ident, ImplItem, Item, ItemImpl, ItemUse, Macro, Token, Type, UseTree};

/// From each file to those that it names.
pub type Arrows = BTreeMap<String, BTreeSet<String>>;

/// A module: its items, and the paths that its files' code names.
struct Module {
    file: String,
    parent: Option<String>,
    items: BTreeSet<String>,
    /// What a `use` makes known, by the name it gives it.
    uses: BTreeMap<String, Path>,
    globs: Vec<Path>,
    paths: BTreeSet<Path>,
    /// The methods of inherent impls, by the path of the type.
    methods: Vec<(Path, String)>,
    called: BTreeSet<String>,
}

type Path = Vec<String>;

/// The modules of a crate by their paths; the root's is "crate".
pub struct Crate(BTreeMap<String, Module>);

impl Crate {
    /// From the files below `src`, each with its path and its text.
    pub fn parse(files: &[(String, String)]) -> Self {
        let mut modules = Self(BTreeMap::new());
        for (path, text) in files {
            let inner = path.strip_prefix("src/").unwrap().strip_suffix(".rs").unwrap();
            let inner = inner.strip_suffix("/mod").unwrap_or(inner);
            let (name, parent) = match inner.rsplit_once('/') {
                _ if inner == "lib" => ("crate".to_owned(), None),
                Some((parent, _)) => (format!("crate/{inner}"), Some(format!("crate/{parent}"))),
                None => (format!("crate/{inner}"), Some("crate".to_owned())),
            };
            modules.add(name, parent, path, &syn::parse_file(text).unwrap().items);
        }
        modules
    }

    fn add(&mut self, name: String, parent: Option<String>, file: &str, items: &[Item]) {
        let mut module = Module {
            file: file.to_owned(),
            parent,
            items: BTreeSet::new(),
            uses: BTreeMap::new(),
            globs: Vec::new(),
            paths: BTreeSet::new(),
            methods: Vec::new(),
            called: BTreeSet::new(),
        };
        for item in items {
            match item {
                Item::Mod(inline) => {
                    if let Some((_, items)) = &inline.content {
                        self.add(format!("{name}/{}", inline.ident), Some(name.clone()), file, items);
                    }
                    continue;
                }
                Item::Const(item) => module.define(&item.ident),
                Item::Enum(item) => module.define(&item.ident),
                Item::Fn(item) => module.define(&item.sig.ident),
                Item::Static(item) => module.define(&item.ident),
                Item::Struct(item) => module.define(&item.ident),
                Item::Trait(item) => module.define(&item.ident),
                Item::Type(item) => module.define(&item.ident),
                Item::Macro(item) => module.define(item.ident.as_ref().expect("macro_rules")),
                Item::Use(_) | Item::Impl(_) => {}
                _ => panic!("{file} has an item of a kind that is not followed"),
            }
            module.visit_item(item);
        }
        assert!(self.0.insert(name.clone(), module).is_none(), "{name} twice");
    }

    /// Every arrow between two files.
    pub fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for (name, module) in &self.0 {
            let targets = arrows.entry(module.file.clone()).or_default();
            for path in &module.paths {
                // A variable may have the name of a module.
                let variable = matches!(&path[..], [only] if self.0.contains_key(&format!("{name}/{only}")));
                if !variable {
                    self.follow(name, path, targets);
                }
            }
        }
        // A method that stands elsewhere than its type reaches that file through no path.
        for (name, module) in &self.0 {
            for (of, method) in &module.methods {
                let Some(home) = self.follow(name, of, &mut BTreeSet::new()) else { continue };
                let home = &self.0[&home];
                if home.file != module.file && home.called.contains(method) {
                    arrows.get_mut(&home.file).unwrap().insert(module.file.clone());
                }
            }
        }
        arrows.iter_mut().for_each(|(file, targets)| {
            targets.remove(file);
        });
        arrows
    }

    /// Follows a path from a module and notes the files on the way. Returns the module that defines the item; `None` outside the crate.
    fn follow(&self, from: &str, path: &[String], files: &mut BTreeSet<String>) -> Option<String> {
        let (first, rest) = path.split_first()?;
        let module = &self.0[from];
        match first.as_str() {
            "crate" => return self.within("crate", rest, files),
            "self" => return self.within(from, rest, files),
            "super" => return self.follow_super(module.parent.as_deref().expect("a parent"), rest, files),
            _ => {}
        }
        self.within(from, path, files)
    }

    fn follow_super(&self, parent: &str, rest: &[String], files: &mut BTreeSet<String>) -> Option<String> {
        match rest.first().map(String::as_str) {
            Some("super") => self.follow(parent, rest, files),
            _ => self.within(parent, rest, files),
        }
    }

    /// The rest of a path, seen from within a module.
    fn within(&self, name: &str, path: &[String], files: &mut BTreeSet<String>) -> Option<String> {
        let Some((first, rest)) = path.split_first() else {
            files.insert(self.0[name].file.clone());
            return Some(name.to_owned());
        };
        let module = &self.0[name];
        if module.items.contains(first) {
            files.insert(module.file.clone());
            return Some(name.to_owned());
        }
        let child = format!("{name}/{first}");
        if self.0.contains_key(&child) {
            return self.within(&child, rest, files);
        }
        let used = match module.uses.get(first) {
            // `use wgpu;` of an outer crate names itself.
            Some(target) if target.first() != Some(first) => Some([target, rest].concat()),
            _ => None,
        };
        let targets = used.into_iter().chain(module.globs.iter().map(|glob| [glob, path].concat()));
        for target in targets {
            let mut passed = BTreeSet::from([module.file.clone()]);
            if let Some(definition) = self.follow(name, &target, &mut passed) {
                files.append(&mut passed);
                return Some(definition);
            }
        }
        None
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
                self.paths.insert(before.to_vec());
            }
            UseTree::Name(name) if name.ident == "self" => self.bind(before.last().unwrap().clone(), before.to_vec()),
            UseTree::Name(name) => self.bind(name.ident.to_string(), with(&name.ident)),
            UseTree::Rename(rename) if rename.ident == "self" => self.bind(rename.rename.to_string(), before.to_vec()),
            UseTree::Rename(rename) => self.bind(rename.rename.to_string(), with(&rename.ident)),
        }
    }

    fn bind(&mut self, name: String, path: Path) {
        self.paths.insert(path.clone());
        self.uses.insert(name, path);
    }
}

fn segments(path: &syn::Path) -> Path {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            self.add_use(&[], &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.paths.insert(segments(path));
        }
        visit::visit_path(self, path);
    }

    // `pub(in crate::ops)` tells who may name an item, and names nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        let methods = |rule: ParseStream<'_>| {
            let (pattern, body);
            syn::parenthesized!(pattern in rule);
            assert!(pattern.is_empty(), "a macro with parameters is not followed");
            rule.parse::<Token![=>]>()?;
            syn::braced!(body in rule);
            let mut methods = Vec::new();
            while !body.is_empty() {
                methods.push(body.parse::<ImplItem>()?);
            }
            rule.parse::<Option<Token![;]>>()?;
            Ok(methods)
        };
        let methods = item.mac.parse_body_with(methods).expect("one rule that makes methods");
        methods.iter().for_each(|method| Visit::visit_impl_item(self, method));
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        let separated = Punctuated::<Expr, Token![,]>::parse_terminated;
        let repeated = Punctuated::<Expr, Token![;]>::parse_terminated;
        let arguments: Vec<_> = match called.parse_body_with(separated) {
            Ok(arguments) => arguments.into_iter().collect(),
            Err(_) => called.parse_body_with(repeated).expect("a macro of expressions").into_iter().collect(),
        };
        self.paths.insert(segments(&called.path));
        arguments.iter().for_each(|argument| Visit::visit_expr(self, argument));
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        if let (None, Type::Path(of)) = (&item.trait_, &*item.self_ty) {
            for member in &item.items {
                if let ImplItem::Fn(method) = member {
                    self.methods.push((segments(&of.path), method.sig.ident.to_string()));
                }
            }
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.called.insert(call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }
}
