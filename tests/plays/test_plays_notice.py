"""Each play is about a rule, and goes wrong when that rule is broken.

The table has for each play the rules that it is about, and how the play then ends: with a rule that the oracle sees
broken, or with something that the play expects.
"""

import re

import pytest

from paxon.sim.play import BROKEN, run_play
from tests.mutants import core, host, leases, presidency
from tests.mutants.mutant import Mutant
from tests.plays.test_plays import PLAYS

NOTICED: tuple[tuple[str, Mutant, str], ...] = (
    # The paper's scenarios.
    ("figure_1", core.lowest_vote_wins, "B3: ballot 8.1 proposes in slot 1 what was voted for in ballot 4.3"),
    ("figure_1", core.reported_votes_ignored, "expects 5->2 BeginBallot 6.5 slot 1: c1"),
    ("highest_vote", core.lowest_vote_wins, "B3: ballot 6.5 proposes in slot 1 what was voted for in ballot 4.3"),
    ("a_ballot_number_is_never_used_twice", core.ballot_number_not_kept, "I7: NextBallot leaves once"),
    ("a_ballot_number_is_never_used_twice", core.ballot_number_sent_before_durable, "I7: NextBallot leaves once"),
    ("fat_priests", core.weights_of_promises_ignored, "not so: 2 presides"),
    ("fat_priests", core.weights_ignored, "expects 2 knows that c1 passed"),
    ("passed_in_an_absent_ledger", core.reported_votes_ignored, "expects 3->2 BeginBallot 4.3 slot 1: c1"),
    ("forgotten_promise", core.promise_forgotten, "I7: member 2 promises ballot 2.2 once that is durable"),
    ("forgotten_promise", core.promise_sent_before_durable, "I7: member 2 promises ballot 2.2 once that is durable"),
    ("an_answer_to_an_older_ballot", core.promise_of_another_ballot_counted, "I4: member 2 promised the ballot"),
    ("an_answer_to_an_older_ballot", core.short_promise_quorum, "not so: 1 presides"),
    ("deposed_president", presidency.superseded_president_stays, "expects 1 conducts no ballot"),
    ("two_priests_race", presidency.superseded_president_stays, "expects 1 conducts no ballot"),
    ("gap_rule", core.gap_left_open, "expects 3 knows that a no-op passed in slot 1"),
    ("gap_rule", core.reported_votes_ignored, "expects 3 knows that a no-op passed in slot 1"),
    ("both_catch_up_in_an_election", core.outcomes_left_out_of_the_promise, "expects 3 knows that c2 passed"),
    ("both_catch_up_in_an_election", presidency.nothing_handed_out, "expects a letter: Success 3->4"),
    ("what_passed_beyond_a_gap_is_told", core.late_outcomes_not_reported, "I7: LastVote of 1 for ballot 4.2 reports"),
    ("away_and_back", presidency.missing_decrees_not_asked_for, "what a script waits for comes about"),
    ("a_follower_knows_better_than_its_president", core.claims_under_the_wrong_ballot, "I1: the outcome of slot 1"),
    ("a_request_at_any_member", host.requests_not_passed_on, "expects a letter: Forward"),
    ("decree_1302_waits_for_1300", presidency.applied_as_it_is_learned, "slots are applied in order, each once"),
    ("stamps_never_run_backwards", core.stamps_from_the_clock_alone, "3.3.3: the stamp of slot 2"),
    # Errata.
    ("e1_whoever_was_looked_at_is_in_the_quorum", core.choice_over_more_than_the_quorum, "B3: ballot 6.1 proposes"),
    ("e2_a_vote_makes_the_promise_too", core.vote_makes_no_promise, "expects 3 promised 4.1"),
    ("e2_a_question_is_answered_until_the_vote", core.equal_question_ignored, "expects 2->1 LastVote 2.1"),
    ("e2_a_question_is_answered_until_the_vote", core.promise_repeated_after_a_vote, "not so: 3->1 LastVote"),
    ("e4_what_a_decree_costs", core.success_sent_at_once, "not so: 1->2 Success"),
    ("e6_nothing_is_below_every_ballot", core.null_vote_taken_for_a_vote, "I7: LastVote of 1 reports votes"),
    ("e7_passed_before_anybody_knows", core.reported_votes_ignored, "expects 3->2 BeginBallot 4.3 slot 1: c1"),
    ("e9_a_lower_ballot_than_promised_is_refused", core.vote_below_promise, "expects 3->1 Superseded 2.1 by 4.2"),
    ("e9_a_lower_ballot_than_promised_is_refused", core.step_4_without_its_slash, "expects 3 votes for c2"),
    ("e10_votes_of_two_ballots_do_not_add_up", core.vote_of_another_ballot_counted, "I1: the outcome of slot 1"),
    ("e10_voters_are_counted_and_not_letters", core.letters_counted_for_voters, "I1: the outcome of slot 1"),
    ("e10_voters_are_counted_and_not_letters", core.short_vote_quorum, "I1: the outcome of slot 1"),
    # Gaps.
    ("g2_a_vote_leaves_after_the_sync", core.vote_sent_before_durable, "I5: ballot 2.1 counts only durable votes"),
    ("g2_a_vote_leaves_after_the_sync", host.outbox_holds_nothing, "I7: "),
    ("g2_a_failed_sync_ends_the_member", host.failed_sync_shrugged_off, "I7: "),
    ("g3_a_deposed_president_answers_no_read", presidency.read_without_a_roll_call, "a read at member 1 sees slot 2"),
    ("g3_a_lease_lets_the_president_read_alone", leases.grant_ignored, "not so: 3 promised 4.2"),
    ("g3_a_president_sleeps_past_its_lease", presidency.read_without_a_roll_call, "sees slot 1"),
    ("g3_a_forgotten_grant_is_waited_out", leases.forgotten_grant_not_waited_out, "not so: 2 promised 4.3"),
    (
        "g3_a_new_president_first_finds_out_what_passed",
        presidency.read_before_recovery,
        "a read at member 3 sees slot 1",
    ),
    ("g4_a_request_is_bound_to_one_ballot", host.forward_of_any_ballot_begun, "not so: 1->2 BeginBallot"),
    ("g8_silence_about_a_decree_that_passed", core.watermark_ignored, "Lemma: ballot 4.3 proposes what passed"),
    ("g10_who_was_cut_off_asks_before_it_disturbs", presidency.canvass_skipped, "expects 3->2 Canvass"),
    (
        "g11_a_request_that_comes_twice_is_begun_once",
        host.forwards_begun_twice,
        "not so: 1->2 BeginBallot",
    ),
    ("g13_only_so_many_decrees_at_once", host.pipeline_without_an_end, "not so: 1->2 BeginBallot 2.1 slot 3"),
    ("g13_only_so_many_decrees_at_once", host.batches_of_one, "expects 1->2 BeginBallot 2.1 slot 3: c3+c4"),
    ("e4_what_a_decree_costs", core.begin_ballot_waits_for_the_disk, "expects a letter: BeginBallot"),
    ("g15_a_vote_does_not_outlive_its_slot", core.vote_outlives_its_slot, "not so: 1 votes"),
    ("g15_a_vote_does_not_outlive_its_slot", core.votes_of_any_ballot_pass, "I1: the outcome of slot 1 at member 1"),
    ("g23_a_president_that_slept", presidency.read_without_a_roll_call, "a read at member 1 sees slot 1"),
    ("g23_a_president_that_slept", presidency.superseded_president_stays, "expects 1 conducts no ballot"),
    ("g23_clocks_that_jump_move_no_president", host.hourglass_follows_the_wall_clock, "expects 1 presides in 2.1"),
    # Bugs.
    ("a_lost_decree_may_still_pass", host.beaten_by_our_own_next_ballot, "not so: 1->2 BeginBallot 5.1 slot 2"),
    ("a_president_hears_of_a_later_decree", core.foreign_decree_does_not_end_the_ballot, "not so: 1 presides"),
    ("what_was_learned_reaches_the_disk", host.unawaited_records_never_synced, "expects 3 knows that c1 passed"),
)


@pytest.mark.parametrize(("play", "rule", "ending"), NOTICED, ids=[f"{play}-{rule.name}" for play, rule, _ in NOTICED])
def test_a_play_notices_when_its_rule_is_broken(
    play: str, rule: Mutant, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = (path for path in PLAYS if path.stem == play)
    rule.apply(monkeypatch)
    *_, last = run_play(path.read_text(encoding="utf-8")).splitlines()
    assert last.startswith(BROKEN)
    assert re.search(re.escape(ending), last)


def test_every_play_has_a_rule_to_notice() -> None:
    assert {path.stem for path in PLAYS} == {play for play, _, _ in NOTICED}
