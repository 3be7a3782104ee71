//! What wasmtime generates from `sdk/wit/v1`: one world with all interfaces serves the components of every world;
//! `component` finds out which interfaces a component exports.

wasmtime::component::bindgen!({
    path: "../../sdk/wit/v1",
    // `request` is not run yet. It is here because the generator trips over types that no function uses.
    inline: "
        package tiegel:host;

        world contract {
            import tiegel:plugin/log@0.1.0;
            import tiegel:plugin/random@0.1.0;
            import tiegel:plugin/artifacts@0.1.0;
            export tiegel:plugin/meta@0.1.0;
            export tiegel:plugin/transformer@0.1.0;
            export tiegel:plugin/fitter@0.1.0;
            export tiegel:plugin/request@0.1.0;
        }
    ",
    world: "tiegel:host/contract",
    ownership: Borrowing { duplicate_if_necessary: true },
    imports: { default: trappable },
});

pub use exports::tiegel::plugin::{fitter, meta, transformer};
pub use tiegel::plugin::{artifacts, log, random, types};
