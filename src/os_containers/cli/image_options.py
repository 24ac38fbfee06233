"""Options of the commands that bring an image or deploy it; lists have no time to load these."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from os_containers.deployment.values import parse_settings
from os_containers.host.host_policy import Permission
from os_containers.image.access import ProxyOptions
from os_containers.image.manifest import Platform
from os_containers.operations.system import System

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _parse_settings(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    return parse_settings(given, limits=System.find().config.deployment) if given else {}


settings = click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_parse_settings,
    help="Give a variable of the image a value.",
)


def registry(command: _Function) -> Callable[..., Any]:
    """Add the options of a registry; the command gets them as one ProxyOptions named `options`."""

    @click.option(
        "--authfile",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Credentials, as skopeo login writes them.",
    )
    @click.option("--creds", metavar="USER:PASSWORD", help="Credentials; --authfile keeps them from ps.")
    @click.option(
        "--tls-verify", type=bool, default=True, show_default=True, help="Ask for HTTPS and a known CA."
    )
    @click.option("--insecure", is_flag=True, help="The same as --tls-verify=false.")
    @click.option("--platform", metavar="OS/ARCH[/VARIANT]", help="Not this host's own.")
    @functools.wraps(command)
    def with_options(
        *args: Any,
        authfile: Path | None,
        creds: str | None,
        tls_verify: bool,
        insecure: bool,
        platform: str | None,
        **kwargs: Any,
    ) -> Any:
        options = ProxyOptions(
            tls_verify=tls_verify and not insecure,
            authfile=authfile,
            credentials=creds,
            platform=Platform.parse(platform) if platform else None,
        )
        return command(*args, options=options, **kwargs)

    return with_options


def host_files(command: _Function) -> Callable[..., Any]:
    """Add what the admin may allow an image's host files; the command gets it as `permission`."""

    @click.option(
        "--allow-host-path",
        metavar="PATH",
        multiple=True,
        help="Let the image put files here, or below, though others than the container act on them.",
    )
    @click.option("--allow-setuid", is_flag=True, help="Let its host files be setuid or have capabilities.")
    @functools.wraps(command)
    def with_options(*args: Any, allow_host_path: tuple[str, ...], allow_setuid: bool, **kwargs: Any) -> Any:
        return command(*args, permission=Permission.parse(allow_host_path, setuid=allow_setuid), **kwargs)

    return with_options
