"""Parts of `benchmarks/service.py`: scenarios, arms, the service itself, scoring and telling."""
