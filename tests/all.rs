mod errors_page;
mod layering;
