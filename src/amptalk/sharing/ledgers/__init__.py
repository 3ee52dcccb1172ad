"""Ledgers: who holds what, for one process (`memory`) or for several (`sqlite`).

`contract` says what a ledger is, `settling` how one is brought up to date (pure), `urls` which one
a URL means. Whose callbacks are called, and whether they have helped, is not known here.
"""
