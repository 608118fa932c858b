"""The images, built once from this checkout; what they do not share is built when it is wanted."""

import os
import sys
from collections.abc import Iterator

import pytest
from container_image import Image, build, script
from password_database import PasswordDatabase, running_database


@pytest.fixture(scope="session")
def base() -> str:
    """A Debian base; installs what builds on it if need be."""
    if sys.platform != "linux":
        pytest.skip(f"the images' tests need Linux to build on, this is {sys.platform}")
    if os.geteuid() != 0:
        pytest.skip("the images' tests need root: debootstrap makes their base")
    script("install", within_s=600)
    return script("base", within_s=600).strip()


@pytest.fixture(scope="session")
def image(base: str) -> Image:
    """``worker-cpu``."""
    return build("worker-cpu", "localhost/stemset-worker-cpu-test", base)


@pytest.fixture(scope="session")
def api_image(base: str) -> Image:
    """``api``."""
    return build("api", "localhost/stemset-api-test", base)


@pytest.fixture(scope="session")
def consumer_image(image: Image, api_image: Image, base: str) -> Image:
    """``consumer-cpu``: what it is made of is there by then."""
    del image, api_image
    return build("consumer-cpu", "localhost/stemset-consumer-cpu-test", base)


@pytest.fixture(scope="session")
def database() -> Iterator[PasswordDatabase]:
    """A PostgreSQL server as others run one: on TCP, with a password."""
    with running_database() as database:
        yield database
