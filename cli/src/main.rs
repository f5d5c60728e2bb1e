//! `deform`: deformable convolution from the command line. The tool runs, shows or times an operator on a case from a
//! file, measures the layers of known networks, tunes them, writes out the shaders, and demonstrates the operator.

mod bench;
mod bounds;
mod case;
mod demo;
mod device;
mod info;
mod numbers;
mod operator;
mod out;
mod picture;
mod positions;
mod rows;
mod run;
mod shaders;
mod show;
mod time;
mod timing;
mod tune;

#[cfg(test)]
#[path = "../../tests/support/fuzz.rs"]
#[allow(dead_code, unreachable_pub, reason = "this crate's tests use only a part of it")]
mod random;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The meaning of the exit codes, which are part of the tool's interface.
const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed: a file cannot be read or written, the operands do not fit, or the device returned an error
  2  the command line is wrong
  3  no GPU adapter was found (a software adapter such as lavapipe counts as a GPU adapter)
  4  a result does not match the file's answer (run, time) or the CPU reference (bench, demo)

wgpu chooses the adapter; WGPU_BACKEND and WGPU_ADAPTER_NAME narrow the choice.
RUST_LOG=deform=debug prints the library's debug log.";

/// Deformable convolution (torchvision's deform_conv2d) on any GPU.
#[derive(Parser)]
#[command(name = "deform", version, after_help = EXIT_CODES, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Info(info::Info),
    // The help texts of the following commands are the doc comments of their argument structs.
    Run(run::Run),
    Show(show::Show),
    Time(time::Time),
    Bench(bench::Bench),
    Tune(tune::Tune),
    Shaders(shaders::Shaders),
    Demo(demo::Demo),
}

fn main() -> ExitCode {
    // If the reader closes the pipe early (`deform info | head`), SIGPIPE ends the process as usual on Unix; otherwise
    // println would panic.
    sigpipe::reset();
    silence_the_device_select_layer();
    // The library returns wgpu's failures as errors, so by default wgpu and driver layers log nothing.
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("deform=warn")).init();
    let result = match Cli::parse().command {
        Command::Info(info) => info.run(),
        Command::Run(run) => run.run(),
        Command::Show(show) => show.run(),
        Command::Time(time) => time.run(),
        Command::Bench(bench) => bench.run(),
        Command::Tune(tune) => tune.run(),
        Command::Shaders(shaders) => shaders.run(),
        Command::Demo(demo) => demo.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut printed = error.to_string();
            eprintln!("error: {printed}");
            for cause in error.chain().skip(1).map(ToString::to_string) {
                // Some errors of other crates have their cause in their text.
                if !printed.contains(&cause) {
                    eprintln!("  because: {cause}");
                    printed = cause;
                }
            }
            ExitCode::from(exit_code(&error))
        }
    }
}

/// Starts the tool anew with XDG_RUNTIME_DIR if that is not set. Mesa's device-select layer would print a line about the
/// variable for every instance. The process cannot set its own variables without unsafe code.
fn silence_the_device_select_layer() {
    #[cfg(target_os = "linux")]
    if std::env::var_os("XDG_RUNTIME_DIR").is_none()
        && let Ok(program) = std::env::current_exe()
    {
        let mut anew = std::process::Command::new(program);
        anew.args(std::env::args_os().skip(1)).env("XDG_RUNTIME_DIR", std::env::temp_dir());
        // It returns only if it fails. The line is then printed.
        drop(std::os::unix::process::CommandExt::exec(&mut anew));
    }
}

/// Returns the exit code for an error. The cause that determines it may be anywhere in the chain.
fn exit_code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if cause.is::<deform_case::Mismatch>() {
            return 4;
        }
        if matches!(cause.downcast_ref(), Some(deform::Error::NoAdapter { .. })) {
            return 3;
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};
    use rand::Rng as _;
    use rand::rngs::StdRng;

    use super::Cli;
    use super::random::{changed, fuzz, size};

    /// Returns the words of a command line: names of commands and options, sizes, and changed pieces of them.
    fn words(rng: &mut StdRng, known: &[Vec<u8>]) -> Vec<String> {
        let mut words = vec!["deform".to_owned()];
        words.extend((0..rng.random_range(0..9)).map(|_| match rng.random_range(0..6) {
            0 => size(rng).to_string(),
            1 => format!("{},{}", size(rng), size(rng)),
            2 => String::from_utf8_lossy(&changed(rng, known)).into_owned(),
            _ => String::from_utf8_lossy(&known[rng.random_range(0..known.len())]).into_owned(),
        }));
        words
    }

    #[test]
    #[ignore = "`cargo xtask fuzz` runs it"]
    fn fuzz_command_lines() {
        let command = Cli::command();
        let commands = command.get_subcommands().collect::<Vec<_>>();
        let options = commands.iter().flat_map(|command| command.get_arguments());
        let mut known: Vec<_> = options
            .flat_map(|option| {
                let name = option.get_long().map(|name| format!("--{name}"));
                let values = option.get_possible_values().into_iter().map(|value| value.get_name().to_owned());
                name.into_iter().chain(values)
            })
            .collect();
        known.extend(commands.iter().map(|command| command.get_name().to_owned()));
        known.extend(["--help", "--", "-", "", "=", "é", "case.safetensors", "columns", "2,1"].map(str::to_owned));
        let known: Vec<_> = known.into_iter().map(String::into_bytes).collect();
        fuzz(
            "command lines",
            |rng| words(rng, &known),
            |_| 4 << 20,
            |words| match Cli::try_parse_from(words) {
                Ok(_) => true,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    false
                }
            },
        );
    }
}
