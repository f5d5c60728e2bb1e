//! Mutation testing of the shaders: after a change of one WGSL operator in one line, some device test must fail.
//!
//! A test suite can pass because the shaders are right or because it checks nothing; this tells the two apart. It takes
//! an hour or more for all shaders, so `ci` does not run it.
//!
//! The tests are compiled once, with a `--cfg` by which the library reads shaders from a folder. For each mutant the
//! folder holds the changed file.

mod equivalent;
mod mutants;
mod suite;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use self::equivalent::{EQUIVALENT, Equivalent};
use self::mutants::{Mutant, mutants};
use self::suite::{Selection, Suite, TARGET, stages};
use crate::command::heading;

/// The share of the mutants, in percent, that tests must notice.
const KILLED: usize = 97;

/// The number of quick tests that noticed earlier mutants of a file and run first for its next ones.
const KILLERS: usize = 3;

/// The shaders, or single lines of them, to change.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    file: PathBuf,
    /// Counted from 1.
    line: Option<usize>,
}

impl FromStr for Place {
    type Err = Infallible;

    /// Reads `FILE` or `FILE:LINE`.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let with_line = text.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?)));
        let (file, line) = with_line.map_or((text, None), |(file, line)| (file, Some(line)));
        Ok(Self { file: file.into(), line })
    }
}

/// Changes every WGSL operator in turn, of all shaders if no place is given, and runs the tests after each change.
pub(crate) fn mutate(places: &[Place]) -> Result<()> {
    heading("mutation of the shaders");
    let shaders = shaders(places)?;
    ensure!(!shaders.is_empty(), "there is no shader of that name");
    let suite = Suite::build()?;
    let names: BTreeSet<_> = shaders.iter().flat_map(|file| stages(file)).copied().flatten().copied().collect();
    println!("the tests without a change");
    suite.measure(&names.into_iter().collect::<Vec<_>>())?;

    let mut all = Vec::new();
    for file in &shaders {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let chosen = |mutant: &Mutant| {
            let in_file = |place: &Place| place.file == *file && place.line.is_none_or(|line| line == mutant.line);
            places.is_empty() || places.iter().any(in_file)
        };
        all.extend(mutants(&text).into_iter().filter(chosen).map(|mutant| (file.as_path(), mutant)));
    }
    ensure!(!all.is_empty(), "there is no operator on that line");
    let campaign = Campaign { suite, total: all.len(), queue: Mutex::new(all.into_iter()), state: Mutex::default() };
    let started = Instant::now();
    in_parallel(|worker| campaign.work(worker))?;
    campaign.report(started.elapsed(), places.is_empty())
}

/// Does the work on as many threads as there are cores. Each gets its number.
fn in_parallel(work: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..workers).map(|worker| scope.spawn(move || work(worker))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a worker panicked"))?)
    })
}

/// Returns the shader files of the given places, or all if none is given. The roofline's micro-kernels are left out,
/// because no test checks their results.
fn shaders(places: &[Place]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir("shaders")? {
        let folder = folder?.path();
        if folder.ends_with("roofline") {
            continue;
        }
        for file in std::fs::read_dir(&folder)? {
            found.push(file?.path());
        }
    }
    found.sort();
    found.retain(|file| places.is_empty() || places.iter().any(|place| place.file == *file));
    Ok(found)
}

/// The mutants that are left, and the results so far.
struct Campaign<'a> {
    suite: Suite,
    total: usize,
    queue: Mutex<std::vec::IntoIter<(&'a Path, Mutant)>>,
    state: Mutex<State<'a>>,
}

#[derive(Default)]
struct State<'a> {
    done: usize,
    /// The mutants that no test noticed, and the reason if one is known.
    survivors: Vec<(String, Option<&'static str>)>,
    /// The tests that noticed mutants of a file, the latest first.
    killers: BTreeMap<&'a Path, Vec<String>>,
}

impl<'a> Campaign<'a> {
    /// Tests one mutant after the other until none is left.
    fn work(&self, worker: usize) -> Result<()> {
        let folder = std::path::absolute(TARGET)?.join(format!("shaders{worker}"));
        // A run that was interrupted left a mutant.
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        loop {
            let Some((file, mutant)) = lock(&self.queue).next() else { return Ok(()) };
            let started = Instant::now();
            let copy = folder.join(file.strip_prefix("shaders")?);
            std::fs::create_dir_all(copy.parent().context("a shader lies in a folder")?)?;
            std::fs::write(&copy, &mutant.text)?;
            let known = EQUIVALENT.iter().find(|e| file == Path::new(e.file) && mutant.changed.ends_with(e.end));
            // A change that is known to change nothing needs no more than the tests that notice most changes.
            let stages = if known.is_some() { &stages(file)[..1] } else { stages(file) };
            let killer = self.killer(file, &folder, stages)?;
            std::fs::remove_file(copy)?;
            self.add(file, &mutant, known, killer, started.elapsed());
        }
    }

    /// Returns the test that notices a mutant. Those that noticed earlier mutants of the file run first.
    fn killer(&self, file: &Path, folder: &Path, stages: &[&[&str]]) -> Result<Option<String>> {
        let first = lock(&self.state).killers.get(file).cloned().unwrap_or_default();
        let names: Vec<_> = first.iter().map(String::as_str).collect();
        if !names.is_empty() {
            let failed = self.suite.first_failure(folder, &Selection { names: &names, skipped: &[] })?;
            if failed.is_some() {
                return Ok(failed);
            }
        }
        for names in stages {
            let failed = self.suite.first_failure(folder, &Selection { names, skipped: &first })?;
            if failed.is_some() {
                return Ok(failed);
            }
        }
        Ok(None)
    }

    fn add(&self, file: &'a Path, mutant: &Mutant, known: Option<&Equivalent>, killer: Option<String>, time: Duration) {
        let mut state = lock(&self.state);
        state.done += 1;
        let place = format!("{}:{} {}", file.display(), mutant.line, mutant.changed.trim());
        let verdict = match (&killer, known) {
            (Some(test), None) => format!("killed by {test}"),
            (Some(test), Some(_)) => format!("killed by {test}, but listed as equivalent"),
            (None, Some(_)) => "equivalent".to_owned(),
            (None, None) => "SURVIVED".to_owned(),
        };
        println!("{:4}/{} {:5.1} s {place}: {verdict}", state.done, self.total, time.as_secs_f64());
        match killer {
            None => state.survivors.push((place, known.map(|known| known.reason))),
            Some(test) if self.suite.is_quick(&test) => {
                let killers = state.killers.entry(file).or_default();
                killers.retain(|known| *known != test);
                killers.insert(0, test);
                killers.truncate(KILLERS);
            }
            Some(_) => {}
        }
    }

    fn report(self, time: Duration, whole: bool) -> Result<()> {
        let State { survivors, .. } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let killed = self.total - survivors.len();
        let (unexplained, explained): (Vec<_>, Vec<_>) =
            survivors.into_iter().partition(|(_, reason)| reason.is_none());
        heading("the mutants that survived");
        for (place, reason) in &explained {
            println!("{place}\n    {}", reason.unwrap_or_default());
        }
        for (place, _) in &unexplained {
            println!("{place}\n    No reason is known.");
        }
        println!(
            "\n{} mutants: {killed} killed ({:.1} %), {} survived that change nothing, {} survived without a reason; \
             {:.1} s a mutant",
            self.total,
            100.0 * killed as f64 / self.total as f64,
            explained.len(),
            unexplained.len(),
            time.as_secs_f64() / self.total as f64,
        );
        ensure!(unexplained.is_empty(), "no test noticed {} mutants", unexplained.len());
        ensure!(!whole || 100 * killed >= KILLED * self.total, "the tests noticed less than {KILLED} % of the mutants");
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_place_is_a_file_or_a_line_of_it() {
        let place = |text: &str| text.parse::<Place>().unwrap_or_else(|never| match never {});
        assert_eq!(place("a/b.wgsl"), Place { file: "a/b.wgsl".into(), line: None });
        assert_eq!(place("a/b.wgsl:7"), Place { file: "a/b.wgsl".into(), line: Some(7) });
        assert_eq!(place("a:b"), Place { file: "a:b".into(), line: None });
    }
}
