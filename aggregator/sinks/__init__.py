"""Side effects of the judgement (files, videos, callbacks): after the answer, each exactly once.

``events`` says what happened. A sink writes it somewhere: ``file_logger``, ``video_redis`` and
``callbacks``; ``registry`` creates the enabled ones. ``writer`` runs a sink in a thread of
its own, ``delivery`` spreads events and knows what is settled. The plugins that judge are in
``aggregator/plugins``; neither folder imports the other.
"""
