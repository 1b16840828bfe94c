import gc
import subprocess
import sys


def test_what_a_program_consists_of_is_never_looked_at_again() -> None:
    """In a process of its own: what is frozen stays frozen."""
    here = gc.get_threshold()
    code = (
        "import gc; from common.garbage import collect_seldom; before = gc.get_freeze_count(); collect_seldom();"
        "print(before, gc.get_freeze_count() > 1_000, gc.get_threshold()[0] > 5_000)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "True", "True"]
    assert gc.get_threshold() == here
