"""The page over HTTP: files read at start-up, served with the correct headers, and nothing else."""

from __future__ import annotations

import gzip
from http import HTTPStatus
from pathlib import Path

import pytest
from websockets.http11 import Response

from gateway.web.http import Routes
from gateway.web.static_files import add_routes, read
from shared.config.service import KioskSection
from shared.errors import ResourceError
from tests.support.visits import visit

SCRIPT = b"export const answer = 42;\n" * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small page, with files beside it that must not be served."""
    page = tmp_path / "page"
    (page / "texts").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html><title>x</title>")
    (page / "status.html").write_text("<!doctype html><title>y</title>")
    (page / "page.js").write_bytes(SCRIPT)
    (page / "texts" / "en.json").write_text("{}")
    (page / "page.js.map").write_text("{}")
    (page / ".secret.json").write_text("{}")
    (tmp_path / "key.json").write_text("{}")
    (page / "link.json").symlink_to(tmp_path / "key.json")
    (page / "disguised.json").symlink_to(".secret.json")
    (page / "loop.json").symlink_to("loop.json")
    return page


def get(folder: Path, path: str, *, local: bool = False, **headers: str) -> Response:
    routes = Routes()
    add_routes(routes, KioskSection(directory=str(folder)))
    return routes.answer(visit(path, peer="127.0.0.1" if local else "192.0.2.9", **headers))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/texts/en.json", "application/json"),
        ("/page.js?v=2", "text/javascript; charset=utf-8"),
    ],
)
def test_a_file_has_its_type_and_the_security_headers(folder: Path, path: str, kind: str) -> None:
    """Type, nosniff, a strict policy, the camera for the page only."""
    response = get(folder, path)
    assert response.status_code == HTTPStatus.OK
    assert response.headers["Content-Type"] == kind
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "camera=(self)" in response.headers["Permissions-Policy"]
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy


@pytest.mark.parametrize(
    "path",
    [
        "/texts",
        "/texts/",
        "/page.js.map",
        "/.secret.json",
        "/link.json",
        "/disguised.json",
        "/loop.json",
        "/../key.json",
        "/texts/../../key.json",
        "/%2e%2e/key.json",
        "/texts/..%2f..%2fkey.json",
        "//page.js",
        "/page.js/",
        "/index.html%00",
        "page.js",
        "",
    ],
)
def test_nothing_else_exists(folder: Path, path: str) -> None:
    """There is no listing and no path out of the folder.

    Absent are hidden and unknown files, and links to hidden files or out of the folder.
    """
    assert get(folder, path).status_code == HTTPStatus.NOT_FOUND


def test_a_file_added_later_is_not_served(folder: Path) -> None:
    """The disk is read only at start-up."""
    routes = Routes()
    add_routes(routes, KioskSection(directory=str(folder)))
    (folder / "late.js").write_text("1")
    (folder / "page.js").unlink()
    assert routes.answer(visit("/late.js")).status_code == HTTPStatus.NOT_FOUND
    assert routes.answer(visit("/page.js")).body == SCRIPT


def test_a_known_file_is_not_sent_again(folder: Path) -> None:
    """Its tag, strong or weak, gives 304; another tag gives the file."""
    tag = get(folder, "/page.js").headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = get(folder, "/page.js", If_None_Match=known)
        assert (again.status_code, again.body) == (HTTPStatus.NOT_MODIFIED, b"")
        assert again.headers["ETag"] == tag
    assert get(folder, "/page.js", If_None_Match='"other"').body == SCRIPT


def test_changed_content_has_a_new_tag(folder: Path) -> None:
    """After a change and a restart the old tag no longer matches."""
    tag = get(folder, "/page.js").headers["ETag"]
    (folder / "page.js").write_bytes(SCRIPT + b"//")
    assert get(folder, "/page.js", If_None_Match=tag).status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    ("offered", "packed"),
    [("gzip, br", True), ("br;q=1, GZIP ; q=0.5", True), ("gzip;q=0", False), ("br", False)],
)
def test_clients_that_accept_gzip_get_it(folder: Path, offered: str, packed: bool) -> None:
    """The compressed body has the same content and another tag."""
    response = get(folder, "/page.js", Accept_Encoding=offered)
    assert (response.headers.get("Content-Encoding") == "gzip") is packed
    assert (gzip.decompress(response.body) if packed else response.body) == SCRIPT
    assert response.headers["Content-Length"] == str(len(response.body))
    assert response.headers["Vary"] == "Accept-Encoding"
    assert (response.headers["ETag"] != get(folder, "/page.js").headers["ETag"]) is packed


def test_the_operators_page_is_private(folder: Path) -> None:
    """It is served only to this machine, at one path."""
    assert get(folder, "/status").status_code == HTTPStatus.FORBIDDEN
    assert get(folder, "/status", local=True).status_code == HTTPStatus.OK
    assert get(folder, "/status.html", local=True).status_code == HTTPStatus.NOT_FOUND


def test_a_folder_without_a_page_is_an_error(tmp_path: Path) -> None:
    """It occurs at start-up, and says what to do."""
    with pytest.raises(ResourceError, match=r"no index\.html.*KIOSK\.isEnabled"):
        read(KioskSection(directory=str(tmp_path)))
    with pytest.raises(ResourceError, match=r"KIOSK\.directory .*missing: not a folder"):
        read(KioskSection(directory=str(tmp_path / "missing")))


def test_the_installed_page_is_complete() -> None:
    """The package has the page, its script and both classic scripts."""
    assert {"/index.html", "/page.js", "/page.css", "/LunaPass.js", "/LPMessageRenderer.js"} < set(
        read(KioskSection())
    )


def test_branding_files_take_precedence(folder: Path, tmp_path: Path) -> None:
    """A logo, a font and page.json are added; the page itself stays."""
    own = tmp_path / "own"
    own.mkdir()
    for name, content in (("page.json", '{"logo": {}}'), ("logo.svg", "<svg/>"), ("a.woff2", "x")):
        (own / name).write_text(content)
    (folder / "page.json").write_text("{}")
    files = read(KioskSection(directory=str(folder), branding=str(own)))
    assert files["/page.json"].body == b'{"logo": {}}'
    assert files["/logo.svg"].content_type == "image/svg+xml"
    assert files["/a.woff2"].content_type == "font/woff2"
    assert files["/page.js"].body == SCRIPT


def test_a_config_map_can_be_the_branding_folder(folder: Path, tmp_path: Path) -> None:
    """Kubernetes mounts its files as links to links into a hidden folder."""
    mounted = tmp_path / "mounted"
    (mounted / "..2026_11_29").mkdir(parents=True)
    (mounted / "..2026_11_29" / "logo.svg").write_text("<svg/>")
    (mounted / "..data").symlink_to("..2026_11_29")
    (mounted / "logo.svg").symlink_to("..data/logo.svg")
    files = read(KioskSection(directory=str(folder), branding=str(mounted)))
    assert files["/logo.svg"].body == b"<svg/>"
    assert not [path for path in files if "data" in path or "2026" in path]


def test_an_invalid_page_json_prevents_the_start(folder: Path) -> None:
    """It may be the page's own or the operator's."""
    (folder / "page.json").write_text('{"logo": null}')
    with pytest.raises(ResourceError, match=r"page\.json"):
        read(KioskSection(directory=str(folder)))


def test_a_branding_folder_must_exist(tmp_path: Path) -> None:
    """A typing error must not lead to the default branding."""
    with pytest.raises(ResourceError, match=r"KIOSK\.branding .*missing: not a folder"):
        read(KioskSection(branding=str(tmp_path / "missing")))
