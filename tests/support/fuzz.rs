//! Random programs: a function must take whatever a seed makes without a panic, without a hang and in little memory.
//!
//! `cargo xtask fuzz SECONDS SEED` runs them. One execution is one seed, so the seed that a failure prints repeats it.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// The longest time that one execution may take.
const HANG: Duration = Duration::from_secs(20);

/// Returns a number from the environment.
pub fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}")))
}

/// Makes inputs from one seed after the other and calls a function with each, for DEFORM_FUZZ_SECONDS (10 by default)
/// from the seed DEFORM_FUZZ_SEED (0) on. `memory` is the largest number of bytes that a call may hold at once. A call
/// returns whether it accepted the input, which one at least must.
pub fn fuzz<I: Debug>(
    name: &str,
    make: impl Fn(&mut StdRng) -> I + Sync,
    memory: impl Fn(&I) -> u64 + Sync,
    call: impl Fn(&I) -> bool + Sync,
) {
    let time = Duration::from_secs(number("DEFORM_FUZZ_SECONDS", 10));
    let first = number("DEFORM_FUZZ_SEED", 0);
    let seed = AtomicU64::new(first);
    let work = || {
        let (started, mut accepted) = (Instant::now(), 0);
        while started.elapsed() < time {
            let now = seed.load(Relaxed);
            let input = make(&mut StdRng::seed_from_u64(now));
            let mut ended = Ok(false);
            let used = allocation_counter::measure(|| ended = catch_unwind(AssertUnwindSafe(|| call(&input))));
            let Ok(taken) = ended else { panic!("{name} panics at seed {now}: {input:?}") };
            accepted += u64::from(taken);
            let most = memory(&input);
            assert!(
                used.bytes_max <= most,
                "{name} holds {} bytes at seed {now}, expected at most {most}: {input:?}",
                used.bytes_max
            );
            seed.store(now + 1, Relaxed);
        }
        println!("{name}: {} executions, {accepted} with an accepted input", seed.load(Relaxed) - first);
        assert!(accepted > 0, "{name}: no input was accepted");
    };
    std::thread::scope(|scope| {
        let (ended, end) = channel::<()>();
        let worker = scope.spawn(|| {
            // Dropping this ends the wait below.
            let _ended = ended;
            work();
        });
        let mut last = first;
        while end.recv_timeout(HANG) == Err(RecvTimeoutError::Timeout) {
            let now = seed.load(Relaxed);
            if now == last {
                eprintln!("{name} hangs at seed {now}");
                std::process::abort();
            }
            last = now;
        }
        worker.join().unwrap_or_else(|cause| resume_unwind(cause));
    });
}

/// The numbers at which sizes overflow, wrap or are not exact.
const EXTREMES: [u64; 14] = [
    0,
    1,
    (1 << 16) - 1,
    1 << 16,
    1 << 24,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    1 << 53,
    1 << 62,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX,
];

/// Returns a size: mostly small, at times large, seldom extreme.
pub fn size(rng: &mut StdRng) -> usize {
    match rng.random_range(0..40) {
        0 => EXTREMES[rng.random_range(0..EXTREMES.len())].try_into().unwrap_or(usize::MAX),
        1..5 => 1 << rng.random_range(0..20),
        5..10 => rng.random_range(0..500),
        _ => rng.random_range(1..9),
    }
}

/// Returns one of the texts with a few changes: flipped, removed and doubled bytes, pieces of another text, other
/// numbers, other lengths.
pub fn changed(rng: &mut StdRng, texts: &[Vec<u8>]) -> Vec<u8> {
    let mut text = texts[rng.random_range(0..texts.len())].clone();
    for _ in 0..rng.random_range(1..5) {
        let from = &texts[rng.random_range(0..texts.len())];
        let at = rng.random_range(0..=text.len());
        match rng.random_range(0..7) {
            0 => text.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << rng.random_range(0..8)),
            1 => text.iter_mut().skip(at).take(1).for_each(|byte| *byte = rng.random()),
            2 => text.truncate(at),
            3 => drop(text.splice(at..text.len().min(at + rng.random_range(0..9)), [])),
            4 => {
                let start = rng.random_range(0..=from.len());
                let end = from.len().min(start + rng.random_range(0..99));
                text.splice(at..text.len().min(at + rng.random_range(0..99)), from[start..end].iter().copied());
            }
            5 => {
                let number = EXTREMES[rng.random_range(0..EXTREMES.len())];
                text.iter_mut().zip(number.to_le_bytes()).for_each(|(byte, new)| *byte = new);
            }
            _ => renumber(rng, &mut text),
        }
    }
    text
}

/// Replaces a decimal number by an extreme one. A text that begins like a safetensors file, with the length of its
/// header, gets the header's new length.
fn renumber(rng: &mut StdRng, text: &mut Vec<u8>) {
    let starts: Vec<_> =
        (8..text.len().min(4096)).filter(|&n| text[n].is_ascii_digit() && !text[n - 1].is_ascii_digit()).collect();
    if starts.is_empty() {
        return;
    }
    let start = starts[rng.random_range(0..starts.len())];
    let digits = text[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = if rng.random() { EXTREMES[rng.random_range(0..EXTREMES.len())] } else { rng.random_range(0..99) };
    let number = number.to_string().into_bytes();
    if let Some(length) = text.first_chunk().map(|length| u64::from_le_bytes(*length)) {
        let length = length.wrapping_add(number.len() as u64).wrapping_sub(digits as u64);
        text[..8].copy_from_slice(&length.to_le_bytes());
    }
    text.splice(start..start + digits, number);
}
