"""The server answers to its own names alone, and knows whether others can reach it."""

from collections.abc import Callable, Iterator

import pytest
from streamlit import config

from dashboard.hosts import is_allowed_host
from dashboard.reach import others_can_reach

Serve = Callable[..., None]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Call it with what the operator says: an address, names that the server answers to, and whether it is open."""
    before = {key: config.get_option(key) for key in ("server.address", "server.allowedHosts")}

    def serve(address: str | None = "127.0.0.1", *names: str, is_open: bool = False) -> None:
        config.set_option("server.address", address)
        config.set_option("server.allowedHosts", list(names))
        monkeypatch.setenv("DEIT_OPEN", "1" if is_open else "0")

    yield serve
    for key, value in before.items():
        config.set_option(key, value)


@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1:8501", "[::1]:8501", "LOCALHOST", "localhost.:80"])
@pytest.mark.parametrize("names", [(), ("lab.example.org",)])
def test_it_always_answers_to_the_loopback_names(serve: Serve, host: str, names: tuple[str, ...]) -> None:
    serve("127.0.0.1", *names)
    assert is_allowed_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8501",
        "localhost.evil.example",
        "127.0.0.1.evil.example:8501",
        "192.168.1.5:8501",
        "evil.example@localhost",
        "localhost/evil.example",
        "[::1",
        "",
    ],
)
def test_a_foreign_name_is_not_its_own(serve: Serve, host: str) -> None:
    serve("127.0.0.1")
    assert not is_allowed_host(host)


@pytest.mark.parametrize(
    ("host", "is_answered"),
    [
        ("lab.example.org", True),
        ("LAB.example.org:443", True),
        ("room.school.example", True),
        ("evil.example", False),
        ("192.168.1.5:8501", False),
    ],
)
def test_it_answers_to_the_names_that_the_operator_gives(serve: Serve, host: str, is_answered: bool) -> None:
    serve("0.0.0.0", "lab.example.org", "*.school.example", is_open=True)
    assert is_allowed_host(host) == is_answered


@pytest.mark.parametrize(
    ("host", "is_answered"),
    [("192.168.1.5:8501", True), ("[fe80::1]:8501", True), ("localhost:8501", True), ("evil.example:8501", False)],
)
def test_an_open_server_answers_to_addresses_in_numbers(serve: Serve, host: str, is_answered: bool) -> None:
    serve("0.0.0.0", is_open=True)
    assert is_allowed_host(host) == is_answered


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_a_server_on_the_loopback_address_is_its_owners_alone(serve: Serve, address: str) -> None:
    serve(address, "localhost", "127.0.0.1")
    assert not others_can_reach()


@pytest.mark.parametrize(
    ("address", "names", "is_open"),
    [
        ("0.0.0.0", (), False),
        (None, (), False),
        ("", (), False),
        ("::", (), False),
        ("192.168.1.5", (), False),
        ("127.0.0.1", ("lab.example.org",), False),
        ("127.0.0.1", (), True),
    ],
    ids=["everywhere", "no address", "empty", "everywhere, IPv6", "one address", "a proxy's name", "DEIT_OPEN"],
)
def test_others_can_reach_every_other_server(
    serve: Serve, address: str | None, names: tuple[str, ...], is_open: bool
) -> None:
    serve(address, *names, is_open=is_open)
    assert others_can_reach()
