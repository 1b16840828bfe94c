"""A city that weighs the promises of the system: people on real streets, what their phones saw, and what must hold."""
