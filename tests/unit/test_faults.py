import errno
import os
from pathlib import Path

import pytest

from os_containers.errors import BusyError
from os_containers.faults import in_words, is_exhaustion, next_step_in, system_fault, tidied_later
from torture.inside.judge import TIDIES_LATER


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        pytest.param(errno.ENOSPC, "make room", id="b80"),
        pytest.param(errno.EDQUOT, "quota", id="b80 quota"),
        pytest.param(errno.EROFS, "mount its file system writable", id="b81"),
        pytest.param(errno.EMFILE, "ulimit -n", id="b82 files of the process"),
        pytest.param(errno.ENFILE, "fs.file-max", id="b82 files of the host"),
        pytest.param(errno.ENOMEM, "free some memory", id="b82 memory"),
        pytest.param(errno.EAGAIN, "ulimit -u", id="b82 threads"),
        pytest.param(errno.EIO, "os-containers repair", id="b83"),
        pytest.param(errno.EACCES, "permissions", id="anything else"),
    ],
)
def test_a_fault_of_the_system_names_the_file_and_the_next_step(number: int, hint: str) -> None:
    """Its exit code is 8, and what libostree says about the same gets the same hint."""
    error = OSError(number, os.strerror(number), "/etc/x")
    told = system_fault(error)
    assert (told.message, told.exit_code) == (f"/etc/x: {os.strerror(number)}", 8)
    assert hint in (told.hint or "")
    assert system_fault(OSError(number, "said"), Path("/y")).message == "/y: said"
    assert next_step_in(f"opendir(objects): {os.strerror(number)}") in {told.hint, None}


def test_what_an_error_says_has_no_number() -> None:
    """People read the path and the reason, in a warning as in an error."""
    error = IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), "/etc/x")
    assert in_words(error) == "/etc/x: Is a directory"
    assert in_words(OSError("said")) == "said"
    assert in_words(ValueError("so")) == "so"


def test_b82_running_out_tells_nothing_about_a_file() -> None:
    """Unlike a disk that fails."""
    assert is_exhaustion(OSError(errno.ENOMEM, ""))
    assert not is_exhaustion(OSError(errno.EIO, ""))
    assert next_step_in("nothing of the kind") is None


@pytest.mark.parametrize("error", [BusyError("in use"), OSError(errno.EIO, "failing", "/x")])
def test_what_is_tidied_up_later_is_told_in_the_words_that_the_torture_knows(error: Exception) -> None:
    """With the fact, and the path of a system call."""
    assert tidied_later(error) in {f"in use; {TIDIES_LATER}", f"/x: failing; {TIDIES_LATER}"}
