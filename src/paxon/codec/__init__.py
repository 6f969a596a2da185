"""The protocol's values as bytes: numbered kinds, frames, checksums.

Knows: how a value looks in msgpack and how a frame is cut from a stream.  Does not know: files, sockets, or what
any value means.
"""
