"""Trains a site head: live frames of a place, simulated recaptures of them, a linear classifier."""
