"""Buses carry events from the relay to those who deliver: in the process (`memory`), over NATS (`jetstream`)."""
