//! What this machine has of what the trainer needs. It uses nothing of libtorch, so that it can say that libtorch is missing.

use std::path::{Path, PathBuf};

/// The libtorch that `tch` 0.24 is made for.
pub const LIBTORCH: &str = "2.11.0";

/// The library that holds all CPU operators.
const LIBRARY: &str = "libtorch_cpu.so";

/// A libtorch on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The folder of its libraries.
    pub folder: PathBuf,
    /// Its version without a suffix such as `+cpu`; none where nothing beside it says so.
    pub version: Option<String>,
}

/// Where the dynamic loader finds libtorch: in `LD_LIBRARY_PATH`, in the folder that the trainer was built against, or in the
/// system's folders.
pub fn libtorch() -> Option<Found> {
    let named = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let built_against = option_env!("TRAINER_LIBTORCH").map(PathBuf::from);
    let system = ["/lib", "/usr/lib", "/usr/local/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];
    std::env::split_paths(&named).chain(built_against).chain(system.map(PathBuf::from)).find_map(|folder| in_folder(&folder))
}

/// The libtorch in a folder of libraries.
pub fn in_folder(folder: &Path) -> Option<Found> {
    folder.join(LIBRARY).exists().then(|| Found { folder: folder.to_path_buf(), version: version(folder) })
}

/// The version that stands beside the libraries: in `build-version` (libtorch's own archive, and `libtorch.sh`), in `version.py`
/// (PyTorch for Python), or in the C++ header.
fn version(folder: &Path) -> Option<String> {
    let above = folder.parent()?;
    let read = |path: &str| std::fs::read_to_string(above.join(path)).ok();
    let quoted = |text: String, key: &str| {
        let line = text.lines().find(|line| line.trim_start_matches("#define ").starts_with(key))?.to_owned();
        line.split(['\'', '"']).nth(1).map(str::to_owned)
    };
    let version = read("build-version")
        .or_else(|| quoted(read("version.py")?, "__version__"))
        .or_else(|| quoted(read("include/torch/version.h")?, "TORCH_VERSION \""))
        .or_else(|| quoted(read("include/torch/headeronly/version.h")?, "TORCH_VERSION \""))?;
    let plain = version.trim().split('+').next().unwrap_or_default().to_owned();
    (!plain.is_empty()).then_some(plain)
}

/// One sentence on libtorch; an error where the trainer cannot run with what there is.
pub fn libtorch_sentence(found: Option<&Found>) -> Result<String, String> {
    let Some(found) = found else {
        return Err(format!(
            "libtorch {LIBTORCH} is missing: run `trainer/libtorch.sh`, or name the folder of {LIBRARY} in LD_LIBRARY_PATH."
        ));
    };
    let folder = found.folder.display();
    match &found.version {
        Some(version) if version == LIBTORCH => Ok(format!("libtorch {LIBTORCH}, the version wanted, lies in {folder}.")),
        Some(version) => Err(format!(
            "libtorch {LIBTORCH} is wanted, {folder} holds {version}: run `trainer/libtorch.sh`, or name another folder in \
             LD_LIBRARY_PATH."
        )),
        None => Ok(format!("libtorch lies in {folder}; {LIBTORCH} is wanted, and nothing beside it says its version.")),
    }
}

/// One sentence on each other thing that training depends on.
pub fn machine_sentences() -> Vec<String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut sentences =
        vec![format!("This process may use {cores} processor threads; `threads` in a configuration should not exceed that.")];
    sentences.push(processor_sentence(std::fs::read_to_string("/proc/cpuinfo").ok().as_deref()));
    sentences.push(match std::env::var("OMP_WAIT_POLICY").as_deref() {
        Ok("passive") | Ok("PASSIVE") => "OMP_WAIT_POLICY is passive: waiting threads leave the processor to others.".into(),
        _ => "OMP_WAIT_POLICY is not passive: on a machine that others use, set it, or waiting threads will spin.".into(),
    });
    sentences
}

fn processor_sentence(cpuinfo: Option<&str>) -> String {
    let Some(cpuinfo) = cpuinfo else { return "The processor's features are unknown: there is no /proc/cpuinfo.".into() };
    let line = cpuinfo.lines().find(|line| line.starts_with("flags") || line.starts_with("Features")).unwrap_or_default();
    let has = |feature: &str| line.split_whitespace().any(|word| word == feature);
    let vectors = [("AVX-512", "avx512f"), ("AVX2", "avx2"), ("NEON", "asimd")].iter().find(|(_, flag)| has(flag));
    let vectors = vectors.map_or("no vector unit that libtorch uses", |(name, _)| name);
    if has("amx_bf16") || has("avx512_bf16") || has("bf16") {
        format!("The processor has {vectors} and computes in bf16: `precision = \"bf16\"` is faster here.")
    } else {
        format!("The processor has {vectors} and no bf16: `precision = \"bf16\"` would be slower here than fp32.")
    }
}

/// One sentence on graphics processors, from the driver's files; `seen` is what libtorch sees, where it was asked.
pub fn cuda_sentence(seen: Option<i64>) -> String {
    let driver = Path::new("/proc/driver/nvidia/version").exists();
    match (seen, driver) {
        (Some(devices @ 1..), _) => format!("CUDA works: libtorch sees {devices} device(s), and training uses the first."),
        (Some(_), true) => format!(
            "There is an NVIDIA driver, but this libtorch sees no device: put the CUDA build of libtorch {LIBTORCH} into LD_LIBRARY_PATH."
        ),
        (Some(_), false) => "There is no CUDA device: training runs on the processor.".into(),
        (None, true) => "There is an NVIDIA driver; whether libtorch sees a device, `trainer doctor` says.".into(),
        (None, false) => "There is no NVIDIA driver: training runs on the processor.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Option<Found> {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("created");
            std::fs::write(path, text).expect("written");
        }
        in_folder(&folder.path().join("lib"))
    }

    #[test]
    fn a_missing_libtorch_is_one_sentence() {
        let sentence = libtorch_sentence(found(&[("lib/libc10.so", "")]).as_ref()).expect_err("missing");
        assert!(sentence.starts_with("libtorch 2.11.0 is missing") && sentence.ends_with('.') && !sentence.contains('\n'));
    }

    #[test]
    fn every_place_of_a_version_is_read() {
        let library = ("lib/libtorch_cpu.so", "");
        let places = [
            ("build-version", "2.11.0+cpu\n"),
            ("version.py", "__all__ = ['__version__', 'debug']\n__version__ = '2.11.0+cu130'\ndebug = False\n"),
            ("include/torch/version.h", "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION \"2.11.0\"\n"),
        ];
        for place in places {
            let sentence = libtorch_sentence(found(&[library, place]).as_ref()).expect("the right one");
            assert!(sentence.contains("the version wanted"), "{sentence}");
        }
        let other = libtorch_sentence(found(&[library, ("build-version", "2.13.0")]).as_ref()).expect_err("another");
        assert!(other.contains("2.11.0 is wanted") && other.contains("holds 2.13.0"), "{other}");
        assert!(libtorch_sentence(found(&[library]).as_ref()).expect("unknown").contains("nothing beside it"));
    }

    #[test]
    fn features_are_read_as_words() {
        let sentence = |flags: &str| processor_sentence(Some(&format!("processor : 0\nflags\t\t: fpu {flags}\n")));
        assert!(sentence("avx2 avx512f avx512_bf16").contains("AVX-512 and computes in bf16"));
        assert!(sentence("avx2 avx512_bf16x").contains("AVX2 and no bf16"));
        assert!(processor_sentence(Some("Features : fp asimd bf16\n")).contains("NEON and computes in bf16"));
        assert!(processor_sentence(None).contains("unknown"));
    }
}
