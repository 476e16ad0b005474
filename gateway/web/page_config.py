"""The operator's ``page.json`` of the kiosk page, checked at the start.

The page itself could report a mistake only on the console of a screen in a hall.
"""

from typing import Any

from msgspec import UNSET, Struct, UnsetType, json

from shared.errors import ResourceError


class Logo(Struct):
    """Paths of the images, and their text for screen readers."""

    light: str = ""
    dark: str = ""
    alt: str = ""


class Font(Struct):
    """Name of the family, and paths by weight."""

    family: str
    files: dict[str, str]


class ConsentText(Struct):
    """Text that a person must accept, by language."""

    version: str | None = None
    texts: dict[str, str] = {}


class PageConfig(Struct):
    """What the page expects; it reports keys and colours that it does not know, and ignores them.

    Attributes:
        colors: by theme and name.
        texts: by language, in the form of the page's own files.
    """

    parameters: dict[str, str | int | float | bool] = {}
    colors: dict[str, dict[str, str]] = {}
    logo: Logo | UnsetType = UNSET
    font: Font | UnsetType = UNSET
    consent: ConsentText | UnsetType = UNSET
    texts: dict[str, dict[str, Any]] = {}


def check_page_config(content: bytes, consent: str | None) -> None:
    """Check the file; one without a text is accepted: the operator's own pages may show it.

    ``consent`` is the version of the text that a person must accept; None if no session needs one.

    Raises:
        ResourceError: it is not JSON, a value has the wrong type, or its text is not the version in
            ``consent``.
    """
    try:
        page = json.decode(content, type=PageConfig)
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, too deep, or a wrong type
        raise ResourceError(f"page.json of the kiosk page: {error}") from error
    if page.consent is not UNSET and page.consent.version != consent:
        raise ResourceError(
            f"page.json of the kiosk page: consent.version is {page.consent.version!r}; allowed:"
            f" the version of [MIDDLEWARES.REQUEST.Consent], which is {consent!r}; correct one of"
            " them"
        )
