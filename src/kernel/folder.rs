//! Reads shaders from a folder, so that `cargo xtask mutate` can change one without compiling the library again.

const _: () = assert!(cfg!(debug_assertions), "`--cfg deform_shader_folder` is not for a release build");

/// The variable that names the folder.
const FOLDER: &str = "DEFORM_SHADER_FOLDER";

/// Returns the text of a file, given by its path below `shaders/`, if the folder has it. Each call leaves the text in
/// memory.
pub(super) fn text(path: &str) -> Option<&'static str> {
    let folder = std::env::var_os(FOLDER)?;
    let text = std::fs::read_to_string(std::path::Path::new(&folder).join(format!("{path}.wgsl"))).ok()?;
    Some(text.leak())
}
