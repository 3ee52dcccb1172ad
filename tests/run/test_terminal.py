"""At a terminal a program behaves as if it had been started without us (about 8 s)."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.run.support import RUN, environment
from tests.run.terminal import SHELL, Terminal, terminal

pytestmark = pytest.mark.skipif(not os.path.exists(SHELL), reason="needs bash")
COMMAND = shlex.join([*RUN, "--quiet", "--"])

LISTENS = """
import os, signal, sys, time
count = [0]
def heard(number, frame):
    count[0] += 1
    columns = os.get_terminal_size().columns
    print("heard", signal.Signals(number).name, count[0], columns, flush=True)
for name in sys.argv[1:]:
    signal.signal(getattr(signal, name), heard)
print("listening", flush=True)
line = sys.stdin.readline()
print("read", line.strip(), count[0], flush=True)
sys.exit(5)
"""


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Terminal]:
    (tmp_path / "listens.py").write_text(LISTENS)
    with terminal({**environment(tmp_path / "run"), "HERE": str(tmp_path)}) as made:
        yield made


def listen(shell: Terminal, *names: str) -> None:
    shell.type(f"{COMMAND} python3 $HERE/listens.py {' '.join(names)}\n")
    shell.expect("listening")


def test_an_interrupt_from_the_keyboard_reaches_the_program_once(shell: Terminal) -> None:
    listen(shell, "SIGINT")
    shell.type("\x03")
    shell.expect("heard SIGINT 1")
    shell.type("line\n")
    shell.expect("read line 1")
    assert shell.status() == 5


def test_an_interrupt_ends_a_program_and_the_shell_sees_that(shell: Terminal) -> None:
    listen(shell)
    shell.type("\x03")
    shell.expect("KeyboardInterrupt")
    shell.expect("$ ")  # the terminal drops what was typed before an interrupt
    assert shell.status() == 130


def test_a_stopped_program_is_a_stopped_job_and_goes_on_in_the_foreground(
    shell: Terminal,
) -> None:
    listen(shell, "SIGCONT")
    shell.type("\x1a")
    shell.expect("Stopped")
    shell.type("jobs\n")
    shell.expect("Stopped")
    shell.type("fg\n")
    shell.expect("heard SIGCONT")
    shell.type("line\n")
    shell.expect("read line")
    assert shell.status() == 5


def test_a_new_size_of_the_window_is_heard_of_once(shell: Terminal) -> None:
    listen(shell, "SIGWINCH")
    shell.resize(40, 123)
    shell.expect("heard SIGWINCH 1 123")
    shell.type("line\n")
    shell.expect("read line 1")


def test_in_the_background_a_program_that_reads_is_stopped_by_the_terminal(
    shell: Terminal,
) -> None:
    shell.type(f"{COMMAND} cat &\n")
    shell.type("wait -n 2>/dev/null; jobs\n")
    shell.expect("Stopped")
    shell.type("fg\n")
    shell.type("typed\n")
    shell.expect("typed")
    shell.type("\x04")
    assert shell.status() == 0


def test_a_pipeline_is_one_job(shell: Terminal) -> None:
    shell.type(f"printf 'a\\nb\\n' | {COMMAND} cat | tr ab xy\n")
    shell.expect("x\r\ny\r\n")
    shell.type(f"yes | {COMMAND} head -n 1 | cat\n")
    shell.expect("y\r\n")
    assert shell.status() == 0


def test_a_shell_with_job_control_of_its_own_can_be_the_program(shell: Terminal) -> None:
    shell.type(f"{COMMAND} bash --norc --noprofile -i\n")
    shell.type("sh -c 'echo in\"\"ner; exec sleep 100'\n")
    shell.expect("inner")
    shell.type("\x1a")
    shell.expect("Stopped")
    shell.type("kill -9 %1; disown -a; exit 7\n")
    assert shell.status() == 7
