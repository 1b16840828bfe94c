"""The admin pages of users and drivers."""
