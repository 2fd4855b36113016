//! Seeded randomness: the same seed gives the same test.

/// SplitMix64 (Steele, Lea, Flood 2014): small, and good enough to shuffle faults.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from `from` up to, not including, `to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from)
    }

    pub fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

/// The seed of this run: `SYNC_TEST_SEED`, or one taken from the clock. Printed, so that a failure shows it
/// and the variable replays it.
pub fn seed(test: &str) -> u64 {
    let seed = match std::env::var("SYNC_TEST_SEED") {
        Ok(text) => text.parse().expect("SYNC_TEST_SEED is a number"),
        Err(_) => {
            let now = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap();
            now.as_nanos() as u64 % 1_000_000_000
        }
    };
    println!("{test}: replay with SYNC_TEST_SEED={seed}");
    seed
}

/// How many times longer than usual to run the random tests: `SYNC_TEST_LONGER` (1 by default).
pub fn longer() -> u64 {
    std::env::var("SYNC_TEST_LONGER").map_or(1, |text| text.parse().expect("SYNC_TEST_LONGER is a number"))
}

/// A clip's bytes: incompressible, as H.264 is, and different for every seed.
pub fn video(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Random::new(seed ^ 0xC11B).fill(&mut bytes);
    bytes
}

/// A 64-bit fingerprint of a byte stream, fast enough for large clips in a debug build.
#[derive(Clone, Default)]
pub struct Fingerprint {
    state: u64,
    len: u64,
    partial: Vec<u8>,
}

impl Fingerprint {
    pub fn of(bytes: &[u8]) -> u64 {
        let mut print = Fingerprint::default();
        print.update(bytes);
        print.finish()
    }

    pub fn update(&mut self, mut bytes: &[u8]) {
        self.len += bytes.len() as u64;
        if !self.partial.is_empty() {
            let missing = (8 - self.partial.len()).min(bytes.len());
            self.partial.extend_from_slice(&bytes[..missing]);
            bytes = &bytes[missing..];
            if self.partial.len() < 8 {
                return;
            }
            let word: [u8; 8] = self.partial[..].try_into().unwrap();
            self.word(u64::from_le_bytes(word));
            self.partial.clear();
        }
        let words = bytes.chunks_exact(8);
        self.partial.extend_from_slice(words.remainder());
        for word in words {
            let word: [u8; 8] = word.try_into().unwrap();
            self.word(u64::from_le_bytes(word));
        }
    }

    fn word(&mut self, word: u64) {
        self.state = (self.state.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    pub fn finish(mut self) -> u64 {
        self.partial.resize(8, 0);
        let word: [u8; 8] = self.partial[..].try_into().unwrap();
        self.word(u64::from_le_bytes(word));
        self.word(self.len);
        self.state
    }
}

#[test]
fn a_fingerprint_does_not_depend_on_how_the_bytes_are_cut() {
    let bytes = video(1, 1000);
    for cut in [0, 1, 7, 8, 9, 500, 993, 1000] {
        let mut print = Fingerprint::default();
        print.update(&bytes[..cut]);
        print.update(&bytes[cut..]);
        assert_eq!(print.finish(), Fingerprint::of(&bytes), "cut at {cut}");
    }
    assert_ne!(Fingerprint::of(&bytes[..999]), Fingerprint::of(&bytes));
    assert_ne!(Fingerprint::of(&[0; 3]), Fingerprint::of(&[0; 4]));
}
