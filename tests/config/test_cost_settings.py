"""Prices and monthly limits of ``config.yaml``."""

from pathlib import Path

import pytest

from stemset.config import Settings, load_settings
from stemset.dispatch.cost import Rate
from stemset.errors import InvalidConfig

PRICE = {"hour": "0.8", "source": "the list", "as_of": "2026-02"}


def settings_of(folder: Path, text: str) -> Settings:
    file = folder / "config.yaml"
    file.write_text(text)
    return load_settings(file, {})


def cost(more: str = "worker: l4", currency: str = "USD", **price: str) -> str:
    """A section with one price, of a machine named ``l4``."""
    written = ", ".join(f"{name}: {value}" for name, value in {**PRICE, **price}.items())
    return f"cost: {{currency: {currency}, {more}, prices: {{l4: {{{written}}}}}}}\n"


def profile(text: str) -> str:
    return f"profiles: [{{name: band, source_folder: ., {text}}}]\n"


def test_cost_not_said_is_not_known(tmp_path: Path):
    settings = settings_of(tmp_path, profile("remote: true"))

    assert (settings.worker_rate, settings.local_rate) == (None, None)
    assert settings.monthly_caps == {}


def test_worker_that_costs_idles_and_a_machine_of_ones_own_does_not(tmp_path: Path):
    settings = settings_of(tmp_path, cost("worker: l4, local: l4, idle_s: 60"))

    assert settings.worker_rate == Rate("l4", 0.8, "USD", 60.0, "the list", "2026-02")
    assert settings.local_rate == Rate("l4", 0.8, "USD", 0.0, "the list", "2026-02")


def test_idle_period_not_said_is_five_minutes(tmp_path: Path):
    rate = settings_of(tmp_path, cost()).worker_rate

    assert rate is not None
    assert rate.idle_s == 300


@pytest.mark.parametrize("written", ["2026-02", "2026-02-28", "'2026-02-28'"])
def test_date_is_kept_as_it_is_written_whatever_yaml_takes_it_for(tmp_path: Path, written: str):
    rate = settings_of(tmp_path, cost(as_of=written)).worker_rate

    assert rate is not None
    assert rate.as_of == written.strip("'")


@pytest.mark.parametrize(
    "written", ["soon", "2026", "2026-2", "2026-13", "02/2026", "2026-02-32", "2026-02-30"]
)
def test_date_that_is_none_is_refused_by_value(tmp_path: Path, written: str):
    with pytest.raises(InvalidConfig, match=rf"cost\.prices\.l4\.as_of: .*\(got '?{written}"):
        settings_of(tmp_path, cost(as_of=written))


@pytest.mark.parametrize("written", ["0", "-1.5", ".inf", ".nan", "cheap"])
def test_price_that_is_none_is_refused_by_value(tmp_path: Path, written: str):
    said = rf"cost\.prices\.l4\.hour: .*\(got .*{written.strip('.')}"
    with pytest.raises(InvalidConfig, match=said):
        settings_of(tmp_path, cost(hour=written))


@pytest.mark.parametrize("written", ["usd", "US", "DOLLARS", "€"])
def test_currency_that_is_none_is_refused_by_value(tmp_path: Path, written: str):
    with pytest.raises(InvalidConfig, match=rf"cost\.currency: .*\(got '{written}'\)"):
        settings_of(tmp_path, cost(currency=written))


@pytest.mark.parametrize("written", ["-1", ".inf", "long"])
def test_idle_period_that_is_none_is_refused_by_value(tmp_path: Path, written: str):
    said = rf"cost\.idle_s: .*\(got .*{written.strip('.')}"
    with pytest.raises(InvalidConfig, match=said):
        settings_of(tmp_path, cost(f"worker: l4, idle_s: {written}"))


@pytest.mark.parametrize("place", ["worker", "local"])
def test_machine_without_a_price_is_refused_with_those_that_have_one(tmp_path: Path, place: str):
    said = rf"cost: .*{place} is 'h100', which has no price\. There are prices for: l4"
    with pytest.raises(InvalidConfig, match=said):
        settings_of(tmp_path, cost(f"{place}: h100"))


def test_folder_named_like_a_date_is_a_name(tmp_path: Path):
    text = "profiles: [{name: band, source_folder: 2026-02-30}]"

    assert settings_of(tmp_path, text).profiles["band"].source_folder == Path("2026-02-30")


def test_price_whose_source_is_not_said_is_refused(tmp_path: Path):
    with pytest.raises(InvalidConfig, match=r"cost\.prices\.l4\.source: .*\(got ''\)"):
        settings_of(tmp_path, cost(source="''"))


def test_setting_that_does_not_exist_is_refused_by_name(tmp_path: Path):
    with pytest.raises(InvalidConfig, match=r"cost\.prices\.l4\.minute: .*\(got 3\)"):
        settings_of(tmp_path, cost(minute="3"))


def test_monthly_caps_are_those_of_profiles_that_have_one(tmp_path: Path):
    band, desk = "name: band, remote: true, monthly_cap: 20", "name: desk"
    text = f"profiles: [{{{band}, source_folder: .}}, {{{desk}, source_folder: .}}]"

    assert settings_of(tmp_path, cost() + text).monthly_caps == {"band": 20.0}


@pytest.mark.parametrize("written", ["0", "-5", ".inf", "lots"])
def test_monthly_cap_that_is_none_is_refused_by_value(tmp_path: Path, written: str):
    said = rf"profiles\.0\.monthly_cap: .*\(got .*{written.strip('.')}"
    with pytest.raises(InvalidConfig, match=said):
        settings_of(tmp_path, cost() + profile(f"remote: true, monthly_cap: {written}"))


@pytest.mark.parametrize(
    ("section", "remote", "place"),
    [
        pytest.param("", "true", "worker", id="no-section"),
        pytest.param(cost("local: l4"), "true", "worker", id="remote-and-only-local-is-priced"),
        pytest.param(cost("worker: l4"), "false", "local", id="local-and-only-worker-is-priced"),
    ],
)
def test_monthly_cap_on_what_has_no_price_is_refused_by_name(
    tmp_path: Path, section: str, remote: str, place: str
):
    said = rf"profiles\.band: monthly_cap is 20, .* set cost\.{place}"
    with pytest.raises(InvalidConfig, match=said):
        settings_of(tmp_path, section + profile(f"remote: {remote}, monthly_cap: 20"))
