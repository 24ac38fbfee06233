"""Fixtures for tests in a booted host, and what must hold after each of them."""

import time
from collections.abc import Callable, Iterator

import pytest

from testhost.hello import HelloImage
from testhost.images import ETCD_SUITES, etcd_layout
from testhost.inventory import differences, list_files
from testhost.machine import Host
from testhost.registry import PLAIN, Registry
from testhost.roots import RUNTIMES
from testhost.traces import list_loaded, list_running

STORE = "/var/lib/containers/atomic"
USER = "ann"
USER_HOME = f"/home/{USER}"
USER_STORE = f"{USER_HOME}/.local/share/containers/atomic"
CACHES_OF_SKOPEO = ("/var/lib/containers/cache", f"{USER_HOME}/.local/share/containers/cache")
# Where others look for files too, so that they may stay; what is in them may not.
STANDARD_DIRECTORIES = frozenset({
    "/var/lib/containers",
    *(f"{USER_HOME}/.local{path}" for path in ("", "/share", "/share/containers")),
    *(f"{USER_HOME}/.config{path}" for path in ("", "/systemd", "/systemd/user", "/user-tmpfiles.d")),
})  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--suite", choices=tuple(RUNTIMES), default="trixie", help="Debian suite of the host")


def pytest_report_header(config: pytest.Config) -> str:
    return f"host: Debian {config.getoption('--suite')}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for a runtime with each that works in the host."""
    if "runtime" in metafunc.fixturenames:
        metafunc.parametrize("runtime", RUNTIMES[metafunc.config.getoption("--suite")])


@pytest.fixture(scope="session")
def host(pytestconfig: pytest.Config) -> Iterator[Host]:
    """Give a booted host with os-containers installed, the same for all tests."""
    with Host.boot(pytestconfig.getoption("--suite")) as booted:
        yield booted


@pytest.fixture(scope="session")
def user(host: Host) -> str:
    """Return the name of a user with a service manager and subordinate ids."""
    host.add_user(USER)
    return USER


@pytest.fixture(scope="session")
def registry(host: Host) -> Registry:
    return Registry.start(host)


@pytest.fixture(scope="session")
def etcd(registry: Registry) -> str:
    """Return the name of an image with the tags 3.4 and 3.5; registry.move_tag sets its latest."""
    for version in ETCD_SUITES:
        registry.push(etcd_layout(version), f"etcd:{version}")
    return f"{PLAIN}/etcd"


@pytest.fixture
def push_hello(host: Host, registry: Registry) -> Callable[[HelloImage, str], str]:
    """Return what pushes a small image under a name like "hello:latest" and returns its full name."""

    def push(image: HelloImage, name: str) -> str:
        with image.layout(host) as layout:
            registry.push(layout, name)
        return f"{PLAIN}/{name}"

    return push


@pytest.fixture(autouse=True)
def _nothing_left_behind(host: Host) -> Iterator[None]:
    """After each test its containers go, and then the host is as before, and the repos are sound."""
    files, running = list_files(host.root), list_running(host)
    yield
    _uninstall_all(host, STORE, user=None)
    loaded = list_loaded(host)
    if host.exists(USER_HOME):
        _uninstall_all(host, USER_STORE, user=USER)
        loaded += list_loaded(host, user=USER)
    changed = [line for line in differences(files, list_files(host.root)) if not _is_expected(line)]
    left = [*changed, *loaded, *_still_running(host, running)]
    assert not left, "\n".join(left)


def _uninstall_all(host: Host, store: str, *, user: str | None) -> None:
    listed = host.run(f"find {store} -maxdepth 1 -type l -printf '%f\\n' 2>/dev/null", user=user, check=False)
    for name in listed.stdout.split():
        host.run(["systemctl", *(["--user"] if user else []), "stop", name], user=user, check=False)
        host.run(["os-containers", "uninstall", name], user=user)
    repo = f"{store}/.storage/repo"
    if host.exists(repo):
        host.run(["ostree", "fsck", "--quiet", f"--repo={repo}"], user=user)
    # the next test shall not find this one's images
    host.run(["rm", "-rf", store], user=user)


def _is_expected(line: str) -> bool:
    what, path = line.split(" ", 1)
    return path.startswith(CACHES_OF_SKOPEO) or (what == "added" and path in STANDARD_DIRECTORIES)


def _still_running(host: Host, before: frozenset[str]) -> list[str]:
    """Return what runs now and did not before; what was killed gets a moment to go."""
    deadline = time.monotonic() + 2
    while (left := list_running(host) - before) and time.monotonic() < deadline:
        time.sleep(0.05)
    return sorted(left)
