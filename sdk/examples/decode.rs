//! Writes the pixels that the SDK decodes from each picture of a folder, and of the folders in it, as PNG under the same name:
//! `tests/reference/decoder.py` compares them with another decoder's.
//!
//!     decode FOLDER OUT

use std::error::Error;
use std::path::Path;

use veriface::Photo;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, from, to] = &arguments[..] else { return Err("decode FOLDER OUT".into()) };
    decode(Path::new(from), Path::new(to))
}

fn decode(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name() else { continue };
        if path.is_dir() {
            decode(&path, &to.join(name))?;
        } else if let Ok(photo) = Photo::open(&path) {
            let frame = photo.frame();
            let target = to.join(name).with_extension("png");
            image::save_buffer(target, &frame.to_upright_rgb(), frame.width(), frame.height(), image::ExtendedColorType::Rgb8)?;
        }
    }
    Ok(())
}
