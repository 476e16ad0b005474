"""Rules about the thresholds of a frame's checks."""

from collections.abc import Iterator

from shared.config.findings import Finding, error
from shared.config.service import Config
from shared.frame.estimation import MOIRE_SIDE


def frame_sizes(config: Config) -> Iterator[Finding]:
    """Check that a face of the required size fits into a frame, and a frame into the limits."""
    checks, limits, thresholds = config.CHECKS, config.LIMITS, config.LIVENESS.THRESHOLDS
    sides = (
        ("frameWidth", checks.frameWidth, thresholds.faceWidth),
        ("frameHeight", checks.frameHeight, thresholds.faceHeight),
    )
    received = {"frameWidth": limits.frameWidth, "frameHeight": limits.frameHeight}
    across = {"frameWidth": "frameHeight", "frameHeight": "frameWidth"}
    for name, minimum, face in sides:
        # [LIMITS] is about the received image, [CHECKS] about the rotated one.
        limit = across[name] if checks.rotate in (90, 270) else name
        maximum = received[limit]
        if minimum > maximum:
            yield error(
                f"[CHECKS] {name}",
                f"is {minimum}; allowed: at most [LIMITS] {limit}, which is {maximum}; correct one "
                "of the two",
            )
        if face + 2 * thresholds.frameMargin > maximum:
            yield error(
                f"[LIVENESS.THRESHOLDS] {name.replace('frame', 'face')}",
                f"{face} with frameMargin {thresholds.frameMargin} at both sides does "
                f"not fit into [LIMITS] {limit} {maximum}; lower the one or raise the other",
            )
    if checks.frameWidth * checks.frameHeight > limits.framePixels:
        yield error(
            "[LIMITS] framePixels",
            f"is {limits.framePixels}; allowed: at least the {checks.frameWidth} x "
            f"{checks.frameHeight} that [CHECKS] requires; raise it",
        )


def moire(config: Config) -> Iterator[Finding]:
    """Require that moire is measured in every face that may pass, if it is checked."""
    thresholds, backend = config.LIVENESS.THRESHOLDS, config.WORKERS.backend
    if config.CHECKS.moire == 0:
        return
    if backend == "lunasdk":
        yield error(
            "[CHECKS] moire",
            "is set, but the backend 'lunasdk' does not measure moire; remove it",
        )
    for key in ("faceWidth", "faceHeight"):
        if (minimum := getattr(thresholds, key)) < MOIRE_SIDE:
            yield error(
                f"[LIVENESS.THRESHOLDS] {key}",
                f"is {minimum}, but [CHECKS] moire is set, which cannot be measured in faces below "
                f"{MOIRE_SIDE} pixels; raise it, or remove moire",
            )


def region(config: Config) -> Iterator[Finding]:
    """Check that the region of interest lies in the frame and has room for a face."""
    thresholds, limits = config.LIVENESS.THRESHOLDS, config.LIMITS
    place = "[LIVENESS.THRESHOLDS] ROI"
    left, top, width, height = thresholds.ROI
    if left + width > 100 or top + height > 100:
        yield error(
            place,
            f"is {thresholds.ROI}, which extends beyond the frame; allowed: left + width and top + "
            "height of at most 100; correct it",
        )
    elif width * limits.frameWidth < 100 * thresholds.faceWidth or (
        height * limits.frameHeight < 100 * thresholds.faceHeight
    ):
        yield error(
            place,
            f"is {width:g} x {height:g} percent, in which a face of faceWidth and faceHeight does "
            "not fit even in the largest frame of [LIMITS]; enlarge it",
        )
