"""Asking again when a registry failed in a way that may be over in a few seconds."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from os_containers.errors import RegistryError
from os_containers.image.failures import TransientError
from os_containers.image.limits import Limits

logger = logging.getLogger(__name__)

_Type = TypeVar("_Type")

# Each pause is so many times the one before it; a part of it is left to chance, so that the hosts that failed
# together do not come back together.
_GROWTH = 4
_JITTER = 0.25


def retried(attempt: Callable[[], _Type], limits: Limits) -> _Type:
    """Return what an attempt returns; one that failed for the moment is made again after a pause.

    Raises RegistryError when it has failed as often as the limits allow: nobody else is to try again.
    """
    for number in range(limits.retries):
        try:
            return attempt()
        except TransientError as error:
            pause = limits.retry_pause * _GROWTH**number
            pause += random.uniform(0, _JITTER * pause)  # noqa: S311 - no secret
            logger.debug("%s; trying again in %.1f s", error.message, pause)
            time.sleep(pause)
    try:
        return attempt()
    except TransientError as error:
        raise RegistryError(error.message, hint=error.hint) from error
