"""The ledger of several processes: an SQLite file in memory (tmpfs), and no server.

`folder` is where it lies and whether it may be trusted, `gate` who may use it now, `seats` who
lives, `hints` how others are woken, `schema` what the file holds, `ledger` ties them together.
"""
