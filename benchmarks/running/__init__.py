"""Parts of `benchmarks/run.py`."""
