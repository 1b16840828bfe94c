"""The project: settings, the ASGI application, the URLs, and what all apps share."""
