#!/bin/sh
# The receiver's page in a real browser: Debian's Chromium, driven by playwright-core, with axe-core's checks; real uploaders
# send what it shows. Installs chromium, and node where there is none. With --screenshots the pictures in docs/page are
# made anew; else they go to target/page.
# Usage: sh scripts/test-page.sh [--screenshots] [WORD…]      (WORD: only tests whose name has it)
# PAGE_LATE=600 makes every answer come up to 600 ms late, by chance: what a test takes for granted shows.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh

have cargo || die "cargo is missing: apt-get install cargo (Rust 1.85 or newer)"
have node || apt_install nodejs
have npm || apt_install npm
have python3 || apt_install python3
have chromium || apt_install chromium
cargo build --workspace --locked --quiet
(cd scripts/page && npm ci --no-audit --no-fund --silent)
node scripts/page/test.mjs "$@"
say "test-page.sh: the page passed"
