"""Dividing: what each component of an application may hold of a limit.

`allocation` divides (pure), `components` keeps who holds what and hands it out.
"""
