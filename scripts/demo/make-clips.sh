#!/bin/sh
# Makes the two clips of the demonstration: H.264 in MP4, a test picture that moves, as two cameras would film it.
# They are kept in the repository; this is how they came to be (needs ffmpeg with libx264).
set -eu
cd "$(dirname "$0")"
clip() {
    ffmpeg -hide_banner -loglevel error -y -f lavfi -i "$1" -t 6 \
        -c:v libx264 -preset veryslow -crf 26 -pix_fmt yuv420p -movflags +faststart \
        -map_metadata -1 -fflags +bitexact -flags:v +bitexact "$2"
}
clip testsrc2=size=640x480:rate=15 camera-1.mp4
clip "mandelbrot=size=640x480:rate=15:start_scale=0.5" camera-2.mp4
