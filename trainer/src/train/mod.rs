//! Training: a [`run::Run`] from a [`config::Config`], and what it is made of.

pub mod angles;
pub mod averaging;
pub mod checkpoint;
pub mod config;
pub mod device;
pub mod group;
pub mod hints;
pub mod live_teacher;
pub mod log;
pub mod optimiser;
pub mod progress;
pub mod run;
pub mod schedule;
pub mod slim;
pub mod teacher;
pub mod teacher_cache;
pub mod tensorboard;
