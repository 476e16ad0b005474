"""The documentation builds without broken links and loads nothing from other hosts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import lunapass.plugins
import lunapass_client.api

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocstrings", reason="mkdocstrings-python (extra docs) is not installed")
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_every_file_becomes_a_page(site: Path) -> None:
    """The strict build refuses broken links."""
    texts = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert texts <= {path.stem for path in site.glob("*.html")}


def test_every_page_is_in_the_navigation_once() -> None:
    """It is in one of the sections, which are named after the reader's goal."""
    named = re.findall(r"^      - [^:]+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    assert sorted(named) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def test_no_page_shows_the_source_of_a_diagram(site: Path) -> None:
    """Diagrams are images, because pages load no script from another host to draw them."""
    for page in site.glob("*.html"):
        text = page.read_text()
        assert "stateDiagram" not in text
        assert "mermaid" not in text


def test_pages_load_nothing_from_other_hosts(site: Path) -> None:
    """No script, style, font or image comes from another host."""
    foreign = re.compile(r'<(?:script|img|iframe)[^>]+src="https?://|<link[^>]+stylesheet[^>]+http')
    for page in site.glob("*.html"):
        assert not foreign.search(page.read_text()), page.name


def test_the_integration_guide_shows_the_tested_examples(site: Path) -> None:
    """The page includes the tested programs."""
    text = (site / "integration.html").read_text()
    assert "timingSafeEqual" in text
    assert "PyJWKClient" in text
    assert "ed25519" in text


@pytest.mark.parametrize(
    ("page", "module", "described_elsewhere"),
    [
        ("api-client", lunapass_client.api, set()),
        ("api-plugins", lunapass.plugins, {"Code", "Config"}),
    ],
)
def test_every_public_name_is_described(
    site: Path, page: str, module: ModuleType, described_elsewhere: set[str]
) -> None:
    """The page has the docstring of each name that programs and plugins import."""
    text = (site / f"{page}.html").read_text()
    described = set(re.findall(rf'id="{re.escape(module.__name__)}\.(\w+)"', text))
    assert described == set(module.__all__) - described_elsewhere


def test_images_are_small(site: Path) -> None:
    """The first page and the README show both, and load fast."""
    limits = {"screens.webp": 150_000, "check.webp": 600_000}
    for name, limit in limits.items():
        assert 10_000 < (site / "pictures" / name).stat().st_size < limit
        assert f'src="pictures/{name}"' in (site / "index.html").read_text()
        assert f"docs/pictures/{name}" in (ROOT / "README.md").read_text()
