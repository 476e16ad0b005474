"""A small set of generated models, and a file server with selectable faults."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from inference_pool.models.manifest import Manifest
from inference_pool.models.pulling.prelu import rewrite


def prelu_network(slopes: tuple[float, ...] = (-0.5, 0.25, 1.5), output: str = "y") -> bytes:
    """Build a network of one PReLU with a slope for each channel, input (1, channels, 4, 4)."""
    shape = [1, len(slopes), 4, 4]
    slope = numpy_helper.from_array(np.array(slopes, np.float32).reshape(-1, 1, 1), "slope")
    graph = helper.make_graph(
        [helper.make_node("PRelu", ["x", "slope"], [output], name="activation")],
        "prelu",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        [slope],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


FILES = {
    "detector.onnx": prelu_network((0.1,)),
    "liveness_v2.onnx": prelu_network((0.2,)),
    "liveness_v1se.onnx": prelu_network((0.3,)),
    "glasses.onnx": prelu_network((0.4,)),
    "spare.onnx": prelu_network((0.5,)),
    "third.onnx": prelu_network((0.6,)),
}


def table(file: str, **extra: object) -> dict[str, object]:
    """Return a manifest entry of one of ``FILES``."""
    return {
        "file": file,
        "bytes": len(FILES[file]),
        "sha256": hashlib.sha256(FILES[file]).hexdigest(),
        "licence": "Apache-2.0",
        "attribution": "tests",
        **extra,
    }


@pytest.fixture(name="prelu_network")
def prelu_network_maker() -> Callable[..., bytes]:
    """The function that builds networks of one PReLU."""
    return prelu_network


@pytest.fixture
def files() -> dict[str, bytes]:
    """Contents of each file of the small manifest."""
    return {name: data for name, data in FILES.items() if name != "third.onnx"}


@pytest.fixture
def manifest() -> Manifest:
    """A manifest of three required models, an optional one, and a fallback set of one."""
    variant = hashlib.sha256(rewrite(FILES["detector.onnx"])).hexdigest()
    return Manifest.model_validate(
        {
            "reference": {
                "detector": table("detector.onnx", rewrite="prelu", variant_sha256=variant),
                "liveness_v2": table("liveness_v2.onnx"),
                "liveness_v1se": table("liveness_v1se.onnx"),
                "glasses": table("glasses.onnx", required=False),
            },
            "fallback": {"detector": table("spare.onnx")},
        }
    )


@pytest.fixture
def fill() -> Callable[..., Path]:
    """Write files of the small manifest; those of the fallback set only if named."""

    def write(folder: Path, *names: str) -> Path:
        folder.mkdir(exist_ok=True)
        usual = [name for name in FILES if name not in ("spare.onnx", "third.onnx")]
        for name in names or usual:
            (folder / name).write_bytes(FILES[name])
        return folder

    return write


@dataclass
class FileServer:
    """HTTP server of files in memory.

    Attributes:
        content: path -> bytes.
        ranges: whether it honours Range.
        cuts: for the next answers, bytes after which the connection breaks.
        asked: (path, Range header) of every request.
    """

    content: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    address: str = ""


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A file server on a free local port."""
    state = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append((self.path, self.headers["Range"]))
            if self.path not in state.content:
                self.send_error(404)
                return
            data = state.content[self.path]
            start = 0
            if state.ranges and (wanted := self.headers["Range"]):
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            end = start + state.cuts.pop(0) if state.cuts else len(data)
            self.wfile.write(data[start:end])

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        state.address = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield state
        http.shutdown()
        thread.join()
