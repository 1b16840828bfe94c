"""Real server processes, real sockets, and clients that know nothing but the contract."""
