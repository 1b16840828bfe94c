"""The services of the domain: each is one transaction that ends in events, named `<entity>_<action>`.

All take keyword arguments only; those of the WebSocket commands are named as the fields of the commands. They raise
`common.errors.DomainError` and then have changed nothing.
"""
