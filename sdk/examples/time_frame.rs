//! Detects, aligns and embeds a camera frame as often as each line of standard input says, and answers with a line: `benches/peers` reads
//! this process's CPU clock around it.
//!
//!     time_frame PACK FILE.nv21 WIDTH HEIGHT

use std::io::{BufRead, Write};

use veriface::{FaceChoice, Frame, Pack, Search, Trust, Verifier, YuvMatrix, YuvRange};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, pack, file, width, height] = &arguments[..] else { return Err("time_frame PACK FILE.nv21 WIDTH HEIGHT".into()) };
    let (width, height): (u32, u32) = (width.parse()?, height.parse()?);
    let bytes = std::fs::read(file)?;
    let frame = Frame::nv21_contiguous(&bytes, width, height, width as usize, YuvMatrix::Bt601, YuvRange::Full)?;
    let verifier = Verifier::builder(Pack::open(pack, Trust::Unsigned)?).search(Search::glance()).build()?;
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let mut score = 0.0;
        for _ in 0..line?.trim().parse::<usize>()? {
            let face = FaceChoice::Largest.choose(&verifier.detect(frame)?, &frame)?;
            let embedding = verifier.embed(&verifier.align(frame, &face.landmarks)?)?;
            score = embedding.compare(&embedding)?.get();
        }
        println!("{score}");
        std::io::stdout().flush()?;
    }
    Ok(())
}
