# shellcheck shell=sh
# An S3 server of a script's own: moto, which answers as S3 does in paging, ranges and bulk deletes, keeps all in memory and
# is there in seconds. Sourced after common.sh. POSIX sh.

s3_bucket=fleet

# Installs it beside what was built; sets $s3_server.
s3_or_die() {
    s3_tools=target/tools/moto
    s3_server=$s3_tools/bin/moto_server
    [ ! -x "$s3_server" ] || return 0
    python3 -m venv "$s3_tools" 2>/dev/null || { apt_install python3-venv && python3 -m venv "$s3_tools"; }
    "$s3_tools/bin/pip" install --quiet --disable-pip-version-check 'moto[server]==5.2.5'
}

# s3_start FOLDER: a server on a free port of loopback with an empty bucket; exports AWS_*, and sets $s3_pid.
s3_start() {
    s3_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$s3_server" -H 127.0.0.1 -p "$s3_port" >"$1/s3.log" 2>&1 &
    s3_pid=$!
    export AWS_ENDPOINT_URL="http://127.0.0.1:$s3_port" AWS_ACCESS_KEY_ID=fleet AWS_SECRET_ACCESS_KEY=fleet AWS_REGION=us-east-1
    python3 - "$AWS_ENDPOINT_URL/$s3_bucket" <<'PYTHON' || { cat "$1/s3.log" >&2; die "the S3 server did not start"; }
import sys, time, urllib.request
end = time.time() + 60
while True:
    try:
        urllib.request.urlopen(urllib.request.Request(sys.argv[1], method="PUT"), timeout=10).close()
        break
    except OSError:
        if time.time() > end:
            raise
        time.sleep(0.1)
PYTHON
}

s3_stop() {
    [ -z "${s3_pid:-}" ] || kill "$s3_pid" 2>/dev/null || :
}
