"""`python -m tests.side_by_side COMMAND...`: run commands at once; all but the first print in the end.

Most tests wait for servers and browsers; what keeps the processor busy fills their pauses.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from tempfile import TemporaryFile


def main(commands: Sequence[str]) -> int:
    """Run the commands, and return 1 if one of them has failed."""
    first, *others = (shlex.split(command) for command in commands)
    with ExitStack() as stack:
        outputs = [stack.enter_context(TemporaryFile("w+")) for _ in others]
        beside = [
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
            for command, output in zip(others, outputs, strict=True)
        ]
        codes = [subprocess.run(first, check=False).returncode, *(process.wait() for process in beside)]
        for output in outputs:
            output.seek(0)
            shutil.copyfileobj(output, sys.stdout)
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
