-------------------------------- MODULE Cases ---------------------------------
(***************************************************************************)
(* Small parliaments for TLC, and reductions that keep them small.         *)
(*                                                                         *)
(* A reduction replaces an operator of Parliament.tla (`Rule <- Reduced'   *)
(* in a configuration).  Each says why no violation is lost by it; and     *)
(* configs/one-slot.cfg uses none but symmetry.                            *)
(***************************************************************************)
EXTENDS Parliament, TLC

CONSTANTS m1, m2, m3, x, y

-------------------------------------------------------------------------------
(* Rosters *)

(* Everybody votes in every slot, and nobody counts for more than another. *)
EqualWeights == [s \in 1 .. LastSlot + 1 |-> [m \in Members |-> 1]]

(* One member outweighs all others, so that a ballot can pass a decree behind the back of a voter and its president. *)
OneHeavy == [s \in 1 .. LastSlot + 1 |-> [m \in Members |-> IF m = m3 THEN Cardinality(Members) ELSE 1]]

(* Decree 1 takes a member's seat, from slot 2 on: a promise quorum of slot 1 need not be one of slot 2. *)
OneLeaves == [s \in 1 .. LastSlot + 1 |-> [m \in Members |-> IF m = m1 /\ s > 1 THEN 0 ELSE 1]]

(* Decree 1 gives one member all the weight. *)
OneRules == [s \in 1 .. LastSlot + 1 |-> [m \in Members |-> IF m # m3 /\ s > 1 THEN 0 ELSE 1]]

(* Flexible quorums of core/roster.py: all must promise, and then one vote is enough; and the other way round. *)
Everybody(s, present) == present = Members
Anybody(s, present) == present # {}

-------------------------------------------------------------------------------
(* Reductions *)

(* Where all members weigh the same, they may change places; ballots belong to whom `owner' says, in all ways at once. *)
Symmetry == Permutations(Members) \cup Permutations(Texts)
LightOnesAlike == Permutations(Members \ {m3})
StayingOnesAlike == Permutations(Members \ {m1})

(* The same as Outweighs for equal weights, and quicker to count. *)
Majority(s, present) == 2 * Cardinality(present) > Cardinality(Members)

(* Nobody owns two ballots.  Not a loss-free reduction: configs/one-slot.cfg goes without. *)
DifferentOwners == {choice \in [Ballots -> Members] :
    \A one, other \in Ballots : choice[one] = choice[other] => one = other}

(* While the roster is the same for all slots, polling starts with the answer that completes the quorum, as in the code. *)
Completed(s, promised) ==
    /\ IsPromiseQuorum(s, promised)
    /\ \E one \in promised : ~IsPromiseQuorum(s, promised \ {one})

(* A promise is given again only while somebody waits for the answer.  Any other answer is never read. *)
PromiseAwaited(book, b, from) ==
    /\ b > book.promised \/ (b = book.promised /\ slip[owner[b]] = Trying(b))
    /\ \A s \in Slots : s >= from /\ book.votes[s] # Nothing => book.votes[s].ballot # b

(* The question is not put again.  An answer to the first one tells whatever an answer to a later one tells, and       *)
(* more: votes in slots that the asker knows by now, which StartPolling leaves alone.  Only with changing rosters does *)
(* a later watermark reach other members.                                                                              *)
Never == FALSE

(* States that differ only in answers that nobody waits for are one: no action reads those answers. *)
Awaited ==
    <<owner, members, asked, {answer \in answered : slip[owner[answer.ballot]] = Trying(answer.ballot)}, voted, quick>>

(* With slips kept (IsForgetful = FALSE): a president that has lost its slip does nothing, and one that keeps it may do *)
(* nothing either.  It claims all the same, and what it claims then it might have claimed before it lost the slip.      *)

===============================================================================
