from events import nudge


def test_everybody_who_listens_is_nudged_until_he_stops() -> None:
    heard: list[int] = []

    def first() -> None:
        heard.append(1)

    def second() -> None:
        heard.append(2)

    nudge.listen(first)
    nudge.listen(second)
    nudge.nudge()
    nudge.ignore(first)
    nudge.nudge()
    nudge.ignore(second)
    nudge.nudge()
    assert sorted(heard) == [1, 2, 2]
