------------------------------- MODULE Mutants --------------------------------
(***************************************************************************)
(* Rules broken one at a time.  Each definition stands in for the operator *)
(* named beside it, and TLC must then find a violation: an invariant that  *)
(* notices none of these would prove nothing by holding.                   *)
(* tlc.py says with which configuration, and which invariant notices.      *)
(***************************************************************************)
EXTENDS Cases

(* Chosen: the earliest vote is proposed again. *)
EarliestVote(votes) == (CHOOSE vote \in votes : \A other \in votes : vote.ballot <= other.ballot).decree

(* Chosen: reported votes are ignored. *)
VotesIgnored(votes) == Noop

(* MayVote: in whatever ballot it is asked to. *)
VoteBelowPromise(book, s, b) == book.votes[s] # Nothing => book.votes[s].ballot # b

(* InkedPromise: the promise is given and not written down. *)
PromiseForgotten(book, b) == book

(* MayPromise: again, after a vote in that ballot took the place of the older vote that the answer should report. *)
PromiseAfterVote(book, b, from) == b >= book.promised

(* InkedTry and MayTry: the number is not written down, so it is used again. *)
NumberForgotten(book, b) == book

(* IsPromiseQuorum, IsVoteQuorum: anybody is a quorum. *)
ShortQuorum(s, present) == present # {}

(* ToldAhead: outcomes beyond the first gap are left out of LastVote. *)
AheadUntold(book, from) == {}

(* Watermark: what the others say of how far everything has passed is ignored. *)
WatermarkIgnored(book, answers) == PassedUntil(book)

(* PassesOnWord: on the word of one president, votes of every ballot become outcomes. *)
AnyVotePasses(vote, b) == TRUE

(* PassesOnWord: so do votes of older ballots, as if a later president's decree were sure to be theirs. *)
OlderVotePasses(vote, b) == vote.ballot <= b

(* IsForeign: a president goes on after another decree than its own passed. *)
SlipKept(book, paper) == FALSE

(* IsForeign: only slots that it began make it stop, not one where it would have proposed next. *)
SlipKeptAbove(book, paper) ==
    \E s \in Slots : paper.open[s] # Nothing /\ Knows(book, s) /\ book.outcomes[s] # paper.open[s]

(* MayBegin: the window is ignored. *)
WindowIgnored(book, s, promised) == IsPromiseQuorum(s, promised)

(* MayBegin: the promises of one slot's roster are taken for those of another's. *)
RosterIgnored(book, s, promised) == s < PassedUntil(book) + RosterLag

(* StampFloor: a new president goes by its own ledger. *)
StampsForgotten(book, answers) == book.stamp

(* LeavesEarly: letters that do not wait for the ink. *)
PromiseUndried(kind) == kind = "LastVote"
VoteUndried(kind) == kind = "Voted"
NumberUndried(kind) == kind = "NextBallot"

===============================================================================
