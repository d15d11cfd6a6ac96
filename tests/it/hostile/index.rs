//! The index of names of a shard, found in the memory of its daemon: `src/metric/index.rs` has its
//! layout, and nothing that the daemon tells shows how crowded it is.

use crate::support::daemon::Daemon;
use crate::support::memory::{Memory, mappings};

/// How the names of one metric type stand in a shard's index.
pub(crate) struct Index {
    /// By series, in the order in which they came.
    pub(crate) hashes: Vec<u32>,
    /// How many buckets more than one the lookups of all names look at.
    pub(crate) passed: u32,
}

/// Five hashes, five records, five slots, and how many entries stand behind this bucket because it was
/// full.
type Bucket = [u32; 16];

const BUCKET_BYTES: usize = size_of::<Bucket>();
const BUCKET_ENTRIES: usize = 5;
const SLOTS_AT: usize = 2 * BUCKET_ENTRIES;
const PASSED_AT: usize = 3 * BUCKET_ENTRIES;

/// Of so many entries a bucket on average the index grows, and a small one.
const LOAD_MAX: usize = 4;
const SMALL_LOAD_MAX: usize = 2;

/// As many buckets are no small index any more.
const SMALL_BUCKETS: usize = 1024;

/// How many buckets an index of so many names has.
pub(crate) fn bucket_count(names: usize) -> usize {
    let small = names.div_ceil(SMALL_LOAD_MAX).next_power_of_two();
    let large = names.div_ceil(LOAD_MAX).next_power_of_two();
    small.min(large.max(SMALL_BUCKETS))
}

impl Index {
    /// Reads the index of so many names, of which none was forgotten, out of a daemon with one shard that
    /// has no other series.
    ///
    /// # Panics
    /// If there is none, or the daemon does not go on when that is known.
    pub(crate) fn read(daemon: &Daemon, memory: &Memory, count: usize) -> Index {
        daemon.pause();
        let mut own = mappings(daemon).into_iter().filter(|it| it.is_own);
        let found = own.find_map(|mapping| {
            let size = mapping.addresses.end - mapping.addresses.start;
            let mut bytes = vec![0; usize::try_from(size).expect("it is mapped")];
            // A page that is there for the kernel only cannot be read, and none of ours stands beside it.
            memory.read(mapping.addresses.start, &mut bytes).ok()?;
            let buckets: Vec<Bucket> = bytes.chunks_exact(BUCKET_BYTES).map(bucket).collect();
            find(&buckets, count)
        });
        daemon.resume();
        found.expect("an index of so many names, laid out as in src/metric/index.rs")
    }
}

fn bucket(bytes: &[u8]) -> Bucket {
    let (words, _) = bytes.as_chunks();
    let mut words = words.iter().map(|word| u32::from_ne_bytes(*word));
    std::array::from_fn(|_| words.next().expect("a bucket has so many"))
}

/// The hashes of a bucket with their slots.
fn entries(bucket: &Bucket) -> impl Iterator<Item = (u32, usize)> {
    let entries = (0..BUCKET_ENTRIES).map(|at| (bucket[at], bucket[SLOTS_AT + at] as usize));
    entries.filter(|(hash, _)| *hash != 0)
}

/// Looks for as many buckets in a row as the index has, in which there are just so many entries.
fn find(memory: &[Bucket], count: usize) -> Option<Index> {
    let size = bucket_count(count);
    // More than the row may have, where it cannot be a bucket.
    let entries_in = |bucket: &Bucket| match entries(bucket).all(|(_, slot)| slot < count) {
        true => entries(bucket).count(),
        false => count + 1,
    };
    let counts: Vec<usize> = memory.iter().map(entries_in).collect();
    let mut in_row: usize = counts.iter().take(size).sum();
    (size..=counts.len()).find_map(|end| {
        let index = (in_row == count).then(|| index_of(&memory[end - size..end], count));
        in_row = in_row + counts.get(end).unwrap_or(&0) - counts[end - size];
        index.flatten()
    })
}

/// The index of these buckets, if each series is there once, and where a lookup finds it.
fn index_of(buckets: &[Bucket], count: usize) -> Option<Index> {
    let mut hashes = vec![0; count];
    for (number, bucket) in buckets.iter().enumerate() {
        for (hash, slot) in entries(bucket) {
            let mut on_the_way = hash as usize % buckets.len();
            while on_the_way != number {
                if buckets[on_the_way][PASSED_AT] == 0 {
                    return None;
                }
                on_the_way = (on_the_way + 1) % buckets.len();
            }
            hashes[slot] = hash;
        }
    }
    let passed = buckets.iter().map(|bucket| bucket[PASSED_AT]).sum();
    (!hashes.contains(&0)).then_some(Index { hashes, passed })
}
