"""Write the three made-up recordings beside this file: `python -m tests.recordings.make`.

The values are our own invention; names, units and layout of the files are those of the kernels
of such devices. Nothing here was read from a device, and each recording says so.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from amptalk.sensors.recorded.format import About, Content, Failed, Frame, Writer
from tests.recordings import jetson_orin, laptop, raspberry_pi_5

HERE = Path(__file__).resolve().parent
NOTE = "values of our own invention, in the format of such a device; not a measurement"
DEVICES = {
    "raspberry-pi-5": raspberry_pi_5,
    "jetson-orin": jetson_orin,
    "laptop": laptop,
}


def frames_of(
    at: Callable[[float], Mapping[str, str | Failed | None]],
    links: Mapping[str, str],
    interval: float,
    seconds: float,
) -> list[Frame]:
    """The first frame whole, later ones what changed."""
    frames: list[Frame] = []
    said: dict[str, Content] = {}
    for number in range(int(seconds / interval) + 1):
        now = number * interval
        found: dict[str, Content] = {
            path: text.encode() if isinstance(text, str) else text for path, text in at(now).items()
        }
        news = {path: one for path, one in found.items() if said.get(path) != one}
        frames.append(Frame(now, news, links if not frames else {}))
        said.update(news)
    return frames


def make(folder: Path, name: str) -> None:
    """Write one recording into a new folder."""
    device = DEVICES[name]
    about = About(
        device=device.MODEL, machine=device.MACHINE, kernel=device.KERNEL, started=1_790_000_000.0,
        interval=device.INTERVAL, page_size=device.PAGE_SIZE, pid=device.PID, made_up=True,
        note=NOTE,
    )  # fmt: skip
    writer = Writer(str(folder), about)
    for frame in frames_of(device.at, device.LINKS, device.INTERVAL, device.SECONDS):
        assert writer.add(frame)
    writer.close()


if __name__ == "__main__":
    for each in DEVICES:
        shutil.rmtree(HERE / each, ignore_errors=True)
        make(HERE / each, each)
