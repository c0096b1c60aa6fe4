//! The numbers by which errors' particulars, reasons and guidance cross a bridge.

use veriface::{Guidance, Reason, Which};

/// The error is about none of the call's pictures.
pub const NO_PICTURE: i32 = -1;
/// The error is about the reference picture.
pub const REFERENCE: i32 = -2;
/// The error is about the probe picture.
pub const PROBE: i32 = -3;

/// The picture that an error is about: its place in a list from 0, or one of the names above.
pub fn picture_number(which: Option<Which>) -> i32 {
    match which {
        None => NO_PICTURE,
        Some(Which::Reference) => REFERENCE,
        Some(Which::Probe) => PROBE,
        Some(Which::Item(place)) => i32::try_from(place).unwrap_or(NO_PICTURE),
    }
}

/// A reason's place in [`Reason::ALL`], which every binding's list follows.
pub fn reason_number(reason: Reason) -> u8 {
    place(Reason::ALL, &reason)
}

/// A guidance's place in [`Guidance::ALL`], which every binding's list follows.
pub fn guidance_number(guidance: Guidance) -> u8 {
    place(Guidance::ALL, &guidance)
}

fn place<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().position(|other| other == one).and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_one_number() {
        let numbers =
            [None, Some(Which::Reference), Some(Which::Probe), Some(Which::Item(0)), Some(Which::Item(7))].map(picture_number);
        assert_eq!(numbers, [-1, -2, -3, 0, 7]);
    }

    #[test]
    fn every_reason_and_guidance_has_its_place() {
        assert!(Reason::ALL.iter().enumerate().all(|(place, reason)| usize::from(reason_number(*reason)) == place));
        assert!(Guidance::ALL.iter().enumerate().all(|(place, guidance)| usize::from(guidance_number(*guidance)) == place));
    }
}
