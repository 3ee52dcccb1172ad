"""The demonstration: a small model server under real load, with and without AMPTALK's handling.

`worker` is the child process that really allocates, leaks and burns, `load` the
application that drives it and obeys through the public knobs and admission,
`arms` runs it twice and compares, `show` prints, `main` is the command.
"""
