//! The macros that make a type the plugin of its component.

/// Makes a `Transform` the plugin of this component.
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        const _: () = {
            $crate::__transform!($plugin, 0);
        };
    };
}

/// Makes an `Estimator` the plugin of this component.
#[macro_export]
macro_rules! export_estimator {
    ($plugin:ty) => {
        const _: () = {
            use $crate::glue::raw;

            $crate::__transform!($plugin, <$plugin as $crate::Estimator>::STATE_VERSION);

            impl $crate::bindings::fit::exports::tiegel::plugin::fitter::Guest for Component {
                fn partial_fit(input: raw::Batch, target: Option<raw::Column>) -> $crate::glue::Answer<()> {
                    INSTANCE.with(|instance| instance.partial_fit(input, target))
                }
                fn partial() -> $crate::glue::Answer<Vec<u8>> {
                    INSTANCE.with(|instance| instance.partial())
                }
                fn merge(partial: Vec<u8>) -> $crate::glue::Answer<()> {
                    INSTANCE.with(|instance| instance.merge(&partial))
                }
                fn finish() -> $crate::glue::Answer<(raw::Schema, Vec<u8>)> {
                    INSTANCE.with(|instance| instance.finish())
                }
                fn load(state: Vec<u8>, version: u32) -> $crate::glue::Answer<raw::Schema> {
                    INSTANCE.with(|instance| instance.load(&state, version))
                }
            }

    $crate::bindings::fit::export_fit_world!(Component with_types_in $crate::bindings::fit);
        };
    };
}

/// Makes a `RequestProcessor` the plugin of this component.
#[macro_export]
macro_rules! export_request_processor {
    ($plugin:ty) => {
        const _: () = {
            use $crate::bindings::request::exports::tiegel::plugin::request;
            use $crate::glue::raw;

            struct Component;

            ::std::thread_local! {
                static EDGE: $crate::glue::Edge<$plugin> = const { $crate::glue::Edge::new() };
            }

            $crate::__meta!(
                |package| $crate::glue::processor_descriptor::<$plugin>(package),
                |config, input, _target| EDGE.with(|edge| edge.configure(config, input))
            );

            impl request::Guest for Component {
                fn preprocess(input: request::Payload) -> $crate::glue::Answer<Vec<raw::Tensor>> {
                    EDGE.with(|edge| edge.preprocess(input))
                }
                fn postprocess(outputs: Vec<raw::Tensor>, accept: String) -> $crate::glue::Answer<request::Payload> {
                    EDGE.with(|edge| edge.postprocess(outputs, &accept))
                }
            }

    $crate::bindings::request::export_request_world!(Component with_types_in $crate::bindings::request);
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __transform {
    ($plugin:ty, $state_version:expr) => {
        struct Component;

        ::std::thread_local! {
            static INSTANCE: $crate::glue::Instance<$plugin> = const { $crate::glue::Instance::new() };
        }

        $crate::__meta!(
            |package| $crate::glue::descriptor::<$plugin>(package, $state_version),
            |config, input, target| INSTANCE.with(|instance| instance.configure(config, input, target))
        );

        impl $crate::bindings::transform::exports::tiegel::plugin::transformer::Guest for Component {
            fn transform(input: $crate::glue::raw::Batch) -> $crate::glue::Answer<$crate::glue::raw::Batch> {
                INSTANCE.with(|instance| instance.transform(input))
            }
            fn flush() -> $crate::glue::Answer<Option<$crate::glue::raw::Batch>> {
                INSTANCE.with(|instance| instance.flush())
            }
        }

        $crate::bindings::transform::export_transform_world!(
            Component with_types_in $crate::bindings::transform
        );
    };
}

/// The `meta` interface of a `Component`, from how it describes and how it configures itself.
#[doc(hidden)]
#[macro_export]
macro_rules! __meta {
    (|$package:ident| $describe:expr, |$config:ident, $input:ident, $target:ident| $configure:expr) => {
        impl $crate::bindings::meta::exports::tiegel::plugin::meta::Guest for Component {
            fn describe() -> $crate::glue::Descriptor {
                let $package = $crate::glue::Package {
                    name: env!("CARGO_PKG_NAME"),
                    version: env!("CARGO_PKG_VERSION"),
                    summary: env!("CARGO_PKG_DESCRIPTION"),
                };
                $describe
            }
            fn configure(
                config: String,
                $input: $crate::glue::raw::Schema,
                $target: Option<$crate::glue::raw::Field>,
            ) -> $crate::glue::Answer<Option<$crate::glue::raw::Schema>> {
                let $config = config.as_str();
                $configure
            }
        }

        $crate::bindings::meta::export_meta_world!(Component with_types_in $crate::bindings::meta);
    };
}
