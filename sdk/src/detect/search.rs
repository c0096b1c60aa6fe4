//! Where to look for faces, and how long.

use serde::{Deserialize, Serialize};

/// Where to look for faces, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Search {}
