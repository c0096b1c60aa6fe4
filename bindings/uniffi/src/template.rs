//! Templates.

use std::sync::Arc;

use crate::error::{VerifaceError, bridged};

/// One person, enrolled. Biometric data: keep its bytes sealed.
#[derive(uniffi::Object)]
pub struct Template {
    pub(crate) inner: veriface::Template,
}

#[uniffi::export]
impl Template {
    /// Reads what `to_bytes` wrote.
    #[uniffi::constructor]
    pub fn from_bytes(bytes: &[u8]) -> Result<Arc<Template>, VerifaceError> {
        bridged(|| Ok(Arc::new(Template { inner: veriface::Template::from_bytes(bytes)? })))
    }

    /// The portable bytes, the same in every language.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.inner.to_bytes()
    }

    /// The unit vector, for storage in another engine.
    pub fn embedding(&self) -> Vec<f32> {
        self.inner.embedding().values().to_vec()
    }

    /// How many pictures it was made of.
    pub fn samples(&self) -> u32 {
        self.inner.samples()
    }

    /// The model that it belongs to, in 64 hexadecimal digits. Templates of another model are refused.
    pub fn model_id(&self) -> String {
        self.inner.model().hex()
    }

    /// The comparison score with another template of the same model, -1…1.
    pub fn compare(&self, other: Arc<Template>) -> Result<f32, VerifaceError> {
        bridged(|| Ok(self.inner.compare(other.inner.embedding())?.get()))
    }
}

/// A template, and how well the pictures it was made of agree.
#[derive(uniffi::Record)]
pub struct Enrolment {
    /// The template of all pictures.
    pub template: Arc<Template>,
    /// Each picture's score against the template.
    pub scores: Vec<f32>,
    /// The places of pictures that look unlike the others: look at them, and enrol again without them.
    pub outliers: Vec<u32>,
}

impl From<veriface::Enrolment> for Enrolment {
    fn from(enrolment: veriface::Enrolment) -> Enrolment {
        Enrolment {
            template: Arc::new(Template { inner: enrolment.template }),
            scores: enrolment.scores.iter().map(|score| score.get()).collect(),
            outliers: enrolment.outliers.iter().filter_map(|place| u32::try_from(*place).ok()).collect(),
        }
    }
}
