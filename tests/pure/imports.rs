//! Finds the files that each file of the crate names, by following every path of the sources.
//!
//! A path names the file that defines its item, and every file whose `use` it passes on the way. `mod child;` names no
//! file: a module contains its children and need not know them.

use std::collections::{BTreeMap, BTreeSet};

use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, Ident, ImplItem, Item, ItemImpl, ItemUse, Macro, Token, Type, UseTree};

/// The files that each file names.
pub type References = BTreeMap<String, BTreeSet<String>>;

/// A module: its items, and the paths in its code.
struct Module {
    file: String,
    parent: Option<String>,
    items: BTreeSet<String>,
    /// The paths of `use` declarations, by the names that they bind.
    uses: BTreeMap<String, Path>,
    globs: Vec<Path>,
    paths: BTreeSet<Path>,
    /// The methods of inherent impls, by the path of the type.
    methods: Vec<(Path, String)>,
    /// The names of the methods that its code calls.
    called: BTreeSet<String>,
}

type Path = Vec<String>;

/// The modules of a crate by their paths; the root's is "crate".
pub struct Crate(BTreeMap<String, Module>);

impl Crate {
    /// Parses the files below `src`, each given by its path and its text.
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
                _ => panic!("{file} has an item of a kind that this test does not follow"),
            }
            module.visit_item(item);
        }
        assert!(self.0.insert(name.clone(), module).is_none(), "{name} is defined twice");
    }

    /// Returns the files that each file names.
    pub fn references(&self) -> References {
        let mut references = References::new();
        for (name, module) in &self.0 {
            let targets = references.entry(module.file.clone()).or_default();
            for path in &module.paths {
                // A single name may be a variable that is called like a module.
                let variable = matches!(&path[..], [only] if self.0.contains_key(&format!("{name}/{only}")));
                if !variable {
                    self.follow(name, path, targets);
                }
            }
        }
        // No path leads from a type to a method that is defined in another file, so the calls are followed.
        for (name, module) in &self.0 {
            for (of, method) in &module.methods {
                let Some(home) = self.follow(name, of, &mut BTreeSet::new()) else { continue };
                let home = &self.0[&home];
                if home.file != module.file && home.called.contains(method) {
                    references.get_mut(&home.file).unwrap().insert(module.file.clone());
                }
            }
        }
        for (file, targets) in &mut references {
            targets.remove(file);
        }
        references
    }

    /// Follows a path from a module and adds the files on the way to `files`. Returns the module that defines the item,
    /// or `None` if that is outside the crate.
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

    /// Follows the rest of a path from inside a module.
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
            // `use wgpu;` binds an outer crate to its own name.
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

    // `pub(in crate::ops)` says who may name an item, and is not followed itself.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

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
