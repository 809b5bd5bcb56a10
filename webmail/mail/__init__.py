"""The mail pages: lists and conversations, one letter, writing."""
