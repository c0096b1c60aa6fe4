//! The pairs that a model is most wrong about.

use serde::Serialize;
use veriface::Score;
use veriface::evaluation::PairList;

/// A pair of a list and its score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ScoredPair {
    /// Its place in the list, from 1.
    pub pair: usize,
    /// Its score.
    pub score: f32,
    /// Whether the best threshold decides it wrongly.
    pub wrong: bool,
}

/// The impostor pairs of the highest scores and the genuine pairs of the lowest, the worst first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Worst {
    /// Two people who look alike to the model; those that are `wrong` are false matches.
    pub impostor: Vec<ScoredPair>,
    /// One person who does not look like themselves; those that are `wrong` are false non-matches.
    pub genuine: Vec<ScoredPair>,
}

/// The `count` worst pairs of each kind, judged at `threshold`.
pub fn worst(list: &PairList, scores: &[Option<Score>], threshold: f64, count: usize) -> Worst {
    let of = |same: bool| -> Vec<ScoredPair> {
        let scored = list.pairs().iter().zip(scores).enumerate().filter(move |(_, (pair, _))| pair.same == same);
        let mut pairs: Vec<(usize, Score)> = scored.filter_map(|(place, (_, score))| Some((place, (*score)?))).collect();
        pairs.sort_by_key(|&(_, score)| score);
        if !same {
            pairs.reverse();
        }
        let describe = |(place, score): (usize, Score)| {
            let wrong = (f64::from(score.get()) >= threshold) != same;
            ScoredPair { pair: place + 1, score: score.get(), wrong }
        };
        pairs.into_iter().take(count).map(describe).collect()
    };
    Worst { impostor: of(false), genuine: of(true) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_are_first_and_marked_where_wrong() {
        let text: String = (0..10).map(|i| format!("a{i}\tb{i}\t{}\n", i % 2)).collect();
        let list = PairList::parse(&text).expect("a list");
        let scores: Vec<Option<Score>> = [0.5, 0.9, 0.1, 0.2, 0.3, 0.6, 0.0, 0.8, -0.1]
            .map(|score| Score::new(score).ok())
            .into_iter()
            .chain([None])
            .collect();
        let worst = worst(&list, &scores, 0.4, 2);
        let found = |pairs: &[ScoredPair]| pairs.iter().map(|pair| (pair.pair, pair.wrong)).collect::<Vec<_>>();
        assert_eq!(found(&worst.impostor), [(1, true), (5, false)]);
        assert_eq!(found(&worst.genuine), [(4, true), (6, false)]);
    }
}
