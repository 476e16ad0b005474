"""Images of frames whose side effects are not done yet, retained for the next aggregator."""

from collections.abc import Iterable

from gateway import metrics
from gateway.state.pending_frame import FramePictures, PendingFrame
from gateway.state.session import Session
from shared.config.middlewares import WsMiddlewares


class Unsettled:
    """Makes sessions retain the images that a side-effect plugin may still need.

    All together retain ``capacity`` bytes; a frame beyond is not retained, and counted.
    """

    def __init__(self, plugins: WsMiddlewares, capacity: int) -> None:
        self._plugins = plugins
        self._retains = plugins.needs_frames
        self._capacity = capacity
        self.bytes = 0

    def keep(self, session: Session, frame: PendingFrame) -> None:
        """Retain the images of a judged frame."""
        if not self._retains:
            return
        looked_at = self._plugins.look_at_received(passed=frame.passed)
        pictures = FramePictures(frame.data if looked_at else None, frame.shot)
        if self.bytes + pictures.size > self._capacity:
            metrics.UNKEPT.labels().inc()
            return
        session.retain(frame.seq, pictures)
        self.bytes += pictures.size

    def settle(self, session: Session, mark: int) -> None:
        """Drop the images of a session up to a frame's number, whose side effects are done."""
        self.bytes -= _size(session.settle(mark))

    def forget(self, session: Session) -> None:
        """Drop all images of a session."""
        self.bytes -= _size(session.drop_pictures())


def _size(dropped: Iterable[FramePictures]) -> int:
    return sum(pictures.size for pictures in dropped)
