//! The same photo twice: two chips that a recogniser and their pixels both find alike. A recogniser alone would take two frames of a
//! film, or two passport photos, for one.

use super::Limits;
use super::centre::Core;
use super::embeddings::{Embeddings, dot};
use super::pixel_hash::PixelHash;

/// A chip that is there already.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Twin {
    /// The one to drop.
    pub dropped: usize,
    /// The one to keep.
    pub of: usize,
    /// Their cosine.
    pub cosine: f32,
    /// In how many bits their pixel hashes differ.
    pub bits: u32,
}

/// Finds twins within each identity, of which the first stays; and under two identities, of which the one that is more like the
/// others of its identity stays. Across identities only a chip's nearest other one is looked at ([`super::centre::nearest_other`]).
pub fn find(embeddings: &Embeddings, cores: &[Core], nearest: &[(u32, f32)], hashes: &[PixelHash], limits: &Limits) -> Vec<Twin> {
    let alike = |dropped: usize, of: usize| {
        let cosine = dot(embeddings.row(dropped), embeddings.row(of));
        let bits = hashes[dropped].distance(&hashes[of]);
        (cosine >= limits.duplicate && bits <= limits.duplicate_bits).then_some(Twin { dropped, of, cosine, bits })
    };
    let mut twins: Vec<Twin> = Vec::new();
    for core in cores {
        let mut kept: Vec<usize> = Vec::with_capacity(core.members.len());
        for (chip, _) in &core.members {
            match kept.iter().find_map(|of| alike(*chip, *of)) {
                Some(twin) => twins.push(twin),
                None => kept.push(*chip),
            }
        }
    }
    for core in cores {
        for (chip, own) in &core.members {
            let (other, cosine) = nearest[*chip];
            // The centre is no nearer than the picture itself; a picture of a spread-out identity may lie well off it.
            if cosine < limits.elsewhere {
                continue;
            }
            let Some(other) = cores.get(other as usize) else { continue };
            let better = other.members.iter().filter(|(_, of_own)| fits_better((*of_own, other), (*own, core)));
            twins.extend(better.filter_map(|(of, _)| alike(*chip, *of)).next());
        }
    }
    twins
}

/// Whether the first chip is more at home in its identity than the second in its own. A lone picture vouches for nothing.
fn fits_better(a: (f32, &Core), b: (f32, &Core)) -> bool {
    let worth = |(own, core): (f32, &Core)| if core.members.len() > 1 { own } else { -1.0 };
    let first = |core: &Core| core.members.first().map(|member| member.0);
    worth(a) > worth(b) || (worth(a) == worth(b) && first(a.1) < first(b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_three_alike_the_first_stays() {
        let embeddings = Embeddings::new([1.0, 0.0].repeat(4), 2).expect("rows");
        let core = Core { members: vec![(0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0)], strays: Vec::new(), centre: vec![1.0, 0.0] };
        let hash = PixelHash::from_bits([7; 4]);
        let far = PixelHash::from_bits([0xf0f0_f0f0; 4]);
        let hashes = [hash, hash.with_flipped(&[0, 9]), far, hash.with_flipped(&[3])];
        let twins = find(&embeddings, &[core], &[(0, -1.0); 4], &hashes, &Limits::default());
        let found: Vec<_> = twins.iter().map(|twin| (twin.dropped, twin.of, twin.bits)).collect();
        assert_eq!(found, [(1, 0, 2), (3, 0, 1)]);
    }
}
