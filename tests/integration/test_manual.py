"""What the manual tells a person to do works as it stands there."""

import json
from collections.abc import Callable

from example import example_files
from json_schemas import check_output

from testhost.hello import HelloImage
from testhost.machine import Host

ANSWER = "busybox wget -q -O - http://127.0.0.1:{}/"


def test_the_example_of_the_manual_serves(host: Host, push_hello: Callable[[HelloImage, str], str]) -> None:
    """Two containers of one image, each with its port, its configuration and its data."""
    files = {**example_files(), "/etc/web/.keep": "", "/srv/www/.keep": ""}
    image = push_hello(HelloImage("1", files=files), "web:latest")
    host.run(f"os-containers pull --insecure {image}")
    host.run(f"os-containers install --name web {image}")
    host.run(f"os-containers install --name web-internal --set PORT=8081 {image}")
    host.run("systemctl start web web-internal")
    for name, port in (("web", 8080), ("web-internal", 8081)):
        host.run(f"echo hello from {name} > /var/lib/{name}/index.html")
        assert host.read(f"/etc/{name}/httpd.conf").startswith(f"# what the web server {name} lets in\n")
        answer = host.run(f"until {ANSWER.format(port)}; do sleep 0.1; done", timeout=20).stdout
        assert answer == f"hello from {name}\n"
    host.run("systemctl stop web-internal", timeout=20)
    host.run("ln -s .deploy/broken/1 /var/lib/containers/atomic/broken")
    _outputs_follow_their_schemas(host)
    host.run("rm /var/lib/containers/atomic/broken; os-containers uninstall web-internal")
    assert not host.exists("/etc/web-internal/httpd.conf")
    host.run("rm -r /var/lib/web /var/lib/web-internal")


def _outputs_follow_their_schemas(host: Host) -> None:
    """All that lists or shows prints what the schema says, of good containers and of a broken one."""
    lists = (
        ("containers list", "--all"),
        ("images list", "--all"),
        ("config show", ""),
        ("check", "--quick"),
    )
    for command, options in lists:
        printed = host.run(f"os-containers {command} {options} --json", check=False).stdout
        schema = host.run(f"os-containers schema {command}").stdout
        assert check_output(printed, json.loads(schema)), command
