//! The tests under the Khronos validation layer, which checks each Vulkan call against the specification.
//!
//! A silent log proves nothing if the layer was not active. The layer is therefore set to report information as well:
//! it then announces itself for every instance, and a log without that line is a failure.

use std::io::{self, Read};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::command::{shown, tool};
use crate::install::{self, Need};

const LAYER: &str = "VK_LAYER_KHRONOS_validation";

/// The folder of the layer's settings file.
const FOLDER: &str = "target/validation";

/// The file that keeps the layer's log.
const LOG: &str = "target/validation/log.txt";

/// The layer's settings. Synchronization validation looks for missing barriers between dispatches.
///
/// The layer writes its log to a pipe of this program, which the tests get as their standard input (they do not read
/// it). A plain file would not do: the layer reopens and empties its log for every instance, so that the second
/// instance of a process would erase the reports about the first.
const SETTINGS: &str = "\
khronos_validation.debug_action = VK_DBG_LAYER_ACTION_LOG_MSG
khronos_validation.report_flags = error,warn,perf,info
khronos_validation.log_filename = /dev/stdin
khronos_validation.enables = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT
";

/// Runs the tests under the layer, which is installed first if it is missing and that is allowed. Returns an error if a
/// test fails, if the layer was not active, or if it reported an error or a warning. Some tests, such as the tool's,
/// start processes with another standard input; the layer's reports about those are lost.
pub(crate) fn under_the_layer(tests: Command) -> Result<()> {
    ensure!(cfg!(target_os = "linux"), "--validate works on Linux only");
    ensure_layer()?;
    let log = log_of(tests)?;
    let verdict = Verdict::of(&log);
    verdict.judge()?;
    println!("{LAYER} was active in {} instance(s) and reported no error and no warning.", verdict.instances);
    Ok(())
}

/// Installs the layer unless it is active. Only an instance created under the layer shows whether it is.
fn ensure_layer() -> Result<()> {
    if is_active()? {
        return Ok(());
    }
    install::install(Need::ValidationLayer)?;
    ensure!(is_active()?, "{LAYER} is still not active, although it is installed");
    Ok(())
}

fn is_active() -> Result<bool> {
    let log = log_of(tool(&["info"])?)?;
    Ok(Verdict::of(&log).instances > 0)
}

/// Runs the command under the layer and returns the layer's log.
fn log_of(mut command: Command) -> Result<String> {
    std::fs::create_dir_all(FOLDER)?;
    let folder = std::path::absolute(FOLDER)?;
    std::fs::write(folder.join("vk_layer_settings.txt"), SETTINGS)?;
    let command_line = shown(&command);
    println!("$ {command_line}  # under {LAYER}, settings in {FOLDER}");

    let (mut log, for_layer) = io::pipe()?;
    command
        .env("VK_INSTANCE_LAYERS", LAYER)
        .env("VK_LAYER_SETTINGS_PATH", &folder)
        // With wgpu's debug flag naga names WGSL as the shader's source language. An older layer does not know that
        // name, rejects the module and checks nothing after it.
        .env("WGPU_DEBUG", "0")
        .stdin(for_layer);
    let mut child = command.spawn().with_context(|| format!("could not start `{command_line}`"))?;
    // The log ends when its last writer is closed, and `command` still holds one.
    drop(command);
    let mut bytes = Vec::new();
    log.read_to_end(&mut bytes)?;
    let status = child.wait()?;

    let log = String::from_utf8_lossy(&bytes).into_owned();
    std::fs::write(LOG, &log)?;
    ensure!(status.success(), "`{command_line}` failed: {status}; the layer's log is in {LOG}");
    Ok(log)
}

/// A summary of a log.
#[derive(Default)]
struct Verdict<'log> {
    /// The number of instances that were created with the layer active.
    instances: usize,
    /// The unindented lines that are not plainly information.
    complaints: Vec<&'log str>,
}

impl<'log> Verdict<'log> {
    /// Reads a log. A message starts with a line such as `… Validation Error: [ ID ] …` and goes on in indented lines;
    /// newer layers put its first sentence on a line of its own right below, which is not indented. Only plain
    /// information is skipped: a line of any other form is a complaint.
    fn of(log: &'log str) -> Self {
        let starts_message = |line: &str| line.contains(": [ ");
        let informs = |line: &str| line.contains("Validation Information: [ ");
        let mut verdict = Self::default();
        let mut above = "";
        for line in log.lines() {
            let continues = line.is_empty() || line.starts_with(char::is_whitespace);
            if informs(line) || (informs(above) && !starts_message(line)) {
                verdict.instances += usize::from(line.contains("Khronos Validation Layer Active"));
            } else if !continues {
                verdict.complaints.push(line);
            }
            above = line;
        }
        verdict
    }

    fn judge(&self) -> Result<()> {
        ensure!(self.instances > 0, "{LAYER} was not active: nothing was validated");
        if !self.complaints.is_empty() {
            bail!("{LAYER} reported:\n{}\nThe whole log is in {LOG}.", self.complaints.join("\n"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Messages as version 1.3.239 of the layer writes them.
    const ACTIVE: &str = "\
UNASSIGNED-khronos-validation-createinstance-status-message(INFO / SPEC): msgNum: -671457468 - \
Validation Information: [ UNASSIGNED-khronos-validation-createinstance-status-message ] \
Object 0: handle = 0x1, type = VK_OBJECT_TYPE_INSTANCE; | MessageID = 0xd7fa5f44 | \
Khronos Validation Layer Active:
    Current Enables: None.

    Objects: 1
        [0] 0x1, type: 1, name: NULL
";
    const ERROR: &str = "\
VUID-VkBufferCreateInfo-size-00912(ERROR / SPEC): msgNum: 0 - \
Validation Error: [ VUID-VkBufferCreateInfo-size-00912 ] Object 0: handle = 0x1 | vkCreateBuffer: \
size is zero
    Objects: 1
";

    #[test]
    fn an_active_layer_without_complaints_passes() {
        let log = format!("{ACTIVE}{ACTIVE}");
        assert_eq!(Verdict::of(&log).instances, 2);
        assert!(Verdict::of(&log).judge().is_ok());
    }

    #[test]
    fn an_empty_log_does_not_pass() {
        assert!(Verdict::of("").judge().is_err());
    }

    #[test]
    fn an_error_does_not_pass() {
        for log in [format!("{ACTIVE}{ERROR}"), format!("{ERROR}{ACTIVE}"), format!("{ACTIVE}{ERROR}{ACTIVE}")] {
            let complaints = Verdict::of(&log).complaints;
            assert_eq!(complaints.len(), 1, "{complaints:?}");
            assert!(Verdict::of(&log).judge().is_err());
        }
    }

    #[test]
    fn a_warning_or_a_line_of_unknown_form_does_not_pass() {
        let warning = ERROR.replace("Error", "Warning");
        let performance = ERROR.replace("Error", "Performance Warning");
        for message in [&warning, &performance, "something else entirely\n"] {
            assert!(Verdict::of(&format!("{ACTIVE}{message}")).judge().is_err(), "{message}");
        }
    }

    #[test]
    fn the_log_of_a_newer_layer_is_understood() {
        // A newer layer puts the first sentence on a line of its own.
        let active = "\
Validation Information: [ WARNING-CreateInstance-status-message ] | MessageID = 0x1
vkCreateInstance(): Khronos Validation Layer Active:
    Current Disables: None.
";
        assert_eq!(Verdict::of(active).instances, 1);
        assert!(Verdict::of(active).judge().is_ok());
        let error = "Validation Error: [ VUID-1 ] | MessageID = 0x2\nvkCreateBuffer(): size is zero\n";
        assert!(Verdict::of(&format!("{active}{error}")).judge().is_err());
    }

    #[test]
    fn an_error_right_below_information_is_not_taken_for_its_text() {
        let information = "Validation Information: [ ID ] all is well\n";
        assert_eq!(Verdict::of(&format!("{information}{ERROR}")).complaints.len(), 1);
    }
}
