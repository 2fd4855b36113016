# shellcheck shell=sh
# A Debian 13 made by mmdebstrap: base of images and home of cross compilers. Sourced after common.sh.
# Needs root (chroot). Everything lies under $SYNC_CACHE and is made once.

SYNC_CACHE=${SYNC_CACHE:-$PWD/target/packaging}
TRIXIE_BASE=$SYNC_CACHE/trixie-base.tar
TRIXIE_TREE=$SYNC_CACHE/trixie-build

# Compilers for this machine, the 64-bit and the 32-bit Raspberry Pi, whose standard libraries are Debian's own packages of
# the foreign architecture; what `build-arm.sh --static` needs; what makes packages.
TRIXIE_PACKAGES="rustc cargo gcc libc6-dev pkg-config ca-certificates git
    libstd-rust-dev:arm64 libstd-rust-dev:armhf
    gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross
    rust-src python3-pip
    debhelper lintian man-db"

# The package mirror: DEBIAN_MIRROR, else the first one this machine uses, else the public one.
debian_mirror() {
    mirror=${DEBIAN_MIRROR:-$(
        {
            sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/*.sources 2>/dev/null
            sed -n 's/^deb *\(\[[^]]*\]\)\{0,1\} *\([^ ]*\) .*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null
        } | tr ' ' '\n' | grep '/debian/*$' | head -n 1
    )}
    say "${mirror:-http://deb.debian.org/debian}"
}

# debian_make WHERE [OPTION...]: a Debian 13 as a folder or a .tar, whole or not at all.
debian_make_once() {
    where=$1
    shift
    partial=$(dirname "$where")/new-$(basename "$where")
    as_root rm -rf "$partial"
    as_root mmdebstrap --variant=minbase --aptopt='Acquire::Retries "5"' "$@" trixie "$partial" "$(debian_mirror)" \
        >"$SYNC_CACHE/mmdebstrap.log" 2>&1 || { tail -n 8 "$SYNC_CACHE/mmdebstrap.log" >&2; return 1; }
    as_root rm -rf "$where"
    mv "$partial" "$where"
}
debian_make() {
    apt_install mmdebstrap debian-archive-keyring ca-certificates || return 1
    mkdir -p "$SYNC_CACHE"
    say "-- making a Debian 13: $1"
    retry debian_make_once "$@"
}

# The plain base as a tar, for `docker import`.
trixie_base() {
    [ -s "$TRIXIE_BASE" ] || debian_make "$TRIXIE_BASE"
}

# The tree with the compilers, made again when the list above has changed.
trixie_tree() {
    [ "$(cat "$TRIXIE_TREE/.packages" 2>/dev/null)" != "$TRIXIE_PACKAGES" ] || return 0
    [ "$(id -u)" = 0 ] || die "making a Debian 13 tree needs root: sudo sh $0"
    debian_make "$TRIXIE_TREE" --include="$(printf '%s,' $TRIXIE_PACKAGES | sed 's/,$//')" \
        --architectures="$(printf '%s\n' "$(dpkg --print-architecture)" arm64 armhf | awk '!seen[$0]++' | paste -sd,)" || return 1
    say "$TRIXIE_PACKAGES" >"$TRIXIE_TREE/.packages"
}

# Copies a file unless it is there: another command may be reading it.
same_file() { cmp -s "$1" "$2" || cp "$1" "$2" 2>/dev/null; }

# Runs a command in the tree, in the repository at its own path, with this machine's network and certificates.
# The mounts are in a namespace of their own and end with the command.
in_build_tree() {
    mkdir -p "$TRIXIE_TREE$PWD" "$TRIXIE_TREE/run/host" "$SYNC_CACHE/cargo-home"
    same_file /etc/resolv.conf "$TRIXIE_TREE/etc/resolv.conf" || :
    # Behind a TLS proxy cargo and pip need the certificates this machine was given.
    in_tree_ca=
    if [ -n "${SSL_CERT_FILE:-}" ] && [ -f "$SSL_CERT_FILE" ]; then
        same_file "$SSL_CERT_FILE" "$TRIXIE_TREE/run/host/ca.crt"
        in_tree_ca="SSL_CERT_FILE=/run/host/ca.crt CARGO_HTTP_CAINFO=/run/host/ca.crt PIP_CERT=/run/host/ca.crt"
    fi
    # shellcheck disable=SC2016,SC2086 # the inner shell expands; words are meant to split
    TREE=$TRIXIE_TREE REPO=$PWD CACHE=$SYNC_CACHE unshare --mount --propagation private sh -eu -c '
        mount --bind "$REPO" "$TREE$REPO"
        mkdir -p "$TREE$CACHE"
        case $CACHE in "$REPO"/*) ;; *) mount --bind "$CACHE" "$TREE$CACHE" ;; esac
        mount -t proc proc "$TREE/proc"
        mount --bind /dev "$TREE/dev"
        exec chroot "$TREE" "$@"' sh \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb DEBIAN_FRONTEND=noninteractive \
        CARGO_HOME="${SYNC_CARGO_HOME:-$SYNC_CACHE/cargo-home}" ${CARGO_TERM_QUIET:+CARGO_TERM_QUIET="$CARGO_TERM_QUIET"} \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} ${no_proxy:+no_proxy="$no_proxy"} \
        ${PIP_INDEX_URL:+PIP_INDEX_URL="$PIP_INDEX_URL"} \
        $in_tree_ca sh -eu -c 'cd "$1"; shift; exec "$@"' sh "$PWD" "$@"
}
