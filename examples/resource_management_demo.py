#!/usr/bin/env python3
"""Watch a machine and hold its limits; with --simulate-load under real load, twice, compared.

Run it from a checkout without installing anything, or as `amptalk demo`:

    python examples/resource_management_demo.py
    python examples/resource_management_demo.py --simulate-load
    python examples/resource_management_demo.py --strategy adaptive \
        --max-memory-mb 2000 --max-cpu-percent 90 --duration 300

The code is in `amptalk.demo`: `load.py` shows how an application obeys.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import src.core.resource_management  # noqa: F401 - makes `amptalk` importable
from amptalk.demo.main import main

if __name__ == "__main__":
    sys.exit(main())
