"""Options of the commands that ask a registry."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from os_containers.image.access import ProxyOptions
from os_containers.image.manifest import Platform

_Function = TypeVar("_Function", bound=Callable[..., Any])


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
