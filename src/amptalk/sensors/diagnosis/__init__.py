"""Why a sensor has no value, and the one command or boot option that helps.

`machine` says what kind of machine this is, `causes` which causes there are, and one file a
topic looks at the kernel's files and tells cause and remedy. Nothing here measures and nothing
runs on the tick: it is for `amptalk doctor`.
"""
