//! What wasmtime generates from `sdk/wit/v1`. The estimator world holds every interface of the transform world, so its
//! bindings serve both; `component` finds out which interfaces a component exports.

wasmtime::component::bindgen!({
    path: "../../sdk/wit/v1",
    world: "estimator",
    ownership: Borrowing { duplicate_if_necessary: true },
    imports: { default: trappable },
});

pub use exports::tiegel::plugin::{fitter, meta, transformer};
pub use tiegel::plugin::{artifacts, log, random, types};
