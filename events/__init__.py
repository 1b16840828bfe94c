"""Events, and the outbox that keeps them until they are delivered.

A service ends in `emit(Event(...))` (`outbox`): the row is written in the service's own transaction. The `relay`
publishes the rows on a bus (`buses`) in the order of their numbers, and the bus passes them to whoever delivers them.
"""
