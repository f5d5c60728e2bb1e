//! `deform`: deformable convolution from the command line. It runs the operator on a case from a file, times it,
//! measures the layers of known networks, writes out the shaders, and shows what the operator does in pictures.

mod accuracy;
mod bench;
mod case;
mod demo;
mod gradients;
mod info;
mod layer;
mod run;
mod shaders;
mod time;
mod timing;
mod tune;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

/// What the exit code says; the numbers are part of the tool's interface.
const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed: a file cannot be read or written, the operands do not fit together, the device gave an error
  2  the command line is wrong
  3  no GPU adapter was found (a software one such as lavapipe counts as one)
  4  the output does not match the answer: the file's (run, time) or the CPU reference's (bench, demo)

The adapter is chosen as wgpu chooses it; WGPU_BACKEND and WGPU_ADAPTER_NAME narrow the choice.
RUST_LOG=deform=debug shows what the library does.";

/// Deformable convolution (torchvision's deform_conv2d) on any GPU.
#[derive(Parser)]
#[command(name = "deform", version, after_help = EXIT_CODES, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the adapters, their limits and features, and the one that is used
    Info,
    // The others' help stands on their arguments.
    Run(run::Run),
    Time(time::Time),
    Bench(bench::Bench),
    Tune(tune::Tune),
    Shaders(shaders::Shaders),
    Demo(demo::Demo),
}

/// The operators that `run` knows.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Operator {
    /// torchvision's deform_conv2d, version 1 (no mask) or 2 (with a mask)
    DeformConv2d,
    /// The layer that makes its own offsets and masks by a convolution
    DeformableConv2d,
    /// CycleMLP's fully connected layer
    CycleFc,
    /// Channel shifts: S²-MLP's, AS-MLP's, roll
    Shift,
    /// Ordinary convolution, with an activation
    Conv2d,
}

fn main() -> ExitCode {
    // Whoever reads the output may close it early (`deform info | head`): this ends then, as Unix tools do, where println would panic.
    sigpipe::reset();
    // What goes wrong in wgpu comes back as an error; its own log (and a driver layer's) is for those who ask.
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("deform=warn")).init();
    let result = match Cli::parse().command {
        Command::Info => info::info(),
        Command::Run(run) => run.run(),
        Command::Time(time) => time.run(),
        Command::Bench(bench) => bench.run(),
        Command::Tune(tune) => tune.run(),
        Command::Shaders(shaders) => shaders.run(),
        Command::Demo(demo) => demo.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("  because: {cause}");
            }
            ExitCode::from(exit_code(&error))
        }
    }
}

/// The exit code for an error, wherever in its chain of causes the telling one lies.
fn exit_code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if cause.is::<accuracy::Mismatch>() {
            return 4;
        }
        if matches!(cause.downcast_ref(), Some(deform::Error::NoAdapter { .. })) {
            return 3;
        }
    }
    1
}
