"""In which form the program speaks on stderr: chosen once, by --progress, and then asked by all who speak."""

import contextvars
from enum import StrEnum


class Form(StrEnum):
    """How it is told what is being done."""

    AUTO = "auto"
    PLAIN = "plain"
    JSON = "json"
    NONE = "none"


_form = contextvars.ContextVar("form", default=Form.AUTO)


def choose(form: Form) -> None:
    """Speak so from now on."""
    _form.set(form)


def chosen() -> Form:
    return _form.get()
