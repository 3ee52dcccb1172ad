"""Makes `src.core…`, the import path of the specification, ours and nobody else's."""
