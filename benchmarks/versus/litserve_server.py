"""(c) LitServe with the same number of workers, its fast queue and frames as plain bytes."""
# No postponed annotations: LitServe reads the type of the request from them.

from typing import Annotated, Any

import litserve
from fastapi import Body

from benchmarks.versus.judging import PORT, WORKERS, judge_jpeg, prepare


class LitServeJudge(litserve.LitAPI):
    """Decodes and judges a frame."""

    def setup(self, device: str) -> None:
        """Load the models in the worker."""
        prepare()

    def decode_request(
        self, request: Annotated[bytes, Body(media_type="application/octet-stream")]
    ) -> bytes:
        """Return the frame unchanged."""
        return request

    def predict(self, x: bytes) -> str:
        """Decode and judge."""
        return judge_jpeg(x)

    def encode_response(self, output: str) -> Any:
        """Return the status."""
        return {"status": output}


if __name__ == "__main__":
    server = litserve.LitServer(
        LitServeJudge(), accelerator="cpu", devices=1, workers_per_device=WORKERS, fast_queue=True
    )
    server.run(host="127.0.0.1", port=PORT, generate_client_file=False, log_level="error")
