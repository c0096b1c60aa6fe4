mod align;
mod allocation;
mod detection;
mod errors_page;
mod hostile;
mod layering;
mod memory;
mod pipeline;
