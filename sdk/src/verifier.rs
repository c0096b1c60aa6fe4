//! The rooms put together: from pictures to a decision.

use std::sync::Arc;

use crate::align::{Chip, align};
use crate::decide::{Calibration, Decision, FalseMatchRate, Threshold};
use crate::detect::{Detector, FaceChoice, Search};
use crate::embed::{Embedding, ModelId, Recogniser, Score};
use crate::error::{Error, ErrorCode, Reason, Result, Which};
use crate::face::{Face, Landmarks};
use crate::frame::Frame;
use crate::pack::{Pack, Part, PartKind, SelfTest};
use crate::pool::Pool;
use crate::quality::{Quality, QualityPolicy};
use crate::template::{Enrolment, Template};

/// The false-match rate that a verifier decides at when nobody says otherwise and the pack carries it: one in ten thousand, the
/// bound that FIDO's biometric requirements set. A pack that does not go so far decides at its strictest rate.
pub const DEFAULT_FMR: FalseMatchRate = FalseMatchRate::ONE_IN_10_000;

/// Answers whether two pictures show the same person.
///
/// Immutable, `Send + Sync`, and cheap to clone: make one and share it.
///
/// ```no_run
/// use veriface::{Pack, Photo, Trust, Verifier};
///
/// let verifier = Verifier::from_pack(Pack::open("small.vfpack", Trust::Unsigned)?)?;
/// let outcome = verifier.verify(&Photo::open("enrolled.jpg")?, &Photo::open("now.jpg")?)?;
/// println!("{}", if outcome.decision.same { "same person" } else { "different people" });
/// # Ok::<(), veriface::Error>(())
/// ```
#[derive(Clone)]
pub struct Verifier {
    inner: Arc<Inner>,
}

struct Inner {
    pack: Pack,
    detector: Detector,
    recogniser: Recogniser,
    threshold: Option<Threshold>,
    choice: FaceChoice,
    search: Search,
    pool: Pool,
    enrol: QualityPolicy,
    verify: QualityPolicy,
}

/// What a verifier is made of, and how it decides. Made by [`Verifier::builder`].
pub struct VerifierBuilder {
    pack: Pack,
    fmr: Option<FalseMatchRate>,
    stated: Option<Score>,
    choice: FaceChoice,
    search: Search,
    pool: Pool,
    enrol: Option<QualityPolicy>,
    verify: Option<QualityPolicy>,
}

/// What a picture is used for: it chooses the quality policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It becomes part of a template: strict, since a bad reference spoils every later comparison.
    Enrol,
    /// It is compared once.
    Verify,
}

/// What a call is given of a person: a picture, and where the face is if another detector has found it.
///
/// Pictures become samples by themselves: `verifier.verify(&photo, frame)`. So does a picture with the points that ML Kit or Apple Vision
/// found, and then nothing is detected in it: `verifier.verify_template(&template, (frame, landmarks))`. Calibration holds for the pack's own
/// detector: another's points lie elsewhere by a pixel or two, so measure before relying on the rate.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'f> {
    frame: Frame<'f>,
    landmarks: Option<Landmarks>,
}

impl<'f> Sample<'f> {
    /// A picture with the face's points, or without them for the verifier to look for the face itself.
    pub fn new(picture: impl Into<Frame<'f>>, landmarks: Option<Landmarks>) -> Sample<'f> {
        Sample { frame: picture.into(), landmarks }
    }

    /// The picture.
    pub fn frame(&self) -> &Frame<'f> {
        &self.frame
    }

    /// The face's points, where they came with the picture.
    pub fn landmarks(&self) -> Option<&Landmarks> {
        self.landmarks.as_ref()
    }
}

impl<'f, P: Into<Frame<'f>>> From<P> for Sample<'f> {
    fn from(picture: P) -> Sample<'f> {
        Sample::new(picture, None)
    }
}

impl<'f, P: Into<Frame<'f>>> From<(P, Landmarks)> for Sample<'f> {
    fn from((picture, landmarks): (P, Landmarks)) -> Sample<'f> {
        Sample::new(picture, Some(landmarks))
    }
}

/// What one picture gives: the face that was chosen, how good it is, and its embedding.
#[derive(Debug, Clone)]
pub struct Extraction {
    /// The face.
    pub face: Face,
    /// How many faces the picture shows.
    pub faces_found: usize,
    /// The rule that chose this one.
    pub choice: FaceChoice,
    /// How fit the face is to decide on.
    pub quality: Quality,
    /// The unit vector.
    pub embedding: Embedding,
}

/// A decision together with what it rests on.
#[derive(Debug, Clone)]
pub struct Verification {
    /// The decision.
    pub decision: Decision,
    /// What the probe gave.
    pub probe: Extraction,
    /// What the reference picture gave; `None` when the reference was a template.
    pub reference: Option<Extraction>,
}

impl VerifierBuilder {
    /// Decides at this false-match rate, which the pack must carry.
    pub fn false_match_rate(mut self, fmr: FalseMatchRate) -> Self {
        self.fmr = Some(fmr);
        self
    }

    /// Decides at this score, whose false-match rate nobody vouches for: [`Decision::fmr`] stays empty.
    pub fn stated_threshold(mut self, score: Score) -> Self {
        self.stated = Some(score);
        self
    }

    /// Which face is meant when a picture shows several. By default none is: that is an error.
    pub fn face_choice(mut self, choice: FaceChoice) -> Self {
        self.choice = choice;
        self
    }

    /// How hard to look for faces.
    pub fn search(mut self, search: Search) -> Self {
        self.search = search;
        self
    }

    /// Threads that [`Verifier::embed_all`] may use beside its caller's; by default none. One pool may serve several verifiers.
    pub fn pool(mut self, pool: &Pool) -> Self {
        self.pool = pool.clone();
        self
    }

    /// The quality policy for this purpose, instead of the pack's.
    pub fn quality_policy(mut self, purpose: Purpose, policy: QualityPolicy) -> Self {
        match purpose {
            Purpose::Enrol => self.enrol = Some(policy),
            Purpose::Verify => self.verify = Some(policy),
        }
        self
    }

    /// Overrides whether the mirrored chip's output is added to each embedding. A change makes another model of it: its id differs,
    /// and the pack's calibration and self-test, which were made the other way, are left out.
    ///
    /// # Errors
    /// None that the pack did not already pass.
    pub fn mirror_averaging(mut self, mirror: bool) -> Result<Self> {
        if self.pack.manifest().recogniser.mirror != mirror {
            let mut manifest = self.pack.manifest().clone();
            manifest.recogniser.mirror = mirror;
            (manifest.calibration, manifest.self_test) = (None, None);
            self.pack = Pack::new(manifest, self.pack.parts().to_vec())?;
        }
        Ok(self)
    }

    /// Loads the networks and runs the pack's self-test.
    ///
    /// # Errors
    /// [`ErrorCode::UnusableNetwork`], [`ErrorCode::SelfTestFailed`]; [`ErrorCode::NoSuchOperatingPoint`] when the pack has no threshold
    /// at the rate asked for.
    pub fn build(self) -> Result<Verifier> {
        let manifest = self.pack.manifest();
        let threshold = match (self.stated, self.fmr, &manifest.calibration) {
            (Some(score), _, _) => Some(Threshold::stated(score)),
            (None, Some(fmr), calibration) => Some(Threshold::at(calibration.as_ref(), fmr)?),
            (None, None, Some(calibration)) => Some(default_threshold(calibration)?),
            (None, None, None) => None,
        };
        let recogniser = Recogniser::load(&self.pack)?;
        self_test(&self.pack, &recogniser)?;
        Ok(Verifier {
            inner: Arc::new(Inner {
                detector: Detector::load(&self.pack)?,
                recogniser,
                threshold,
                choice: self.choice,
                search: self.search,
                pool: self.pool,
                enrol: self.enrol.unwrap_or_else(|| manifest.quality.enrol.clone()),
                verify: self.verify.unwrap_or_else(|| manifest.quality.verify.clone()),
                pack: self.pack,
            }),
        })
    }
}

fn default_threshold(calibration: &Calibration) -> Result<Threshold> {
    Threshold::at(Some(calibration), DEFAULT_FMR).or_else(|none_there| match calibration.points().last() {
        Some(strictest) => Threshold::at(Some(calibration), strictest.fmr),
        None => Err(none_there),
    })
}

/// The pack's chip must give the pack's embedding.
fn self_test(pack: &Pack, recogniser: &Recogniser) -> Result<()> {
    let Some(test) = &pack.manifest().self_test else { return Ok(()) };
    let chip = Chip::from_aligned(pack.bytes_of(&test.chip)?.to_vec())
        .map_err(|e| Error::new(ErrorCode::InvalidManifest, format!("self_test.chip: {}", e.detail())))?;
    let stated: Vec<f32> = pack.bytes_of(&test.embedding)?.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let stated = Embedding::from_raw(pack.model_id(), stated)
        .map_err(|e| Error::new(ErrorCode::InvalidManifest, format!("self_test.embedding: {}", e.detail())))?;
    let failed = |detail: String| Error::new(ErrorCode::SelfTestFailed, detail);
    let cosine = recogniser.embed(&chip).and_then(|found| found.compare(&stated)).map_err(|e| failed(e.to_string()))?;
    if cosine.get() < test.min_cosine {
        return Err(failed(format!("cosine {} to the stated embedding, {} is the least", cosine.get(), test.min_cosine)));
    }
    Ok(())
}

impl Verifier {
    /// A verifier with the pack's own policies, at [`DEFAULT_FMR`].
    ///
    /// # Errors
    /// See [`VerifierBuilder::build`].
    pub fn from_pack(pack: Pack) -> Result<Verifier> {
        Verifier::builder(pack).build()
    }

    /// A verifier with choices of one's own.
    pub fn builder(pack: Pack) -> VerifierBuilder {
        VerifierBuilder {
            pack,
            fmr: None,
            stated: None,
            choice: FaceChoice::default(),
            search: Search::default(),
            pool: Pool::default(),
            enrol: None,
            verify: None,
        }
    }

    /// The pack.
    pub fn pack(&self) -> &Pack {
        &self.inner.pack
    }

    /// What runs where, a line for each step: the detector's network and the recogniser's, on our own kernels or on tract. For people to
    /// read; its form is not a part of the interface.
    pub fn network_plans(&self) -> [Vec<String>; 2] {
        [self.inner.detector.plan(), self.inner.recogniser.plan()]
    }

    /// What every embedding and template of this verifier carries.
    pub fn model_id(&self) -> ModelId {
        self.inner.pack.model_id()
    }

    /// The pack as it is handed on: with a self-test, this chip and the embedding that this machine gives it, and with the networks
    /// prepared for our kernels, so that they load without being read and packed again.
    ///
    /// # Errors
    /// As [`Verifier::embed`]; [`ErrorCode::SelfTestFailed`] when the prepared network computes anything else.
    pub fn finished_pack(&self, chip: &Chip) -> Result<Pack> {
        let pack = &self.inner.pack;
        let embedding = self.embed(chip)?;
        let mut manifest = pack.manifest().clone();
        let test = SelfTest { chip: "self-test-chip".into(), embedding: "self-test-embedding".into(), min_cosine: 0.999 };
        let mut parts: Vec<Part> =
            pack.parts().iter().filter(|part| part.name != test.chip && part.name != test.embedding).cloned().collect();
        parts.push(Part::new(test.chip.clone(), PartKind::Chip, chip.rgb().to_vec()));
        let values: Vec<u8> = embedding.values().iter().flat_map(|value| value.to_le_bytes()).collect();
        parts.push(Part::new(test.embedding.clone(), PartKind::Embedding, values));
        manifest.self_test = Some(test);
        let pack = Pack::new(manifest, parts)?;
        let pack =
            pack.with_prepared([Detector::prepare(&pack)?, Recogniser::prepare(&pack)?].into_iter().flatten().collect())?;
        if Recogniser::load(&pack)?.embed(chip)? != embedding {
            return Err(Error::new(ErrorCode::SelfTestFailed, "the prepared network gives another embedding"));
        }
        Ok(pack)
    }

    /// The threshold it decides at; `None` when the pack is not calibrated and nobody stated one.
    pub fn threshold(&self) -> Option<&Threshold> {
        self.inner.threshold.as_ref()
    }

    /// The faces of a picture, the surest first.
    ///
    /// # Errors
    /// [`ErrorCode::NetworkFailed`]. A picture without a face gives an empty list.
    pub fn detect<'f>(&self, picture: impl Into<Frame<'f>>) -> Result<Vec<Face>> {
        self.inner.detector.detect(&picture.into(), &self.inner.search)
    }

    /// The aligned chip of a face.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidLandmarks`] when the points admit no similarity.
    pub fn align<'f>(&self, picture: impl Into<Frame<'f>>, landmarks: &Landmarks) -> Result<Chip> {
        align(&picture.into(), landmarks)
    }

    /// The embedding of an aligned chip.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidEmbedding`], [`ErrorCode::NetworkFailed`].
    pub fn embed(&self, chip: &Chip) -> Result<Embedding> {
        self.inner.recogniser.embed(chip)
    }

    /// The embeddings of several chips, in their order; on several threads where [`VerifierBuilder::pool`] gave some.
    ///
    /// # Errors
    /// As [`Verifier::embed`]; the error names the chip's place.
    pub fn embed_all<'c>(&self, chips: impl IntoIterator<Item = &'c Chip>) -> Result<Vec<Embedding>> {
        let chips: Vec<&Chip> = chips.into_iter().collect();
        self.inner.pool.map(&chips, |i, chip| self.embed(chip).map_err(|e| e.of(Which::Item(i)))).into_iter().collect()
    }

    /// How fit this face is to decide on.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidLandmarks`] when the points admit no similarity.
    pub fn quality<'f>(&self, picture: impl Into<Frame<'f>>, face: &Face) -> Result<Quality> {
        let frame = picture.into();
        Ok(Quality::measure(&frame, face, &align(&frame, &face.landmarks)?))
    }

    /// Finds the face that is meant, unless the sample says where it is, checks its quality, and embeds it.
    ///
    /// # Errors
    /// [`ErrorCode::NoFace`], [`ErrorCode::MultipleFaces`] (see [`VerifierBuilder::face_choice`]), [`ErrorCode::PoorQuality`] with its
    /// reasons. There is no fall-back to the whole picture.
    pub fn extract<'f>(&self, sample: impl Into<Sample<'f>>, purpose: Purpose) -> Result<Extraction> {
        let Sample { frame, landmarks } = sample.into();
        let (face, faces_found) = match landmarks {
            Some(landmarks) => (Face::from_landmarks(landmarks), 1),
            None => {
                let faces = self.inner.detector.detect(&frame, &self.inner.search)?;
                (self.inner.choice.choose(&faces, &frame)?, faces.len())
            }
        };
        let chip = align(&frame, &face.landmarks)?;
        let quality = Quality::measure(&frame, &face, &chip).among(faces_found);
        let reasons = self.quality_policy(purpose).check(&quality);
        if !reasons.is_empty() {
            let sentences: Vec<&str> = reasons.iter().map(Reason::sentence).collect();
            return Err(Error::new(ErrorCode::PoorQuality, sentences.join(" ")).with_reasons(reasons));
        }
        let embedding = self.embed(&chip)?;
        Ok(Extraction { face, faces_found, choice: self.inner.choice, quality, embedding })
    }

    /// Decides whether two pictures show the same person.
    ///
    /// # Errors
    /// Those of [`Verifier::extract`], each saying which picture it is about; [`ErrorCode::Uncalibrated`].
    pub fn verify<'a, 'b>(&self, reference: impl Into<Sample<'a>>, probe: impl Into<Sample<'b>>) -> Result<Verification> {
        self.decides()?;
        let reference = self.extract(reference, Purpose::Verify).map_err(|e| e.of(Which::Reference))?;
        let probe = self.extract(probe, Purpose::Verify).map_err(|e| e.of(Which::Probe))?;
        let decision = self.decide(reference.embedding.compare(&probe.embedding)?)?;
        Ok(Verification { decision, probe, reference: Some(reference) })
    }

    /// Decides whether a picture shows the person of a template.
    ///
    /// The threshold's rate was measured between single pictures. A template of several has somewhat more false matches at it, 1.2 to 1.3
    /// times as many for three (`docs/fusion.md`): where that matters, build the verifier at the next stricter rate, or decide on several
    /// frames with [`crate::VerifierSession`], which stays below the rate.
    ///
    /// # Errors
    /// Those of [`Verifier::extract`]; [`ErrorCode::ModelMismatch`] when the template is another model's.
    pub fn verify_template<'f>(&self, template: &Template, probe: impl Into<Sample<'f>>) -> Result<Verification> {
        self.decides()?;
        template.embedding().require_model(self.model_id()).map_err(|e| e.of(Which::Reference))?;
        let probe = self.extract(probe, Purpose::Verify).map_err(|e| e.of(Which::Probe))?;
        let decision = self.decide(template.embedding().compare(&probe.embedding)?)?;
        Ok(Verification { decision, probe, reference: None })
    }

    /// Makes a template of one person's pictures.
    ///
    /// # Errors
    /// Those of [`Verifier::extract`] under the policy for enrolment, naming the picture; [`ErrorCode::NothingToEnrol`].
    pub fn enrol<'f, P: Into<Sample<'f>>>(&self, pictures: impl IntoIterator<Item = P>) -> Result<Enrolment> {
        let embed = |(index, picture): (usize, P)| {
            self.extract(picture, Purpose::Enrol).map(|e| e.embedding).map_err(|e| e.of(Which::Item(index)))
        };
        let embeddings = pictures.into_iter().enumerate().map(embed).collect::<Result<Vec<_>>>()?;
        Template::enrol(&embeddings)
    }

    /// The decision at this verifier's threshold.
    ///
    /// # Errors
    /// [`ErrorCode::Uncalibrated`].
    pub fn decide(&self, score: Score) -> Result<Decision> {
        Ok(self.decides()?.decide(score))
    }

    /// The quality policy in force for this purpose.
    pub fn quality_policy(&self, purpose: Purpose) -> &QualityPolicy {
        match purpose {
            Purpose::Enrol => &self.inner.enrol,
            Purpose::Verify => &self.inner.verify,
        }
    }

    /// The faces of a camera frame by a single look, whatever it finds: the next frame comes soon.
    pub(crate) fn glance(&self, frame: &Frame<'_>, faces: &mut Vec<Face>) -> Result<()> {
        self.inner.detector.detect_into(frame, &Search::glance(), faces)
    }

    /// [`Verifier::embed`] in the memory of an embedding that nobody needs any more.
    pub(crate) fn embed_again(&self, chip: &Chip, old: Option<Embedding>) -> Result<Embedding> {
        match old {
            Some(old) => self.inner.recogniser.embed_again(chip, old),
            None => self.inner.recogniser.embed(chip),
        }
    }

    fn decides(&self) -> Result<&Threshold> {
        let inner = &self.inner;
        inner.threshold.as_ref().ok_or_else(|| Error::new(ErrorCode::Uncalibrated, inner.pack.manifest().id.clone()))
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("pack", &self.inner.pack).field("threshold", &self.inner.threshold).finish()
    }
}
