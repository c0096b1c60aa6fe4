//! The pack that comes with the crate, on the portraits that come with the project: nothing else is needed.

use veriface::{Error, FalseMatchRate, Pack, Verifier};
use veriface_tests::fixture;

fn verify(a: &str, b: &str) -> Result<bool, Error> {
    let verifier = Verifier::from_pack(Pack::embedded()?)?;
    Ok(verifier.verify(&fixture(a), &fixture(b))?.decision.same)
}

#[test]
fn the_same_man_in_three_photographs() {
    for (a, b) in [
        ("obama-smiling.jpg", "obama-speaking.jpg"),
        ("obama-smiling.jpg", "obama-standing.jpg"),
        ("obama-speaking.jpg", "obama-standing.jpg"),
    ] {
        assert!(verify(a, b).unwrap(), "{a} {b}");
    }
}

#[test]
fn different_people() {
    let people = ["biden.jpg", "collins.jpg"];
    for a in ["obama-smiling.jpg", "obama-speaking.jpg", "obama-standing.jpg"] {
        people.iter().for_each(|b| assert!(!verify(a, b).unwrap(), "{a} {b}"));
    }
    assert!(!verify(people[0], people[1]).unwrap());
}

#[test]
fn it_is_small_calibrated_and_says_what_it_is() {
    let pack = Pack::embedded().unwrap();
    assert!(pack.to_bytes().unwrap().len() <= 5_000_000);
    let manifest = pack.manifest();
    let calibration = manifest.calibration.as_ref().unwrap();
    assert!(calibration.point(FalseMatchRate::ONE_IN_1_000).is_ok());
    assert!(!manifest.licences.is_empty() && !manifest.provenance.teachers.is_empty() && manifest.self_test.is_some());
}
