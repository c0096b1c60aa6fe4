//! Templates: one person's enrolment, kept as bytes.

use veriface::{Error, ErrorCode, Template};
use veriface_bridge::{TEMPLATES, guarded};

use crate::frame::slice;
use crate::outcome::{answer, report, vf_error};

/// The longest bytes of a template.
pub const VF_TEMPLATE_MAX_BYTES: usize = 16464;

/// A template, by its handle. It is biometric data; its handle is not.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct vf_template {
    /// 0 is no template.
    pub id: u64,
}

/// Reads what `vf_template_to_bytes` wrote; close it by `vf_template_close`.
///
/// # Safety
/// `bytes` is NULL or points to `length` bytes; the other pointers are NULL or point to what their types say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vf_template_from_bytes(
    bytes: *const u8,
    length: usize,
    out: *mut vf_template,
    error: *mut vf_error,
) -> i32 {
    let call = || {
        // SAFETY: the caller has `length` bytes there.
        let template = Template::from_bytes(unsafe { slice(bytes, length) })?;
        Ok(vf_template { id: TEMPLATES.open(template) })
    };
    // SAFETY: the pointers are the caller's.
    unsafe { answer(out, error, call) }
}

/// Writes a template's portable bytes; `length` becomes how many there are. When `capacity` is too small nothing is written and the error is
/// `VF_ERROR_INVALID_ARGUMENT`; `VF_TEMPLATE_MAX_BYTES` is always enough.
///
/// # Safety
/// `bytes` is NULL or has room for `capacity` bytes; the other pointers are NULL or point to what their types say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vf_template_to_bytes(
    template: vf_template,
    bytes: *mut u8,
    capacity: usize,
    length: *mut usize,
    error: *mut vf_error,
) -> i32 {
    let outcome = guarded(|| {
        let template = TEMPLATES.get(template.id)?.to_bytes();
        if length.is_null() {
            return Err(Error::new(ErrorCode::InvalidArgument, "`length` is NULL"));
        }
        // SAFETY: it is not null.
        unsafe { length.write(template.len()) };
        if bytes.is_null() || capacity < template.len() {
            let detail = format!("a template of {} bytes and room for {capacity}", template.len());
            return Err(Error::new(ErrorCode::InvalidArgument, detail));
        }
        // SAFETY: there is room for `capacity` bytes, and the template has no more; nobody else knows its bytes.
        unsafe { bytes.copy_from_nonoverlapping(template.as_ptr(), template.len()) };
        Ok(())
    });
    // SAFETY: the caller's pointer.
    unsafe { report(outcome, error) }
}

/// Closes a template. Closing it twice, or while another thread uses it, is harmless.
#[unsafe(no_mangle)]
pub extern "C" fn vf_template_close(template: vf_template) {
    TEMPLATES.close(template.id);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_template_is_as_stated() {
        assert_eq!(VF_TEMPLATE_MAX_BYTES, Template::MAX_BYTES);
    }
}
