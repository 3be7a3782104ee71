//! Lines for the host's log. Outside Wasm they go to stderr, so that native tests show them.

use crate::bindings::meta::tiegel::plugin::log as host;

pub use host::Level;

pub use crate::{__log_debug as debug, __log_error as error, __log_info as info, __log_warn as warn};

/// One line, with key-value fields. The host cuts long lines and drops them after a limit.
#[expect(clippy::print_stderr, reason = "outside Wasm there is no host that would log")]
pub fn line(level: Level, message: &str, fields: &[(String, String)]) {
    if cfg!(target_arch = "wasm32") {
        host::log(level, message, fields);
    } else {
        eprintln!("{level:?}: {message} {fields:?}");
    }
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug {
    ($($arg:tt)+) => { $crate::log::line($crate::log::Level::Debug, &format!($($arg)+), &[]) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_info {
    ($($arg:tt)+) => { $crate::log::line($crate::log::Level::Info, &format!($($arg)+), &[]) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_warn {
    ($($arg:tt)+) => { $crate::log::line($crate::log::Level::Warn, &format!($($arg)+), &[]) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_error {
    ($($arg:tt)+) => { $crate::log::line($crate::log::Level::Error, &format!($($arg)+), &[]) };
}
