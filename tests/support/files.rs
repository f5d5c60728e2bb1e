//! Reads the sources of the crate.

use std::path::{Path, PathBuf};

/// Returns the path, from the crate's root, and the text of every file below `folder` with this extension.
pub fn files(folder: &str, extension: &str) -> Vec<(String, String)> {
    let root = Path::new(".");
    let mut folders: Vec<PathBuf> = vec![root.join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                files.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}
