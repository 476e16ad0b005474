"""Side effects (files, videos, callbacks): after the answer, each at most once; drops are counted.

``events`` defines the events. The sinks are ``file_logger``, ``video_redis``, ``callbacks`` and
``audit``; ``registry`` creates the enabled ones. ``writer`` runs each sink in its own thread,
``delivery`` distributes events and tracks what is settled. The plugins that judge are in
``aggregator/plugins``; neither folder imports the other.
"""
