//! Runs plugins in wasmtime: the one `PluginHost`.
//!
//! Invariants: nothing outside this crate names wasmtime. A component is compiled by `install` and never on a request.
//! Everything a guest answers is checked before it becomes an Arrow array. A guest that traps, stalls or breaks a limit
//! costs its own instance and nothing else. A guest has no clock, file, network or environment.

pub mod attack;
pub mod bench;
mod bindings;
mod budget;
pub mod build;
mod cache;
mod call;
mod clock;
mod compile;
mod component;
mod componentize;
mod core;
mod descriptor;
mod engine;
mod fault;
mod fit;
mod guest;
mod host;
mod instance;
mod lift;
mod lower;
mod mac;
pub mod manifest;
mod nan;
pub mod package;
pub mod proof;
mod schema;
mod slots;
mod strip;
mod text;
mod transformer;

pub use call::{Call, Meter, Meters};
pub use compile::{CompileError, CompileLimits, Compiler, CompilerCommand, compile_stdin};
pub use component::Shape;
pub use componentize::{ComponentizeError, componentize};
pub use engine::HostConfig;
pub use host::{HostError, WasmHost};
