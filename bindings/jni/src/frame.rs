//! Pictures as they come from Java: a photo's handle, or numbers and direct buffers.

use std::sync::Arc;

use jni::Env;
use jni::objects::{JByteBuffer, JFloatArray, JIntArray};
use jni::sys::{jint, jlong};
use veriface::{Error, ErrorCode, Landmarks, Plane, Result, Sample};
use veriface_bridge::{Layout, PICTURES, Picture, camera_frame, landmarks};

use crate::exception::Failure;

/// How many numbers describe a frame: format, width, height, rotation, mirrored, matrix, range; then row and pixel stride of three planes.
pub const NUMBERS: usize = 13;

/// A picture argument of a native method.
pub struct Source<'l> {
    pixels: Pixels<'l>,
    landmarks: Option<Landmarks>,
}

enum Pixels<'l> {
    /// A decoded file.
    Photo(Arc<Picture>),
    /// A frame in Java's memory.
    Frame { layout: Layout, planes: [Plane<'l>; 3] },
}

impl<'l> Source<'l> {
    /// Reads the arguments: `photo` is not 0, or `numbers` and `planes` describe a frame; `points` are its face's, or null.
    pub fn new(
        env: &Env<'l>,
        photo: jlong,
        numbers: &JIntArray<'l>,
        planes: [&JByteBuffer<'l>; 3],
        points: &JFloatArray<'l>,
    ) -> std::result::Result<Source<'l>, Failure> {
        let landmarks = match points.is_null() {
            true => None,
            false => {
                let mut found = vec![0.0; points.len(env)?];
                points.get_region(env, 0, &mut found)?;
                landmarks(&found)?
            }
        };
        if photo != 0 {
            return Ok(Source { pixels: Pixels::Photo(PICTURES.get(handle(photo))?), landmarks });
        }
        let mut found = [0; NUMBERS];
        numbers.get_region(env, 0, &mut found)?;
        Ok(Source { landmarks, ..Source::frame_of(env, &found, planes)? })
    }

    /// The photo of this handle.
    pub fn photo(photo: jlong) -> Result<Source<'l>> {
        Ok(Source { pixels: Pixels::Photo(PICTURES.get(handle(photo))?), landmarks: None })
    }

    /// The same with its face's points; none where there are no numbers.
    pub fn at(self, numbers: &[f32]) -> Result<Source<'l>> {
        Ok(Source { landmarks: landmarks(numbers)?, ..self })
    }

    /// A frame of these numbers and buffers.
    pub fn frame_of(
        env: &Env<'l>,
        numbers: &[jint; NUMBERS],
        buffers: [&JByteBuffer<'l>; 3],
    ) -> std::result::Result<Source<'l>, Failure> {
        let [format, width, height, rotation, mirrored, matrix, range, strides @ ..] = *numbers;
        let layout = Layout::from_numbers(format, (width, height), matrix, range, rotation, mirrored != 0)?;
        let (strides, _) = strides.as_chunks::<2>();
        let mut planes = [Plane { bytes: &[], row_stride: 0, pixel_stride: 0 }; 3];
        for ((plane, buffer), [row, pixel]) in planes.iter_mut().zip(buffers).zip(strides) {
            *plane = Plane { bytes: bytes(env, buffer)?, row_stride: stride(*row)?, pixel_stride: stride(*pixel)? };
        }
        Ok(Source { pixels: Pixels::Frame { layout, planes }, landmarks: None })
    }

    /// The picture, upright, with its face's points.
    pub fn sample(&self) -> Result<Sample<'_>> {
        let frame = match &self.pixels {
            Pixels::Photo(picture) => picture.frame(),
            Pixels::Frame { layout, planes } => camera_frame(layout, planes),
        }?;
        Ok(Sample::new(frame, self.landmarks))
    }
}

/// The bytes of a direct buffer, where they lie; none for null.
pub fn bytes<'l>(env: &Env<'l>, buffer: &JByteBuffer<'l>) -> std::result::Result<&'l [u8], Failure> {
    if buffer.is_null() {
        return Ok(&[]);
    }
    let not_direct = |_| Error::new(ErrorCode::InvalidFrame, "a plane is no direct ByteBuffer");
    let length = env.get_direct_buffer_capacity(buffer).map_err(not_direct)?;
    if length == 0 {
        return Ok(&[]);
    }
    let first = env.get_direct_buffer_address(buffer).map_err(not_direct)?;
    // SAFETY: the JVM says that `length` bytes lie at `first`, which is not null. The buffer is an argument of the native method whose frame
    // `'l` is, so it is not collected before the method returns; Kotlin's `Frame` asks its user not to write to it meanwhile.
    Ok(unsafe { std::slice::from_raw_parts(first, length) })
}

/// A handle as the bridge knows it. Java's numbers have a sign, and no handle is negative.
pub fn handle(handle: jlong) -> u64 {
    u64::try_from(handle).unwrap_or(0)
}

/// A handle as Java knows it.
pub fn number(handle: u64) -> jlong {
    jlong::try_from(handle).unwrap_or(0)
}

fn stride(stride: jint) -> Result<usize> {
    usize::try_from(stride).map_err(|_| Error::new(ErrorCode::InvalidFrame, format!("a stride of {stride}")))
}
