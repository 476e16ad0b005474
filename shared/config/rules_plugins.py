"""Rules about plugins: arguments that depend on each other, and plugins that need others."""

import math
from collections.abc import Iterator
from urllib.parse import urlsplit

from shared.config.findings import Finding, error, warning
from shared.config.plugins import ActiveLivenessArgs
from shared.config.rules_web import basic_auth_origin
from shared.config.service import Config

ACTIONS = 5
"""Actions of ActiveLiveness to draw from."""
SAFE_ACTIONS = 3
"""Fewer actions cause a warning: a recording would pass too often by chance."""
HTTP = ("http", "https")


def basic_auth(config: Config) -> Iterator[Finding]:
    """Require a password or an origin that BasicAuth can check."""
    place = "[MIDDLEWARES.REQUEST.BasicAuth]"
    plugin = config.MIDDLEWARES.REQUEST.BasicAuth
    args = plugin.args
    if not plugin.isEnabled:
        if args.model_fields_set & {"username", "password", "origin"}:
            yield warning(place, "has args but is off; set isEnabled = 1 to use them")
        return
    has_password = args.password is not None and args.password.get_secret_value() != ""
    if bool(args.username) != has_password:
        yield error(place, "needs args.username and args.password together; give both or none")
    elif not has_password and args.origin is None:
        yield error(
            place,
            "is on but checks nothing; give args.username and args.password, args.origin, or all "
            "three",
        )
    elif args.origin is None:
        yield warning(
            place,
            "has no args.origin, so any web site can use a browser's saved password; "
            "give args.origin, such as https://kiosk.example.org",
        )
    elif not has_password:
        yield warning(
            place,
            "args.origin alone stops browsers only; give args.username and args.password too",
        )
    if args.username is not None and ":" in args.username:
        yield error(place, "args.username must not contain ':' (RFC 7617); choose another name")
    if args.origin is not None:
        yield from basic_auth_origin(args.origin)


def needs_result(config: Config) -> Iterator[Finding]:
    """Require Result with the plugins whose data it uses."""
    plugins = config.MIDDLEWARES.WS
    if plugins.Result.isEnabled:
        return
    for name in ("Bestshot", "AggregateLiveness", "Luna3DescriptorQualityCheck"):
        if getattr(plugins, name).isEnabled:
            yield error(
                f"[MIDDLEWARES.WS.{name}]",
                "needs the plugin Result, which uses its data; "
                "set isEnabled = 1 in [MIDDLEWARES.WS.Result]",
            )


def luna3(config: Config) -> Iterator[Finding]:
    """Require what a request to LUNA PLATFORM 3 needs."""
    place = "[MIDDLEWARES.WS.Luna3DescriptorQualityCheck]"
    plugin = config.MIDDLEWARES.WS.Luna3DescriptorQualityCheck
    if not plugin.isEnabled:
        return
    yield from _address(place, "connectionString", plugin.args.connectionString, HTTP)
    if plugin.args.descriptorQualityThreshold is None:
        yield error(place, "needs args.descriptorQualityThreshold; give a number from 0 to 1")
    if plugin.args.authToken is None:
        yield warning(place, "has no args.authToken, which LUNA PLATFORM requires; give the token")


def active_liveness(config: Config) -> Iterator[Finding]:
    """Require angles and times with which an action is possible."""
    place = "[MIDDLEWARES.WS.ActiveLiveness]"
    args = config.MIDDLEWARES.WS.ActiveLiveness.args
    for axis in ("yaw", "pitch"):
        start = getattr(args, f"{axis}StartDeg")
        threshold = getattr(args, f"{axis}ThresholdDeg")
        if start >= threshold:
            yield error(
                place,
                f"args.{axis}StartDeg is {start:g}; allowed: less than args.{axis}ThresholdDeg, "
                f"which is {threshold:g}; lower the one or raise the other",
            )
    if not config.MIDDLEWARES.WS.ActiveLiveness.isEnabled:
        return
    if not config.MIDDLEWARES.WS.FaceMatcher.isEnabled:
        yield warning(
            place,
            "is on without FaceMatcher, so one person may act and another be on the best shot; "
            "set isEnabled = 1 in [MIDDLEWARES.WS.FaceMatcher]",
        )
    if args.interactionsCount < SAFE_ACTIONS:
        yield warning(
            place,
            f"args.interactionsCount is {args.interactionsCount}, so a recorded video passes by "
            f"chance in one of {_sessions_per_pass(args)} sessions; set "
            f"{SAFE_ACTIONS} or more",
        )
    if args.totalTimeout < args.actionTimeout:
        yield warning(
            place,
            f"args.totalTimeout ({args.totalTimeout:g} s) is shorter than args.actionTimeout "
            f"({args.actionTimeout:g} s); raise it",
        )
    if config.LIMITS.sessionSeconds < args.totalTimeout:
        yield warning(
            place,
            f"args.totalTimeout ({args.totalTimeout:g} s) is longer than [LIMITS] sessionSeconds "
            f"({config.LIMITS.sessionSeconds:g} s); raise that",
        )


def _sessions_per_pass(args: ActiveLivenessArgs) -> int:
    """Return in one of how many sessions a recording of one sequence passes.

    Each try draws one of all sequences of distinct actions.
    """
    sequences, tries = math.perm(ACTIONS, args.interactionsCount), 1 + args.wrongActionsAllowed
    return max(1, sequences // tries)


def life_signs(config: Config) -> Iterator[Finding]:
    """Require times in which the signs can be measured, and thresholds that leave a doubt."""
    place = "[MIDDLEWARES.WS.LifeSigns]"
    plugins = config.MIDDLEWARES.WS
    args = plugins.LifeSigns.args
    if args.minSeconds > args.windowSeconds:
        yield error(
            place,
            f"args.minSeconds is {args.minSeconds:g}; allowed: at most args.windowSeconds, which "
            f"is {args.windowSeconds:g}; lower the one or raise the other",
        )
    if args.refuseScore > args.acceptScore:
        yield error(
            place,
            f"args.refuseScore is {args.refuseScore:g}; allowed: at most args.acceptScore, which "
            f"is {args.acceptScore:g}; lower the one or raise the other",
        )
    if not plugins.LifeSigns.isEnabled:
        return
    if not plugins.FaceMatcher.isEnabled:
        yield warning(
            place,
            "is on without FaceMatcher, so that one person may show the signs and another be on "
            "the best shot; set isEnabled = 1 in [MIDDLEWARES.WS.FaceMatcher]",
        )
    if plugins.ActiveLiveness.isEnabled:
        yield warning(
            place,
            "is on together with ActiveLiveness, which asks everyone for actions: then LifeSigns "
            "can only refuse; turn one of them off",
        )
    for key in ("maxAttempts", "maxLivenessAttempts"):
        if 0 < (limit := getattr(config.LIVENESS, key)) < args.framesCount:
            yield error(
                place,
                f"args.framesCount is {args.framesCount}, more than [LIVENESS] {key} ({limit}) "
                "allows, so that no session can pass; lower it or raise that",
            )


def addresses(config: Config) -> Iterator[Finding]:
    """Require addresses of the right kind."""
    callbacks, video = config.MIDDLEWARES.WS.Callbacks, config.MIDDLEWARES.WS.VideoRedis
    if callbacks.isEnabled:
        place = "[MIDDLEWARES.WS.Callbacks]"
        yield from _address(place, "url", callbacks.args.url or "", HTTP)
        if callbacks.args.key is None:
            yield warning(
                place, "has no args.key, so a receiver cannot authenticate the sender; give one"
            )
    if video.isEnabled:
        yield from _address(
            "[MIDDLEWARES.WS.VideoRedis]",
            "connectionString",
            video.args.connectionString,
            ("redis", "rediss", "unix", "redis+sentinel"),
        )


def _address(place: str, name: str, text: str, schemes: tuple[str, ...]) -> Iterator[Finding]:
    if not is_address(text, schemes):
        kinds = " or ".join(f"{kind}://" for kind in schemes)
        yield error(place, f"args.{name} must be an address that begins with {kinds}; give one")


def is_address(text: str, schemes: tuple[str, ...]) -> bool:
    """Return whether a text has one of the schemes and, for HTTP, a valid host and port."""
    if not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        if parts.scheme in HTTP and (not parts.hostname or parts.port == 0):
            return False
    except ValueError:
        return False
    return parts.scheme in schemes and "//" in text
