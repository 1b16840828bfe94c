"""What is kept of people: given out, erased on request, and not kept for longer than needed.

Each app with such data names a class in `settings.PERSONAL_DATA` that does this for its own tables.
"""
