"""Parts of `benchmarks/control.py`: the rivals, the suite of plants, running and telling."""
