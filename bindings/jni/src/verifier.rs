//! `Native`'s functions for verifiers and photos.

use jni::objects::{
    JBooleanArray, JByteArray, JByteBuffer, JClass, JDoubleArray, JFloatArray, JIntArray, JLongArray, JObjectArray, JString,
};
use jni::sys::{jdouble, jfloat, jint, jlong};
use jni::{Env, EnvUnowned};
use veriface::{Decision, Enrolment, Error, ErrorCode, Face, Photo, Which};
use veriface_bridge::{Options, PICTURES, PackSource, TEMPLATES, VERIFIERS, face_choice, latency};

use crate::exception::{Failure, call};
use crate::frame::{NUMBERS, Source, bytes, handle, number};

/// How many numbers describe a face: left, top, right, bottom, score, five points.
pub const FACE: usize = 15;

/// `Native.openVerifier`: `rate` and `threshold` are not numbers where they are not stated.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_openVerifier<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    path: JString<'l>,
    pack: JByteBuffer<'l>,
    rate: jdouble,
    threshold: jfloat,
    choice: jint,
    key: JString<'l>,
) -> jlong {
    call(env, |env| {
        let options = Options {
            false_match_rate: (!rate.is_nan()).then_some(rate),
            stated_threshold: (!threshold.is_nan()).then_some(threshold),
            face_choice: face_choice(choice)?,
            pack_key: if key.is_null() { None } else { Some(key.try_to_string(env)?.parse()?) },
        };
        let path = if path.is_null() { None } else { Some(path.try_to_string(env)?) };
        Ok(number(VERIFIERS.open(options.verifier(source(env, path.as_deref(), &pack)?)?)))
    })
}

/// `Native.closeVerifier`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_closeVerifier<'l>(env: EnvUnowned<'l>, _: JClass<'l>, verifier: jlong) {
    call(env, |_| {
        VERIFIERS.close(handle(verifier));
        Ok(())
    })
}

/// `Native.modelId`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_modelId<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    verifier: jlong,
) -> JString<'l> {
    call(env, |env| Ok(JString::from_str(env, VERIFIERS.get(handle(verifier))?.model_id().hex())?))
}

/// `Native.openPhoto`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_openPhoto<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    path: JString<'l>,
) -> jlong {
    call(env, |env| Ok(number(PICTURES.open(Photo::open(path.try_to_string(env)?)?.into()))))
}

/// `Native.decodePhoto`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_decodePhoto<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    file: JByteArray<'l>,
) -> jlong {
    call(env, |env| Ok(number(PICTURES.open(Photo::decode(&env.convert_byte_array(file)?)?.into()))))
}

/// `Native.closePhoto`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_closePhoto<'l>(env: EnvUnowned<'l>, _: JClass<'l>, photo: jlong) {
    call(env, |_| {
        PICTURES.close(handle(photo));
        Ok(())
    })
}

/// `Native.verify`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_verify<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    verifier: jlong,
    reference: jlong,
    reference_numbers: JIntArray<'l>,
    reference_first: JByteBuffer<'l>,
    reference_second: JByteBuffer<'l>,
    reference_third: JByteBuffer<'l>,
    reference_points: JFloatArray<'l>,
    probe: jlong,
    probe_numbers: JIntArray<'l>,
    probe_first: JByteBuffer<'l>,
    probe_second: JByteBuffer<'l>,
    probe_third: JByteBuffer<'l>,
    probe_points: JFloatArray<'l>,
) -> JDoubleArray<'l> {
    call(env, |env| {
        let verifier = VERIFIERS.get(handle(verifier))?;
        let planes = [&reference_first, &reference_second, &reference_third];
        let reference = Source::new(env, reference, &reference_numbers, planes, &reference_points)
            .map_err(|failure| said_of(failure, Which::Reference))?;
        let planes = [&probe_first, &probe_second, &probe_third];
        let probe =
            Source::new(env, probe, &probe_numbers, planes, &probe_points).map_err(|failure| said_of(failure, Which::Probe))?;
        let reference = reference.sample().map_err(|error| error.of(Which::Reference))?;
        let probe = probe.sample().map_err(|error| error.of(Which::Probe))?;
        decision(env, verifier.verify(reference, probe)?.decision)
    })
}

/// `Native.verifyTemplate`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_verifyTemplate<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    verifier: jlong,
    template: jlong,
    probe: jlong,
    numbers: JIntArray<'l>,
    first: JByteBuffer<'l>,
    second: JByteBuffer<'l>,
    third: JByteBuffer<'l>,
    points: JFloatArray<'l>,
) -> JDoubleArray<'l> {
    call(env, |env| {
        let (verifier, template) = (VERIFIERS.get(handle(verifier))?, TEMPLATES.get(handle(template))?);
        let probe = Source::new(env, probe, &numbers, [&first, &second, &third], &points)
            .map_err(|failure| said_of(failure, Which::Probe))?;
        let probe = probe.sample().map_err(|error| error.of(Which::Probe))?;
        decision(env, verifier.verify_template(&template, probe)?.decision)
    })
}

/// `Native.detect`: [`FACE`] numbers a face.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_detect<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    verifier: jlong,
    photo: jlong,
    numbers: JIntArray<'l>,
    first: JByteBuffer<'l>,
    second: JByteBuffer<'l>,
    third: JByteBuffer<'l>,
) -> JFloatArray<'l> {
    call(env, |env| {
        let verifier = VERIFIERS.get(handle(verifier))?;
        let source = Source::new(env, photo, &numbers, [&first, &second, &third], &JFloatArray::null())?;
        let faces: Vec<f32> = verifier.detect(*source.sample()?.frame())?.iter().flat_map(face).collect();
        floats(env, &faces)
    })
}

/// `Native.enrol`: `photos` holds a handle or 0 for each picture, `numbers` 13 numbers, `planes` three buffers and `points` ten numbers or
/// null for each; `scores` and `outliers` have a place for each, and are filled in.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_enrol<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    verifier: jlong,
    photos: JLongArray<'l>,
    numbers: JIntArray<'l>,
    planes: JObjectArray<'l, JByteBuffer<'l>>,
    points: JObjectArray<'l, JFloatArray<'l>>,
    scores: JFloatArray<'l>,
    outliers: JBooleanArray<'l>,
) -> jlong {
    call(env, |env| {
        let verifier = VERIFIERS.get(handle(verifier))?;
        let count = photos.len(env)?;
        let mut handles = vec![0; count];
        photos.get_region(env, 0, &mut handles)?;
        let mut sources = Vec::with_capacity(count);
        for (place, &photo) in handles.iter().enumerate() {
            let source = if photo != 0 {
                Source::photo(photo).map_err(Failure::Sdk)
            } else {
                let mut found = [0; NUMBERS];
                numbers.get_region(env, jint::try_from(place * NUMBERS).unwrap_or(jint::MAX), &mut found)?;
                let buffers = [
                    planes.get_element(env, 3 * place)?,
                    planes.get_element(env, 3 * place + 1)?,
                    planes.get_element(env, 3 * place + 2)?,
                ];
                let [first, second, third] = &buffers;
                Source::frame_of(env, &found, [first, second, third])
            };
            let its_points = points.get_element(env, place)?;
            let mut found = vec![0.0; if its_points.is_null() { 0 } else { its_points.len(env)? }];
            if !found.is_empty() {
                its_points.get_region(env, 0, &mut found)?;
            }
            let source = source.and_then(|source| source.at(&found).map_err(Failure::Sdk));
            sources.push(source.map_err(|failure| said_of(failure, Which::Item(place)))?);
        }
        let frames = sources
            .iter()
            .enumerate()
            .map(|(place, source)| source.sample().map_err(|error| error.of(Which::Item(place))))
            .collect::<Result<Vec<_>, Error>>()?;
        template(env, verifier.enrol(frames)?, &scores, &outliers)
    })
}

/// `Native.latency`: the JSON of `veriface bench --json`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_latency<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    path: JString<'l>,
    pack: JByteBuffer<'l>,
    picture: JByteArray<'l>,
    runs: jint,
    device: JString<'l>,
) -> JString<'l> {
    call(env, |env| {
        let path = if path.is_null() { None } else { Some(path.try_to_string(env)?) };
        let (picture, device) = (env.convert_byte_array(picture)?, device.try_to_string(env)?);
        let report = latency(source(env, path.as_deref(), &pack)?, &picture, runs, &device)?;
        Ok(JString::from_str(env, report)?)
    })
}

/// Where a verifier's pack comes from: a file, a direct buffer, or neither.
fn source<'a, 'l: 'a>(env: &Env<'l>, path: Option<&'a str>, pack: &JByteBuffer<'l>) -> Result<PackSource<'a>, Failure> {
    Ok(match path {
        Some(path) => PackSource::File(path),
        None if pack.is_null() => PackSource::Embedded,
        None => PackSource::Bytes(bytes(env, pack)?),
    })
}

/// The same failure, said of one of the call's pictures.
fn said_of(failure: Failure, which: Which) -> Failure {
    match failure {
        Failure::Sdk(error) => Failure::Sdk(error.of(which)),
        Failure::Jni(jni::errors::Error::NullPtr(what)) => {
            Failure::Sdk(Error::new(ErrorCode::InvalidArgument, format!("null: {what}")).of(which))
        }
        other => other,
    }
}

/// A decision's numbers: same, score, threshold, rate or not a number.
pub fn decision<'l>(env: &mut Env<'l>, decision: Decision) -> Result<JDoubleArray<'l>, Failure> {
    let numbers = [
        f64::from(u8::from(decision.same)),
        decision.score.get().into(),
        decision.threshold.get().into(),
        decision.fmr.map_or(f64::NAN, |fmr| fmr.get()),
    ];
    let array = JDoubleArray::new(env, numbers.len())?;
    array.set_region(env, 0, &numbers)?;
    Ok(array)
}

/// Opens an enrolment's template, and fills in what is known of its samples.
pub fn template<'l>(
    env: &mut Env<'l>,
    enrolment: Enrolment,
    scores: &JFloatArray<'l>,
    outliers: &JBooleanArray<'l>,
) -> Result<jlong, Failure> {
    let found: Vec<f32> = enrolment.scores.iter().map(|score| score.get()).collect();
    let far: Vec<bool> = (0..found.len()).map(|place| enrolment.outliers.contains(&place)).collect();
    scores.set_region(env, 0, &found)?;
    outliers.set_region(env, 0, &far)?;
    Ok(number(TEMPLATES.open(enrolment.template)))
}

/// A face's numbers.
pub fn face(face: &Face) -> [f32; FACE] {
    let bounds = face.bounding_box;
    let [a, b, c, d, e] = *face.landmarks.points();
    [bounds.left, bounds.top, bounds.right, bounds.bottom, face.score.0, a.x, a.y, b.x, b.y, c.x, c.y, d.x, d.y, e.x, e.y]
}

/// An array of these numbers.
pub fn floats<'l>(env: &mut Env<'l>, numbers: &[f32]) -> Result<JFloatArray<'l>, Failure> {
    let array = JFloatArray::new(env, numbers.len())?;
    array.set_region(env, 0, numbers)?;
    Ok(array)
}
