"""What the figures in the documentation come from: each script compares two ways side by side, in one run.

`python -m bench.NAME` works on a database of its own, with the default settings and what the environment says. Django
is set up here, before any script is read, so that scripts import models as every other module does.
"""

import os

import django
from django.apps import apps

if not apps.ready:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nebengjek.settings")
    os.environ.setdefault("DEBUG", "true")
    os.environ["DATABASE_URL"] = "sqlite:///var/bench.sqlite3"  # never opened: see `bench.database.use_database`
    django.setup()
