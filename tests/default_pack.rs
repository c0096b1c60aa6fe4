//! The pack that comes with the crate, on the portraits that come with the project: nothing else is needed.

use veriface::{Chip, Error, ErrorCode, FalseMatchRate, Pack, Part, PartKind, Trust, Verifier};
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
    // opencv/opencv_zoo 54: a published rate is one that the measurement's upper bound upholds.
    assert!(calibration.points().iter().all(|point| point.is_upheld()), "{:?}", calibration.points());
    // HyperInspire/InspireFace 285: how high strangers score.
    let tail = calibration.impostor_tail();
    assert!(tail.one_in_1_000.is_some_and(|score| score <= tail.max) && tail.one_in_10_000.is_some());
    assert!(!manifest.licences.is_empty() && !manifest.provenance.teachers.is_empty() && manifest.self_test.is_some());
}

/// What `veriface pack make` and `trainer pack` add: the networks as kernels read them, which change nothing but the time that a load takes.
#[test]
fn prepared_networks_are_used_checked_and_done_without() {
    let pack = Pack::embedded().unwrap();
    let chip = Chip::drawn_face();
    let plain = Verifier::from_pack(pack.clone()).unwrap();
    let finished = plain.finished_pack(&chip).unwrap();
    assert!(finished.to_bytes().unwrap().len() <= 5_000_000);
    let prepared = finished.parts().iter().filter(|part| part.kind == PartKind::Prepared).count();
    assert_eq!((prepared, finished.model_id()), (2, pack.model_id()));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("finished.vfpack");
    finished.save(&path).unwrap();
    let expected = plain.embed(&chip).unwrap();
    let opened = Verifier::from_pack(Pack::open(&path, Trust::Unsigned).unwrap()).unwrap();
    assert_eq!(opened.embed(&chip).unwrap(), expected);
    assert_eq!(opened.detect(&fixture("biden.jpg")).unwrap(), plain.detect(&fixture("biden.jpg")).unwrap());
    // Finished again, from the file, it is the same file.
    assert_eq!(opened.finished_pack(&chip).unwrap().to_bytes().unwrap(), finished.to_bytes().unwrap());

    // Whoever has opened a pack keeps it when its file is replaced, also what was left in the file.
    let held = Pack::open(&path, Trust::Unsigned).unwrap();
    pack.save(&path).unwrap();
    assert_eq!(held.to_bytes().unwrap(), finished.to_bytes().unwrap());
    assert_eq!(Verifier::from_pack(held).unwrap().embed(&chip).unwrap(), expected);

    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let altered = |part: &Part| match part.kind {
            PartKind::Prepared => {
                let mut bytes = part.bytes().unwrap().to_vec();
                change(&mut bytes);
                Part::new(part.name.clone(), part.kind, bytes)
            }
            _ => part.clone(),
        };
        Verifier::from_pack(Pack::new(finished.manifest().clone(), finished.parts().iter().map(altered).collect()).unwrap())
    };
    // A later version is left to the ONNX part; what is broken says so.
    assert_eq!(with(&|bytes| bytes[4] = 2).unwrap().embed(&chip).unwrap(), expected);
    let broken: [fn(&mut Vec<u8>); 3] =
        [|bytes| bytes[64] = b'x', |bytes| bytes.truncate(bytes.len() / 2), |bytes| bytes[8] = 0xff];
    for change in broken {
        assert_eq!(with(&change).err().map(|error| error.code()), Some(ErrorCode::UnusableNetwork));
    }
}
