#!/bin/sh
# Lays out the files of an image: the program, the libraries that it names, the certificates, one user.
# Run by the Dockerfiles on the machine that built the program:
#
#   sh scripts/image-files.sh PROGRAM ARCHITECTURE FOLDER
set -eu
cd "$(dirname "$0")/.."
program=$1
architecture=$2
image=$3
case $architecture in
    amd64) gnu=x86_64-linux-gnu triple=x86_64-unknown-linux-gnu ;;
    arm64) gnu=aarch64-linux-gnu triple=aarch64-unknown-linux-gnu ;;
    armhf) gnu=arm-linux-gnueabihf triple=armv7-unknown-linux-gnueabihf ;;
esac

install -D -m 755 "target/arm/$triple/release/$program" "$image/usr/bin/$program"

# The loader by the name that the program calls it, the libraries where that looks for them.
loader=$(readelf -l "$image/usr/bin/$program" | sed -n 's/.*program interpreter: \(.*\)\]/\1/p')
mkdir -p "$image$(dirname "$loader")" "$image/usr/lib/$gnu"
cp -L "$loader" "$image$loader"
copy_needed() {
    for library in $(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
        [ ! -e "$image$(dirname "$loader")/$library" ] && [ ! -e "$image/usr/lib/$gnu/$library" ] || continue
        cp -L "/lib/$gnu/$library" "$image/usr/lib/$gnu/"
        copy_needed "/lib/$gnu/$library"
    done
}
copy_needed "$image/usr/bin/$program"

install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$image/etc/ssl/certs/ca-certificates.crt"
echo "$program:x:1000:1000::/data:/usr/sbin/nologin" >"$image/etc/passwd"
echo "$program:x:1000:" >"$image/etc/group"
install -d -m 1777 "$image/tmp"
install -d -o 1000 -g 1000 "$image/data"
