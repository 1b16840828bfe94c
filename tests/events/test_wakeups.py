from events import wakeups


def test_listeners_are_called_until_they_stop() -> None:
    """Each wake-up reaches everybody who listens at that moment."""
    heard: list[int] = []

    def first() -> None:
        heard.append(1)

    def second() -> None:
        heard.append(2)

    wakeups.listen(first)
    wakeups.listen(second)
    wakeups.wake_relay()
    wakeups.ignore(first)
    wakeups.wake_relay()
    wakeups.ignore(second)
    wakeups.wake_relay()
    assert sorted(heard) == [1, 2, 2]
