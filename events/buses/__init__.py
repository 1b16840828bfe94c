"""Ways from the relay to those who deliver: within the process (`memory`), and over NATS (`jetstream`)."""
