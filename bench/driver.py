"""A part of os-containers, timed from inside; run by the Python of its environment.

    driver.py IMAGE DIRECTORY     check the image out, as an installation does

It writes the seconds to stdout.
"""

import sys
import time
from pathlib import Path

from os_containers.operations.find_image import stored_image
from os_containers.operations.system import System
from os_containers.ostree.checkout import checkout


def main() -> None:
    """Do what the command line says."""
    image, directory = sys.argv[1:]
    repo = System.find().repo()
    commit = stored_image(repo, image).commit
    started = time.monotonic()
    checkout(repo, commit, Path(directory))
    sys.stdout.write(f"{time.monotonic() - started}\n")


if __name__ == "__main__":
    main()
