//! Where the arithmetic happens: on the first GPU that libtorch can use, else on the CPU.

use tch::{Cuda, Device};

/// How many GPUs libtorch can use.
pub fn gpus() -> i64 {
    load_cuda();
    if Cuda::is_available() { Cuda::device_count() } else { 0 }
}

/// Where to compute.
pub fn available() -> Device {
    if gpus() == 0 {
        return Device::Cpu;
    }
    // A run's batches have one shape: the fastest convolution for it is worth a search.
    Cuda::cudnn_set_benchmark(true);
    Device::Cuda(0)
}

/// How to name that to people: `CPU, 2 threads` or `GPU 0 of 1, NVIDIA H100`.
pub fn name(device: Device, threads: i32) -> String {
    match device {
        Device::Cuda(number) => {
            let model = gpu_model().map_or(String::new(), |model| format!(", {model}"));
            format!("GPU {number} of {}{model}", gpus())
        }
        _ => format!("CPU, {threads} {}", if threads == 1 { "thread" } else { "threads" }),
    }
}

/// Loads libtorch's CUDA half where there is one. Nothing in the program calls into it, so the linker leaves it out, and libtorch, which
/// looks for a GPU among the libraries already loaded, would not see one. Where it is missing, the CPU remains.
#[cfg(unix)]
fn load_cuda() {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // SAFETY: loading a library runs its initialisers. These are libtorch's own, of the release that this program is linked to (the
        // loader finds it beside libtorch_cpu.so, or refuses it for symbols that do not match), and libtorch means them to be run so:
        // Python loads it in the same way. It is never unloaded, as what it registers stays in use.
        let library = unsafe { Library::open(Some("libtorch_cuda.so"), RTLD_NOW | RTLD_GLOBAL) };
        if let Ok(library) = library {
            std::mem::forget(library);
        }
    });
}

#[cfg(not(unix))]
fn load_cuda() {}

/// What the driver calls the GPU, where there is exactly one: libtorch's order is not the driver's.
fn gpu_model() -> Option<String> {
    let mut gpus = std::fs::read_dir("/proc/driver/nvidia/gpus").ok()?;
    let (gpu, None) = (gpus.next()?.ok()?, gpus.next()) else { return None };
    model(&std::fs::read_to_string(gpu.path().join("information")).ok()?)
}

fn model(information: &str) -> Option<String> {
    information.lines().find_map(|line| Some(line.strip_prefix("Model:")?.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_where_it_computes_and_never_fails() {
        assert_eq!(name(Device::Cpu, 1), "CPU, 1 thread");
        match available() {
            Device::Cpu => assert_eq!((name(Device::Cpu, 2), gpus()), ("CPU, 2 threads".into(), 0)),
            gpu => assert!(name(gpu, 2).starts_with("GPU 0 of ")),
        }
    }

    #[test]
    fn the_drivers_page_names_the_gpu() {
        // As NVIDIA's driver writes it.
        let page = "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 18\nBus Type: \t PCIe\n";
        assert_eq!(model(page).as_deref(), Some("NVIDIA H100 80GB HBM3"));
        assert_eq!(model("IRQ: 18"), None);
    }
}
