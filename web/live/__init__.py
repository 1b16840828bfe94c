"""The live map for staff: what is under way, once a second, over a socket of its own."""
