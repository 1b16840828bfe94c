"""Channel layers: within one process (`memory`), and between processes (`redis`)."""
