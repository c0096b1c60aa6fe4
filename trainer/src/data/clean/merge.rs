//! Identities that are one person.

use std::collections::BTreeMap;

use tch::{Tensor, no_grad};

use super::centre::{Core, centre_matrix};
use super::embeddings::{dot, normalise};

/// Rows of one matrix product.
const BLOCK: i64 = 2048;

/// One identity became part of another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Merge {
    /// The identity that is gone.
    pub from: u32,
    /// The identity that has its pictures now, the smaller number; never itself merged away.
    pub into: u32,
    /// How alike the two were when they were joined.
    pub cosine: f32,
}

/// Joins identities whose centres are at least `least` alike, the most alike first. A joined identity has a new centre, to which the
/// next one must be as alike: like does not join like in a chain.
pub fn merges(cores: &[Core], least: f32) -> Vec<Merge> {
    let mut sums: BTreeMap<u32, Vec<f32>> = BTreeMap::new();
    let mut joined: Vec<Merge> = Vec::new();
    let into =
        |joined: &[Merge], identity: u32| joined.iter().find(|merge| merge.from == identity).map_or(identity, |merge| merge.into);
    for (a, b, _) in alike(cores, least) {
        let (a, b) = (into(&joined, a), into(&joined, b));
        let (into, from) = (a.min(b), a.max(b));
        if into == from {
            continue;
        }
        let weighted = |identity: u32| {
            let core = &cores[identity as usize];
            sums.get(&identity).cloned().unwrap_or_else(|| core.centre.iter().map(|x| x * core.members.len() as f32).collect())
        };
        let (sum_into, sum_from) = (weighted(into), weighted(from));
        let cosine = cosine(&sum_into, &sum_from);
        if cosine < least {
            continue;
        }
        sums.insert(into, sum_into.iter().zip(&sum_from).map(|(a, b)| a + b).collect());
        joined.iter_mut().filter(|merge| merge.into == from).for_each(|merge| merge.into = into);
        joined.push(Merge { from, into, cosine });
    }
    joined
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let (mut a, mut b) = (a.to_vec(), b.to_vec());
    normalise(&mut a).and(normalise(&mut b)).map_or(0.0, |()| dot(&a, &b))
}

/// The pairs of identities whose centres are at least `least` alike, the most alike first.
fn alike(cores: &[Core], least: f32) -> Vec<(u32, u32, f32)> {
    let columns = cores.iter().map(|core| core.centre.len()).max().unwrap_or(0);
    let mut pairs = Vec::new();
    if columns == 0 {
        return pairs;
    }
    let (known, centres) = centre_matrix(cores, columns);
    let count = known.len() as i64;
    for first in (0..count).step_by(BLOCK as usize) {
        no_grad(|| {
            let cosines = centres.narrow(0, first, BLOCK.min(count - first)).matmul(&centres.tr());
            let found: Tensor = cosines.ge(f64::from(least)).nonzero();
            for pair in 0..found.size()[0] {
                let (row, b) = (found.int64_value(&[pair, 0]), found.int64_value(&[pair, 1]));
                if first + row < b {
                    let cosine = cosines.double_value(&[row, b]) as f32;
                    pairs.push((known[(first + row) as usize], known[b as usize], cosine));
                }
            }
        });
    }
    pairs.sort_by(|a, b| b.2.total_cmp(&a.2));
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cores(degrees: &[(f32, usize)]) -> Vec<Core> {
        let core = |&(degrees, members): &(f32, usize)| Core {
            members: vec![(0, 1.0); members],
            strays: Vec::new(),
            centre: vec![degrees.to_radians().cos(), degrees.to_radians().sin()],
        };
        degrees.iter().map(core).collect()
    }

    fn found(degrees: &[(f32, usize)], least_degrees: f32) -> Vec<(u32, u32)> {
        merges(&cores(degrees), least_degrees.to_radians().cos()).iter().map(|merge| (merge.from, merge.into)).collect()
    }

    #[test]
    fn the_most_alike_join_first_and_no_chain_forms() {
        // 0° and 20° join to 10°, from which 38° is 28° away.
        assert_eq!(found(&[(0.0, 1), (20.0, 1), (38.0, 1)], 18.5), [(2, 1)]);
        assert_eq!(found(&[(0.0, 1), (18.0, 1), (40.0, 1)], 25.0), [(1, 0)]);
        assert_eq!(found(&[(0.0, 1), (18.0, 1), (40.0, 1)], 32.0), [(1, 0), (2, 0)]);
    }

    /// Nine pictures at 0° and one at −18° have their centre near −2°; one and one, at −9.5°, which is too far from 20°.
    #[test]
    fn many_pictures_weigh_more() {
        assert_eq!(found(&[(0.0, 9), (20.0, 1), (-18.0, 1)], 22.5), [(2, 0), (1, 0)]);
        assert_eq!(found(&[(0.0, 1), (20.0, 9), (-19.0, 1)], 22.5), [(2, 0)]);
    }

    #[test]
    fn an_identity_that_was_joined_points_to_the_last_one() {
        // 2 and 3 join first (1°), then 0 with 2 (10.5°).
        assert_eq!(found(&[(0.0, 1), (90.0, 1), (10.0, 1), (11.0, 1)], 12.0), [(3, 0), (2, 0)]);
        assert_eq!(found(&[], 10.0), []);
        assert_eq!(merges(&[Core::default(), Core::default()], 0.5), []);
    }
}
