"""(d) mosec: a server in Rust that hands the frames to the same number of worker processes."""

from __future__ import annotations

import os

from mosec import Server, Worker

from benchmarks.versus.judging import PORT, WORKERS, judge_jpeg, prepare


class MosecJudge(Worker):
    """Decodes and judges a frame."""

    def __init__(self) -> None:
        prepare()

    def deserialize(self, data: bytes) -> bytes:
        """Return the frame unchanged."""
        return data

    def forward(self, data: bytes) -> str:
        """Decode and judge."""
        return judge_jpeg(data)

    def serialize(self, data: str) -> bytes:
        """Return the status."""
        return data.encode()


if __name__ == "__main__":
    os.environ |= {"MOSEC_ADDRESS": "127.0.0.1", "MOSEC_PORT": str(PORT)}
    server = Server()
    server.append_worker(MosecJudge, num=WORKERS, route="/predict")
    server.run()
