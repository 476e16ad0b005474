"""Rules that concern several keys, whose values are valid on their own.

Each rule is a generator of findings, and ``RULES`` lists them. An error means that the service
would be unsafe or could never accept a session; a warning means that it works, but probably not as
intended.
"""

import difflib
import ipaddress
import os
from collections.abc import Iterator

from shared.config import rules_plugins as plugins
from shared.config import rules_thresholds as thresholds
from shared.config import rules_transport as transport
from shared.config import rules_web as web
from shared.config.cells import MAX_CELLS
from shared.config.findings import Finding, Rule, error, warning
from shared.config.luna_pass import FaceEngineSection
from shared.config.rules_relying_party import server_result, start_token
from shared.config.service import Config
from shared.errors import ConfigError
from shared.signing import KEY_BYTES
from shared.text_files import named_file

DEFAULT_KEY = "secret"
KEY_HINT = "make one with: lunapass config key"
STORES = ("redis://", "rediss://", "unix://", "redis+sentinel://")
SDK_PATHS = ("sdkBindingsPath", "sdkDataPath", "sdkLicensePath")
BACKENDS = ("onnx", "lunasdk", "oip")


def check(config: Config, source: str = "configuration") -> list[str]:
    """Check the rules; return the warnings, one line each. ``source`` names the file in messages.

    Raises:
        ConfigError: one line per violated rule, which says what to do.
    """
    findings = [finding for rule in RULES for finding in rule(config)]
    if errors := [f"{source}: {finding}" for finding in findings if finding.is_error]:
        raise ConfigError("\n".join(errors))
    return [f"{source}: {finding}" for finding in findings]


def _signature(config: Config) -> Iterator[Finding]:
    place = "[LUNA_PASS.JWT] key"
    jwt = config.LUNA_PASS.JWT
    key = jwt.key.get_secret_value()
    weak_key = error if config.LUNA_PASS.env == "production" else warning
    if named_file(key) is not None:
        return  # shared.config.key_files reads it
    is_pem = key.lstrip().startswith("-----BEGIN ")
    if jwt.algorithm not in KEY_BYTES:
        if not is_pem or "PRIVATE KEY" not in key:
            yield error(
                place,
                f"is not a private key, which {jwt.algorithm} needs; "
                "give it as PEM text or as file:PATH of a PEM file",
            )
    elif is_pem:
        yield error(
            place,
            f"is a PEM key, but {jwt.algorithm} signs with a shared secret; "
            "set algorithm to RS256, ES256 or EdDSA",
        )
    elif key == DEFAULT_KEY:
        yield weak_key(
            place,
            f"is the default '{DEFAULT_KEY}', with which anyone can sign verdicts; {KEY_HINT}",
        )
    elif key.startswith("/") and os.path.exists(key):
        yield error(
            place,
            "is the path of a file, and the path itself would be the secret; write file: before it",
        )
    elif len(key.encode()) < KEY_BYTES[jwt.algorithm]:
        yield weak_key(
            place,
            f"has {len(key.encode())} bytes; allowed for {jwt.algorithm}: at least "
            f"{KEY_BYTES[jwt.algorithm]}; {KEY_HINT}",
        )


def _environment(config: Config) -> Iterator[Finding]:
    if config.LUNA_PASS.env == "development":
        yield warning(
            "[LUNA_PASS] env",
            "is development, which shows every score to clients; set production before real use",
        )


def _proxies(config: Config) -> Iterator[Finding]:
    for text in config.LUNA_PASS.trustedProxies:
        try:
            ipaddress.ip_network(text)
        except ValueError:
            yield error(
                "[LUNA_PASS] trustedProxies",
                f"holds {text[:60]!r}; allowed: addresses and networks such as 127.0.0.1 or "
                "10.0.0.0/8; correct it",
            )


def _cells(config: Config) -> Iterator[Finding]:
    transport = config.TRANSPORT
    if transport.firstCell + transport.cells > MAX_CELLS:
        yield error(
            "[TRANSPORT] firstCell",
            f"is {transport.firstCell}, with {transport.cells} cells; allowed: numbers up to "
            f"{MAX_CELLS - 1} for all machines behind one balancer; lower it",
        )
    if transport.cellPort + transport.cells > 65_536:
        yield error(
            "[TRANSPORT] cellPort",
            f"is {transport.cellPort}, too high for {transport.cells} cells; lower it",
        )
    count = config.WORKERS.count
    if 0 < count < transport.cells:
        yield error(
            "[WORKERS] count",
            f"is {count}; allowed: at least one for each of the {transport.cells} cells of "
            "[TRANSPORT] cells; raise it",
        )
    if transport.cells > 1 and (transport.workers or transport.aggregator):
        yield error(
            "[TRANSPORT] cells",
            f"is {transport.cells}, but workers and aggregator name one address for all of them; "
            "leave those two empty",
        )


def _session_store(config: Config) -> Iterator[Finding]:
    address = config.SESSION_STORE.connectionString
    if address and not address.startswith(STORES):
        yield error(
            "[SESSION_STORE] connectionString",
            f"must begin with {' or '.join(STORES)}; give such an address, or leave it empty",
        )
    if config.SESSION_STORE.required and not address:
        yield error(
            "[SESSION_STORE] required",
            "is 1, but connectionString is empty; give the address of Redis, or set 0",
        )


def _attempts(config: Config) -> Iterator[Finding]:
    section = config.LIVENESS
    attempts = {
        "maxAttempts": section.maxAttempts,
        "maxLivenessAttempts": section.maxLivenessAttempts,
    }
    for name, value in attempts.items():
        if value == 0:
            yield error(
                f"[LIVENESS] {name}",
                "is 0, so no session can succeed; allowed: -1 (no limit) or at least 1; correct it",
            )
    if 0 < section.maxAttempts < section.maxLivenessAttempts:
        yield warning(
            "[LIVENESS] maxLivenessAttempts",
            f"is {section.maxLivenessAttempts}, which is never reached with maxAttempts "
            f"{section.maxAttempts}; lower it",
        )
    plugin = config.MIDDLEWARES.WS.AggregateLiveness
    for name, value in attempts.items():
        if plugin.isEnabled and 0 < value < plugin.args.framesCount:
            yield error(
                "[MIDDLEWARES.WS.AggregateLiveness] args.framesCount",
                f"is {plugin.args.framesCount}, more than [LIVENESS] {name} ({value}) allows, so "
                "no session can succeed; lower it or raise that",
            )


def _held_bytes(config: Config) -> Iterator[Finding]:
    limits = config.LIMITS
    if limits.heldBytes < 2 * limits.frameBytes:  # one address may use half of them
        yield error(
            "[LIMITS] heldBytes",
            f"is {limits.heldBytes}, so a frame of frameBytes could not be received; allowed: at "
            f"least {2 * limits.frameBytes}; correct one of the two",
        )


def _workers(config: Config) -> Iterator[Finding]:
    workers, supervisor = config.WORKERS, config.SUPERVISOR
    if workers.backend not in BACKENDS and ":" not in workers.backend:
        near = difflib.get_close_matches(workers.backend, BACKENDS, n=1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        yield error(
            "[WORKERS] backend",
            f"is {workers.backend!r}{meant}; allowed: {', '.join(BACKENDS)} or "
            "package.module:Class; correct it",
        )
    if workers.heartbeatTimeout <= workers.heartbeatInterval:
        yield error(
            "[WORKERS] heartbeatTimeout",
            f"is {workers.heartbeatTimeout:g}; allowed: more than heartbeatInterval, which is "
            f"{workers.heartbeatInterval:g}; raise it",
        )
    if supervisor.respawnDelayMax < supervisor.respawnDelay:
        yield error(
            "[SUPERVISOR] respawnDelayMax",
            f"is {supervisor.respawnDelayMax:g}; allowed: at least respawnDelay, which is "
            f"{supervisor.respawnDelay:g}; raise it",
        )


def _onnx_only(config: Config) -> Iterator[Finding]:
    backend = config.WORKERS.backend
    for key in ("siteHead", "thirdLiveness"):
        if getattr(config.MODELS, key) and backend in BACKENDS and backend != "onnx":
            yield error(
                f"[MODELS] {key}",
                f"is set, but the backend is {backend!r}; allowed: only with 'onnx'; remove it",
            )


def _sdk_paths(config: Config) -> Iterator[Finding]:
    section, backend = config.FACEENGINE, config.WORKERS.backend
    fields = FaceEngineSection.model_fields
    changed = [name for name in SDK_PATHS if getattr(section, name) != fields[name].default]
    if backend in ("onnx", "oip") and changed:
        yield warning(
            "[FACEENGINE]",
            f"sets {', '.join(changed)}, but [WORKERS] backend is {backend}, which does not use "
            "LUNA SDK; set backend to lunasdk, or remove these keys",
        )


def _inference_servers(config: Config) -> Iterator[Finding]:
    servers, job_timeout = config.OIP, config.WORKERS.jobTimeout
    longest = servers.timeout * len(servers.endpoints)
    if config.WORKERS.backend == "oip" and longest >= job_timeout:
        yield error(
            "[OIP] timeout",
            f"is {servers.timeout:g} for each of {len(servers.endpoints)} endpoints; allowed: in "
            f"all less than [WORKERS] jobTimeout, which is {job_timeout:g}; lower it or raise that",
        )


RULES: tuple[Rule, ...] = (
    _environment,
    _signature,
    _proxies,
    web.hosts,
    web.origins,
    plugins.basic_auth,
    start_token,
    server_result,
    _attempts,
    plugins.needs_result,
    plugins.luna3,
    plugins.active_liveness,
    plugins.life_signs,
    plugins.addresses,
    _held_bytes,
    thresholds.frame_sizes,
    thresholds.moire,
    thresholds.region,
    _workers,
    _onnx_only,
    _sdk_paths,
    _inference_servers,
    _cells,
    transport.addresses,
    transport.pairs,
    transport.slab_directory,
    _session_store,
)
"""All rules, in the order of the file."""
