#!/usr/bin/env python3
"""The command line of the project: `python manage.py <command>`."""

import os
import sys


def main() -> None:
    """Run one management command; a wrong setting ends it with one readable line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nebengjek.settings")
    try:
        from django.core.management import execute_from_command_line

        from common.env import ConfigError
    except ImportError as exc:
        sys.exit(f"A dependency is missing ({exc}). `make run` installs all of them into .venv.")
    try:
        import nebengjek.settings  # noqa: F401  (read now, so that a wrong value stops us here)
    except ConfigError as exc:
        sys.exit(f"Configuration error: {exc}")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
