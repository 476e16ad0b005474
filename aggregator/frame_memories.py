"""Chooses the memory of frames: Redis if there is a session store, otherwise a file."""

from aggregator.frame_memory import FrameMemory
from aggregator.machine_frames import MachineFrames
from shared.config.cells import machine_directory
from shared.config.service import Config
from shared.process.clock import SYSTEM, Clock
from shared.process.private import private_directory

FILE, KEY = "frames.sqlite", "TRANSPORT.runtimeDirectory"


def frame_memory(config: Config, *, clock: Clock = SYSTEM) -> FrameMemory | None:
    """Create the configured memory; None if it is off.

    Raises:
        ResourceError: the folder of its file cannot be created.
    """
    limits, section = config.LIMITS, config.SESSION_STORE
    if not limits.reuseSeconds or not limits.reuseFrames:
        return None
    if section.connectionString:
        # A late import: sessions wait while an aggregator restarts, and importing
        # redis takes a third of that time.
        from aggregator.shared_frames import SharedFrames

        return SharedFrames(limits, section, clock=clock)
    directory = private_directory(machine_directory(config), KEY, parents=True)
    return MachineFrames(limits, directory / FILE, clock=clock)
