//! Table: samples, their medians, and lines of text.

use std::time::{Duration, Instant};

/// Samples of one thing, in microseconds.
#[derive(Debug, Default, Clone)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn add(&mut self, spent: Duration) {
        self.0.push(spent.as_secs_f64() * 1e6);
    }

    /// The sample below which this part (0 to 1) of all lies.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted.get((last as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }
}

/// One thing to measure: a name and what is timed.
pub(crate) struct Rival<'a> {
    pub(crate) name: &'static str,
    pub(crate) act: Box<dyn FnMut() + 'a>,
    pub(crate) samples: Samples,
}

impl<'a> Rival<'a> {
    pub(crate) fn new(name: &'static str, act: impl FnMut() + 'a) -> Self {
        Self { name, act: Box::new(act), samples: Samples::default() }
    }
}

/// Lets all take turns, each time beginning with another; the first two rounds are not counted.
pub(crate) fn take_turns(rivals: &mut [Rival<'_>], rounds: usize) {
    let count = rivals.len();
    for round in 0..rounds + 2 {
        for place in 0..count {
            let rival = &mut rivals[(place + round) % count];
            let start = Instant::now();
            (rival.act)();
            let spent = start.elapsed();
            if round >= 2 {
                rival.samples.add(spent);
            }
        }
    }
}

/// The median of one rival; NaN when it did not take part.
pub(crate) fn median_of(rivals: &[Rival<'_>], name: &str) -> f64 {
    rivals.iter().find(|rival| rival.name == name).map_or(f64::NAN, |rival| rival.samples.median())
}

/// A table of times, each beside the named rivals.
pub(crate) fn print_times(rivals: &[Rival<'_>], against: &[&str]) {
    print!("{:<34} {:>9} {:>9} {:>9}", "µs", "median", "min", "p99");
    for name in against {
        print!(" {:>12}", format!("/ {name}"));
    }
    println!();
    for rival in rivals {
        let samples = &rival.samples;
        let (median, least, most) = (samples.median(), samples.quantile(0.0), samples.quantile(0.99));
        print!("{:<34} {median:>9.0} {least:>9.0} {most:>9.0}", rival.name);
        for name in against {
            print!(" {:>12.2}", median / median_of(rivals, name));
        }
        println!();
    }
}
