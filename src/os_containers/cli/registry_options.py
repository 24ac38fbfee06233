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
        help="Read credentials from this file, as written by skopeo login.",
    )
    @click.option(
        "--creds",
        metavar="USER:PASSWORD",
        help="Credentials for the registry; other users can see them in ps, so prefer --authfile.",
    )
    @click.option(
        "--tls-verify",
        metavar="true|false",
        type=bool,
        default=True,
        help="Require HTTPS and a certificate of a known CA (default: true).",
    )
    @click.option("--insecure", is_flag=True, help="Same as --tls-verify=false.")
    @click.option(
        "--platform",
        metavar="OS/ARCH[/VARIANT]",
        help="Use the image for this platform instead of the host's, for example linux/arm64.",
    )
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
