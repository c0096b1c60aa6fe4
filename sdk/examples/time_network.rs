//! Runs a network as often as each line of standard input says, and answers with a line: `benches/peers` reads this process's CPU clock
//! around it.
//!
//!     time_network FILE.onnx SIDE [--plan]

use std::io::{BufRead, Write};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, file, side, ..] = &arguments[..] else { return Err("time_network FILE.onnx SIDE".into()) };
    let side: usize = side.parse()?;
    let onnx = std::fs::read(file)?;
    let started = Instant::now();
    let network = veriface::Measured::load(&onnx, &[1, 3, side, side])?;
    let loaded = started.elapsed();
    drop(onnx);
    if arguments.iter().any(|argument| argument == "--plan") {
        for line in network.plan() {
            println!("{line}");
        }
    }
    println!("{}", loaded.as_secs_f64() * 1e3);
    for line in std::io::stdin().lock().lines() {
        let mut first = 0.0;
        let mut fastest = f64::INFINITY;
        for _ in 0..line?.trim().parse::<usize>()? {
            let started = Instant::now();
            let fill =
                |input: &mut [f32]| input.iter_mut().enumerate().for_each(|(at, value)| *value = (at % 251) as f32 / 125.0 - 1.0);
            network.run(fill, |values| first = values.first().copied().unwrap_or_default())?;
            fastest = fastest.min(started.elapsed().as_secs_f64() * 1e3);
        }
        println!("{first} {fastest}");
        std::io::stdout().flush()?;
    }
    Ok(())
}
