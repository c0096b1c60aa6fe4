//! How glibc's allocator treats the large tensors of a training step.
//!
//! By default it hands memory beyond a few megabytes back to the kernel when a tensor goes, and the next step has every page of it
//! zeroed and mapped again: a tenth of a step, in a net as small as ours. A training run wants the same memory again at once.

/// glibc's variable for these settings (manual, "Tunables").
const VARIABLE: &str = "GLIBC_TUNABLES";

/// No block is mapped by itself, freed memory is kept, and the heap grows by 64 MiB at a time.
const SETTINGS: &str = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=1099511627776:glibc.malloc.top_pad=67108864";

/// Starts this program again, once, in the same process, with an allocator that keeps its memory; the settings are read at a
/// process's start only. Somebody's own settings stay as they are, and where it cannot be done the program goes on without.
pub fn keep_memory() {
    if std::env::var_os(VARIABLE).is_none()
        && let Ok(program) = std::env::current_exe()
    {
        use std::os::unix::process::CommandExt;
        // It returns only when it fails.
        let _ = std::process::Command::new(program).args(std::env::args_os().skip(1)).env(VARIABLE, SETTINGS).exec();
    }
}
