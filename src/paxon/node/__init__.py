"""One member as a process: the host loop around the core, and what it asks of the machine."""
