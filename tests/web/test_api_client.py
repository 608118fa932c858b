"""What the page knows of the API is what the API says of itself."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from page_build import WEB, npm

WRITE_ANEW = "write it anew with `make api`"
CLIENT = Path("src/api/schema.d.ts")


def test_document_of_the_page_is_the_services():
    printed = subprocess.run(
        [sys.executable, "-m", "stemset.api.openapi"], capture_output=True, text=True, check=True
    )

    assert (WEB / "openapi.json").read_text("utf-8") == printed.stdout, WRITE_ANEW


@pytest.mark.usefixtures("built_page")
def test_client_of_the_page_is_made_from_its_document(tmp_path: Path):
    for name in ("package.json", "openapi.json"):
        shutil.copy(WEB / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(WEB / "node_modules")
    (tmp_path / CLIENT).parent.mkdir(parents=True)

    npm("--prefix", str(tmp_path), "run", "api")

    assert (WEB / CLIENT).read_text("utf-8") == (tmp_path / CLIENT).read_text("utf-8"), WRITE_ANEW
