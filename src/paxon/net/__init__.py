"""Links between members and calls from clients, over TCP and TLS.

Knows: sockets, frames, handshakes, who is on the other end.  Does not know: what a message
means, the ledger, or which member leads.  Everything here may lose messages and never blocks;
the layers above repeat what matters.
"""
