//! Identities that are people of a test set: a figure measured on people who were trained on says nothing.

use std::collections::HashMap;

use tch::{Tensor, no_grad};

use super::centre::{Core, centre_matrix};
use super::embeddings::{Embeddings, dot};

/// The people of a test set.
#[derive(Debug, Clone, PartialEq)]
pub struct TestPeople {
    /// Each person's centre.
    pub centres: Embeddings,
    /// Each person's picture, for the contact sheet.
    pub pictures: Vec<usize>,
    /// Each person's name, where one is known.
    pub names: Vec<Option<String>>,
}

/// An identity that is a test person.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// The identity of the training set.
    pub identity: u32,
    /// Which test set.
    pub set: usize,
    /// Which of its people.
    pub person: usize,
    /// How alike the centres are.
    pub cosine: f32,
    /// Whether the names agree; if not, the centres do.
    pub by_name: bool,
}

/// Finds identities that are a test person by centre, at least `least` alike, or by name.
pub fn find(cores: &[Core], tests: &[TestPeople], names: Option<&[String]>, least: f32) -> Vec<Match> {
    let mut matches = Vec::new();
    let mut known: HashMap<String, (usize, usize)> = HashMap::new();
    for (set, test) in tests.iter().enumerate() {
        for (person, name) in test.names.iter().enumerate() {
            if let Some(name) = name.as_deref().and_then(plain) {
                known.entry(name).or_insert((set, person));
            }
        }
    }
    let nearest = nearest_people(cores, tests);
    for (identity, core) in cores.iter().enumerate() {
        let name = names.and_then(|names| names.get(identity)).and_then(|name| plain(name));
        let named = name.and_then(|name| known.get(&name)).map(|&(set, person)| {
            let cosine = if core.members.is_empty() { -1.0 } else { dot(&core.centre, tests[set].centres.row(person)) };
            Match { identity: identity as u32, set, person, cosine, by_name: true }
        });
        let alike = nearest[identity].filter(|found| found.2 >= least).map(|(set, person, cosine)| Match {
            identity: identity as u32,
            set,
            person,
            cosine,
            by_name: false,
        });
        matches.extend(named.or(alike));
    }
    matches
}

/// Of each identity, the most alike person of all test sets: set, person, cosine.
fn nearest_people(cores: &[Core], tests: &[TestPeople]) -> Vec<Option<(usize, usize, f32)>> {
    let mut nearest: Vec<Option<(usize, usize, f32)>> = vec![None; cores.len()];
    for (set, test) in tests.iter().enumerate().filter(|(_, test)| !test.centres.is_empty()) {
        let columns = test.centres.columns();
        let (known, centres) = centre_matrix(cores, columns);
        let people = Tensor::from_slice(test.centres.rows()).view([-1, columns as i64]);
        let (best, at) = no_grad(|| centres.matmul(&people.tr()).max_dim(1, false));
        let (Ok(best), Ok(at)) = (Vec::<f32>::try_from(best), Vec::<i64>::try_from(at)) else { continue };
        for (identity, (cosine, person)) in known.into_iter().zip(best.into_iter().zip(at)) {
            let so_far = &mut nearest[identity as usize];
            if so_far.is_none_or(|so_far| cosine > so_far.2) {
                *so_far = Some((set, person as usize, cosine));
            }
        }
    }
    nearest
}

/// A name's words in lower case and in order: `Lee, Ann`, `ann_lee` and `AnnLee` are one. A name without five letters is none:
/// numbered folders (`n000001`) agree by chance.
fn plain(name: &str) -> Option<String> {
    let mut spaced = String::with_capacity(name.len() + 4);
    let mut before_lower = false;
    for letter in name.chars() {
        if letter.is_uppercase() && before_lower {
            spaced.push(' ');
        }
        before_lower = letter.is_lowercase();
        spaced.extend(letter.to_lowercase());
    }
    let mut words: Vec<&str> = spaced.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).collect();
    words.sort_unstable();
    (words.concat().chars().count() >= 5).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_agree_whatever_their_punctuation_and_numbers_never_do() {
        for (a, b) in
            [("George_W_Bush", "Bush, George W."), ("Jos\u{e9} Aznar", "jos\u{e9}_aznar"), ("MariaCallas", "maria callas")]
        {
            assert_eq!(plain(a), plain(b));
            assert!(plain(a).is_some());
        }
        assert_ne!(plain("Ann Lee"), plain("Ann Lea"));
        for number in ["001", "n000001", "id_17", ""] {
            assert_eq!(plain(number), None, "{number}");
        }
    }

    #[test]
    fn the_most_alike_person_of_all_sets_is_named() {
        let core = |x: f32, y: f32| Core { members: vec![(0, 1.0)], strays: Vec::new(), centre: vec![x, y] };
        let people = |rows: Vec<f32>| {
            let centres = Embeddings::new(rows, 2).expect("rows");
            TestPeople { pictures: vec![0; centres.len()], names: vec![None; centres.len()], centres }
        };
        let tests = [people(vec![1.0, 0.0, 0.0, 1.0]), people(vec![0.8, 0.6])];
        let found = find(&[core(0.6, 0.8), core(-1.0, 0.0), Core::default(), core(0.0, 1.0)], &tests, None, 0.9);
        let found: Vec<_> = found.iter().map(|found| (found.identity, found.set, found.person, found.by_name)).collect();
        assert_eq!(found, [(0, 1, 0, false), (3, 0, 1, false)]);
    }
}
