"""What looks at a program again and again goes on, whatever it met."""

from __future__ import annotations

from amptalk.run.mistakes import Mistakes


def test_a_mistake_is_told_once_and_looking_goes_on() -> None:
    told: list[str] = []
    mistakes = Mistakes(told.append)

    def broken(error: Exception) -> float:
        raise error

    assert mistakes.caught(lambda: 0.2) == 0.2
    for _ in range(3):
        assert mistakes.caught(lambda: broken(KeyError("part"))) == 1.0
    assert mistakes.caught(lambda: broken(OSError("gone"))) == 1.0
    assert mistakes.caught(lambda: 0.3) == 0.3
    assert told == [
        "a mistake in amptalk, which goes on watching: KeyError('part')",
        "a mistake in amptalk, which goes on watching: OSError('gone')",
    ]
