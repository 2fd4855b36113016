# shellcheck shell=sh
# A Debian 13 tree made by debootstrap: base of images and home of cross compilers. Sourced after common.sh.
# Needs root (chroot). Everything lies under $SYNC_CACHE and is made once.

SYNC_CACHE=${SYNC_CACHE:-$PWD/target/packaging}
TRIXIE_BASE=$SYNC_CACHE/trixie-base.tar
TRIXIE_TREE=$SYNC_CACHE/trixie-build

# Compilers for this machine, the 64-bit and the 32-bit Raspberry Pi. Their standard libraries are Debian's own
# packages of the foreign architecture; ARMv6 (Pi 1, Zero) is not among Debian's architectures: see cross.toml.
TRIXIE_RUST="rustc cargo gcc libc6-dev pkg-config ca-certificates git"
TRIXIE_CROSS="libstd-rust-dev:arm64 libstd-rust-dev:armhf
    gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross"

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

trixie_bootstrap_once() {
    as_root rm -rf "$1"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -f "$keyring" ] || keyring=
    # debootstrap may be older than Debian 13: its script is that of every suite.
    script=/usr/share/debootstrap/scripts/trixie
    [ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
    as_root debootstrap --variant=minbase ${keyring:+--keyring="$keyring"} trixie "$1" "$(debian_mirror)" "$script" >"$SYNC_CACHE/debootstrap.log" 2>&1 ||
        { tail -n 5 "$SYNC_CACHE/debootstrap.log" >&2; return 1; }
}

# Makes the plain base as a tar, for `docker import` and for trees.
trixie_base() {
    [ -s "$TRIXIE_BASE" ] && return 0
    apt_install debootstrap debian-archive-keyring ca-certificates || return 1
    mkdir -p "$SYNC_CACHE"
    # A tree on a file system that forbids devices or programs cannot be a Debian; say it before debootstrap does.
    say "-- debootstrap of Debian 13"
    retry trixie_bootstrap_once "$SYNC_CACHE/trixie-new" || return 1
    as_root tar -C "$SYNC_CACHE/trixie-new" --exclude './var/cache/apt/archives/*.deb' --numeric-owner -cf "$TRIXIE_BASE.new" . &&
        mv "$TRIXIE_BASE.new" "$TRIXIE_BASE"
    as_root rm -rf "$SYNC_CACHE/trixie-new"
}

# Runs a command in a tree, in the repository at its own path, with this machine's network and certificates.
# The mounts are in a namespace of their own and end with the command.
in_tree() {
    tree=$1
    shift
    mkdir -p "$tree$PWD" "$tree/run/host" "$SYNC_CACHE/cargo-home"
    cp /etc/resolv.conf "$tree/run/host/resolv.conf" 2>/dev/null || :
    cp "$tree/run/host/resolv.conf" "$tree/etc/resolv.conf" 2>/dev/null || :
    # Behind a TLS proxy cargo needs the certificates this machine was given.
    in_tree_ca=
    if [ -n "${SSL_CERT_FILE:-}" ] && [ -f "$SSL_CERT_FILE" ]; then
        cp "$SSL_CERT_FILE" "$tree/run/host/ca.crt"
        in_tree_ca="SSL_CERT_FILE=/run/host/ca.crt CARGO_HTTP_CAINFO=/run/host/ca.crt"
    fi
    # shellcheck disable=SC2016,SC2086 # the inner shell expands; words are meant to split
    TREE=$tree REPO=$PWD CACHE=$SYNC_CACHE unshare --mount --propagation private sh -eu -c '
        mount --bind "$REPO" "$TREE$REPO"
        mkdir -p "$TREE$CACHE"
        case $CACHE in "$REPO"/*) ;; *) mount --bind "$CACHE" "$TREE$CACHE" ;; esac
        mount -t proc proc "$TREE/proc"
        mount --bind /dev "$TREE/dev"
        exec chroot "$TREE" "$@"' sh \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb DEBIAN_FRONTEND=noninteractive \
        CARGO_HOME="$SYNC_CACHE/cargo-home" \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} ${no_proxy:+no_proxy="$no_proxy"} \
        $in_tree_ca sh -eu -c 'cd "$1"; shift; exec "$@"' sh "$PWD" "$@"
}

in_build_tree() { in_tree "$TRIXIE_TREE" "$@"; }

# Makes the tree with the compilers.
trixie_tree() {
    [ -f "$TRIXIE_TREE/.compilers" ] && return 0
    [ "$(id -u)" = 0 ] || die "making a Debian 13 tree needs root: sudo sh $0"
    trixie_base || return 1
    say "-- installing Debian 13's Rust and cross compilers"
    rm -rf "$TRIXIE_TREE"
    mkdir -p "$TRIXIE_TREE"
    tar -C "$TRIXIE_TREE" -xf "$TRIXIE_BASE" || return 1
    in_build_tree dpkg --add-architecture arm64 || return 1
    in_build_tree dpkg --add-architecture armhf || return 1
    # shellcheck disable=SC2086 # lists of package names
    retry trixie_tree_add_once $TRIXIE_RUST $TRIXIE_CROSS || return 1
    in_build_tree apt-get clean
    : >"$TRIXIE_TREE/.compilers"
}

trixie_tree_add_once() {
    in_build_tree apt-get update -q >/dev/null &&
        in_build_tree apt-get install -q -y --no-install-recommends "$@" >"$SYNC_CACHE/apt.log" 2>&1 ||
        { tail -n 5 "$SYNC_CACHE/apt.log" >&2; return 1; }
}

# Adds packages to the tree, once.
trixie_tree_add() {
    for tree_package; do
        if [ ! -e "$TRIXIE_TREE/var/lib/dpkg/info/$tree_package.list" ]; then
            say "-- adding to the Debian 13 tree: $*"
            retry trixie_tree_add_once "$@"
            return
        fi
    done
}
