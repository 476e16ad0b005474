"""Loading of the backend that the configuration names."""

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
_EXTRA = {_BUILT_IN["oip"]: "; install the extra open-lunapass[oip]"}


def load_backend(config: Config) -> Backend:
    """Create the backend that ``WORKERS.backend`` names.

    The configuration is passed to the class's ``from_config`` if it has one, else to the class
    itself.

    Raises:
        StartupError: the name is unknown, or the class cannot be imported or created.
    """
    name = config.WORKERS.backend
    backend_class = _find(_BUILT_IN.get(name, name))
    make = getattr(backend_class, "from_config", backend_class)
    return cast(Callable[[Config], Backend], make)(config)


def with_checks(backend: Backend, checks: ChecksSection) -> Backend:
    """Apply ``[CHECKS]`` settings to a backend, after a reload.

    If the backend reads ``[CHECKS]``, its method ``with_checks`` returns a backend with the same
    models and the new settings.
    """
    apply = getattr(backend, "with_checks", None)
    return backend if apply is None else cast(Backend, apply(checks))


def _find(spelled: str) -> object:
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
