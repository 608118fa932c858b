"""Where buildah keeps images: what a build and `clean` take from it while it is used."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from container_image import SCRIPT

pytestmark = pytest.mark.slow

NAME = "localhost/stemset-store-test"
DOCKERFILE = """
ARG BASE
FROM ${BASE} AS builder
RUN echo made > /made
FROM ${BASE} AS worker-cpu
ARG BASE
LABEL org.opencontainers.image.base.name="${BASE}"
COPY --from=builder /made /made
"""
READS_ITS_FILES = """
import time
while True:
    print(open("/made").read(), flush=True)
    time.sleep(0.01)
"""
# Counts, and complains of a file that was removed while it did.
COMPLAINING_DU = """#!/bin/sh
{du} "$@"
exit 1
"""
# Builds wait for one another, those of other checkouts too.
WAIT_FOR_TURN_S = 900.0
WAIT_S = 20.0


class Checkout:
    """A folder with the script and a small Dockerfile, and so with a store of its own."""

    def __init__(self, folder: Path, base: str) -> None:
        self.script = folder / "scripts" / "image"
        self.script.parent.mkdir()
        shutil.copy(SCRIPT, self.script)
        self.dockerfile = folder / "Dockerfile"
        self.dockerfile.write_text(DOCKERFILE)
        self.store = folder / "build" / "image"
        self._base = base
        self._log = folder / "log"
        self.call("base")

    def call(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.script, *words],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=WAIT_FOR_TURN_S,
            check=False,
        )

    def build(self, **environment: str) -> str:
        """Build the image; gives what was said of it."""
        built = self.call("build", "worker-cpu", "--tag", NAME, "--base", self._base, **environment)
        assert built.returncode == 0, built.stderr
        return built.stderr

    def makes(self, text: str) -> None:
        """Have the next build make another image."""
        self.dockerfile.write_text(DOCKERFILE.replace("echo made", f"echo {text}"))

    def nameless(self) -> int:
        """Count the images that no name holds."""
        return self._buildah("images", "--all").count("<none>")

    def containers(self) -> int:
        return len(self._buildah("containers", "--quiet").split())

    @contextmanager
    def running(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Run something that reads a file of the image again and again."""
        words = ("run", NAME, "--entrypoint", "python3", "--", "-c", READS_ITS_FILES)
        with self._log.open("wb") as log:
            process = subprocess.Popen([self.script, *words], stdout=log, stderr=log)
            try:
                self.wait_read()
                yield process
            finally:
                process.terminate()
                process.wait(WAIT_S)

    def wait_read(self) -> None:
        """Wait until what runs has read its file again; fails if it never does."""
        read = self._log.stat().st_size
        limit = time.monotonic() + WAIT_S
        while self._log.stat().st_size < read + len("made\n"):
            assert time.monotonic() < limit, self._log.read_text()[-2000:]
            time.sleep(0.01)
        assert "Error" not in self._log.read_text()

    def _buildah(self, *words: str) -> str:
        folders = ("--root", self.store / "storage", "--runroot", self.store / "run")
        done = subprocess.run(
            ["buildah", *folders, *words], capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout


@pytest.fixture(scope="module")
def checkout(base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    made = Checkout(tmp_path_factory.mktemp("checkout"), base)
    if not made.store.exists():
        pytest.skip("docker and podman, one of which works here, keep their images themselves")
    made.build()
    yield made
    cleaned = made.call("clean")
    assert cleaned.returncode == 0, cleaned.stderr
    assert not made.store.exists()


def test_build_in_a_full_store_leaves_what_runs_and_what_has_a_name(checkout: Checkout):
    before = checkout.nameless()
    with checkout.running():
        checkout.makes("second")

        said = checkout.build(STEMSET_IMAGE_STORE_MB="0")

        checkout.wait_read()
        assert "removing what earlier builds left" in said
        assert "Containers of this checkout are running." in said
        # Now the image that runs has lost its name.
        assert "Some of it is in use, and stays." in checkout.build(STEMSET_IMAGE_STORE_MB="0")
        checkout.wait_read()
    assert before
    assert checkout.call("inspect", NAME).returncode == 0


def test_build_in_a_full_store_removes_what_builds_and_killed_runs_left(checkout: Checkout):
    with checkout.running() as process:
        children = subprocess.run(
            ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
        ).stdout.split()
        process.kill()
        process.wait()
        assert checkout.containers() == 1
        checkout.build(STEMSET_IMAGE_STORE_MB="0")
        assert checkout.containers() == 1, "its program runs on"
        for child in children:
            subprocess.run(["pkill", "-KILL", "-P", child], check=True)
    checkout.makes("third")
    checkout.build()
    of_two_builds = checkout.nameless()

    checkout.build(STEMSET_IMAGE_STORE_MB="0")

    assert checkout.containers() == 0
    assert checkout.nameless() < of_two_builds


def test_store_that_du_cannot_count_in_peace_is_not_full(checkout: Checkout, tmp_path: Path):
    commands = tmp_path / "commands"
    commands.mkdir()
    du = commands / "du"
    du.write_text(COMPLAINING_DU.format(du=shutil.which("du")))
    du.chmod(0o755)

    said = checkout.build(PATH=f"{commands}:{os.environ['PATH']}")

    assert "removing" not in said
    assert "integer" not in said


def test_clean_is_refused_while_a_container_runs(checkout: Checkout):
    with checkout.running():
        refused = checkout.call("clean")

        checkout.wait_read()
    assert refused.returncode == 1
    assert refused.stderr == "Containers of this checkout are running.\n"
