"""The socket: what clients may say, what then happens, and how what happens reaches them."""
