"""Codes of failed checks and prompts; the client package has them, since clients show the hints."""

from lunapass_client.codes import HINTS, PROMPTS, Code, hint

__all__ = ["HINTS", "PROMPTS", "Code", "finding", "hint"]

FINDINGS: dict[int, str] = {
    Code.LOW_LIVENESS: "Not judged live",
    Code.AGGREGATING: "Not enough frames yet",
}
"""Texts for operators, of codes whose hint only asks the person to wait."""


def finding(code: int) -> str:
    """Return what a code means to an operator; for most codes it is the hint."""
    return FINDINGS.get(code) or hint(code)
