"""Clocks of real processes that a test sets, while the machine's own stay unchanged."""

from __future__ import annotations

import atexit
import contextlib
import functools
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile long *step; /* seconds; the test writes the file */

__attribute__((constructor)) static void map_step(void) {
  int file = open(getenv("WALL_STEP"), O_RDONLY | O_CLOEXEC);
  void *mapped = mmap(NULL, sizeof *step, PROT_READ, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) abort();
  step = mapped;
  close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = syscall(SYS_clock_gettime, clock, now);
  if (!failed && step && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    now->tv_sec += *step;
  return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec precise;
  if (clock_gettime(CLOCK_REALTIME, &precise)) return -1;
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
"""
"""Replaces the C library's readings of the wall clock, as if an operator had set the clock."""


@dataclass(frozen=True)
class WallClock:
    """The wall clock of the processes that are started with ``wrapper``.

    Attributes:
        wrapper: words before their command.
        file: contains the seconds by which their clock is ahead.
    """

    wrapper: tuple[str, ...]
    file: Path

    def set_ahead(self, seconds: int) -> None:
        """Set their clock these seconds ahead of the machine's, at once."""
        with self.file.open("r+b") as opened:
            opened.write(struct.pack("l", seconds))


@functools.cache
def _library() -> Path:
    """Compile the library; the test skips if that is impossible."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler for the library that sets the wall clock of a process")
    folder = Path(tempfile.mkdtemp(prefix="lp-clock-"))
    atexit.register(shutil.rmtree, folder)
    source, library = folder / "wall.c", folder / "wall.so"
    source.write_text(_SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    return library


@contextlib.contextmanager
def wall_clock() -> Iterator[WallClock]:
    """Make a wall clock for some processes, which is correct until the test sets it."""
    with tempfile.NamedTemporaryFile(prefix="lp-step-") as file:
        file.write(struct.pack("l", 0))
        file.flush()
        words = ("env", f"LD_PRELOAD={_library()}", f"WALL_STEP={file.name}")
        yield WallClock(words, Path(file.name))


@contextlib.contextmanager
def other_boot(seconds: int) -> Iterator[tuple[str, ...]]:
    """Return words before a command whose monotonic clock is ahead, as after an earlier boot.

    The test skips if no time namespace may be created.
    """
    for tool in ("unshare", "nsenter"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} (util-linux)")
    command = ["unshare", "--time", "--monotonic", str(seconds), "--fork", "--kill-child", "cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            holder.stdin.write(b"\n")
            holder.stdin.flush()
        except BrokenPipeError:
            pytest.skip("no time namespace allowed here")
        if not holder.stdout.readline():
            pytest.skip("no time namespace allowed here")
        yield ("nsenter", f"--time=/proc/{holder.pid}/ns/time_for_children")
        holder.stdin.close()
