"""A dispatcher for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import zmq

from gateway.ledger import Ledger
from gateway.metrics import STEPS
from shared.config.generation import with_transport_keys
from shared.config.service import Config, TransportSection, WorkersSection
from shared.frame.slab import Slab
from shared.wire.lines import WORKERS
from shared.wire.messages import SlabOffer
from shared.wire.transport import connect
from tests.support.pool_rig import Counting, Rig


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    transport = TransportSection(workers=f"ipc://{tmp_path}/w", runtimeDirectory=str(tmp_path))
    config = with_transport_keys(
        Config(TRANSPORT=transport, WORKERS=WorkersSection(jobTimeout=0.3))
    )
    slab = Slab.create(slots=2, pixels=640 * 480)
    offer = SlabOffer(str(tmp_path / "slab.sock"), slab.name, slab.inode)
    dispatcher = Counting(config, slab, offer, Ledger(STEPS))
    line: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    connect(line, config, WORKERS)
    rig = Rig(dispatcher, slab, line)
    dispatcher.report_to(rig)
    yield rig
    line.close(linger=0)
    dispatcher.close()
    slab.close()
