"""The Python client: knows every member, finds the leader, and repeats only what is safe to repeat."""
