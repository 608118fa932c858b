"""The stretching that exports and the player have in common."""

import re
from base64 import b64decode
from pathlib import Path

from page_build import WEB

from stemset.audio._stretch import MODULE

GLUE = WEB / "node_modules" / "signalsmith-stretch" / "SignalsmithStretch.mjs"


def test_module_of_exports_is_the_one_that_the_page_has(built_page: Path):
    assert (built_page / "index.html").exists()
    found = re.search(
        r"data:application/octet-stream;base64,([A-Za-z0-9+/=]+)", GLUE.read_text("utf-8")
    )

    assert found is not None
    assert MODULE.read_bytes() == b64decode(found[1])
