//! The README and the guides: their links lead somewhere, and the README stays short.

use std::path::{Path, PathBuf};

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the files that readers open: those of the root and of docs.
fn documents() -> Vec<PathBuf> {
    let folders = [root().to_owned(), root().join("docs")];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// Returns the targets of the Markdown links and images of a text.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

#[test]
fn every_link_to_a_file_leads_to_it() {
    let mut followed = 0;
    for document in documents() {
        let text = read(&document);
        for target in links(&text).filter(|target| !target.contains("://")) {
            let file = document.parent().unwrap().join(target);
            assert!(file.exists(), "{} links to {target}", document.display());
            followed += 1;
        }
    }
    assert!(followed > 20, "only {followed} links were found");
}

#[test]
fn the_readme_is_short() {
    let text = read(&root().join("README.md"));
    assert!(text.split_whitespace().count() < 1000);
    let cells = text.lines().filter(|line| line.starts_with('|')).flat_map(|row| row.split('|'));
    assert!(cells.max_by_key(|cell| cell.len()).is_none_or(|longest| longest.len() < 100));
}

#[test]
fn the_workflow_in_the_readme_is_ours() {
    let readme = read(&root().join("README.md"));
    let (_, rest) = readme.split_once("```yaml\n").unwrap();
    let (workflow, _) = rest.split_once("```").unwrap();
    let ours = read(&root().join(".github/workflows/ci.yml"));
    // The shape of the file differs: ours runs on three systems, and runs more than `cargo test`.
    let lines = workflow.lines().map(|line| line.trim().trim_start_matches("- "));
    let of_the_steps = lines.filter(|line| !["on:", "jobs:", "test:", "env:", "steps:"].contains(line));
    let missing: Vec<_> = of_the_steps.filter(|line| !ours.contains(line)).collect();
    assert_eq!(missing, ["runs-on: ubuntu-latest", "run: cargo test"]);
}
