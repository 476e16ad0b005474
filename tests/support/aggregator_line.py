"""The aggregator's end of its socket, on which a test reads the gateway's messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import zmq

from shared.config.service import Config, TransportKeysSection
from shared.wire.curve import completed, own_pair
from shared.wire.lines import AGGREGATOR
from shared.wire.transport import address_of

KEYS = completed(TransportKeysSection())
NO_PLUGINS: dict[str, Any] = {}
USER_PLUGIN = {"tests.support.plugins:Anything": {"isEnabled": 1}}
FILE_LOGGER = {"FileLogger": {"isEnabled": 1}}
VIDEO_REDIS = {"VideoRedis": {"isEnabled": 1}}


def config(directory: Path, plugins: dict[str, Any]) -> Config:
    return Config.model_validate(
        {
            "TRANSPORT": {
                "aggregator": f"ipc://{directory}/a",
                "runtimeDirectory": str(directory),
                "KEYS": KEYS,
            },
            "MIDDLEWARES": {"WS": plugins},
        }
    )


def listening(config: Config) -> zmq.Socket[bytes]:
    """Open the aggregator's socket; it accepts any client that knows its public key."""
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
    _, secret = own_pair(KEYS, "aggregator")
    socket.curve_server, socket.curve_secretkey = True, secret
    socket.setsockopt(zmq.RCVTIMEO, 5000)
    socket.bind(address_of(AGGREGATOR, config))
    return socket
