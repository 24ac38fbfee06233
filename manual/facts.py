"""What the pages say beyond what stands in the commands: one table for each kind."""

import re

from os_containers import errors

SUMMARY = "host services as OCI containers, from an OSTree repo, run by systemd"

DESCRIPTION = """\
An image comes from a registry into an OSTree repo, is checked out by hard links, configured from templates
that it ships in `/exports`, may put files on the host, and is then run by systemd and an OCI runtime (crun or
runc). There is no daemon: what is installed is a systemd service like any other.

As root, containers are services of the host. As another user they are services of that user (`systemctl
--user`), in a user namespace, and put no files on the host.

A container is made by `install`. Each `update` makes a new deployment beside the one that is active and goes
over to it in one step; when its service does not start, the one from before is active again. `rollback`
returns to it at any later time. A command that is interrupted, by a signal or by a power cut, leaves the
state from before it or the state after it: the next command, or the host when it boots, sees to that.

What an image may ship is described in `os-containers-image(5)`, what can be set in `os-containers-config(5)`.
"""

EXAMPLES = (
    ("pull quay.io/org/etcd:3.5", "Bring an image into the store"),
    ("install --name etcd --set CLUSTER=blue quay.io/org/etcd:3.5", "Make a container of it"),
    ("update --pull etcd", "Go over to a newer image"),
    ("rollback etcd", "Return to the one before"),
    ("uninstall etcd", "Remove the container; its data stay"),
)

EVENTS_INTRODUCTION = """\
With `--progress json` each line on stderr is one JSON object; what is not known may be passed over, since
later versions may have more kinds and keys. `os-containers schema --progress` prints the schema. What a
container that is run writes to stderr comes as it is. `event` says the kind:
"""

EVENTS = {
    "step": "Something was done: `text`.",
    "warning": "What one should know, and what does not stop the work: `text`.",
    "hint": "What can be done about the warnings before it: `text`.",
    "layer-present": "The layer `digest` is in the store, and is not fetched.",
    "layer-started": "The layer `digest` of `total` bytes is being fetched; anew after a failed attempt.",
    "layer-progress": "So many `bytes` of it have arrived; at most ten times a second.",
    "layer-finished": "It has arrived and was verified.",
    "log": "What `--verbose` and `--debug` show: `level` and `text`.",
    "error": (
        "What failed: `text`, `hint` for what to do next, and `exit_code`. Commands for several containers "
        "go on after one; the program ends with the code of the first."
    ),
}

ENVIRONMENT = {
    "OS_CONTAINERS_CHECKOUT_PATH": "Where the state is: containers, deployments and, beneath it, the repo.",
    "OSTREE_REPO": "The OSTree repo in which images are kept.",
    "RUNTIME": "The OCI runtime, by name or path, where neither `--runtime` nor the container says which.",
    "HOME": "A user's home directory.",
    "XDG_CONFIG_HOME": "Where a user's units and configuration are; `~/.config` without it.",
    "XDG_DATA_HOME": "Where a user's state is; `~/.local/share` without it.",
    "XDG_RUNTIME_DIR": "A user's directory for what is running; `/run/user/UID` without it.",
    "NO_COLOR": "When it is set, bars on a terminal have no colour; nothing else ever has.",
    "TERM": "What a command that is run in a container on a terminal is told about it.",
}

FILES = {
    "/var/lib/containers/atomic": "The state, for root only. For a user: `$XDG_DATA_HOME/containers/atomic`.",
    "/var/lib/containers/atomic/NAME": "A symlink to the deployment of a container that is active.",
    "/var/lib/containers/atomic/.deploy/NAME/SERIAL": (
        "A deployment: `rootfs`, `config.json`, its unit, its tmpfiles.d fragment, its host files in `host`, "
        "and its record `info`. Nothing below `rootfs` may be written to: it shares its bytes with the repo."
    ),
    "/var/lib/containers/atomic/.storage/repo": "The OSTree repo.",
    "/usr/lib/containers/atomic/NAME": (
        "A container that the system brings, by a package that `package` made or by its image. It is used as "
        "it is and never written; `update` lays a deployment of ours over it, and `rollback` and `uninstall` "
        "give it back. `update --all` leaves one alone over which there is none."
    ),
    "/etc/systemd/system/NAME.service": (
        "The unit of a container. Change it by drop-ins of your own: `systemctl edit NAME`. One that was "
        "edited is kept as `NAME.service.os-containers-old` when it is replaced. For a user: "
        "`$XDG_CONFIG_HOME/systemd/user`."
    ),
    "/etc/tmpfiles.d/NAME.conf": "Its directories. For a user: `$XDG_CONFIG_HOME/user-tmpfiles.d`.",
    "/etc/os-containers/config.toml": (
        "What can be set, for the host; see `os-containers-config(5)`. A user's own: "
        "`$XDG_CONFIG_HOME/os-containers/config.toml`."
    ),
    "/etc/os-containers/policy.toml": (
        "Which host files any image may bring though others than the container act on them; see "
        "`os-containers-config(5)`."
    ),
    "/etc/containers": (
        "What registries are asked and what is trusted: `registries.conf`, `policy.json`, `certs.d`; see "
        "`containers-registries.conf(5)` and `containers-policy.json(5)`."
    ),
}

# What the words of a synopsis mean, where a command's text does not say it.
ARGUMENTS = {
    "NAME": "A container; `os-containers containers list --all` shows those that there are.",
    "IMAGE": (
        "An image: a name in a registry, as `quay.io/org/etcd:3.5` or `docker://quay.io/org/etcd:3.5`, or "
        "where it is, behind `oci:`, `oci-archive:`, `docker-archive:`, `dir:` or `containers-storage:`."
    ),
}

PAGES_BY_HAND = ("os-containers-image", "os-containers-config")

_OTHER_CODES = "`os-containers(1)` lists the other codes, and the options before the command."
ANY_STATUS = f"0 when all is done; {_OTHER_CODES}"
_COMMANDS_OWN = (
    "That of the command. Where it was not run at all an error says so, and the code is 127 when it is not "
    f"there, 126 when it cannot be run; {_OTHER_CODES}"
)
EXIT_STATUS = {
    "exec": _COMMANDS_OWN,
    "run": _COMMANDS_OWN,
    "start": f"0 when all is done, 9 when a service does not stay up; {_OTHER_CODES}",
    "restart": f"0 when all is done, 9 when a service does not stay up; {_OTHER_CODES}",
}

_CODE = re.compile(r"^[ │├└─]*\w+Error +([0-9]+)  (.+)$", re.MULTILINE)


def exit_codes() -> dict[str, str]:
    """Return what each exit code means, as errors.py has it."""
    assert errors.__doc__  # noqa: S101 - where the table is
    ours = {code: f"{what[0].upper()}{what[1:]}." for code, what in _CODE.findall(errors.__doc__)}
    codes = {**ours, "12": "The registry has a newer image; of `images verify` alone."}
    return {
        "0": "All is done.",
        **dict(sorted(codes.items(), key=lambda one: int(one[0]))),
        "128+N": "Signal N ended it; 130 after Ctrl-C. What was under way is undone first.",
    }
