//! What the operating system tells of this process. `None` where it does not.

use std::fs::read_to_string;

/// Milliseconds of CPU that the calling thread has used: Linux's scheduler statistics.
pub fn cpu_ms() -> Option<f64> {
    let line = read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1e6)
}

/// The most memory that this process ever held, in bytes.
pub fn peak_bytes() -> Option<u64> {
    let status = read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
}

/// Joules that the processor's package has used since some moment: RAPL, for those who may read it. The counter of others counts too.
pub fn joules() -> Option<f64> {
    let text = read_to_string("/sys/class/powercap/intel-rapl:0/energy_uj").ok()?;
    Some(text.trim().parse::<f64>().ok()? / 1e6)
}

/// The processor's name: `model name` of x86, or what a board's device tree calls it.
pub fn processor() -> Option<String> {
    let named = |line: &str| {
        line.split_once(':').filter(|(name, _)| name.trim() == "model name").map(|(_, name)| name.trim().to_string())
    };
    let of_cpu = || read_to_string("/proc/cpuinfo").ok()?.lines().find_map(named);
    let of_board = || Some(read_to_string("/proc/device-tree/model").ok()?.trim_end_matches('\0').to_string());
    of_cpu().or_else(of_board)
}
