"""Side effects (files, videos, callbacks), after the answer; what is dropped is counted.

Each sink is idempotent. Only a callback may arrive twice, if the process dies while it is sent.
``events`` defines the events. The sinks are ``file_logger``, ``video_redis``, ``callbacks`` and
``audit``; ``registry`` creates the enabled ones. ``writer`` runs each sink in its own thread,
``delivery`` distributes events and tracks what is settled. The plugins that judge are in
``aggregator/plugins``; neither folder imports the other.
"""
