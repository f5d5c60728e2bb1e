//! Tests of the files that the tool writes: which it refuses to write, and when.

use std::path::Path;

use crate::{changed, deform, folder, golden, text};

/// Returns the names of the files in a folder.
fn names(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).expect("it can be listed");
    let mut names: Vec<_> = files.map(|file| file.expect("it can be listed").file_name()).collect();
    names.sort();
    names.into_iter().map(|name| name.into_string().expect("it is text")).collect()
}

#[test]
fn a_file_that_the_command_reads_is_not_overwritten() {
    let folder = folder();
    let case = changed(&folder, |_, _| ());
    let before = std::fs::read(&case).expect("it can be read");
    // The same file under another name.
    let other = folder.path().join("../").join(folder.path().file_name().expect("it has a name"));
    let other = other.join("changed.safetensors");
    for out in [&case, &other] {
        for arguments in [
            ["run", "deform_conv2d", text(&case), "--out", text(out)].as_slice(),
            &["show", text(&case), "--out", text(out)],
            &["tune", "--memory", text(out), "--case", text(&case)],
        ] {
            deform(arguments, 1).says(&[text(out), "would be overwritten", "name another file"]);
            assert_eq!(std::fs::read(&case).expect("it is there"), before, "{arguments:?}");
        }
    }
    let tuning = folder.path().join("tuning");
    std::fs::write(&tuning, "").expect("it can be written");
    deform(&["bench", "--tuning", text(&tuning), "--json", text(&tuning)], 1).says(&["would be overwritten"]);
    let photo = folder.path().join("1_bend.png");
    image::RgbImage::new(80, 80).save(&photo).expect("it can be written");
    deform(&["demo", "--photo", text(&photo), "--out", text(folder.path())], 1).says(&["would be overwritten"]);
}

#[test]
fn a_path_that_cannot_be_written_is_found_before_the_work() {
    let folder = folder();
    let nowhere = folder.path().join("no/file.png");
    let case = golden("v2");
    for (out, reason) in [(nowhere.as_path(), "No such file"), (folder.path(), "it is a folder")] {
        for arguments in [
            ["run", "deform_conv2d", text(&case), "--out", text(out)].as_slice(),
            &["show", text(&case), "--out", text(out)],
            &["bench", "--layer", "cyclefc", "--json", text(out)],
        ] {
            let outcome = deform(arguments, 1);
            outcome.says(&["cannot write", text(out)]);
            if cfg!(unix) {
                outcome.says(&[reason]);
            }
            assert_eq!(outcome.stdout, "", "{arguments:?}");
        }
    }
    let outcome = deform(&["tune", "--memory", text(&nowhere), "--case", text(&case)], 1);
    outcome.says(&[text(&nowhere)]);
    assert_eq!(outcome.stdout, "");
    let unknown = folder.path().join("taps.gif");
    let outcome = deform(&["show", text(&case), "--out", text(&unknown)], 1);
    outcome.says(&["taps.gif", ".png"]);
    assert_eq!(outcome.stdout, "");
}

#[test]
fn an_old_file_stays_until_the_new_one_is_complete() {
    let folder = folder();
    let out = folder.path().join("out.safetensors");
    let case = golden("v2");
    std::fs::write(&out, "old").expect("it can be written");
    // The algorithm does not fit, which shows only after the path was tried.
    let failing =
        ["run", "deform_conv2d", text(&case), "--out", text(&out), "--workspace", "0", "--algorithm", "columns"];
    deform(&failing, 1);
    assert_eq!(std::fs::read(&out).expect("it is there"), b"old");
    // Another name of the old file shows that it is replaced, not changed.
    let old = folder.path().join("old");
    std::fs::hard_link(&out, &old).expect("it can be made");
    deform(&["run", "deform_conv2d", text(&case), "--out", text(&out)], 0);
    assert!(std::fs::read(&out).expect("it is there").len() > 100);
    assert!(std::fs::read(&old).expect("it is there") == b"old", "the old file was changed");
    let memory = folder.path().join("tuning");
    deform(&["tune", "--memory", text(&memory), "--case", text(&case), "--seconds", "1"], 0);
    assert_eq!(names(folder.path()), ["old", "out.safetensors", "tuning"], "temporary files are gone");
}

/// A new file has the permissions of every new file, and one that replaces another has those of the other. A link keeps
/// leading to its file, and what is no ordinary file stays what it is.
#[cfg(unix)]
#[test]
fn links_devices_and_permissions_stay() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let folder = folder();
    let (file, link, out) = (folder.path().join("file"), folder.path().join("link"), folder.path().join("out"));
    let run = |out: &Path| deform(&["run", "deform_conv2d", text(&golden("v2")), "--out", text(out)], 0);
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    std::fs::write(&file, "old").expect("it can be written");
    run(&out);
    assert_eq!(mode(&out), mode(&file));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    std::os::unix::fs::symlink(&file, &link).expect("it can be made");
    run(&link);
    assert!(std::fs::symlink_metadata(&link).expect("it is there").is_symlink());
    assert_eq!((std::fs::read(&file).expect("it is there").len() > 100, mode(&file)), (true, 0o600));
    // Nothing can be written to a socket in this way.
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("it can be made");
    deform(&["run", "deform_conv2d", text(&golden("v2")), "--out", text(&socket)], 1).says(&["cannot write"]);
    assert!(std::fs::metadata(&socket).expect("it is there").file_type().is_socket());
}

/// The system refuses to write more than the file's first bytes. Mesa's shader cache cannot be written then, either.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_old_file_and_nothing_else() {
    let folder = folder();
    let (out, case) = (folder.path().join("out.safetensors"), golden("v2"));
    std::fs::write(&out, "old").expect("it can be written");
    // The shell ignores the signal that would end the process, and what it starts does, too.
    let limited = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"";
    let mut tool = std::process::Command::new("sh");
    tool.args(["-c", limited, env!("CARGO_BIN_EXE_deform"), "run", "deform_conv2d", text(&case), "--out", text(&out)]);
    let outcome = crate::Outcome::from(tool.output().expect("the shell starts"));
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    outcome.says(&["cannot write", text(&out), "File too large"]);
    assert_eq!(names(folder.path()), ["out.safetensors"]);
    assert_eq!(std::fs::read(&out).expect("it is there"), b"old");
    if cfg!(target_os = "linux") {
        let full = ["run", "deform_conv2d", text(&case), "--out", "/dev/full"];
        deform(&full, 1).says(&["cannot write /dev/full", "No space left on device"]);
    }
    deform(&["run", "deform_conv2d", text(&case), "--out", text(&out)], 0);
}
