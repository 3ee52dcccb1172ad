"""Act and verify: knobs, admission, memory, hooks; the only room that changes the machine."""
