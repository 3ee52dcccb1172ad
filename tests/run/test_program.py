"""A program under `amptalk run` has what it would have without (about 10 s)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import eventually
from tests.run.support import NOBODY, RUN, amptalk_run, environment, ordinary_user

TELLS = """
import os, signal, resource, sys
print(os.getcwd(), oct(os.umask(0o22)), os.getpgrp() == os.getsid(0) or "in a group")
print(os.getpriority(os.PRIO_PROCESS, 0), sorted(os.sched_getaffinity(0)))
print([signal.getsignal(n) for n in (signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM)])
print(signal.pthread_sigmask(signal.SIG_BLOCK, ()), sys.argv[1:])
print(sorted(n for n in os.environ if not n.startswith(("AMPTALK_", "MEMORY_PRESSURE"))))
print(sorted(fd for fd in range(3, 30) if os.path.exists(f"/proc/self/fd/{fd}")))
"""


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "run"


def test_it_has_the_same_place_and_settings(tmp_path: Path, journal: Path) -> None:
    script = tmp_path / "tells.py"
    script.write_text(TELLS)
    program = (sys.executable, str(script), "--flag", "a b")
    direct = amptalk_run(journal, command=program, cwd=tmp_path)
    through = amptalk_run(journal, "--quiet", "--", *program, cwd=tmp_path)
    *same, _ = direct.out.splitlines()
    assert through.out.splitlines()[:-1] == same
    assert through.err == ""


def test_input_and_output_are_its_own(journal: Path) -> None:
    done = amptalk_run(journal, "--", "cat", given="through\n")
    assert done.out == "through\n"
    assert all(line.startswith("amptalk: ") for line in done.err.splitlines())


def test_its_exit_status_is_ours(journal: Path) -> None:
    assert amptalk_run(journal, "--", "sh", "-c", "exit 3").status == 3


def test_its_signal_is_ours(journal: Path) -> None:
    done = amptalk_run(journal, "--", "sh", "-c", "kill -USR1 $$")
    assert done.status == -signal.SIGUSR1


def test_what_is_closed_stays_closed(journal: Path) -> None:
    script = f"{' '.join(RUN)} --quiet -- sh -c 'test -e /proc/self/fd/1; echo $? >&2' >&-"
    done = amptalk_run(journal, "-c", script, command=("sh",))
    assert done.err.splitlines() == ["1"]


@pytest.mark.parametrize(
    ("command", "status", "why"),
    [
        (["no-such-command"], 127, "command 'no-such-command' was not found in PATH"),
        (["./no-such-file"], 127, "command './no-such-file' was not found"),
        (["/etc/passwd"], 126, "/etc/passwd may not be executed"),
        (["/etc"], 126, "/etc is a folder"),
        ([""], 127, "the command's name is empty"),
    ],
)
def test_what_cannot_be_started_has_the_status_of_a_shell(
    journal: Path, command: list[str], status: int, why: str
) -> None:
    done = amptalk_run(journal, "--memory", "100M", "--", *command)
    assert done.status == status
    assert len(done.err.splitlines()) == 1
    assert why in done.err


def test_what_the_kernel_does_not_execute_has_it_too(tmp_path: Path, journal: Path) -> None:
    for name, text, status in (
        ("lost", "#!/no/such/interpreter\n", 127),
        ("script", "echo script $1\n", 0),
        ("broken", "\x7fELF" + "\0" * 100, 126),
    ):
        file = tmp_path / name
        file.write_text(text)
        file.chmod(0o755)
        done = amptalk_run(journal, "--quiet", "--", str(file), "ran")
        assert (name, done.status) == (name, status)
        assert done.out == ("script ran\n" if name == "script" else "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--memory", "5X", "--", "true"],
        ["--memory", "1G", "--max-memory-mb", "5", "--", "true"],
        ["--cpus", "4096", "--", "true"],
        ["--pace", "--", "true"],
        ["--", *[]],
        ["--memory"],
        ["--record", "/no/such/folder/x.ring", "--", "true"],
    ],
)
def test_bad_input_is_one_line_and_nothing_is_started(journal: Path, arguments: list[str]) -> None:
    done = amptalk_run(journal, *arguments)
    assert done.status == 2
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR2, signal.SIGHUP])
def test_a_signal_that_is_sent_to_us_goes_on_to_it(journal: Path, number: signal.Signals) -> None:
    code = (
        "import signal, sys\n"
        f"signal.signal({int(number)}, lambda *_: (print('heard', flush=True), sys.exit(4)))\n"
        "print('ready', flush=True)\nsignal.pause()"
    )
    with subprocess.Popen(
        [*RUN, "--quiet", "--", sys.executable, "-c", code], env=environment(journal),
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == "heard\n"
        assert process.wait(20) == 4


def test_what_was_ignored_stays_ignored(journal: Path) -> None:
    script = f"trap '' HUP; {' '.join(RUN)} --quiet -- grep SigIgn /proc/self/status"
    done = amptalk_run(journal, "-c", script, command=("sh",))
    assert int(done.out.split()[1], 16) & 1


def test_when_we_are_killed_the_program_is_killed(journal: Path) -> None:
    with subprocess.Popen(
        [*RUN, "--quiet", "--", "sh", "-c", "echo $$; exec sleep 600"], env=environment(journal),
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
        process.wait(20)
        eventually(lambda: not os.path.exists(f"/proc/{pid}"), "the program is gone")


DOUBLE_FORK = (
    "import os, time\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        time.sleep(1.5)\n"
    "        print('left', os.getppid(), flush=True)\n"
    "    os._exit(0)\n"
    "os.wait()\nos._exit(6)"
)


@pytest.mark.parametrize("user", [None, NOBODY])
def test_a_double_fork_does_not_escape(journal: Path, user: int | None) -> None:
    if user is not None and ordinary_user():
        pytest.skip(ordinary_user())
    done = amptalk_run(journal, "--", sys.executable, "-c", DOUBLE_FORK, user=user)
    assert done.status == 6
    word, parent = done.out.split()
    assert word == "left"
    assert parent != "1"
    assert "the program has ended with status 6; what it left running" in done.err
