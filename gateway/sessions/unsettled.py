"""Frames whose side effects are not done yet, kept for the aggregator's successor."""

from __future__ import annotations

from gateway import metrics
from gateway.sessions.session import FramePictures, PendingFrame, Session
from shared.config.middlewares import WsMiddlewares


class Unsettled:
    """Keeps the pictures that a side-effect plugin may still need after a restart.

    Args:
        plugins: which of them are on.
        capacity: bytes of all sessions together; a frame over that is not kept, and is counted.
    """

    def __init__(self, plugins: WsMiddlewares, capacity: int) -> None:
        self._plugins = plugins
        self._capacity = capacity
        self.bytes = 0

    def keep(self, session: Session, frame: PendingFrame) -> None:
        """Keep the pictures of a frame that has its verdict."""
        if not self._plugins.needs_frames:
            return
        looked_at = self._plugins.look_at_received(passed=frame.shot is not None)
        pictures = FramePictures(frame.data if looked_at else None, frame.shot)
        if self.bytes + pictures.size > self._capacity:
            metrics.UNKEPT.labels().inc()
            return
        session.unsettled[frame.seq] = pictures
        self.bytes += pictures.size

    def settle(self, session: Session, mark: int) -> None:
        """Let go what is done, up to a frame's number."""
        session.settled = max(session.settled, mark)
        for seq in [seq for seq in session.unsettled if seq <= mark]:
            self.bytes -= session.unsettled.pop(seq).size

    def forget(self, session: Session) -> None:
        """Let go all frames of a session."""
        self.bytes -= sum(pictures.size for pictures in session.unsettled.values())
        session.unsettled.clear()
