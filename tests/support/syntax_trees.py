"""The syntax trees of the product, for tests of its structure."""

import ast

from tests.support.service import ROOT

Trees = dict[str, ast.Module]
"""Trees by module name."""
PACKAGES = {
    "aggregator", "deploy", "evaluation", "gateway", "inference_pool", "loadtest", "lunapass",
    "lunapass_client", "shared", "video_builder",
}  # fmt: skip


def product_trees() -> Trees:
    """Parse every module of the product."""
    files = [
        file for package in sorted(PACKAGES) for file in sorted((ROOT / package).rglob("*.py"))
    ]
    assert len(files) > 200
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    return {
        name.removesuffix(".__init__"): ast.parse(file.read_text())
        for name, file in zip(names, files, strict=True)
    }
