//! The whole program, as a user runs it: its commands, its flags and what it writes.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a suite")]

mod cells;
mod commands;
mod compare;
mod config;
mod demo;
mod folders;
mod hub;
mod hub_damage;
mod hub_program;
mod hub_server;
mod input;
mod levels;
mod memory;
mod messages;
mod models;
mod numbers;
mod onnx_backbone;
mod output;
mod outputs;
mod parts;
mod places;
mod products;
#[cfg(unix)]
mod resume;
mod robust;
mod sweep;
mod synthesise;
mod union;
mod weights_pin;
mod weights_pull;
mod weights_recorded;
