"""Python client of the service: asynchronous (``Client``) and synchronous (``SyncClient``)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lunapass_client.api import *  # noqa: F403

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Return a public name.

    The clients are imported when they are used: a worker needs only ``lunapass_client.codes``, and
    websockets would add 12 MB to each.
    """
    import lunapass_client.api as public

    if name in public.__all__:
        return getattr(public, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
