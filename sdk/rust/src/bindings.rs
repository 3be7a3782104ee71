//! What wit-bindgen generates from `sdk/wit/v1`.
//!
//! wit-component unites the worlds that a guest was linked with. So each exported interface has a world of its own, and
//! a plugin's world is the union of those that its export macro names. Generating the contract's worlds whole would
//! define the macros of the interfaces that they share several times.

#[expect(clippy::mem_forget, reason = "generated code hands memory over to the host")]
pub mod meta {
    wit_bindgen::generate!({
        path: "../wit/v1",
        inline: "
            package tiegel:sdk-meta;

            world describing {
                import tiegel:plugin/log@0.1.0;
                import tiegel:plugin/random@0.1.0;
                import tiegel:plugin/artifacts@0.1.0;
                export tiegel:plugin/meta@0.1.0;
            }
        ",
        world: "tiegel:sdk-meta/describing",
        pub_export_macro: true,
        export_macro_name: "export_meta_world",
        generate_all,
        default_bindings_module: "tiegel_plugin::bindings::meta",
    });
}

#[expect(clippy::mem_forget, reason = "generated code hands memory over to the host")]
pub mod transform {
    wit_bindgen::generate!({
        path: "../wit/v1",
        inline: "
            package tiegel:sdk-transform;

            world transforming {
                export tiegel:plugin/transformer@0.1.0;
            }
        ",
        world: "tiegel:sdk-transform/transforming",
        pub_export_macro: true,
        export_macro_name: "export_transform_world",
        default_bindings_module: "tiegel_plugin::bindings::transform",
        with: {
            "tiegel:plugin/types@0.1.0": crate::bindings::meta::tiegel::plugin::types,
        },
    });
}

#[expect(clippy::mem_forget, reason = "generated code hands memory over to the host")]
pub mod fit {
    wit_bindgen::generate!({
        path: "../wit/v1",
        inline: "
            package tiegel:sdk-fit;

            world fitting {
                export tiegel:plugin/fitter@0.1.0;
            }
        ",
        world: "tiegel:sdk-fit/fitting",
        pub_export_macro: true,
        export_macro_name: "export_fit_world",
        default_bindings_module: "tiegel_plugin::bindings::fit",
        with: {
            "tiegel:plugin/types@0.1.0": crate::bindings::meta::tiegel::plugin::types,
        },
    });
}

#[expect(clippy::mem_forget, reason = "generated code hands memory over to the host")]
pub mod request {
    wit_bindgen::generate!({
        path: "../wit/v1",
        inline: "
            package tiegel:sdk-request;

            world answering {
                export tiegel:plugin/request@0.1.0;
            }
        ",
        world: "tiegel:sdk-request/answering",
        pub_export_macro: true,
        export_macro_name: "export_request_world",
        default_bindings_module: "tiegel_plugin::bindings::request",
        with: {
            "tiegel:plugin/types@0.1.0": crate::bindings::meta::tiegel::plugin::types,
        },
    });
}
