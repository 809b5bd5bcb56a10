"""The gateway: the road of a message, from a port to a mailbox, a record or another operator."""
