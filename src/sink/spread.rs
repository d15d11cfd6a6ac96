//! The moment of a flush interval at which a host sends, so that many hosts do not at one.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::FromStr;
use std::time::Duration;

/// The share of the flush interval over which hosts are spread. Invariant: 0 to 0.9.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread(f64);

/// What is left of the interval is for sending: two slots should not meet.
const MAX: f64 = 0.9;

impl Spread {
    /// How long after a slot's end this host sends it: always the same of an interval, from nothing
    /// to the share of it.
    #[must_use]
    pub fn delay(self, host: &str, flush_interval: Duration) -> Duration {
        let mut hasher = DefaultHasher::new();
        host.hash(&mut hasher);
        // The upper half is enough, and exact as a float.
        let offset = (hasher.finish() >> 32) as f64 / 2f64.powi(32);
        flush_interval.mul_f64(offset * self.0)
    }
}

impl FromStr for Spread {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(share) if (0.0..=MAX).contains(&share) => Ok(Spread(share)),
            _ => Err(format!(
                "`{text}` is not a share of the flush interval from 0 to {MAX}"
            )),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Spread> for f64 {
    fn from(spread: Spread) -> f64 {
        spread.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    #[test]
    fn hosts_are_spread_over_the_share_of_the_interval() {
        let spread: Spread = "0.2".parse().expect("a share");
        let mut tenths = [0; 10];
        for number in 0..1000 {
            let delay = spread.delay(&format!("web{number:03}.example.org"), TEN);
            assert!(delay < Duration::from_secs(2), "{delay:?}");
            tenths[(delay.as_millis() / 200) as usize] += 1;
        }
        assert!(
            tenths.iter().all(|hosts| (60..140).contains(hosts)),
            "{tenths:?}"
        );
    }

    #[test]
    fn a_host_keeps_its_place_in_the_interval() {
        let host = "db7.example.org";
        let (whole, half): (Spread, Spread) = ("0.8".parse().unwrap(), "0.4".parse().unwrap());
        let delay = whole.delay(host, TEN);
        assert!(!delay.is_zero());
        assert_eq!(whole.delay(host, TEN), delay);
        assert!(delay.abs_diff(2 * half.delay(host, TEN)) < Duration::from_micros(1));
        assert!(delay.abs_diff(whole.delay(host, 2 * TEN) / 2) < Duration::from_micros(1));
        assert_eq!(Spread::default().delay(host, TEN), Duration::ZERO);
    }
}
