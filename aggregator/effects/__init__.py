"""Side effects of the judgement (files, videos, callbacks): after the answer, each exactly once.

``events`` says what happened, a sink (``aggregator/plugins``) writes it somewhere, ``writer`` runs
a sink in a thread of its own, ``delivery`` spreads events and knows what is settled.
"""
