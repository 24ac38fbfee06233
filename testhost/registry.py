"""A registry inside a host, in its network: nothing leaves the machine.

127.0.0.1:5000    plain http
127.0.0.1:5443    https, with a certificate of our own authority, which the host trusts by certs.d
127.0.0.1:5444    plain http, wants the user "reader" with the password "secret"

All three serve the same images, kept in /srv/registry; units and configurations are in /run.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from testhost.machine import SHARED, Host

PLAIN = "127.0.0.1:5000"
TLS = "127.0.0.1:5443"
WITH_PASSWORD = "127.0.0.1:5444"  # noqa: S105 - an address
USER = "reader"
PASSWORD = "secret"  # noqa: S105 - of a registry that nobody else can reach
DIRECTORY = "/run/testhost-registry"

# JSON is YAML, and needs no care for indentation.
CONFIGURATION = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: /srv/registry}}, delete: {{enabled: true}}}}
http: {{addr: "{address}"{tls}}}
{authentication}
"""
UNIT = f"""\
[Service]
ExecStart=/usr/bin/docker-registry serve {DIRECTORY}/%i.yml
Environment=OTEL_TRACES_EXPORTER=none
"""
CERTIFICATE_REQUEST = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=testhost "
    "-addext subjectAltName=IP:127.0.0.1 -keyout {directory}/key.pem -out {directory}/certificate.pem"
)


@dataclass(frozen=True, slots=True)
class Registry:
    """A running registry; images are pushed to it from this side."""

    host: Host

    @classmethod
    def start(cls, host: Host) -> "Registry":
        """Return the registry of a host when all its addresses answer."""
        host.run(f"mkdir -p /srv/registry {DIRECTORY}")
        _make_secrets(host)
        for name, text in _configurations().items():
            host.write(f"{DIRECTORY}/{name}.yml", text)
        host.write("/run/systemd/system/testhost-registry@.service", UNIT)
        units = " ".join(f"testhost-registry@{name}.service" for name in _configurations())
        host.run(f"systemctl daemon-reload && systemctl start {units}")
        for address in (PLAIN, TLS, WITH_PASSWORD):
            host.run(
                [
                    "bash",
                    "-c",
                    f"until echo > /dev/tcp/{address.replace(':', '/')}; do sleep 0.05; done 2>/dev/null",
                ]
            )
        return cls(host)

    def push(self, layout: Path, name: str) -> None:
        """Make the image of an OCI layout available under a name like "etcd:3.4"."""
        with tempfile.TemporaryDirectory(dir=self.host.shared) as scratch:
            shutil.copytree(layout, Path(scratch) / "image")
            source = f"oci:{SHARED}/{Path(scratch).name}/image"
            self._skopeo_copy(source, name)

    def move_tag(self, source: str, name: str) -> None:
        """Make name mean the image that source means now."""
        self._skopeo_copy(f"docker://{PLAIN}/{source}", name)

    def _skopeo_copy(self, source: str, name: str) -> None:
        self.host.run([
            "skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests",
            "--src-tls-verify=false", "--dest-tls-verify=false", source, f"docker://{PLAIN}/{name}",
        ])  # fmt: skip


def _make_secrets(host: Host) -> None:
    host.run(CERTIFICATE_REQUEST.format(directory=DIRECTORY))
    host.run(f"install -D -m 644 {DIRECTORY}/certificate.pem /etc/containers/certs.d/{TLS}/ca.crt")
    host.run(f"htpasswd -Bbn {USER} {PASSWORD} > {DIRECTORY}/htpasswd")


def _configurations() -> dict[str, str]:
    tls = f', tls: {{certificate: "{DIRECTORY}/certificate.pem", key: "{DIRECTORY}/key.pem"}}'
    password = f"auth: {{htpasswd: {{realm: testhost, path: {DIRECTORY}/htpasswd}}}}"
    return {
        "plain": CONFIGURATION.format(address=PLAIN, tls="", authentication=""),
        "tls": CONFIGURATION.format(address=TLS, tls=tls, authentication=""),
        "password": CONFIGURATION.format(address=WITH_PASSWORD, tls="", authentication=password),
    }
