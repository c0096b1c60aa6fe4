//! `trainer-doctor`: says why `trainer` does not start. It is not linked against libtorch.

#[path = "../doctor.rs"]
#[allow(dead_code)]
mod doctor;

fn main() -> std::process::ExitCode {
    let libtorch = doctor::libtorch_sentence(doctor::libtorch().as_ref());
    let (Ok(sentence) | Err(sentence)) = &libtorch;
    println!("{sentence}");
    doctor::machine_sentences().iter().for_each(|sentence| println!("{sentence}"));
    println!("{}", doctor::cuda_sentence(None));
    if libtorch.is_ok() { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}
