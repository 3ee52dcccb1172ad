"""Made-up cards in a made-up machine."""

from __future__ import annotations

from amptalk.model.sample import Sample
from tests.sensors.trees import Tree, check_reasons, opened

MB = 2**20


def put_all(tree: Tree, folder: str, files: dict[str, str]) -> None:
    for name, value in files.items():
        tree.put(f"{folder}/{name}", f"{value}\n")


def card(tree: Tree, number: int, pci: str, vendor: str, driver: str, **files: str) -> str:
    """A card on PCI, with class links as the kernel makes them; returns its device folder."""
    device = f"sys/devices/pci0000:00/{pci}"
    put_all(tree, device, {"vendor": vendor, **files})
    folder = tree.root / f"sys/class/drm/card{number}"
    folder.mkdir(parents=True)
    (folder / "device").symlink_to(tree.root / device)
    (tree.root / device / "driver").symlink_to(f"/sys/bus/pci/drivers/{driver}")
    return device


def amd(tree: Tree, number: int = 0, pci: str = "0000:03:00.0", **files: str) -> str:
    usual = {
        "gpu_busy_percent": "37",
        "mem_info_vram_used": str(2000 * MB), "mem_info_vram_total": str(8176 * MB),
        "mem_info_gtt_used": str(300 * MB), "mem_info_gtt_total": str(4000 * MB),
    }  # fmt: skip
    return card(tree, number, pci, "0x1002", "amdgpu", **{**usual, **files})


def descriptor(tree: Tree, pid: int, number: int, **lines: str) -> None:
    """An open descriptor of a GPU and what the kernel says of it."""
    text = "".join(f"{key.replace('_', '-')}:\t{value}\n" for key, value in lines.items())
    tree.put(f"proc/{pid}/fdinfo/{number}", text)
    folder = tree.root / f"proc/{pid}/fd"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / str(number)).symlink_to("/dev/dri/renderD128")


def read(tree: Tree, scope: str = "application") -> Sample:
    with opened(tree.suite(scope)) as suite:
        sample = suite.read()
    check_reasons(sample)
    return sample


def row(tree: Tree, number: int = 0) -> str:
    """What doctor says of a GPU, values and reasons."""
    with opened(tree.suite()) as suite:
        reports = [one for one in suite.describe() if one.name == f"GPU {number}"]
    return "\n".join(f"{one.value or one.missing} {one.remedy}".strip() for one in reports)
