"""Push: wakes phones that have no socket, or do not confirm what was sent to it."""
