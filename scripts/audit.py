"""Asks whether a package that Stemset is built or run with has a known vulnerability.

``make audit``; the packages are those that ``requirements/*.txt`` and ``web/package-lock.json``
pin. pip-audit asks for Python's, npm for the page's. Each vulnerability is named with its advisory
and, if there is one, the version that mends it, and the exit status is 1.

An advisory service that does not answer is said so, and passes: nobody could build offline else.
``audit.toml`` holds the advisories that are accepted, each with a reason and its last day.
"""

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCKS = ("run", "web", "dev", "torch", "gpu")
ACCEPTED = Path(__file__).with_name("audit.toml")

_BIN = Path(sys.executable).parent
_WITHIN_S = 120.0
_ONE_ANSWER_WITHIN_S = 10


class NoAnswer(Exception):
    """An advisory service did not answer, or not in its own words."""


@dataclass(frozen=True)
class Vulnerability:
    """A package that has one.

    Attributes:
        package: Its name.
        version: Its pinned version.
        ids: All names of the advisory.
        mended: Which version to take instead, in words.
    """

    package: str
    version: str
    ids: tuple[str, ...]
    mended: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}: {', '.join(self.ids)}; {self.mended}"


@dataclass(frozen=True)
class Accepted:
    """An advisory that is lived with until a day."""

    id: str
    package: str
    reason: str
    until: date


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, and say what there is; gives the exit status."""
    wanted = _arguments(arguments)
    written = tomllib.loads(wanted.accepted.read_text())
    accepted = [Accepted(**each) for each in written.get("accepted", ())]
    today = datetime.now(UTC).date()
    over = [each for each in accepted if each.until < today]
    for each in over:
        print(f"audit: {each.id} of {each.package} was accepted until {each.until}: {each.reason}")
    asked = {
        "Python": lambda: python_packages(wanted.osv_url, wanted.within),
        "page": lambda: page_packages(wanted.npm_registry, wanted.within),
    }
    found: list[Vulnerability] = []
    with ThreadPoolExecutor() as threads:
        answers = {name: threads.submit(ask) for name, ask in asked.items()}
        for name, answer in answers.items():
            try:
                vulnerable = answer.result()
            except NoAnswer as error:
                print(f"audit: {name} packages SKIPPED: their advisory service {error}")
            else:
                left = [each for each in vulnerable if not _is_accepted(each, accepted)]
                print(f"audit: {name} packages: {len(left) or 'no'} known vulnerabilities")
                found += left
    for each in found:
        print(f"audit: {each}")
    return 1 if found or over else 0


def python_packages(osv_url: str | None, within_s: float) -> list[Vulnerability]:
    """What the pinned Python packages have. Raises NoAnswer."""
    locks = [part for name in LOCKS for part in ("-r", ROOT / "requirements" / f"{name}.txt")]
    answer = _json_of(
        [
            *(_BIN / "pip-audit", "--disable-pip", "--require-hashes", "--format", "json"),
            *("--progress-spinner", "off", "--timeout", str(_ONE_ANSWER_WITHIN_S)),
            # PyPI's own service passes over what it does not know; this one knows the same.
            *("--vulnerability-service", "osv"),
            *(("--osv-url", osv_url) if osv_url else ()),
            *locks,
        ],
        "dependencies",
        within_s,
    )
    return [
        Vulnerability(
            package["name"],
            package["version"],
            tuple(sorted({each["id"], *each["aliases"]})),
            f"mended in {', '.join(each['fix_versions'])}"
            if each["fix_versions"]
            else "no version mends it",
        )
        for package in answer["dependencies"]
        for each in package.get("vulns", ())
    ]


def page_packages(registry: str | None, within_s: float) -> list[Vulnerability]:
    """What the pinned packages of the page have. Raises NoAnswer."""
    answer = _json_of(
        [
            *(
                ROOT / "scripts" / "npm",
                "audit",
                "--json",
                "--package-lock-only",
                "--logs-max",
                "0",
            ),
            *("--fetch-retries", "0", "--fetch-timeout", str(_ONE_ANSWER_WITHIN_S * 1000)),
            *(("--registry", registry) if registry else ()),
        ],
        "vulnerabilities",
        within_s,
    )
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text())["packages"]
    return list(dict.fromkeys(_of_page(answer["vulnerabilities"], lock)))


def _of_page(packages: dict[str, Any], lock: dict[str, Any]) -> Iterator[Vulnerability]:
    """Each advisory at the package that it is about; npm also names who depends on that."""
    for package in packages.values():
        for each in package["via"]:
            if isinstance(each, dict):
                for node in package["nodes"]:
                    advisory = each["url"].rpartition("/")[2]
                    mended = f"versions {each['range']} have it"
                    yield Vulnerability(each["name"], lock[node]["version"], (advisory,), mended)


def _json_of(command: Sequence[str | Path], key: str, within_s: float) -> dict[str, Any]:
    """What a program prints. Raises NoAnswer if it has no answer to print."""
    try:
        ran = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=within_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NoAnswer(f"does not answer within {within_s:g} s") from error
    try:
        answer = json.loads(ran.stdout)
    except json.JSONDecodeError:
        answer = {}
    if key not in answer:
        said = (
            answer.get("message")
            or answer.get("error", {}).get("summary")
            or (ran.stderr.strip().splitlines() or ["nothing"])[-1]
        )
        raise NoAnswer(f"does not answer: {said}")
    return answer


def _is_accepted(found: Vulnerability, accepted: Sequence[Accepted]) -> bool:
    return any(each.id in found.ids and each.package == found.package for each in accepted)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--accepted", type=Path, default=ACCEPTED, help="advisories lived with")
    parser.add_argument("--osv-url", help="where to ask for Python packages")
    parser.add_argument("--npm-registry", help="where to ask for packages of the page")
    parser.add_argument("--within", type=float, default=_WITHIN_S, help="seconds to wait for each")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
