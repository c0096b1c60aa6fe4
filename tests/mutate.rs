//! Changes bytes as a fuzzer does, the same each time: seeded, and without feedback.

/// Marsaglia's xorshift64.
pub struct Mutator(u64);

impl Mutator {
    /// Every seed but 0 gives a sequence of its own.
    pub fn new(seed: u64) -> Mutator {
        Mutator(seed.max(1))
    }

    /// A number below `end`, or 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end.max(1)
    }

    /// One of the seeds after one to eight changes.
    pub fn changed(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..1 + self.below(8) {
            self.change(&mut bytes, seeds);
        }
        bytes
    }

    /// A place; every other time one near the beginning, where heads are.
    fn place(&mut self, length: usize) -> usize {
        let near = [length, length.min(256)][self.below(2)];
        self.below(near)
    }

    fn change(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        /// What sizes and counts are hurt by.
        const NUMBERS: [u64; 12] =
            [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, i64::MAX as u64, u64::MAX];
        let at = self.place(bytes.len());
        let longest = [4, 64, 1024][self.below(3)];
        let run = 1 + self.below(longest);
        let end = (at + run).min(bytes.len());
        match self.below(9) {
            0 => bytes[at..].iter_mut().take(1).for_each(|byte| *byte ^= 1 << (run % 8)),
            1 => bytes[at..].iter_mut().take(1).for_each(|byte| *byte = run as u8),
            2 => {
                let number = NUMBERS[self.below(NUMBERS.len())];
                let width = [1, 2, 4, 8][self.below(4)];
                let mut number = number.to_le_bytes();
                if self.below(2) == 1 {
                    number[..width].reverse();
                }
                bytes[at..].iter_mut().zip(&number[..width]).for_each(|(to, from)| *to = *from);
            }
            3 => drop(bytes.drain(at..end)),
            4 => {
                let copy = bytes[at..end].to_vec();
                let to = self.place(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            5 => {
                let other = &seeds[self.below(seeds.len())];
                let from = self.place(other.len());
                let piece = other[from..(from + run).min(other.len())].to_vec();
                bytes.splice(at..end, piece);
            }
            6 => bytes.truncate(at),
            7 => bytes.splice(at..at, std::iter::repeat_n(run as u8, run)).for_each(drop),
            // Numbers that are written out, in manifests and lists.
            _ => {
                let digits = ["0", "-1", "4294967296", "1e300", "99999999999999999999", "\"\"", "null", "\n", "\t"];
                bytes.splice(at..end.min(at + 2), digits[self.below(digits.len())].bytes()).for_each(drop);
            }
        }
    }
}
