//! What wit-bindgen generates from `sdk/wit/v1`.
//!
//! wit-component unites the worlds that a guest was linked with, so an estimator is the transform world plus a world
//! that exports the fitter alone. Generating the estimator world whole would define the same macros twice.

#[expect(clippy::mem_forget, reason = "generated code hands memory over to the host")]
pub mod transform {
    wit_bindgen::generate!({
        path: "../wit/v1",
        world: "transform",
        pub_export_macro: true,
        export_macro_name: "export_transform_world",
        default_bindings_module: "tiegel_plugin::bindings::transform",
    });
}

#[expect(clippy::mem_forget, reason = "generated code hands memory over to the host")]
pub mod fit {
    wit_bindgen::generate!({
        path: "../wit/v1",
        inline: "
            package tiegel:sdk;

            world fit {
                export tiegel:plugin/fitter@0.1.0;
            }
        ",
        world: "tiegel:sdk/fit",
        pub_export_macro: true,
        export_macro_name: "export_fit_world",
        default_bindings_module: "tiegel_plugin::bindings::fit",
        with: {
            "tiegel:plugin/types@0.1.0": crate::bindings::transform::tiegel::plugin::types,
        },
    });
}
