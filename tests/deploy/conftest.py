"""The image of the worker, built once from this checkout."""

import os
import sys

import pytest
from container_image import Image, build, script


@pytest.fixture(scope="session")
def image() -> Image:
    """``worker-cpu`` on a Debian base; installs what builds it if need be."""
    if sys.platform != "linux":
        pytest.skip(f"the image's test needs Linux to build on, this is {sys.platform}")
    if os.geteuid() != 0:
        pytest.skip("the image's test needs root: debootstrap makes its base")
    script("install", within_s=600)
    base = script("base", within_s=600).strip()
    return build("worker-cpu", "localhost/stemset-worker-cpu-test", base)
