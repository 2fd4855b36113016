"""tuspy sends a clip in pieces, each with its checksum; meanwhile the receiver is killed, and the sender pauses.

Usage: python upload.py URL FILE PID_FILE
"""

import json
import os
import signal
import sys
import time
import urllib.request

from tusclient import client

url, file, pid_file = sys.argv[1:]
media = {
    "date": "2025-12-18T17:30:00.123456",
    "capteur": {"id": 4, "nom": "Caméra 1"},
    "numero_camera": 1,
    "device_id": "tuspy",
    "source": "test",
}


def pid():
    with open(pid_file, encoding="ascii") as text:
        return int(text.read())


def wait_until_well():
    health = url.split("/api/")[0] + "/health"
    for _ in range(500):
        try:
            with urllib.request.urlopen(health) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.02)
    sys.exit("tuspy: the receiver did not come back")


def uploader(**more):
    return client.TusClient(url).uploader(
        file_path=file, chunk_size=500_000, retries=5, retry_delay=1, upload_checksum=True, **more
    )


first = uploader(metadata={"filename": "clip.mp4", "media": json.dumps(media)})
for _ in range(4):
    first.upload_chunk()
told = first.offset
killed = pid()
os.kill(killed, signal.SIGKILL)
while pid() == killed:
    time.sleep(0.01)
wait_until_well()
# A new sender, that knows nothing but the address.
second = uploader(url=first.url)
assert second.offset >= told > 0, (second.offset, told)
second.upload(stop_at=second.offset + 1_000_000)
third = uploader(url=first.url)
third.upload()
assert third.get_offset() == os.path.getsize(file)
print("tuspy: killed, paused, whole")
