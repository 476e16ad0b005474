"""Codes of failed checks and prompts; the client package has them, since clients show the hints."""

from lunapass_client.codes import HINTS, PROMPTS, Code, hint

__all__ = ["HINTS", "PROMPTS", "Code", "hint"]
