//! The files that the tool writes.

use std::fs::{Metadata, OpenOptions};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use image::{ImageFormat, RgbImage};
use tempfile::{Builder, NamedTempFile};

/// A file to be written. It is tried before the work whose result it gets. The result goes to a temporary file beside
/// it, which takes its name at once, so that an interruption leaves the old file.
pub(crate) struct Out<'a>(&'a Path);

impl<'a> Out<'a> {
    /// Tries the path. It must not be one of the `inputs` of the same command.
    pub(crate) fn new(path: &'a Path, inputs: &[&Path]) -> Result<Self> {
        check_distinct(path, inputs)?;
        temporary(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0
    }

    /// Writes the file.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<()> {
        let write = || match temporary(self.0)? {
            Some((mut file, target)) => {
                file.write_all(bytes)?;
                file.persist(target).map(drop).map_err(|error| error.error.into())
            }
            None => anyhow::Ok(std::fs::write(self.0, bytes)?),
        };
        write().with_context(|| format!("cannot write {}", self.0.display()))
    }

    /// Returns the format of pictures in files of this name.
    pub(crate) fn picture_format(path: &Path) -> Result<ImageFormat> {
        let format = ImageFormat::from_path(path).ok();
        let format = format.filter(|format| [ImageFormat::Png, ImageFormat::Jpeg].contains(format));
        format.with_context(|| format!("cannot write {}: expected a name that ends in .png or .jpg", path.display()))
    }

    /// Writes a picture.
    pub(crate) fn write_picture(&self, picture: &RgbImage, format: ImageFormat) -> Result<()> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format)?;
        self.write(bytes.get_ref())
    }
}

/// Makes the temporary file, and returns it with the file whose name it takes: the path, or the file that it links to.
/// A device or a pipe has none.
fn temporary(path: &Path) -> Result<Option<(NamedTempFile, PathBuf)>> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let old = target.metadata().ok();
    match &old {
        Some(old) if old.is_dir() => bail!("it is a folder, expected a file"),
        Some(old) if !old.is_file() => return Ok(None),
        // Another file may take the name of one that is protected, so that is asked for here.
        Some(_) => drop(OpenOptions::new().write(true).open(&target)?),
        None => ensure!(target.file_name().is_some(), "it has no file name"),
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(Some((builder(old.as_ref()).tempfile_in(folder)?, target)))
}

/// Returns an error if the path of an output is one of the inputs.
pub(crate) fn check_distinct(path: &Path, inputs: &[&Path]) -> Result<()> {
    let same = |input: &&Path| path.canonicalize().ok().is_some_and(|path| input.canonicalize().ok() == Some(path));
    match inputs.iter().find(|input| same(input)) {
        Some(input) => bail!(
            "{} would be overwritten, but it is the file {} that this command reads: name another file",
            path.display(),
            input.display()
        ),
        None => Ok(()),
    }
}

/// Returns the builder of a temporary file with the permissions of the old file, or those of any new file.
#[cfg(unix)]
fn builder(old: Option<&Metadata>) -> Builder<'static, 'static> {
    use std::os::unix::fs::PermissionsExt;
    let permissions = old.map_or_else(|| std::fs::Permissions::from_mode(0o666), Metadata::permissions);
    let mut builder = Builder::new();
    builder.permissions(permissions);
    builder
}

#[cfg(not(unix))]
fn builder(_: Option<&Metadata>) -> Builder<'static, 'static> {
    Builder::new()
}
