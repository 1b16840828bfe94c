"""What happened, kept until it is delivered.

A service ends in `emit(Event(...))` (`outbox`): the row is written in the service's own transaction. The `relay` hands
the rows to a bus (`buses`) in the order of their numbers, and the bus to whoever delivers them.
"""
