"""The bridge between NATS and the sockets, in both directions; `manage.py run_nats_bridge` runs it.

`outbound` relays the outbox to the stream; `inbound` delivers the stream to the histories and groups of the users. One
bridge is active, by a `lease`; others stand by.
"""
