//! The device tests, in a program that reads shaders from a folder.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::command::{cargo, shown};

/// The program's target folder. It has another `--cfg` than the checkout's, so each would compile the other's again.
pub(super) const TARGET: &str = "target/mutate";

/// The time below which a test is quick.
const QUICK: Duration = Duration::from_secs(2);

/// The names that select tests, in the order in which the tests run.
type Stages = &'static [&'static [&'static str]];

const FORWARD: Stages = &[
    // This test runs two of the ten kernels that a change of the tiles changes. A driver takes seconds to compile each.
    &["not_finite::no_algorithm"],
    &["golden::", "half_precision::products", "half_precision::the_half"],
    &["forward::random", "conv2d::random"],
    &["identities::", "conv2d_limits::half", "verbs::a_device_with_small"],
    &["forward::the_table", "conv2d::the_table"],
    &["forward::spare", "forward::more_workgroups", "forward::sums", "half_precision::every_algorithm"],
    &["input_rows::outputs", "input_rows::ordinary", "batches::large", "batches::an_image", "batches::ordinary"],
    &["bands::"],
];
const DEPTHWISE: Stages = &[
    &["depthwise::the_depthwise_table", "conv2d::the_depthwise_table"],
    &["depthwise::offset", "depthwise::a_", "depthwise::depthwise", "golden::", "half_precision::products"],
    &["depthwise::random", "forward::more_workgroups"],
    &["gradients_of_the_table", "gradients_of_random", "input_rows::", "batches::", "not_finite::"],
];
const BACKWARD: Stages = &[
    &["backward::gradients_meet_every_stored_case", "gradients_of_large_kernels"],
    &["depthwise::offset_groups", "gradients::", "conv2d::activations"],
    &["gradients_of_the_table", "conv2d::the_depthwise_table", "depthwise::the_depthwise_table"],
    &["gradients_of_f16", "gradients_of_random", "gradients_meet_the_reference_from_the_least"],
    &["gradients_in_parts_of_the_pixels", "input_rows::", "batches::", "not_finite::"],
];
const SHARED: Stages = &[
    &["golden::", "half_precision::products"],
    &["backward::gradients_meet_every_stored_case"],
    &["identities::", "depthwise::a_nan"],
    &["conv2d::activations", "shift::", "training::", "texture::"],
    &["gradients::", "half_precision::", "depthwise::"],
    &["the_table", "forward::more_workgroups"],
    &["random", "input_rows::", "batches::", "not_finite::"],
];

/// Returns the tests of a shader. Those that notice most changes come first.
pub(super) fn stages(file: &Path) -> Stages {
    if file.to_string_lossy().contains("depthwise") {
        return DEPTHWISE;
    }
    if file.ends_with("copy_rows.wgsl") {
        return &[&["bands::"]];
    }
    match file.parent().and_then(Path::file_name).and_then(|folder| folder.to_str()) {
        Some("activation") => &[&["conv2d::activations", "half_precision::the_half"], &["layers::"]],
        Some("backward" | "sort") => BACKWARD,
        Some("forward") => FORWARD,
        Some("optimizer" | "statistics") => &[&["training::"]],
        Some("shift") => &[&["shift::", "half_precision::the_half"], &["layers::cycle"]],
        Some("texture") => &[&["texture::", "half_precision::the_half"]],
        _ => SHARED,
    }
}

/// The program, and the time that each test takes without a change.
pub(super) struct Suite {
    program: PathBuf,
    times: Mutex<HashMap<String, Duration>>,
}

/// The tests of one run.
pub(super) struct Selection<'a> {
    /// Parts of the tests' names.
    pub(super) names: &'a [&'a str],
    /// The tests that are left out.
    pub(super) skipped: &'a [String],
}

impl Suite {
    /// Compiles the program.
    pub(super) fn build() -> Result<Self> {
        let args = ["test", "-p", "deform", "--test", "device", "--no-run", "--target-dir", TARGET];
        let mut command = cargo(args);
        // Thousands of runs repay the minutes that optimised dependencies take to compile.
        command.args(["--config", "profile.dev.package.\"*\".opt-level=2"]);
        command.env("RUSTFLAGS", "--cfg deform_shader_folder").stderr(Stdio::inherit());
        println!("$ RUSTFLAGS=\"--cfg deform_shader_folder\" {}", shown(&command));
        let output = command.arg("--message-format=json-render-diagnostics").output()?;
        ensure!(output.status.success(), "the device tests do not compile");
        let program = output.stdout.split(|byte| *byte == b'\n').find_map(|line| {
            let message: serde_json::Value = serde_json::from_slice(line).ok()?;
            (message["target"]["name"] == "device").then(|| message["executable"].as_str().map(PathBuf::from))?
        });
        let program = program.context("cargo did not say where the device tests are")?;
        Ok(Self { program, times: Mutex::default() })
    }

    /// Runs tests without a change, two at once, and stores their times.
    pub(super) fn measure(&self, names: &[&str]) -> Result<()> {
        let failed = self.run(None, "--test-threads=2", &Selection { names, skipped: &[] }, &mut |test, time| {
            self.times.lock().unwrap_or_else(PoisonError::into_inner).insert(test.to_owned(), time);
        })?;
        failed.map_or(Ok(()), |test| bail!("{test} fails without any change"))
    }

    /// Runs tests with the shaders of a folder. Returns the first test that fails, crashes or exceeds its time.
    pub(super) fn first_failure(&self, folder: &Path, selection: &Selection<'_>) -> Result<Option<String>> {
        self.run(Some(folder), "--test-threads=1", selection, &mut |_, _| {})
    }

    fn run(
        &self,
        folder: Option<&Path>,
        threads: &str,
        selection: &Selection<'_>,
        passed: &mut dyn FnMut(&str, Duration),
    ) -> Result<Option<String>> {
        let mut command = Command::new(&self.program);
        command.arg(threads).args(selection.names);
        command.args(selection.skipped.iter().flat_map(|name| ["--skip", name]));
        command.env("MESA_SHADER_CACHE_DIR", std::path::absolute(TARGET)?.join("mesa")).env("RUST_BACKTRACE", "0");
        if let Some(folder) = folder {
            command.env("DEFORM_SHADER_FOLDER", folder);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let lines = BufReader::new(child.stdout.take().context("the tests have no output")?).lines();
        let (sender, receiver) = mpsc::channel();
        // This ends with the program, because it then reads no more lines.
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let limit = folder.map_or(Duration::from_secs(3600), |_| self.limit(selection));
        let mut started = Instant::now();
        let failed = loop {
            let line = match receiver.recv_timeout(limit) {
                Ok(line) => line,
                Err(mpsc::RecvTimeoutError::Timeout) => break Some("the time limit".to_owned()),
                Err(mpsc::RecvTimeoutError::Disconnected) => break None,
            };
            let Some((test, outcome)) = line.strip_prefix("test ").and_then(|line| line.split_once(" ... ")) else {
                continue;
            };
            // A test that ends the program has no outcome.
            if !outcome.starts_with("ok") && !outcome.starts_with("ignored") {
                break Some(test.to_owned());
            }
            passed(test, started.elapsed());
            started = Instant::now();
        };
        if failed.is_some() {
            child.kill()?;
        }
        let status = child.wait()?;
        Ok(failed.or_else(|| (!status.success()).then(|| "the program's end".to_owned())))
    }

    /// Returns whether a test takes little time without a change. What is no test, such as a time limit, is not quick.
    pub(super) fn is_quick(&self, test: &str) -> bool {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.get(test).is_some_and(|time| *time < QUICK)
    }

    /// Returns the time that one of the tests may take with a change, which is much longer than without it: two
    /// programs run at once, and the driver compiles the changed kernels.
    fn limit(&self, selection: &Selection<'_>) -> Duration {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let selected = times.iter().filter(|(test, _)| selection.names.iter().any(|name| test.contains(name)));
        let longest = selected.map(|(_, time)| *time).max().unwrap_or_default();
        Duration::from_secs(120) + 3 * longest
    }
}
