"""A linearizability checker: did many clients at once see what one at a time could have seen?

``check_history`` decides it for a ``History`` and a ``Model``; ``paxon.checker.report`` draws
the answer.  The models are in modules of their own: ``register``, ``counter``, ``queue``,
``key_value`` and ``revisions``.  Nothing here knows about Paxos, or reads a clock or a file
(``python -m paxon.checker`` does).
"""

from paxon.checker.check import check_history, check_parts, verdict
from paxon.checker.history import History, HistoryInvalid, Operation, Recorder
from paxon.checker.model import Model, SequentialModel
from paxon.checker.result import DeadEnd, Linearizable, NotLinearizable, OutOfBudget, Part, Placed, Result, Unplaced

__all__ = [
    "DeadEnd",
    "History",
    "HistoryInvalid",
    "Linearizable",
    "Model",
    "NotLinearizable",
    "Operation",
    "OutOfBudget",
    "Part",
    "Placed",
    "Recorder",
    "Result",
    "SequentialModel",
    "Unplaced",
    "check_history",
    "check_parts",
    "verdict",
]
