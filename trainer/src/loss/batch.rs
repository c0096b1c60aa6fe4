//! What losses on pairs ask about a batch: who is who, and how far apart.

use tch::{Device, Tensor};

/// Squared Euclidean distances between rows, `[n, n]`, by differences: products would lose the small ones to rounding. Between
/// equal rows both the value and the derivative are 0.
pub(super) fn squared_distances(rows: &Tensor) -> Tensor {
    distances(rows).square()
}

/// Euclidean distances between rows, `[n, n]`.
pub(super) fn distances(rows: &Tensor) -> Tensor {
    const WITHOUT_PRODUCTS: i64 = 2;
    Tensor::cdist(rows, rows, 2.0, WITHOUT_PRODUCTS)
}

/// Whether two samples are of one identity, `[n, n]`.
pub(super) fn same_identity(identities: &Tensor) -> Tensor {
    identities.unsqueeze(1).eq_tensor(&identities.unsqueeze(0))
}

/// The identities as numbers.
pub(super) fn numbers(identities: &Tensor) -> Vec<i64> {
    let identities = identities.to_device(Device::Cpu);
    (0..identities.size()[0]).map(|index| identities.int64_value(&[index])).collect()
}
