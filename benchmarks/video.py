"""The video worker compared with the ``ffmpeg`` command: time and memory for the same JPEG frames.

Speed: the same encoder, preset and quality for the same 720p frames, in alternation, five times;
the result is the ratio of the medians. The ratio of CPU seconds is valid on a busy machine, too.
The worker's time is that of a job in a running worker: from reading the frames in Redis to the
renamed files, without the start of Python. The command's time is that of the whole command. Each
has its own FFmpeg and encoders; the worker has those of PyAV.

Memory: the peak resident memory of a process that encodes ten minutes of 720p, at a reduced rate of
two frames per second to save time.

    python -m benchmarks.video [CODEC ...]
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from redis import Redis
from skimage import data

from shared.config.video import VideoSection
from shared.video_store import StoredFrame, encode_frame, frames_key
from tests.support.redis_server import RedisServer, running_redis
from video_builder.encoder import CODECS, VP9_SPEED

RESULT = Path("build/bench_video.json")
WIDTH, HEIGHT = 1280, 720
FRAMES = 120
TIMES = 5
LONG_SECONDS, LONG_RATE = 600, 2
PRESET = VideoSection().preset

WORKER = """
import json, resource, sys, time
from redis import Redis
import video_builder.worker
from shared.config.video import VideoSection
from shared.video_store import read_frames
from video_builder.film import make
from video_builder.job import CHUNK
from video_builder.memory import return_large_blocks
return_large_blocks()
url, session, settings = sys.argv[1:]
redis = Redis.from_url(url)
before, before_cpu = time.perf_counter(), time.process_time()
film = make(
    session,
    None,
    lambda: read_frames(redis, session, chunk=CHUNK),
    VideoSection.model_validate_json(settings),
)
seconds, cpu = time.perf_counter() - before, time.process_time() - before_cpu
rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "cpu": cpu, "rss_mb": rss, "frames": film.frames}))
"""


def images(count: int) -> Iterator[bytes]:
    """JPEGs of a portrait in front of a swaying camera, with sensor noise."""
    portrait = np.ascontiguousarray(data.astronaut()[:288, :, ::-1])
    scene = cv2.resize(portrait, (1600, 900), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    random = np.random.default_rng(1)
    for number in range(count):
        x = int(160 + 120 * np.sin(number / 15))
        y = int(90 + 60 * np.cos(number / 11))
        noise = random.normal(0, 3, (HEIGHT, WIDTH, 1)).astype(np.int16)
        frame = np.clip(scene[y : y + HEIGHT, x : x + WIDTH] + noise, 0, 255).astype(np.uint8)
        jpeg: bytes = simplejpeg.encode_jpeg(frame, quality=85, colorspace="BGR")
        yield jpeg


def store(redis: Redis, session: str, jpegs: list[bytes], count: int, rate: float) -> None:
    """Write a session of ``count`` frames, repeating the JPEGs."""
    for number in range(count):
        frame = StoredFrame(number + 1, number / rate, jpegs[number % len(jpegs)], {"isOk": False})
        redis.xadd(frames_key(session), encode_frame(frame), id=frame.entry_id)  # type: ignore[arg-type]


def worker(redis: RedisServer, session: str, codec: str, folder: Path) -> dict[str, float]:
    """Encode a session in a separate process."""
    settings = VideoSection.model_validate({"codec": codec, "directory": str(folder)})
    ran = subprocess.run(
        [sys.executable, "-c", WORKER, redis.url, session, settings.model_dump_json()],
        capture_output=True,
        text=True,
        check=True,
    )
    measured: dict[str, float] = json.loads(ran.stdout)
    return measured


def command(codec: str, folder: Path) -> tuple[float, float]:
    """Run the command for the same JPEGs; return its seconds and CPU seconds."""
    quiet = ["-x265-params", "log-level=error"] if codec == "H265" else []
    encoder = [*quiet, "-c:v", CODECS[codec].encoder, "-crf", str(CODECS[codec].crf)]
    if codec == "VP9":
        speed = str(VP9_SPEED[PRESET])
        encoder += ["-b:v", "0", "-deadline", "good", "-cpu-used", speed, "-row-mt", "1"]
    else:
        encoder += ["-preset", PRESET]
    source = ["-framerate", "25", "-i", str(folder / "%06d.jpg")]
    output = ["-pix_fmt", "yuv420p", "-movflags", "+faststart", str(folder / "command.mp4")]
    before, before_cpu = time.perf_counter(), children_cpu()
    subprocess.run(["ffmpeg", "-v", "error", "-y", *source, *encoder, *output], check=True)
    return time.perf_counter() - before, children_cpu() - before_cpu


def children_cpu() -> float:
    """CPU seconds of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compare(redis: RedisServer, codec: str, folder: Path) -> dict[str, float]:
    """Measure one codec."""
    ours, theirs = [], []
    for _ in range(TIMES):
        theirs.append(command(codec, folder))
        measured = worker(redis, "short", codec, folder)
        ours.append((measured["seconds"], measured["cpu"]))
    long = worker(redis, "long", codec, folder)
    assert long["frames"] == LONG_SECONDS * LONG_RATE
    seconds, cpu = (statistics.median(values) for values in zip(*ours, strict=True))
    their_seconds, their_cpu = (statistics.median(values) for values in zip(*theirs, strict=True))
    return {
        "ratio": round(seconds / their_seconds, 2),
        "rss_mb": round(long["rss_mb"]),
        "cpu_ratio": round(cpu / their_cpu, 2),
        "worker_seconds": round(seconds, 2),
        "ffmpeg_seconds": round(their_seconds, 2),
    }


def main(codecs: list[str]) -> None:
    """Measure, print and add the results to those of other codecs."""
    results = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    with running_redis() as redis, tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        jpegs = list(images(FRAMES))
        for number, jpeg in enumerate(jpegs):
            (folder / f"{number:06}.jpg").write_bytes(jpeg)
        store(redis.client(), "short", jpegs, FRAMES, 25)
        store(redis.client(), "long", jpegs, LONG_SECONDS * LONG_RATE, LONG_RATE)
        for codec in codecs:
            results[codec] = compare(redis, codec, folder)
            found = results[codec]
            print(
                f"{codec} {PRESET}, {FRAMES} frames of {WIDTH}x{HEIGHT}: worker "
                f"{found['worker_seconds']} s, ffmpeg {found['ffmpeg_seconds']} s, ratio "
                f"{found['ratio']} (of CPU seconds {found['cpu_ratio']}); "
                f"ten minutes: {found['rss_mb']} MB",
                flush=True,
            )
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:] or list(CODECS))
