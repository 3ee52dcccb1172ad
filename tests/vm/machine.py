"""One run of the virtual machine: what it is made of, its output as it comes, how it ended.

Everything of a run is in one folder: `console` (the kernel's messages), `output` and `status`
(the guest command's), `emulator` (QEMU's own words), the initial archive, the tables, the disk.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.vm.archive import archive
from tests.vm.kernel import Kernel
from tests.vm.needs import Unavailable, find

HERE = Path(__file__).resolve().parent
MEMORY_MB = 1024
DISK_MB = 256
DISK_BYTES_S = 8 * 2**20
"""What the throttled disk carries in both directions together."""
TAIL = 40
"""Lines of the console that are shown of a run that died."""
_POLL = 0.1
_HARMLESS = "TCG doesn't support requested feature"
"""What the emulator says of the processor's model, in a line for each feature."""
_COMMAND_LINE = (
    "console=ttyS0 panic=-1 psi=1 mitigations=off loglevel=5 "
    "memmap=64K$0x30000000"  # the page that the firmware's readings are in
)


class Ending(NamedTuple):
    """How a run ended."""

    status: int | None
    """Exit status of the guest's command; `None` when the guest did not get that far."""
    seconds: float
    timed_out: bool


class Machine:
    """A virtual machine whose files are in `folder`, running `command` in `directory`.

    The guest sees the host's root, with a writable layer that is thrown away.
    """

    def __init__(self, folder: Path, kernel: Kernel) -> None:
        self.folder = folder
        self._kernel = kernel
        self._shared = folder / "shared"
        self.console = folder / "console"
        self.output = self._shared / "output"

    def prepare(
        self, command: Sequence[str], directory: Path, environment: Mapping[str, str]
    ) -> None:
        """Write everything that the emulator is started with."""
        self._shared.mkdir()
        exported = "".join(f"export {k}={shlex.quote(v)}\n" for k, v in environment.items())
        (self._shared / "command").write_text(
            f"{exported}cd {shlex.quote(str(directory))} && exec {shlex.join(command)}\n"
        )
        modules = self._kernel.modules
        files = {f"modules/{path.name}": path.read_bytes() for path, _ in modules}
        files["modules/order"] = "".join(f"{p.name} {options}\n" for p, options in modules).encode()
        files["bin/busybox"] = Path(find("busybox")).read_bytes()
        files["init"] = (HERE / "init.sh").read_bytes()
        (self.folder / "initial").write_bytes(archive(files))
        done = subprocess.run(
            [find("iasl"), "-p", str(self.folder / "tables"), str(HERE / "tables.asl")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise Unavailable(f"iasl refused tables.asl: {done.stdout}{done.stderr}")
        with (self.folder / "disk").open("wb") as disk:
            disk.truncate(DISK_MB * 2**20)

    def run(self, limit: float, show: Callable[[str], object] = sys.stdout.write) -> Ending:
        """Start it and wait, showing the guest's output; it is stopped after `limit` seconds."""
        begun = time.monotonic()
        with (self.folder / "emulator").open("wb") as words:
            emulator = subprocess.Popen(
                self._emulator(), stdin=subprocess.DEVNULL, stdout=words, stderr=words
            )
        shown, timed_out = 0, False
        try:
            while emulator.poll() is None and not timed_out:
                time.sleep(_POLL)
                shown = self._show_from(shown, show)
                timed_out = time.monotonic() - begun > limit
        finally:
            emulator.kill()
            emulator.wait()
        self._show_from(shown, show)
        return Ending(self._status(), time.monotonic() - begun, timed_out)

    def _show_from(self, position: int, show: Callable[[str], object]) -> int:
        """Show whole lines of the output after `position`, and return the position behind them."""
        if not self.output.exists():
            return position
        with self.output.open("rb") as output:
            output.seek(position)
            lines, newline, _ = output.read().rpartition(b"\n")
        if newline:
            show((lines + newline).decode("utf-8", "replace"))
        return position + len(lines) + len(newline)

    def _status(self) -> int | None:
        try:
            return int((self._shared / "status").read_text())
        except (OSError, ValueError):
            return None

    def last_words(self) -> str:
        """The end of the console, and what the emulator said."""
        parts = []
        for path in (self.console, self.folder / "emulator"):
            if path.exists():
                lines = path.read_bytes().decode("utf-8", "replace").splitlines()
                telling = [line for line in lines if _HARMLESS not in line]
                parts += [f"-- {path.name}:", *telling[-TAIL:]]
        return "\n".join(parts)

    def _emulator(self) -> list[str]:
        """Command line of QEMU."""
        folder = self.folder
        return [
            find("qemu-system-x86_64"),
            *("-accel", "tcg,thread=multi", "-machine", "q35"),
            # Some model with frequencies: acpi-cpufreq refuses the one with everything (`max`).
            *("-cpu", "Skylake-Client", "-smp", "2", "-m", str(MEMORY_MB)),
            *("-nodefaults", "-no-reboot", "-display", "none", "-vga", "none"),
            *("-serial", f"file:{self.console}"),
            *("-kernel", str(self._kernel.image), "-initrd", str(folder / "initial")),
            *("-append", _COMMAND_LINE, "-acpitable", f"file={folder / 'tables.aml'}"),
            *_share("host", "/", ",readonly=on,multidevs=remap"),
            *_share("result", str(self._shared), ""),
            *("-drive", f"if=none,id=disk,format=raw,file={folder / 'disk'},"
                        f"throttling.bps-total={DISK_BYTES_S}"),
            *("-device", "virtio-blk-pci,drive=disk"),
        ]  # fmt: skip


def _share(tag: str, path: str, options: str) -> tuple[str, ...]:
    return (
        *("-fsdev", f"local,id={tag},path={path},security_model=none{options}"),
        *("-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"),
    )
