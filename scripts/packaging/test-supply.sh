#!/bin/sh
# What the programs are made of: licences, sources, doubled and unwanted crates by deny.toml, known vulnerabilities
# where their database can be had, and debian/copyright against what is linked in.
#
#   scripts/packaging/test-supply.sh
#
# Takes the cargo-deny that is on the path, else builds one into target/tools. Last line: "supply: N passed, M failed".
set -eu
. "$(dirname -- "$0")/lib.sh"
have cargo || die "cargo is missing: apt-get install cargo (Rust 1.85 or newer)"
apt_install python3 git

# The settings of deny.toml are those of this version and later ones.
DENY=0.20.2
step "cargo-deny $DENY or newer" cargo_tool deny "$DENY"

check "bans, licences, sources of all that is built" quietly cargo deny --workspace check bans licenses sources
check "the uploader holds no crate in two versions" quietly cargo deny check -D duplicate bans

log=$(mktemp)
if timeout 120 cargo deny --workspace fetch db >"$log" 2>&1; then
    check "no known vulnerability (advisories)" quietly cargo deny --workspace check advisories
    ran="bans, licences, sources, advisories"
else
    sed -n 's/.*\(fatal: .*\|failed to .*\)/\1/p' "$log" | tail -n 1
    ran="bans, licences, sources; NOT advisories, whose database could not be fetched (above)"
fi
rm -f "$log"
say "cargo-deny ran: $ran"

python3 scripts/packaging/copyright.py sync-service >target/copyright.new
copyright_is_so() {
    diff -u debian/copyright target/copyright.new && return 0
    say "     now: python3 scripts/packaging/copyright.py sync-service >debian/copyright"
    return 1
}
check "debian/copyright names what is linked in, and its licences" copyright_is_so

# ── The bill of materials ───────────────────────────────────────────────────────────────────────────────────────

step "bill of materials" sh scripts/sbom.sh
cp -r target/deb/*.cdx.json target/packaging/
quietly sh scripts/sbom.sh
for program in sync-service sync-receiver; do
    sbom=$(ls target/deb/"$program"_*.cdx.json)
    python3 scripts/packaging/copyright.py "$program" | sed -n 's|^Files: \(.*\)/\*$|\1|p' |
        grep -v -x -e libzstd -e sqlite3 -e rust-std -e musl >target/crates
    missing=$(while read -r crate; do grep -q "\"purl\": \"pkg:cargo/$crate@" "$sbom" || say "$crate"; done <target/crates)
    check "the bill of $program has crates" [ "$(wc -l <target/crates)" -gt 20 ]
    check "the bill of $program lacks none that is linked in" is "$missing" ""
    check "the bill of $program is the same twice" cmp "$sbom" "target/packaging/${sbom##*/}"
done

verdict supply
