"""Real OSTree repos: a user's, and as root also the system's."""

import os
from pathlib import Path

import pytest

from os_containers.ostree.repo import Repo
from os_containers.paths import Mode

# Only root can give files to others, which is what a bare repo does.
MODES = [Mode.SYSTEM, Mode.USER] if os.geteuid() == 0 else [Mode.USER]


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> Mode:
    return Mode(request.param)


@pytest.fixture
def repo(tmp_path: Path, mode: Mode) -> Repo:
    return Repo.open(tmp_path / "repo", mode)
