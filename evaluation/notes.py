"""Warnings about a labelled set."""

from collections.abc import Mapping, Sequence

from evaluation.samples import LIVE

MIN_SUBJECTS = 30
"""With fewer subjects the report warns of a small sample."""


def sample_notes(subjects: Mapping[str, Sequence[str]]) -> list[str]:
    """Warn of a set that is too small, or that lacks live presentations or attacks.

    ``subjects`` has the subject of each presentation by species; live ones, even if there are none,
    have the name ''.
    """
    small = []
    for name, group in subjects.items():
        people = len(set(group))
        if people < MIN_SUBJECTS:  # many presentations of one person are not a large sample
            of = f" by {people} subject(s)" if people < len(group) else ""
            small.append(f"{len(group)} of {name or LIVE!r}{of}")
    notes = []
    if small:
        notes.append(
            f"A small sample: {', '.join(small)}. With no error among n, the rate is below about"
            " 3/n with 95 % confidence. Quote no error rate from this set."
        )
    if not subjects[""]:
        notes.append("There is no live presentation, so there is no BPCER.")
    if len(subjects) == 1:
        notes.append("There is no attack, so there is no APCER.")
    return notes
