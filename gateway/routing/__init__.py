"""The rules of the trust space, and the pipeline that applies them to a message."""
