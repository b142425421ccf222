//! Drives the real program: real models, real Cargo projects, real git repositories, all in temporary folders.

mod arrays;
mod asked;
mod bad_input;
mod baselines;
mod called;
mod capacity;
mod command;
mod compare;
mod config;
mod formats;
mod fresh;
mod lost;
mod messages;
mod output;
mod own_file;
mod page;
mod report;
mod run;
mod shell;
mod stored;
mod width;
mod workers;
