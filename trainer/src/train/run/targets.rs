//! What a teacher's student is to make: the teacher's unit rows, kept or asked for.

use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::super::config::Config;
use super::super::group::Group;
use super::super::live_teacher::LiveTeacher;
use super::super::teacher::Teacher;
use super::super::teacher_cache;
use crate::data::chips::ChipSet;
use crate::data::loader::Batch;
use crate::error::{Error, Result};

/// Where the rows come from.
#[derive(Debug)]
pub(super) enum Targets {
    /// One row a chip of the set, `f16` on the CPU.
    Kept(Tensor),
    /// The teacher, who sees what the student does.
    Live(LiveTeacher),
}

impl Targets {
    /// Opens the configuration's teacher; computes first what is to be kept and is not in the cache.
    pub(super) fn open(config: &Config, set: &ChipSet, folder: &Path, group: &Group, device: Device) -> Result<Self> {
        let fits = |length: i64| {
            let reason = || format!("its embeddings have length {length}, the network's {}", config.embedding);
            if length == config.embedding {
                Ok(())
            } else {
                Err(Error::Teacher { path: config.teacher.clone(), reason: reason() })
            }
        };
        if config.teacher_live {
            let normalisation = config.teacher_normalisation();
            let teacher = LiveTeacher::open(&config.teacher, normalisation, config.teacher_mirrored, device)?;
            fits(teacher.embedding())?;
            return Ok(Targets::Live(teacher));
        }
        let teacher = Teacher::open(&config.teacher, config.teacher_normalisation())?;
        fits(teacher.embedding() as i64)?;
        let cache = if config.teacher_cache.as_os_str().is_empty() { folder } else { &config.teacher_cache };
        std::fs::create_dir_all(cache).map_err(Error::file(cache))?;
        let path = teacher_cache::path(cache, &teacher, set, config.teacher_mirrored);
        if !group.leads() {
            // Until the first process has filled it.
            group.wait();
        }
        let cache = teacher_cache::fill(&path, &teacher, set, config.teacher_mirrored, config.threads as usize, |done, all| {
            eprintln!("teacher: {done} of {all} chips");
        })?;
        if group.leads() {
            group.wait();
        }
        Ok(Targets::Kept(Tensor::from_slice(&cache.rows).view([-1, cache.columns as i64])))
    }

    /// Of the whole batch, of which this process has its share and `indices` says which chips it is of: `[n, embedding]`, `f32`.
    pub(super) fn of_batch(
        &self,
        batch: &Batch,
        indices: &Tensor,
        counts: &[usize],
        group: &Group,
        device: Device,
    ) -> Result<Tensor> {
        match self {
            Targets::Kept(rows) => Ok(rows.index_select(0, indices).to_kind(Kind::Float).to_device(device)),
            Targets::Live(teacher) => Ok(group.rows(&teacher.rows(&batch.pixels)?, counts)),
        }
    }

    /// Of every chip of the set as it is, on the CPU.
    pub(super) fn of_set(&self, set: &ChipSet) -> Result<Tensor> {
        match self {
            Targets::Kept(rows) => Ok(rows.shallow_clone()),
            Targets::Live(teacher) => teacher.rows_of(set),
        }
    }
}
