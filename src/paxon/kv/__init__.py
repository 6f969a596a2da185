"""State machines that hold keys and values.  This layer does not know that Paxos exists, nor any clock."""
