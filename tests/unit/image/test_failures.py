"""What skopeo says, as an error with an exit code and a next step."""

import pytest

from os_containers.errors import (
    ImageError,
    NotFoundError,
    OsContainersError,
    PolicyError,
    RegistryError,
    SystemFaultError,
    UsageError,
)
from os_containers.image.failures import OtherPlatformsError, TransientError, crash, failure


@pytest.mark.parametrize(
    ("said", "kind", "hint"),
    [
        (
            "reading manifest latest in quay.io/x/y: unauthorized: access to the requested resource",
            RegistryError,
            "skopeo login",
        ),
        ("unable to retrieve auth token: invalid username/password: unauthorized", RegistryError, "--creds"),
        ("received unexpected HTTP status: 403 Forbidden", RegistryError, "skopeo login"),
        ("reading manifest 9 in docker.io/library/etcd: manifest unknown", NotFoundError, "the name"),
        ("reading manifest latest in h/x: name unknown: repository name not known", NotFoundError, "name"),
        ("open /srv/etcd/index.json: no such file or directory", NotFoundError, "name"),
        (
            'Get "https://h/v2/": http: server gave HTTP response to HTTPS client',
            RegistryError,
            "--tls-verify=false",
        ),
        ("x509: certificate signed by unknown authority", RegistryError, "certs.d"),
        ("x509: certificate has expired or is not yet valid", RegistryError, "certs.d"),
        ("x509: certificate is valid for a.example.org, not b.example.org", RegistryError, "certs.d"),
        ("remote error: tls: handshake failure", RegistryError, "certs.d"),
        ("net/http: TLS handshake timeout", TransientError, "try again"),
        ("dial tcp 192.0.2.1:443: i/o timeout", TransientError, "try again"),
        ("Client.Timeout exceeded while awaiting headers", TransientError, "try again"),
        ("received unexpected HTTP status: 504 Gateway Timeout", TransientError, "try again"),
        ("stopped after 10 redirects", RegistryError, "try again"),
        (
            "unsupported legacy manifest MIME type: application/vnd.docker.distribution.manifest.v1+json",
            ImageError,
            "schema 1 is not supported",
        ),
        ("dial tcp 127.0.0.1:1: connect: connection refused", RegistryError, "try again"),
        ("lookup h on 10.0.0.1:53: no such host", RegistryError, "try again"),
        ("received unexpected HTTP status: 502 Bad Gateway", TransientError, "try again"),
        ("toomanyrequests: You have reached your pull rate limit", RegistryError, "limiting requests"),
        ("too many requests to registry", RegistryError, "limiting requests"),
        ("Error fetching blob: invalid status code from registry 503 (x)", TransientError, "try again"),
        ("Error fetching blob: invalid status code from registry 403 (Forbidden)", RegistryError, "login"),
        ("Error fetching blob: invalid status code from registry 404 (x)", NotFoundError, "name"),
        ("pinging container registry h: denied", RegistryError, "skopeo login"),
        ("open /srv/x.tar: permission denied", RegistryError, "check the network"),
        ("unexpected end of JSON input", ImageError, "damaged"),
        ("exceeded maximum allowed size of 4194304 bytes", ImageError, "damaged"),
        ("read tcp 1.2.3.4:5: connection reset by peer", TransientError, "try again"),
        (
            "Source image rejected: Running image docker://x is rejected by policy.",
            PolicyError,
            "containers-policy.json",
        ),
        ("A signature was required, but no signature exists", PolicyError, "containers-policy.json"),
        ("invalid reference format: repository name must be lowercase", UsageError, "docker://"),
        ("corrupted blob, expecting sha256:1", ImageError, "damaged"),
        ("expected 5 bytes in blob, got 4", ImageError, "damaged"),
        ("no image found in manifest list for architecture s390x", OtherPlatformsError, "--platform"),
        ("setpriv: failed to execute /usr/bin/skopeo: Permission denied", SystemFaultError, "install skopeo"),
        ("write /srv/tmp/oci1/blob: no space left on device", SystemFaultError, "free some space"),
        ("loading tar component manifest.json: archive/tar: invalid tar header", ImageError, "damaged"),
        ("", RegistryError, "try again"),
    ],
)
def test_b16_words_decide(said: str, kind: type[OsContainersError], hint: str) -> None:
    """Login, not found, TLS, network, policy and damage are told apart."""
    error = failure(said, "docker://h/x")
    assert type(error) is kind
    assert hint in str(error.hint)
    assert error.message.startswith("docker://h/x: ")


def test_b16_a_file_that_ends_too_early_is_damaged() -> None:
    """It does so each time: only a registry is asked again."""
    assert type(failure("unexpected EOF", "oci:/srv/image")) is ImageError
    assert type(failure("unexpected EOF", "docker://h/x")) is TransientError


@pytest.mark.parametrize("answer", ["no such file or directory", "not a directory"])
def test_b1_what_is_no_image_directory_is_said_to_be_none(answer: str) -> None:
    """It has neither a name nor a tag that could be mistyped."""
    error = failure(f"open /tmp/manifest.json: {answer}", "dir:/tmp")
    assert type(error) is NotFoundError
    assert error.message == "/tmp is not an image directory: there is no /tmp/manifest.json"
    assert "oci:DIRECTORY" in str(error.hint)


def test_b36_words_of_a_registry_do_not_reach_the_terminal_as_they_are() -> None:
    """Of many lines the last is kept, its control characters escaped."""
    error = failure("first\nsecond \x1b[2J\n", "docker://h/x")
    assert error.message == r"docker://h/x: second \x1b[2J"


def test_b16_words_of_a_registry_do_not_fill_the_terminal() -> None:
    """Those at their end decide as well."""
    error = failure(f"{'x' * 30_000}: connection reset by peer", "docker://h/x")
    assert error.message == f"docker://h/x: {'x' * 500}..."
    assert type(error) is TransientError


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        (
            "runtime: failed to create new OS thread (have 2 already; errno=11)\nfatal error: x\nrax 0x0",
            "skopeo crashed: runtime: failed to create new OS thread (have 2 already; errno=11)",
            "ulimit -u",
        ),
        ("runtime/cgo: pthread_create failed: Resource temporarily unavailable\nSIGABRT", "cgo", "ulimit -u"),
        ("fatal error: runtime: out of memory\n\ngoroutine 1", "out of memory", "or memory"),
        ("time=1\npanic: boo\x1b[2J\n\ngoroutine 1 [running]:", "panic: boo\\x1b[2J", "update skopeo"),
    ],
)
def test_b82_a_crash_of_skopeo_is_told_by_its_first_line(said: str, message: str, hint: str) -> None:
    """What follows are goroutines and registers."""
    error = crash(said)
    assert error
    assert message in error.message
    assert error.message.isprintable()
    assert hint in str(error.hint)
    assert crash('time="12:00" level=fatal msg="unauthorized"') is None
