"""`--protect`: what the kernel is to kill last, on a real process (about 2 s)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from amptalk.actuators.kernel.protected import SCORE
from amptalk.model.errors import ConfigurationError
from amptalk.run.options import options_of
from amptalk.run.settings import from_flags
from tests.run.support import amptalk_run

NAME = "amptalk-keeper"


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[int]:
    """A process with a name of its own that must live."""
    program = tmp_path / NAME
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "600"]) as process:
        yield process.pid
        process.kill()


def may_lower_scores(pid: int) -> bool:
    """Whether this user may; puts it back at once."""
    path = Path(f"/proc/{pid}/oom_score_adj")
    before = path.read_text()
    try:
        path.write_text(str(SCORE))
    except PermissionError:
        return False
    path.write_text(before)
    return True


def test_what_must_live_is_spared_while_the_program_runs(tmp_path: Path, keeper: int) -> None:
    allowed, path = may_lower_scores(keeper), f"/proc/{keeper}/oom_score_adj"
    before = int(Path(path).read_text())
    done = amptalk_run(tmp_path / "run", "--protect", NAME, "--", "cat", path)
    assert int(done.out) == (SCORE if allowed else before)
    assert int(Path(path).read_text()) == before
    told = f"{NAME}: protected, 1 processes now" if allowed else f"{NAME}: not all of it"
    assert any(line.startswith(told) for line in done.said)
    if not allowed:
        assert any("Only root, with CAP_SYS_RESOURCE" in line for line in done.said)


def test_names_are_separated_by_commas_and_none_is_empty() -> None:
    options = options_of([["true"]], [from_flags([("protect", "sshd, nginx")])])
    assert options.protect == ("sshd", "nginx")
    with pytest.raises(ConfigurationError, match="a name is empty"):
        options_of([["true"]], [from_flags([("protect", "sshd,")])])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_an_ordinary_user_is_told_what_is_not_spared(tmp_path: Path, keeper: int) -> None:
    done = amptalk_run(tmp_path / "run", "--protect", NAME, "--", "true", user=65534)
    assert done.status == 0
    told = next(line for line in done.said if line.startswith(NAME))
    assert "protected, 0 processes now" in told or "not all of it is protected" in told
    assert int(Path(f"/proc/{keeper}/oom_score_adj").read_text()) > SCORE
