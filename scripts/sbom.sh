#!/bin/sh
# Writes what each program is made of, in CycloneDX (https://cyclonedx.org): target/deb/<program>_<version>.cdx.json
# Usage: sh scripts/sbom.sh
# Of every crate that is linked in: name, version, checksum, licence, where it comes from and who needs it. By
# cargo-cyclonedx, which is built into target/tools where it is missing. The same commit gives the same bytes.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh
cargo_tool cyclonedx 0.5.9

version=$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) cargo cyclonedx --quiet --format json --spec-version 1.5 --no-build-deps \
    --target aarch64-unknown-linux-gnu --override-filename sbom
mkdir -p target/deb
for manifest in Cargo.toml */Cargo.toml; do
    folder=$(dirname "$manifest")
    # What is shipped: programs, but not those for tests alone.
    [ -e "$folder/src/main.rs" ] && [ "$folder" != fleet ] || { rm "$folder/sbom.json"; continue; }
    program=$(sed -n '/^\[package\]/,/^\[/s/^name = "\(.*\)"/\1/p' "$manifest")
    # Where the repository lies is nobody's business.
    sed "s|path+file://$PWD|path+file:///$program|g" "$folder/sbom.json" >"target/deb/${program}_$version.cdx.json"
    rm "$folder/sbom.json"
    say "target/deb/${program}_$version.cdx.json: $(grep -c '"purl": "pkg:cargo/[^#]*"' "target/deb/${program}_$version.cdx.json") crates"
done
