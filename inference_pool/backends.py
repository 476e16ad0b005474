"""Which backend a configuration names, and how it is made."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import cast

from shared.config.service import ChecksSection, Config
from shared.errors import StartupError
from shared.frame.estimation import Backend

_BUILT_IN = {
    "onnx": "inference_pool.onnx.backend:OnnxBackend",
    "lunasdk": "inference_pool.lunasdk.backend:LunaSdkBackend",
    "oip": "inference_pool.oip.models:load",
}
_EXTRA = {_BUILT_IN["oip"]: "; install the extra: pip install 'open-lunapass[oip]'"}


def load_backend(config: Config) -> Backend:
    """Make the backend that ``WORKERS.backend`` names.

    Args:
        config: the configuration; a class with a ``from_config`` is made by that, anything else
            by calling it, with the whole configuration either way.

    Returns:
        The backend, with its models loaded.

    Raises:
        StartupError: the name is unknown, the class cannot be imported, or it cannot start.
    """
    name = config.WORKERS.backend
    backend_class = _find(_BUILT_IN.get(name, name))
    make = getattr(backend_class, "from_config", backend_class)
    return cast(Callable[[Config], Backend], make)(config)


def with_checks(backend: Backend, checks: ChecksSection) -> Backend:
    """Let a backend follow ``[CHECKS]`` after a reload.

    Args:
        backend: the backend; one that reads ``[CHECKS]`` has a method ``with_checks`` that answers
            a backend with the same models and the other settings.
        checks: the settings.

    Returns:
        That backend, or the same one where it has no such method.
    """
    follow = getattr(backend, "with_checks", None)
    return backend if follow is None else cast(Backend, follow(checks))


def _find(spelled: str) -> object:
    """Import ``package.module:Class``."""
    module_name, colon, class_name = spelled.partition(":")
    if not (module_name and colon and class_name):
        raise StartupError(
            f"WORKERS.backend: found {spelled!r}; allowed are 'onnx', 'lunasdk', 'oip'"
            " or 'package.module:Class'"
        )
    try:
        return getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        hint = _EXTRA.get(spelled, "")
        raise StartupError(f"WORKERS.backend: cannot load {spelled!r}: {error}{hint}") from error
