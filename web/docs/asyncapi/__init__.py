"""The wire contract as an AsyncAPI document, made from the classes that define it."""
