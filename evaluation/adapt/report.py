"""The HTML report of a training."""

from collections.abc import Iterator, Sequence

import numpy as np
from markupsafe import Markup

from evaluation.adapt.observing import KINDS, Observation
from evaluation.adapt.result import Adaptation, Row
from evaluation.adapt.training import Values
from evaluation.report import distributions
from evaluation.thumbnails import thumbnail
from shared.frame.estimation import Image
from shared.report import parts, percent


def html(found: Adaptation) -> str:
    """Write the report."""
    return str(parts.page("Site head", _body(found)))


def _body(found: Adaptation) -> Iterator[Markup]:
    origin = found.file.origin
    yield parts.note(found.advice)
    yield parts.paragraph(
        f"Trained on {origin.frames} live frames of {origin.people} people and"
        f" {origin.recaptures} simulated recaptures, seed {origin.seed}. Digest of the head:"
        f" {found.file.digest}."
    )
    if found.gathered.unused:
        reasons = [f"{count} with {why}" for why, count in found.gathered.unused.most_common()]
        yield parts.paragraph(f"Live frames that could not be used: {', '.join(reasons)}.")
    if found.comparison is not None:
        yield parts.heading("On the labelled set")
        yield _table(found.checked_rows())
        shown = found.comparison.presentations
        kinds = [one.kind for one in shown]
        before, after = ([getattr(one, name) for one in shown] for name in ("before", "after"))
        yield _charts(kinds, before, after)
    yield parts.heading("On simulated recaptures")
    yield parts.paragraph(
        "Each frame is judged by a head that was trained without its person. Real attacks differ"
        " from simulated ones, so these figures are no error rates."
    )
    yield _table(found.rows())
    kinds = [one.kind for one in found.gathered.observations]
    yield _charts(kinds, _scores(found.trained.before), _scores(found.trained.after))
    yield parts.heading("Examples")
    for kind in KINDS:
        yield parts.subheading(f"{kind}, simulated")
        own = [_picture(*one) for one in found.gathered.examples if one[1].kind == kind]
        yield parts.row(own)


def _table(rows: Sequence[Row]) -> Markup:
    table: Markup = parts.table(
        ("at a score of .5", "without a head", "with the head"),
        [(name, percent(before), percent(after)) for name, before, after in rows],
    )
    return table


def _charts(kinds: Sequence[str], before: Sequence[float], after: Sequence[float]) -> Markup:
    names = list(dict.fromkeys(kinds))
    row: Markup = parts.row(
        parts.chart(distributions(kinds, scores, names, 0.5), title)
        for title, scores in (("without a head", before), ("with the head", after))
    )
    return row


def _scores(odds: Values) -> list[float]:
    scores: list[float] = (1 / (1 + np.exp(-odds))).tolist()
    return scores


def _picture(image: Image, seen: Observation) -> Markup:
    score = 1 / (1 + np.exp(-seen.log_odds))
    picture: Markup = parts.picture(thumbnail(image), f"score without a head {score:.2f}")
    return picture
