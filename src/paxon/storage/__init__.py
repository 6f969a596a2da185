"""What one member keeps on disk: who it is, and its ledger.

Knows: how bytes outlive crashes and how damage is told from a crash.  Does not know: what a decree means, who the
peers are, or when it is time to sync.  ``docs/ledger-format.md`` has every byte and every crash.
"""
