"""Limits of rates and of held bytes, which the connections and the sessions share."""
