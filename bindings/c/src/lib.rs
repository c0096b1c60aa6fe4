//! The C interface: `include/veriface.h` is made from this crate, and its comments are the reference.
//!
//! Every function returns 0 or an error's number, fills in a `vf_error` where one is given, and never unwinds into its caller.
#![deny(missing_docs)]
#![allow(non_camel_case_types)]

mod codes;
mod frame;
mod outcome;
mod session;
mod template;
mod verifier;

pub use codes::*;
pub use frame::*;
pub use outcome::*;
pub use session::*;
pub use template::*;
pub use verifier::*;
