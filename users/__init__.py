"""Who takes part: users, drivers, one-time codes and tokens."""
