import socket
from contextlib import closing

import pytest

from stemset.errors import AddressInUse, InvalidConfig
from stemset.serving.listening import listen_on, url_of


def test_listening_on_port_0_takes_a_free_one_and_says_which():
    with listen_on("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]

        assert port > 0
        assert url_of(listener) == f"http://127.0.0.1:{port}"
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass  # taken before anybody serves


def test_listening_on_ipv6_gives_a_url_with_brackets():
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        listener = listen_on("::1", 0)
    except InvalidConfig:
        pytest.skip("no IPv6 loopback here")
    with listener:
        assert url_of(listener) == f"http://[::1]:{listener.getsockname()[1]}"


def test_listening_on_a_taken_port_is_refused_with_the_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(AddressInUse, match=str(port)):
            listen_on("127.0.0.1", port)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_listening_on_no_address_of_this_machine_is_refused(host: str):
    with pytest.raises(InvalidConfig, match=host):
        listen_on(host, 0)
