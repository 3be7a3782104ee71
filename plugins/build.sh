#!/bin/sh
# Builds every plugin of this folder as a component: plugins/dist/<name>.wasm.
#
# CARGO_TARGET_DIR          where the tool that wraps modules is built (default: target/ beside this folder)
# PLUGINS_CARGO_TARGET_DIR  where the plugins are built (default: plugins/target)
set -eu
plugins=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$plugins")
tool_target=${CARGO_TARGET_DIR:-$root/target}
plugins_target=${PLUGINS_CARGO_TARGET_DIR:-$plugins/target}
debian_packages="rustc-web cargo-web rust-web-src"

target_is_installed() {
    libdir=$(rustc --print target-libdir --target wasm32-unknown-unknown 2>/dev/null) && [ -d "$libdir" ]
}

# Without the target from rustup, Debian's packages build the standard library.
if ! target_is_installed && ! timeout 20 rustup target add wasm32-unknown-unknown >/dev/null 2>&1; then
    if [ ! -e /usr/lib/rustlib/src/rust/library/std/Cargo.toml ]; then
        echo "installing $debian_packages" >&2
        # shellcheck disable=SC2086
        apt-get install -y --no-install-recommends $debian_packages >&2
    fi
fi

cargo build --quiet --manifest-path "$root/Cargo.toml" -p tiegel-wasm --example build_plugin
for manifest in "$plugins"/*/Cargo.toml; do
    dir=$(dirname "$manifest")
    name=$(basename "$dir")
    CARGO_TARGET_DIR=$plugins_target "$tool_target/debug/examples/build_plugin" "$dir" "$plugins/dist/$name.wasm"
done
