"""Run one target under libFuzzer: python -m fuzz.one TARGET -OPTION=VALUE... CORPUS...."""

import sys

import atheris

with atheris.instrument_imports(include=["os_containers"]):
    from fuzz.targets import TARGETS


def main() -> None:
    program, name, *rest = sys.argv
    atheris.Setup([program, *rest], TARGETS[name].check)
    atheris.Fuzz()


main()
