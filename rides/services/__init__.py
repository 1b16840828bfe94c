"""What can be done in the domain. Each function is one transaction that ends in events; `<entity>_<action>` by name.

All take keyword arguments only; those of the WebSocket commands are named as the fields of the commands. They raise
`common.errors.DomainError` and then have changed nothing.
"""
