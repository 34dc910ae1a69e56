//! The smallest generator that will do; its seed makes every project the same.

pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        // Never zero, from which nothing would ever come.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // A remainder of an index is an index.
        usize::try_from((self.0 >> 16) % (end.max(1) as u64)).unwrap_or_default()
    }

    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}
