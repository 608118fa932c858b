from ipaddress import ip_address

import pytest

from stemset.errors import InvalidConfig
from stemset.serving.lan.addresses import lan_address, local_name


@pytest.mark.parametrize("named", ["192.168.1.5", "127.0.0.2", "fd00::5", "93.184.216.34"])
def test_address_that_was_named_is_taken_whatever_network_it_is_of(named: str):
    assert lan_address(named, own=lambda: None) == named


@pytest.mark.parametrize(
    "named", ["", "band.local", "192.168.1", "192.168.1.5:8443", "[fd00::5]", "https://10.0.0.1"]
)
def test_address_that_is_none_is_refused_with_an_example(named: str):
    with pytest.raises(InvalidConfig, match=r"is no IP address.*--lan-address 192\.168\.1\.5"):
        lan_address(named)


@pytest.mark.parametrize("named", ["0.0.0.0", "::", "224.0.0.251", "ff02::fb", "fe80::1%eth0"])  # noqa: S104 - refused
def test_address_of_more_than_one_interface_is_refused(named: str):
    with pytest.raises(InvalidConfig, match="not the address of one interface"):
        lan_address(named)


@pytest.mark.parametrize("own", ["192.168.1.5", "10.1.2.3", "172.20.0.9", "100.64.0.7"])
def test_address_that_this_machine_has_in_a_local_network_is_found(own: str):
    assert lan_address(None, own=lambda: own) == own


def test_address_on_the_internet_is_not_opened_unless_it_was_named():
    with pytest.raises(InvalidConfig, match=r"93\.184\.216\.34 is one of the internet"):
        lan_address(None, own=lambda: "93.184.216.34")


def test_machine_in_no_network_is_told_to_name_an_address():
    with pytest.raises(InvalidConfig, match=r"in no network.*--lan-address"):
        lan_address(None, own=lambda: None)


def test_address_of_this_machine_is_one_that_others_can_reach():
    try:
        found = ip_address(lan_address(None))
    except InvalidConfig:
        pytest.skip("this machine is in no local network")
    assert not found.is_loopback
    assert not found.is_unspecified


@pytest.mark.parametrize(
    ("hostname", "name"),
    [
        ("laptop", "laptop.local"),
        ("Annas-MacBook.fritz.box", "annas-macbook.local"),
        ("laptop.local", "laptop.local"),
        ("my_laptop", None),
        ("-laptop", None),
        ("", None),
    ],
)
def test_name_is_the_hosts_first_label_in_local(hostname: str, name: str | None):
    assert local_name(hostname) == name
