"""Reads the key files that a configuration names, before any role can get their paths as keys.

``ConfigSource`` calls this at the start and on each reload. ``Generation``, which makes the roles'
parts, takes only a configuration that was read here.
"""

import json
from collections.abc import Collection
from pathlib import Path
from typing import NewType

from pydantic import SecretStr

from shared import start_keys
from shared.bearer_keys import METRICS_PLACE, RESULT_PLACE, resolve_bearer_key
from shared.config.luna_pass import JwtSection
from shared.config.middlewares import RequestMiddlewares
from shared.config.plugins import PluginSection, ServerResultArgs, StartTokenArgs
from shared.config.service import Config, MetricsSection
from shared.errors import ConfigError
from shared.signing import KEY_BYTES, Signer, public_key_id, resolve_signing_keys
from shared.start_keys import resolve_start_key
from shared.text_files import named_file
from shared.wire.curve import resolve_transport_keys
from shared.wire.lines import ROLES

ResolvedConfig = NewType("ResolvedConfig", Config)
"""A configuration with the contents of its key files."""


def resolve_key_files(config: Config, roles: Collection[str] = ROLES) -> ResolvedConfig:
    """Replace each ``file:PATH`` of a key that these roles use by the content of the file.

    So a later change of a file needs a reload too, and no role sees a path. A worker that is
    started by hand may run as a user that cannot read the other roles' files.

    Raises:
        ConfigError: a file cannot be read, other users have access to it, its key does not fit, or
            one key has two purposes.
    """
    jwt, request, metrics = config.LUNA_PASS.JWT, config.MIDDLEWARES.REQUEST, config.METRICS
    keys = resolve_transport_keys(config.TRANSPORT.KEYS, roles)
    if not {"gateway", "aggregator"}.isdisjoint(roles):
        jwt = resolve_signing_keys(jwt)
    if "gateway" in roles:
        request = _resolve_request_keys(request)
        if metrics.token is not None:
            token = resolve_bearer_key(metrics.token, METRICS_PLACE)
            metrics = metrics.model_copy(update={"token": token})
        _require_separate_keys(jwt, request, metrics)
    luna_pass = config.LUNA_PASS.model_copy(update={"JWT": jwt})
    middlewares = config.MIDDLEWARES.model_copy(update={"REQUEST": request})
    transport = config.TRANSPORT.model_copy(update={"KEYS": keys})
    sections = {"LUNA_PASS": luna_pass, "MIDDLEWARES": middlewares, "METRICS": metrics}
    return ResolvedConfig(config.model_copy(update={**sections, "TRANSPORT": transport}))


def secret_files(config: Config) -> list[Path]:
    """Return the files with secrets that a configuration names; public keys may be readable."""
    keys, request = config.TRANSPORT.KEYS, config.MIDDLEWARES.REQUEST
    secrets = [config.LUNA_PASS.JWT.key, *(getattr(keys, f"{role}Secret") for role in ROLES)]
    if request.StartToken.args.algorithm in KEY_BYTES:
        secrets.append(_key_of(request.StartToken))
    secrets.append(_key_of(request.ServerResult))
    secrets.append(config.METRICS.token or SecretStr(""))
    paths = (named_file(secret.get_secret_value()) for secret in secrets)
    return [path for path in paths if path is not None]


def _resolve_request_keys(request: RequestMiddlewares) -> RequestMiddlewares:
    start, result = request.StartToken, request.ServerResult
    if start.isEnabled:  # the file of a plugin that is off may not exist yet
        start = start.model_copy(update={"args": resolve_start_key(start.args)})
    if result.isEnabled and result.args.key is not None:
        key = resolve_bearer_key(result.args.key, RESULT_PLACE)
        result = result.model_copy(update={"args": result.args.model_copy(update={"key": key})})
    return request.model_copy(update={"StartToken": start, "ServerResult": result})


def _key_of(plugin: PluginSection[StartTokenArgs] | PluginSection[ServerResultArgs]) -> SecretStr:
    """Return a plugin's key; an empty one if it uses none."""
    return plugin.args.key if plugin.isEnabled and plugin.args.key else SecretStr("")


def _require_separate_keys(
    jwt: JwtSection, request: RequestMiddlewares, metrics: MetricsSection
) -> None:
    """Refuse a key with two purposes.

    With the key of verdicts, the relying party could sign verdicts, or every verdict would start a
    session. The keys of ServerResult and METRICS go over the network, so they must sign nothing.
    """
    start = _key_of(request.StartToken)
    keys = {
        "[LUNA_PASS.JWT] key": jwt.key,
        start_keys.PLACE: start,
        RESULT_PLACE: _key_of(request.ServerResult),
        METRICS_PLACE: metrics.token or SecretStr(""),
    }
    places: dict[SecretStr, str] = {}
    for place, key in keys.items():
        if key in places:
            raise _shared_key(place, places[key])
        if key.get_secret_value():
            places[key] = place
    algorithm = request.StartToken.args.algorithm
    if start.get_secret_value() and algorithm == jwt.algorithm and algorithm not in KEY_BYTES:
        published = json.loads(Signer(jwt).jwks)["keys"]
        if public_key_id(start.get_secret_value(), algorithm) in {key["kid"] for key in published}:
            raise _shared_key(start_keys.PLACE, "a public key of [LUNA_PASS.JWT]")


def _shared_key(place: str, other: str) -> ConfigError:
    return ConfigError(
        f"{place}: is the same key as {other}; allowed: a key for each purpose; make another one "
        "with: lunapass config key"
    )
