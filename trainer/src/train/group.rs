//! The processes that train one network together, over MPI: each takes its parts of every batch and its share of the classes.
//!
//! `mpirun -n 2 trainer train …` with the feature `mpi`. What all compute alike stays alike, since a sum is the same everywhere; so
//! no weight is ever sent.

#[cfg(feature = "mpi")]
use tch::Kind;
use tch::Tensor;

use crate::error::{Error, Result};

/// This process's place among them.
#[derive(Debug, Clone)]
pub struct Group {
    rank: usize,
    size: usize,
    #[cfg(feature = "mpi")]
    universe: Option<std::rc::Rc<Universe>>,
}

impl Group {
    /// One process.
    pub fn alone() -> Self {
        Group {
            rank: 0,
            size: 1,
            #[cfg(feature = "mpi")]
            universe: None,
        }
    }

    /// The group in which `mpirun` started this process; alone without it.
    pub fn join() -> Result<Self> {
        // Open MPI's name, and that of MPICH and Slurm's PMI.
        let started =
            ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"].iter().find_map(|name| std::env::var(name).ok()?.parse::<usize>().ok());
        match started {
            None | Some(0 | 1) => Ok(Self::alone()),
            Some(_) => Self::of_mpi(),
        }
    }

    #[cfg(not(feature = "mpi"))]
    fn of_mpi() -> Result<Self> {
        let reason =
            "mpirun started this process, but this trainer is built without MPI: cargo build --release -p trainer --features mpi";
        Err(Error::Group(reason.into()))
    }

    #[cfg(feature = "mpi")]
    fn of_mpi() -> Result<Self> {
        use mpi::traits::Communicator;
        let universe = mpi::initialize().ok_or_else(|| Error::Group("MPI does not start, or has been started already".into()))?;
        let world = universe.world();
        let [rank, size] = [world.rank(), world.size()].map(|number| number.unsigned_abs() as usize);
        Ok(Group { rank, size, universe: Some(std::rc::Rc::new(Universe(universe))) })
    }

    /// The place of the process with this number, to ask what it has.
    pub fn at(&self, rank: usize) -> Self {
        Group { rank, ..self.clone() }
    }

    /// Its number, from 0.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many there are.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether this process speaks for all: it writes log, checkpoints and evaluations.
    pub fn leads(&self) -> bool {
        self.rank == 0
    }

    /// Where this process's share of `count` things begins and ends.
    pub fn share(&self, count: usize) -> std::ops::Range<usize> {
        self.rank * count / self.size..(self.rank + 1) * count / self.size
    }

    /// The element-wise sum over the processes.
    pub fn sum(&self, local: Tensor) -> Tensor {
        self.reduce(local, Reduction::Sum)
    }

    /// The element-wise maximum over the processes.
    pub fn max(&self, local: Tensor) -> Tensor {
        self.reduce(local, Reduction::Max)
    }

    /// Returns when all have come here.
    pub fn wait(&self) {
        let _ = self.sum(Tensor::from(0.0f32));
    }

    /// The rows of all processes below one another, in order of rank. Every process knows how many each has.
    pub fn rows(&self, local: &Tensor, counts: &[usize]) -> Tensor {
        if self.size == 1 {
            return local.shallow_clone();
        }
        let mut shape = local.size();
        shape[0] = counts.iter().sum::<usize>() as i64;
        let whole = Tensor::zeros(&shape, (local.kind(), local.device()));
        let before: usize = counts.iter().take(self.rank).sum();
        whole.narrow(0, before as i64, local.size()[0]).copy_(local);
        self.sum(whole)
    }

    #[cfg(not(feature = "mpi"))]
    fn reduce(&self, local: Tensor, _: Reduction) -> Tensor {
        local
    }

    #[cfg(feature = "mpi")]
    fn reduce(&self, local: Tensor, reduction: Reduction) -> Tensor {
        use mpi::collective::SystemOperation;
        use mpi::traits::CommunicatorCollectives;
        let Some(universe) = &self.universe else { return local };
        let world = universe.0.world();
        let operation = || match reduction {
            Reduction::Sum => SystemOperation::sum(),
            Reduction::Max => SystemOperation::max(),
        };
        macro_rules! reduced {
            ($number:ty) => {{
                let mut own = vec![<$number>::default(); local.numel()];
                local.contiguous().view([-1]).copy_data(&mut own, local.numel());
                let mut all = own.clone();
                world.all_reduce_into(&own[..], &mut all[..], operation());
                Tensor::from_slice(&all).to_device(local.device()).view(local.size().as_slice())
            }};
        }
        match local.kind() {
            Kind::Float => reduced!(f32),
            Kind::Int64 => reduced!(i64),
            Kind::Double => reduced!(f64),
            kind => self.reduce(local.to_kind(Kind::Double), reduction).to_kind(kind),
        }
    }
}

/// The same place.
impl PartialEq for Group {
    fn eq(&self, other: &Self) -> bool {
        (self.rank, self.size) == (other.rank, other.size)
    }
}

#[derive(Debug, Clone, Copy)]
enum Reduction {
    Sum,
    Max,
}

/// MPI, until the last of its users is gone.
#[cfg(feature = "mpi")]
struct Universe(mpi::environment::Universe);

#[cfg(feature = "mpi")]
impl std::fmt::Debug for Universe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MPI")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_everything_once() {
        for (size, count) in [(1, 5), (2, 5), (3, 3), (4, 2)] {
            let mut next = 0;
            for rank in 0..size {
                let share = Group { rank, size, ..Group::alone() }.share(count);
                assert_eq!(share.start, next);
                next = share.end;
            }
            assert_eq!(next, count);
        }
    }

    #[test]
    fn one_process_has_everything() {
        let group = Group::alone();
        let rows = Tensor::from_slice2(&[[1.0f32, 2.0], [3.0, 4.0]]);
        assert_eq!(group.rows(&rows, &[2]), rows);
        assert_eq!(group.sum(rows.copy()), rows);
        assert!(group.leads());
    }
}
