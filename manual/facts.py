"""What the pages say beyond what stands in the commands: one table for each kind."""

import re

from os_containers import errors

SUMMARY = "host services as OCI containers, from an OSTree repo, run by systemd"

DESCRIPTION = """\
`os-containers` pulls images from a registry into an OSTree repo and runs them as systemd services. An image
is checked out using hard links, configured from templates that it may ship in `/exports`, may install
files on the host, and is then run by systemd and an OCI runtime (crun or runc). There is no container daemon:
an installed container is an ordinary systemd service.

When run as root, it manages system services. When run by another user, it manages services of that user
(`systemctl --user`), which run in a user namespace and install no files on the host.

`install` makes a container from an image. Each `update` prepares a new deployment next to the active one and
switches to it in one step; if its service does not start, the previous deployment is active again. `rollback`
returns to the previous deployment at any later time. If a command is interrupted, by a signal or a power
failure, the host is afterwards in the state before the command or in the state after it: the next command, or
the next boot, makes sure of that.

`os-containers-image(5)` describes what an image can ship, `os-containers-config(5)` what can be configured.
"""

EXAMPLES = (
    ("pull quay.io/org/etcd:3.5", "Pull an image into the store"),
    ("install --name etcd --set CLUSTER=blue quay.io/org/etcd:3.5", "Install a container from it"),
    ("update --pull etcd", "Update the container to a newer image"),
    ("rollback etcd", "Return to the previous deployment"),
    ("uninstall etcd", "Remove the container, but keep its data"),
)

EVENTS_INTRODUCTION = """\
With `--progress json`, each line on stderr is one JSON object, whose key `event` names the kind of event.
Unknown events and keys should be ignored, since later versions may add some. `os-containers schema
--progress` prints the schema. What a command writes to stderr in a container is passed on unchanged. The
events are:
"""

EVENTS = {
    "step": "A step was done, described in `text`.",
    "warning": "A warning, in `text`, which does not stop the command.",
    "hint": "What can be done about the preceding warnings, in `text`.",
    "layer-present": "The layer `digest` is in the store already, and is not fetched.",
    "layer-started": (
        "The layer `digest` of `total` bytes is being fetched; repeated if the fetch is retried."
    ),
    "layer-progress": "So far, `bytes` of `total` have arrived; written at most ten times a second.",
    "layer-finished": "The layer has arrived and was verified.",
    "log": "A log message, as shown by `--verbose` and `--debug`: `level` and `text`.",
    "error": (
        "An error: what failed in `text`, what to do next in `hint`, and `exit_code`. Commands for several "
        "containers continue after an error, and exit with the code of the first one."
    ),
}

ENVIRONMENT = {
    "OS_CONTAINERS_CHECKOUT_PATH": "The state directory, with containers, deployments and the repo.",
    "OSTREE_REPO": "The OSTree repo that images are stored in.",
    "RUNTIME": "The OCI runtime, by name or path, if neither `--runtime` nor the container specifies one.",
    "HOME": "The home directory of a user.",
    "XDG_CONFIG_HOME": "The directory of a user's units and configuration; `~/.config` if unset.",
    "XDG_DATA_HOME": "The directory below which a user's state is; `~/.local/share` if unset.",
    "XDG_RUNTIME_DIR": "The runtime directory of a user; `/run/user/UID` if unset.",
    "NO_COLOR": "If set, progress bars on a terminal have no colour; other output never has any.",
    "TERM": "The terminal type, passed on to commands that are run on a terminal in a container.",
}

FILES = {
    "/var/lib/containers/atomic": (
        "The state directory, accessible to root only. For a user: `$XDG_DATA_HOME/containers/atomic`."
    ),
    "/var/lib/containers/atomic/NAME": "A symlink to the active deployment of a container.",
    "/var/lib/containers/atomic/.deploy/NAME/SERIAL": (
        "A deployment: `rootfs`, `config.json`, its unit, its tmpfiles.d fragment, its host files in `host`, "
        "and its record `info`. Never write to anything below `rootfs`: its files are hard links to the repo."
    ),
    "/var/lib/containers/atomic/.storage/repo": "The OSTree repo.",
    "/usr/lib/containers/atomic/NAME": (
        "A container that the system provides, installed by a package that `package` built or as part of the "
        "system's image. It is used as it is and never written to. `update` makes a deployment that takes "
        "precedence over it, and `rollback` and `uninstall` return to it. `update --all` skips it unless "
        "there is such a deployment."
    ),
    "/etc/systemd/system/NAME.service": (
        "The unit of a container. Use drop-ins to change it: `systemctl edit NAME`. If the unit itself was "
        "edited, it is kept as `NAME.service.os-containers-old` when it is replaced. For a user: "
        "`$XDG_CONFIG_HOME/systemd/user`."
    ),
    "/etc/tmpfiles.d/NAME.conf": (
        "The directories that a container needs. For a user: `$XDG_CONFIG_HOME/user-tmpfiles.d`."
    ),
    "/etc/os-containers/config.toml": (
        "The configuration for the host; see `os-containers-config(5)`. For a user, additionally: "
        "`$XDG_CONFIG_HOME/os-containers/config.toml`."
    ),
    "/etc/os-containers/policy.toml": (
        "Sensitive places where images may install host files; see `os-containers-config(5)`."
    ),
    "/etc/containers": (
        "Which registries are used, and which images are trusted: `registries.conf`, `policy.json`, "
        "`certs.d`; see `containers-registries.conf(5)` and `containers-policy.json(5)`."
    ),
}

# What the words of a synopsis mean, where a command's text does not say it.
ARGUMENTS = {
    "NAME": "The name of a container, as listed by `os-containers containers list --all`.",
    "IMAGE": (
        "An image: a name in a registry, such as `quay.io/org/etcd:3.5` or `docker://quay.io/org/etcd:3.5`, "
        "or one of `oci:`, `oci-archive:`, `docker-archive:`, `dir:` and `containers-storage:` followed by "
        "the location of the image. For an image in the store, the `images` commands also accept the "
        "beginning of its ID."
    ),
}

PAGES_BY_HAND = ("os-containers-image", "os-containers-config")

_OTHER_CODES = "`os-containers(1)` lists the other codes, and the options that go before the command."
ANY_STATUS = f"0 on success. {_OTHER_CODES}"
_COMMANDS_OWN = (
    "That of the command. If it could not be run, an error is printed, and the code is 127 if the command "
    f"does not exist in the container, 126 if it cannot be run. {_OTHER_CODES}"
)
EXIT_STATUS = {
    "exec": _COMMANDS_OWN,
    "run": _COMMANDS_OWN,
    "start": f"0 on success, 9 if a service does not stay up. {_OTHER_CODES}",
    "restart": f"0 on success, 9 if a service does not stay up. {_OTHER_CODES}",
}

_CODE = re.compile(r"^[ │├└─]*\w+Error +([0-9]+)  (.+)$", re.MULTILINE)


def exit_codes() -> dict[str, str]:
    """Return what each exit code means, as errors.py has it."""
    assert errors.__doc__  # noqa: S101 - where the table is
    ours = {code: f"{what[0].upper()}{what[1:]}." for code, what in _CODE.findall(errors.__doc__)}
    codes = {**ours, "12": "The registry has a newer image (only `images verify`)."}
    return {
        "0": "Success.",
        **dict(sorted(codes.items(), key=lambda one: int(one[0]))),
        "128+N": "Ended by signal N; 130 after Ctrl-C. The change that was in progress is undone first.",
    }
