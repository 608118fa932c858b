"""docs/monitoring.md and the alerts say what is so: each metric, each alert, each query."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ledger_database import LedgerDatabases
from ledger_jobs import REQUEST
from priced_attempts import RATE
from prometheus_client.parser import text_string_to_metric_families
from service_client import running_service
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.jobs import accepting, attempts, ledger, recordings
from stemset.jobs.attempts import Outcome
from stemset.jobs.recordings import Found

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
RULES = ROOT / "deploy" / "prometheus" / "alerts.yaml"
RULES_TEST = RULES.with_name("alerts_test.yaml")

# What a process imports that answers calls, without its settings.
CONSUMER = "import stemset.cli.consume"
WORKER = "import stemset.worker._http_side"
SHOW = "import sys; from stemset.metrics import exposition; sys.stdout.buffer.write(exposition())"
SERVICE = "import stemset.api._http_side"
CONFIG = """
cost: {currency: USD, local: desk, prices: {desk: {hour: 0.1, source: the meter, as_of: 2026-02}}}
profiles:
  - {name: band, source_folder: ., monthly_cap: 20}
"""
METADATA: dict[str, Any] = {
    "stems": {"vocals": {}},
    "recording": {"duration_s": 120.0},
    "timings": {"wall_s": 10.0},
}
NAME = re.compile(r"\b(?:stemset|process)_[a-z0-9_]+\b")
SELECTOR = re.compile(r"\b((?:stemset|process)_[a-z0-9_]+)\{([^}]*)\}")
SECTION = re.compile(
    r"^### (\w+)\n\n```promql\n(.*?)```\n\n(.+?)(?=^#|\Z)", re.MULTILINE | re.DOTALL
)
OF_INSTANCE = ("stemset_database_", "stemset_disk_")


@dataclass(frozen=True, order=True)
class Metric:
    """What is shown of a metric."""

    name: str
    labels: str
    type: str
    means: str


def shown(answer: str) -> dict[str, Metric]:
    """The metrics of an answer, by name."""
    found = {}
    for family in text_string_to_metric_families(answer):
        labels = {name for sample in family.samples for name in sample.labels} - {"le"}
        name = family.name + ("_total" if family.type == "counter" else "")
        found[name] = Metric(name, ", ".join(sorted(labels)), family.type, family.documentation)
    return {name: each for name, each in found.items() if not name.endswith("_created")}


def of_process(imports: str) -> dict[str, Metric]:
    """What a fresh process shows."""
    program = [sys.executable, "-c", f"{imports}; {SHOW}"]
    done = subprocess.run(program, capture_output=True, check=True, timeout=60)
    return shown(done.stdout.decode())


def rows(*header: str) -> list[list[str]]:
    """The page's table that begins so, without its header."""
    lines = PAGE.splitlines()
    start = lines.index("| " + " | ".join(header) + " |") + 2
    found = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found


@pytest.fixture(scope="module")
def consumer() -> dict[str, Metric]:
    return of_process(CONSUMER)


@pytest.fixture(scope="module")
def worker() -> dict[str, Metric]:
    return of_process(WORKER)


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, ledger_databases: LedgerDatabases
) -> dict[str, Metric]:
    """What a service shows that has split a recording and was called."""
    folder, conninfo = tmp_path_factory.mktemp("shown"), ledger_databases.migrated()
    environ = {"STEMSET_DATA_DIR": str(folder)}
    with running_service(folder, conninfo, environ=environ, config=CONFIG) as running:
        running.in_transaction(split_one)
        running.client.get("/api/jobs")
        found = shown(running.client.get("/metrics").text)
    ledger_databases.drop(conninfo)
    return {name: each for name, each in found.items() if "_worker_" not in name}


async def split_one(connection: AsyncConnection) -> None:
    found = Found(
        sha256=REQUEST.sha256,
        filename=REQUEST.filename,
        bytes=1,
        input_key=REQUEST.input_key,
        is_proven=True,
        owner="local",
    )
    await recordings.note(connection, found)
    job, _ = await accepting.accept(connection, REQUEST)
    attempt = await attempts.begin(connection, job.id, lambda n: f"{job.id}-{n}", "local", RATE)
    await attempts.touch(connection, attempt, "cpu")
    took = text("UPDATE attempts SET accepted_at = now() - interval '9 s'")
    await connection.execute(took)
    await ledger.complete(connection, job.id, attempt.folder, METADATA)
    await attempts.end(connection, attempt, Outcome.COMPLETE)


def test_page_names_every_metric_and_no_other(
    service: dict[str, Metric], consumer: dict[str, Metric], worker: dict[str, Metric]
):
    of_service = of_process(SERVICE)

    def whose(name: str) -> str:
        if name in worker:
            return "all" if name in service else "worker"
        if name in consumer:
            return "service, consumer"
        is_counted = name in of_service or name.startswith(OF_INSTANCE)
        return "service" if is_counted else "ledger"

    every = {**worker, **consumer, **service}
    wanted = [
        [f"`{each.name}`", each.labels, each.type, whose(each.name), each.means]
        for each in sorted(every.values())
    ]

    told = rows("metric", "labels", "type", "of", "means")
    if sys.platform != "linux":
        told = [row for row in told if not row[0].startswith("`process_")]
    table = "\n".join(f"| {' | '.join(row)} |" for row in wanted)
    assert told == wanted, f"docs/monitoring.md must hold this table:\n{table}"


@pytest.fixture(scope="module")
def promtool() -> str:
    """Prometheus' own judge; only Debian's package is fetched by itself."""
    found = subprocess.run(
        [ROOT / "scripts" / "promtool"], capture_output=True, text=True, check=False
    )
    if found.returncode != 0 and shutil.which("apt-get") is None:
        pytest.skip(found.stderr.strip())
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


def alerts() -> dict[str, dict[str, Any]]:
    """The alerts, by name."""
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_alerts_have_what_an_alert_must():
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]

    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["alert"].startswith("Stemset")
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"].keys() == {"summary"}
        assert re.fullmatch(r"[1-9]\d*[smh]", rule.get("for", "1m"))


@pytest.mark.parametrize("alert", alerts())
def test_alert_asks_for_metrics_that_there_are(
    alert: str,
    service: dict[str, Metric],
    consumer: dict[str, Metric],
    worker: dict[str, Metric],
):
    query = alerts()[alert]["expr"]

    assert NAME.findall(query) or alert in {"StemsetDown", "StemsetConsumerDown"}
    assert strangers(query, {**worker, **consumer, **service}) == set()


def test_page_asks_for_metrics_that_there_are(
    service: dict[str, Metric], consumer: dict[str, Metric], worker: dict[str, Metric]
):
    every = {**worker, **consumer, **service}
    queries = re.findall(r"```promql\n(.*?)```", PAGE, re.DOTALL)

    assert len(queries) > len(alerts())
    assert set().union(*(strangers(query, every) for query in queries)) == set()


def strangers(query: str, every: dict[str, Metric]) -> set[str]:
    """Metrics and labels of a query that there are not."""
    labels = {
        name + ending: {*each.labels.split(", "), "job", "instance", "le"}
        for name, each in every.items()
        for ending in (["_bucket", "_count", "_sum"] if each.type == "histogram" else [""])
    }
    names = {name for name in NAME.findall(query) if name not in labels}
    for name, selected in SELECTOR.findall(query):
        asked = set(re.findall(r"(\w+)[=!]", selected))
        names |= {f"{name}{{{each}}}" for each in asked - labels.get(name, asked)}
    if sys.platform == "linux":
        return names
    return {name for name in names if not name.startswith("process_")}


def test_page_says_of_every_alert_its_query_why_and_what_to_do():
    told = SECTION.findall(PAGE)
    known = {name: " ".join(rule["expr"].split()) for name, rule in alerts().items()}

    assert {name: " ".join(query.split()) for name, query, _ in told} == known
    for name, _, words in told:
        assert "**Do:**" in words, name
        lasts = alerts()[name].get("for")
        assert (f"for {lasts}" in words) == (lasts is not None), f"{name}: for {lasts}"
        assert alerts()[name]["labels"]["severity"] in words.splitlines()[0], name


def test_every_alert_is_tried_on_made_up_series():
    tried = set(re.findall(r'alertname="(\w+)"', RULES_TEST.read_text("utf-8")))

    assert tried == alerts().keys()


@pytest.mark.parametrize(
    "arguments", [["check", "rules", RULES.name], ["test", "rules", RULES_TEST.name]]
)
def test_alerts_are_right_to_prometheus(promtool: str, arguments: tuple[str, ...]):
    done = subprocess.run(
        [promtool, *arguments], cwd=RULES.parent, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def scrape_configuration() -> str:
    """The first YAML on the page."""
    found = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def test_scrape_jobs_of_the_page_are_those_that_alerts_name():
    jobs = {each["job_name"] for each in yaml.safe_load(scrape_configuration())["scrape_configs"]}

    assert jobs == {"stemset", "stemset-consumer", "stemset-worker"}


def test_scrape_configuration_of_the_page_is_right_to_prometheus(promtool: str, tmp_path: Path):
    (tmp_path / "prometheus.yml").write_text(scrape_configuration())
    shutil.copy(RULES, tmp_path)
    command = [promtool, "check", "config", "--syntax-only", "prometheus.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
