"""What the system runs on: real servers for tests and demonstrations, and the files of a deployment."""
