"""Mutants of the core, part two: who presides, what is repeated and asked for, and reads (2.4, 3.1, 3.3)."""

from msgspec import structs

from paxon.core.archive import Archive
from paxon.core.attendance import Attendance
from paxon.core.decree import Decree, NodeId, Slot
from paxon.core.messages import Canvass, Superseded
from paxon.core.pen import Pen
from paxon.core.president import President
from paxon.core.roll import Roll
from paxon.core.slip import Polling, Question
from tests.mutants.mutant import Patch, mutant

# --- who presides ---


@mutant(
    "3.3.1; docs/protocol.md, Choosing a president",
    "tests/core/test_attendance.py::test_nobody_is_supported_while_the_president_is_heard",
)
def president_not_sticky(patch: Patch) -> None:
    """A candidate is supported while its president is heard well."""
    patch.replace(Attendance, "_misses_president", lambda self: not isinstance(self._president.slip, Polling))


@mutant(
    "2.4; docs/protocol.md, Choosing a president",
    "tests/core/test_attendance.py::test_asking_around_writes_nothing",
)
def canvass_skipped(patch: Patch) -> None:
    """Who misses the president starts a ballot without asking whether others miss it too."""
    patch.replace(Attendance, "_ask_around", Attendance._stand)


@mutant("3.3.1", "tests/core/test_attendance.py::test_only_a_candidate_that_has_caught_up_is_supported")
def laggard_supported(patch: Patch) -> None:
    """A candidate is supported although it knows fewer decrees than its supporter."""
    on_canvass = Attendance.on_canvass

    def generous(self: Attendance, sender: NodeId, message: Canvass) -> None:
        passed_until = max(message.passed_until, self._ledger.passed_until)
        on_canvass(self, sender, structs.replace(message, passed_until=passed_until))

    patch.replace(Attendance, "on_canvass", generous)


@mutant("3.3.1", "tests/core/test_president.py::test_nobody_behind_gets_it")
def hand_over_to_a_laggard(patch: Patch) -> None:
    """A president hands over to a member that has not caught up."""
    hand_over = President._maybe_hand_over

    def careless(self: President, slip: Polling) -> None:
        standing, slip.standing = slip.standing, dict.fromkeys(slip.heard_ms, self._ledger.passed_until)
        hand_over(self, slip)
        slip.standing = standing

    patch.replace(President, "_maybe_hand_over", careless)


@mutant("2.4; liveness", "tests/core/test_reads.py::test_reads_are_dropped_with_the_slip")
def superseded_president_stays(patch: Patch) -> None:
    """A president goes on with a ballot that somebody has promised not to vote in."""

    def stubborn(self: President, message: Superseded) -> None:
        return

    patch.replace(President, "on_superseded", stubborn)


@mutant(
    "3.3.1; docs/protocol.md, Choosing a president",
    "tests/core/test_president.py::test_a_president_that_hears_no_quorum_steps_down",
)
def cut_off_president_stays(patch: Patch) -> None:
    """A president that hears no quorum holds its office."""
    hold_office = President._hold_office

    def unaware(self: President, slip: Polling) -> None:
        slip.heard_ms = dict.fromkeys(self._others(), self._pen.now_ms)
        hold_office(self, slip)

    patch.replace(President, "_hold_office", unaware)


# --- what is repeated, and what is asked for ---


@mutant(
    "2.3: messages may be lost; liveness",
    "tests/core/test_president.py::test_begin_ballot_is_repeated_to_those_who_have_not_voted_ever_more_rarely",
)
def lost_ballots_not_sent_again(patch: Patch) -> None:
    """``BeginBallot`` is sent once, whoever does not answer."""
    hold_office = President._hold_office

    def once(self: President, slip: Polling) -> None:
        for begun in slip.open.values():
            begun.sent_ms = self._pen.now_ms
        hold_office(self, slip)

    patch.replace(President, "_hold_office", once)


@mutant("3.1; liveness", "tests/core/test_archive.py::test_the_question_says_how_far_our_ledger_goes")
def missing_decrees_not_asked_for(patch: Patch) -> None:
    """A member that lacks decrees waits until somebody tells it."""

    def never_asks(self: Archive) -> None:
        self._ask_at_ms = None

    patch.replace(Archive, "_ask", never_asks)


# --- reads ---


@mutant(
    "docs/protocol.md, Reads",
    "tests/core/test_reads.py::test_a_read_calls_the_roll_and_waits_for_a_quorum",
)
def read_without_a_roll_call(patch: Patch) -> None:
    """A president answers a read without asking whether it still presides."""
    patch.replace(Roll, "_is_answered", lambda self, slip, roll_call: True)


@mutant(
    "docs/protocol.md, Reads",
    "tests/core/test_reads.py::test_a_new_president_answers_nothing_before_it_knows_all_that_may_have_passed",
)
def read_before_recovery(patch: Patch) -> None:
    """A new president answers a read before it knows everything that passed before it."""
    put_questions = Roll._put_questions

    def hasty(self: Roll, slip: Polling, tokens: list[int]) -> None:
        recovered_until, slip.recovered_until = slip.recovered_until, Slot(1)
        put_questions(self, slip, tokens)
        slip.recovered_until = recovered_until

    patch.replace(Roll, "_put_questions", hasty)


@mutant(
    "docs/protocol.md, Reads", "tests/core/test_reads.py::test_all_who_come_while_a_call_is_under_way_share_the_next"
)
def read_joins_an_earlier_roll_call(patch: Patch) -> None:
    """A read is answered by a roll call that was sent before the read arrived."""
    read = Roll.read

    def joins(self: Roll, slip: Polling, token: int) -> None:
        if slip.questions:
            earlier = slip.questions[-1]
            slip.questions.append(Question(token, earlier.roll_call, earlier.passed_until))
        else:
            read(self, slip, token)

    patch.replace(Roll, "read", joins)


# --- decrees that come late ---


@mutant("3.1", "tests/core/test_voter.py::test_what_has_passed_is_answered_with_the_outcome")
def nothing_handed_out(patch: Patch) -> None:
    """Nobody is sent what it lacks."""
    patch.replace(Archive, "hand_out", lambda self, to, from_slot: None)


@mutant("3.3.2", "tests/core/test_president.py::test_slots_pass_in_any_order_and_are_reported_in_theirs")
def applied_as_it_is_learned(patch: Patch) -> None:
    """A decree is applied when it is learned, whatever lies before it."""
    original = Pen.learn

    def learn(self: Pen, slot: Slot, decree: Decree) -> None:
        is_news = not self.ledger.knows(slot)
        original(self, slot, decree)
        if is_news and slot >= self.ledger.passed_until:
            self.effects.passed.append((slot, decree))

    patch.replace(Pen, "learn", learn)
