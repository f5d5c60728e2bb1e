//! Random calls of every operator, forward and backward, by every algorithm, in both element types and in small
//! workspaces, compared with the reference. `cargo xtask soak SECONDS [SEED]` runs them for as long as one likes.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use deform::ops::conv2d::Activation;
use deform::ops::deform_conv2d::Tile;
use deform::ops::shift::Border;
use deform::{Dtype, Error, Options};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::device::{check, distinct_algorithms, forward_plan, gpu, operator, say};
use crate::support::case::{Case, Sizes, regular, small_groups};
use crate::support::fuzz::number;
use crate::{backward, conv2d, device, half_precision, shift};

/// The calls after which the process must hardly grow any more.
const WARM: u64 = 5_000;
/// The bytes by which it may grow after that: drivers keep kernels, and allocators keep pages.
const GROWTH: u64 = 512 << 20;

/// Returns the process's memory in bytes, or 0 where the system has no such file.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Returns a number from 1 up to `end`, which is excluded. Small ones come more often: a call of small sizes takes less
/// time and shows as much.
fn small(rng: &mut StdRng, end: u8) -> usize {
    let number = f64::from(end).powf(rng.random());
    (1..end).find(|&n| number < f64::from(n + 1)).unwrap().into()
}

fn sizes(rng: &mut StdRng) -> (Sizes, Options) {
    let mut pair = |range: std::ops::Range<usize>| [rng.random_range(range.clone()), rng.random_range(range)];
    let (stride, padding, dilation, kernel) = (pair(1..4), pair(0..4), pair(1..4), pair(1..5));
    let image = [small(rng, 15), small(rng, 15)];
    let least = |axis: usize| (dilation[axis] * (kernel[axis] - 1) + 1).saturating_sub(2 * padding[axis]);
    let input = [0, 1].map(|axis| image[axis].max(least(axis)));
    let [groups, offset_groups, per_group] = [4, 4, 9].map(|end| small(rng, end));
    // Small images come in large batches, too.
    let end = if input[0] * input[1] < 10 { 250 } else { 6 };
    let batch = if rng.random_bool(0.3) { small(rng, end) } else { 1 };
    let sizes = Sizes {
        batch,
        in_channels: groups * offset_groups * per_group,
        input,
        out_channels: groups * small(rng, 24),
        kernel,
        groups,
        offset_groups,
        mask: rng.random(),
        bias: rng.random(),
        reach: *[1e-3, 0.5, 3.0, 30.0].choose(rng).unwrap(),
    };
    (sizes, Options { stride, padding, dilation, ..Options::default() })
}

/// Returns whether small limits rule a call out. No other limits may.
fn is_ruled_out<T>(prepared: Result<T, Error>) -> bool {
    match prepared {
        Err(Error::BindingTooLarge { .. } | Error::Unsuitable { .. }) => device::has_small_limits(),
        _ => false,
    }
}

/// Makes one call of what the seed says, and compares the result with the expected one. Returns whether the device can
/// make the call.
fn call(seed: u64) -> bool {
    let rng = &mut StdRng::seed_from_u64(seed);
    let (sizes, options) = sizes(rng);
    let mut algorithms = distinct_algorithms();
    algorithms.extend(Tile::ALL.choose(rng).unwrap().algorithms(rng.random_range(1..5)));
    let algorithm = *algorithms.choose(rng).unwrap();
    let mut case = Case::new(&format!("seed {seed}"), sizes, Options { algorithm, ..options });
    if seed % 6 == 3 {
        case = regular(case);
    }
    if rng.random_bool(0.2) {
        case = small_groups(case, *[1, 1, 2, 3, 4].choose(rng).unwrap(), rng.random_range(1..9));
    }
    let activation = [Activation::Identity, Activation::Relu, Activation::Sigmoid][rng.random_range(0..3)];
    // Between the least workspace that suffices and all that the call can use.
    let mut limit = |least: u64, whole: u64| if least < whole { rng.random_range(least..=whole) } else { whole };
    match seed % 6 {
        0 => {
            if is_ruled_out(operator().prepare(&case.shape_slices(), Dtype::F32, case.options)) {
                return false;
            }
            case.options.workspace_limit = limit(device::least_workspace(&case), forward_plan(&case).memory_bytes());
            check(&case);
        }
        1 | 2 => {
            let modes = backward::modes(&backward::all(&case));
            if is_ruled_out(operator().prepare_backward(&case.shape_slices(), Dtype::F32, modes, case.options)) {
                return false;
            }
            let whole = backward::plan_of(&case).memory_bytes();
            case.options.workspace_limit = limit(backward::least_workspace(&case), whole);
            backward::check_gradients(&case);
        }
        3 => {
            let (operator, shapes, options) =
                (conv2d::conv2d(), conv2d::shapes(&case), conv2d::options(&case, activation));
            let modes = conv2d::modes(&case);
            if is_ruled_out(operator.prepare(&shapes, Dtype::F32, options))
                || is_ruled_out(operator.prepare_backward(&shapes, Dtype::F32, modes, options))
            {
                return false;
            }
            conv2d::check(&case, activation);
            conv2d::check_gradients(&case, activation);
        }
        4 => {
            if is_ruled_out(operator().prepare(&case.shape_slices(), Dtype::F16, case.options)) {
                return false;
            }
            half_precision::check(gpu(), operator(), &half_precision::rounded(case));
        }
        _ => {
            let Sizes { batch, in_channels, input: [height, width], .. } = sizes;
            let shifts: Vec<_> = (0..in_channels).map(|_| [0, 1].map(|_| rng.random_range(-20..20))).collect();
            let border = [Border::Zero, Border::Keep, Border::Wrap][rng.random_range(0..3)];
            shift::run(gpu(), [batch, in_channels, height, width], &shifts, border);
        }
    }
    true
}

#[test]
#[ignore = "`cargo xtask soak` runs it"]
fn soak() {
    let time = Duration::from_secs(number("DEFORM_SOAK_SECONDS", 10));
    let first = number("DEFORM_SOAK_SEED", 0);
    let (next, started) = (AtomicU64::new(first), Instant::now());
    let (warm, ruled_out) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        while started.elapsed() < time {
            let seed = next.fetch_add(1, Relaxed);
            if seed - first == WARM {
                warm.store(memory(), Relaxed);
            }
            match catch_unwind(AssertUnwindSafe(|| call(seed))) {
                Ok(made) => drop(ruled_out.fetch_add(u64::from(!made), Relaxed)),
                Err(cause) => {
                    let (sizes, options) = sizes(&mut StdRng::seed_from_u64(seed));
                    let small = if device::has_small_limits() { " --small" } else { "" };
                    say(&format!("seed {seed} fails; to repeat it: cargo xtask soak 1 {seed}{small}"));
                    say(&format!("{sizes:?}\n{options:?}"));
                    resume_unwind(cause);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap_or_else(|cause| resume_unwind(cause)));
    });
    let (calls, warm, memory) = (next.load(Relaxed) - first, warm.load(Relaxed), memory());
    let ruled_out = ruled_out.into_inner();
    say(&format!("{calls} calls from seed {first} on, {ruled_out} of them ruled out by limits, {} MiB", memory >> 20));
    assert!(ruled_out < calls / 2 + 1);
    assert!(warm == 0 || memory < warm + GROWTH, "{warm} bytes after {WARM} calls, {memory} at the end");
}
