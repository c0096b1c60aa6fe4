//! An embedding leaves no trace in memory that was given back, nor in what is shown of the types that hold one.

use std::time::Duration;

use veriface::{
    Chip, Embedding, Error, ErrorCode, Gallery, ModelId, Pack, Purpose, QualityPolicy, Score, SealedTemplate, SealingKey, Secret,
    Template, TrackPolicy, Verifier, VerifierSession,
};
use veriface_tests::fixture;

use crate::heap;

fn verifier() -> Verifier {
    let builder = Verifier::builder(Pack::embedded().unwrap());
    builder.quality_policy(Purpose::Verify, QualityPolicy::accept_all()).build().unwrap()
}

/// Four values in the middle of the vector. They are not put on the heap.
fn four_values(embedding: &Embedding) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes
        .chunks_exact_mut(4)
        .zip(embedding.values().iter().skip(40))
        .for_each(|(to, value)| to.copy_from_slice(&value.to_le_bytes()));
    bytes
}

#[test]
fn the_allocator_sees_what_is_left_behind() {
    let embedding = verifier().embed(&Chip::drawn_face()).unwrap();
    let secret = four_values(&embedding);
    assert_eq!(heap::left_behind(secret, || drop(embedding.values().to_vec())), 1);
    let grown = || {
        let mut bytes: Vec<u8> = embedding.values().iter().flat_map(|value| value.to_le_bytes()).collect();
        bytes.reserve(1 << 20);
        bytes.fill(0);
    };
    assert!(heap::left_behind(secret, grown) >= 1, "memory that was outgrown");
}

/// From the chip to the file and back: embeddings, templates, sealed templates, galleries, their files.
#[test]
fn nothing_of_an_embedding_is_left_in_memory() {
    let verifier = verifier();
    let chip = Chip::drawn_face();
    let secret = four_values(&verifier.embed(&chip).unwrap());
    let key = SealingKey::from_bytes([7; 32]);
    let folder = tempfile::tempdir().unwrap();
    let [plain, sealed_file, many] = ["a.vftemplate", "a.vfsealed", "a.vfgallery"].map(|name| folder.path().join(name));
    let other = Embedding::from_raw(verifier.model_id(), (0..512).map(|i| (i as f32).sin()).collect()).unwrap();
    let life = || {
        let embedding = verifier.embed(&chip).unwrap();
        drop(embedding.clone());
        assert!(embedding.compare(&other).is_ok());
        let template = Template::enrol(std::slice::from_ref(&embedding)).unwrap().template;
        assert_eq!(four_values(template.embedding()), secret, "or else the test looks for the wrong thing");
        template.save(&plain).unwrap();
        assert_eq!(Template::open(&plain).unwrap(), template);
        let sealed = SealedTemplate::seal(&template, Secret::Key(&key), "test").unwrap();
        sealed.save(&sealed_file).unwrap();
        let open = || SealedTemplate::open(&sealed_file).unwrap();
        assert_eq!(open().unseal(Secret::Key(&key), verifier.model_id(), "test").unwrap(), template);
        assert!(open().unseal(Secret::Passphrase("no"), verifier.model_id(), "test").is_err());

        let mut gallery = Gallery::new(verifier.model_id(), 512).unwrap();
        gallery.add("first", &template).unwrap();
        // It outgrows its memory several times.
        for number in 0..100 {
            gallery.add(&format!("other {number}"), &other).unwrap();
        }
        gallery.add("last", &template).unwrap();
        drop(gallery.get("first"));
        assert_eq!(gallery.search(&embedding, 2).unwrap().len(), 2);
        gallery.remove("last").unwrap();
        gallery.save(&many).unwrap();
        drop(gallery.clone());
        assert!(Gallery::open(&many).unwrap().get("first").is_some());
        gallery.remove("first").unwrap();
        // What is refused is wiped all the same.
        let mut broken = Vec::with_capacity(513);
        broken.extend_from_slice(embedding.values());
        broken.push(f32::NAN);
        assert!(Embedding::from_raw(verifier.model_id(), broken).is_err());
    };
    assert_eq!(heap::left_behind(secret, life), 0);
}

#[test]
fn a_session_leaves_nothing_in_memory() {
    let verifier = verifier();
    let photo = fixture("collins.jpg");
    let secret = four_values(&verifier.extract(&photo, Purpose::Verify).unwrap().embedding);
    let policy = TrackPolicy { look_every: 1, max_offset: 1.0, spacing: Duration::ZERO, ..TrackPolicy::default() };
    let life = || {
        let mut session = VerifierSession::with_policy(&verifier, Purpose::Verify, policy).unwrap();
        for number in 0..20 {
            session.frame(&photo, Duration::from_millis(33 * number)).unwrap();
        }
        let template = session.enrol().unwrap().template;
        assert!(session.decide(&template).unwrap().same);
        session.reset();
        let outcome = verifier.verify(&photo, &photo).unwrap();
        assert!(outcome.decision.same);
    };
    assert_eq!(heap::left_behind(secret, life), 0);
}

/// Whether a text shows any value of the vector, as `Debug` or `Display` print it, rounded, or its bytes.
fn shows(text: &str, embedding: &Embedding) -> bool {
    embedding.values().iter().any(|value| {
        let bytes: String = value.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let list = value.to_le_bytes().map(|byte| byte.to_string()).join(", ");
        let long = [format!("{value:?}"), format!("{value}"), format!("{value:.4}"), format!("{value:e}"), bytes, list];
        // A value that rounds to little, such as 0.0000, stands in many texts.
        long.iter().any(|shown| shown.len() >= 8 && shown.trim_start_matches(['-', '0', '.']).len() >= 3 && text.contains(shown))
    })
}

#[test]
fn debug_of_every_type_that_holds_an_embedding_shows_none() {
    let verifier = verifier();
    let photo = fixture("collins.jpg");
    let extraction = verifier.extract(&photo, Purpose::Verify).unwrap();
    let embedding = extraction.embedding.clone();
    let enrolment = Template::enrol(std::slice::from_ref(&embedding)).unwrap();
    let key = SealingKey::from_bytes([7; 32]);
    let sealed = SealedTemplate::seal(&enrolment.template, Secret::Key(&key), "test").unwrap();
    let mut gallery = Gallery::new(verifier.model_id(), embedding.dimension()).unwrap();
    gallery.add("someone", &embedding).unwrap();
    let policy = TrackPolicy { look_every: 1, max_offset: 1.0, spacing: Duration::ZERO, ..TrackPolicy::default() };
    let mut session = VerifierSession::with_policy(&verifier, Purpose::Verify, policy).unwrap();
    for number in 0..5 {
        session.frame(&photo, Duration::from_millis(33 * number)).unwrap();
    }
    session.enrol().unwrap();
    let verification = verifier.verify(&photo, &photo).unwrap();
    let matches = gallery.search(&embedding, 1).unwrap();
    assert!(shows(&format!("{:?}", embedding.values()), &embedding), "or else the test is blind");
    let shown: [(&str, String); 10] = [
        ("Embedding", format!("{embedding:#?}")),
        ("Template", format!("{:#?}", enrolment.template)),
        ("Enrolment", format!("{enrolment:#?}")),
        ("SealedTemplate", format!("{sealed:#?}")),
        ("Gallery", format!("{gallery:#?}")),
        ("Match", format!("{matches:#?}")),
        ("Extraction", format!("{extraction:#?}")),
        ("Verification", format!("{verification:#?}")),
        ("VerifierSession", format!("{session:#?}")),
        ("Verifier", format!("{verifier:#?}")),
    ];
    for (name, text) in shown {
        assert!(!shows(&text, &embedding), "{name}: {text}");
    }
}

#[test]
fn errors_show_none() {
    let verifier = verifier();
    let embedding = verifier.embed(&Chip::drawn_face()).unwrap();
    let values = embedding.values().to_vec();
    let with = |change: &dyn Fn(&mut Vec<f32>)| {
        let mut values = values.clone();
        change(&mut values);
        values
    };
    let other = Embedding::from_raw(ModelId::from_bytes([1; 32]), values.clone()).unwrap();
    let template = Template::enrol(std::slice::from_ref(&embedding)).unwrap().template;
    let key = SealingKey::from_bytes([7; 32]);
    let sealed = SealedTemplate::seal(&template, Secret::Key(&key), "test").unwrap();
    let mut gallery = Gallery::new(verifier.model_id(), 512).unwrap();
    gallery.add("someone", &embedding).unwrap();
    let bytes = template.to_bytes();
    let model = verifier.model_id();
    let errors: Vec<Error> = [
        Embedding::from_raw(model, with(&|values| values[3] = f32::NAN)).err(),
        Embedding::from_raw(model, with(&|values| values.iter_mut().for_each(|value| *value *= 1e-30))).err(),
        Embedding::from_raw(model, values.iter().copied().cycle().take(5000).collect()).err(),
        embedding.compare(&other).err(),
        template.compare(&Embedding::from_raw(model, values[..100].to_vec()).unwrap()).err(),
        Template::enrol(&[embedding.clone(), other.clone()]).err(),
        Template::from_bytes(&bytes[..bytes.len() - 1]).err(),
        SealedTemplate::from_bytes(&sealed.as_bytes()[1..]).err(),
        sealed.unseal(Secret::Key(&SealingKey::from_bytes([8; 32])), model, "test").err(),
        sealed.unseal(Secret::Key(&key), model, "another").err(),
        gallery.add("someone", &embedding).err(),
        gallery.add("another", &other).err(),
        gallery.search(&other, 1).err(),
        Score::new(2.0).err(),
    ]
    .into_iter()
    .map(Option::unwrap)
    .collect();
    for error in errors {
        assert_ne!(error.code(), ErrorCode::InternalFault);
        let text = format!("{error} {error:#?} {}", error.advice());
        assert!(!shows(&text, &embedding), "{text}");
    }
}

/// The SDK writes to no log: what it has to say it returns.
#[test]
fn the_sdk_logs_nothing() {
    fn look(folder: &std::path::Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                look(&path);
            } else if path.extension().is_some_and(|ending| ending == "rs")
                && !path.ends_with("tests.rs")
                && !path.ends_with("golden.rs")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                let lines: Vec<&str> = text.lines().collect();
                let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].ends_with(" {"));
                let code: Vec<&str> = lines[..tests.unwrap_or(lines.len())]
                    .iter()
                    .copied()
                    .filter(|line| !line.trim_start().starts_with("//"))
                    .collect();
                for word in ["println!", "eprintln!", "print!", "dbg!", "log::", "tracing::"] {
                    assert!(!code.iter().any(|line| line.contains(word)), "{}: {word}", path.display());
                }
            }
        }
    }
    look(&veriface_tests::here("../sdk/src"));
}
