-------------------------------- MODULE Trace ---------------------------------
(***************************************************************************)
(* Is a recorded run of the code a behaviour of Parliament.tla?            *)
(*                                                                         *)
(* Recording.tla is written by tests/spec/recorder.py: what each member    *)
(* wrote, sent and made durable, in the order in which it happened, each   *)
(* as the name of an action and its arguments, and after each step what    *)
(* its ledger and its slip then were.  The only behaviours here are those  *)
(* that take these actions in this order; an event that the specification *)
(* does not allow ends them.  The run is a behaviour if and only if        *)
(* `IsUnexplained' is violated: then all events have found an explanation. *)
(***************************************************************************)
EXTENDS Parliament, Recording

VARIABLE at         \* the event to be explained next

(* Doubled questions and answers are steps of their own here, for their ink dries in its turn. *)
Always(m, letter) == TRUE

Same == UNCHANGED vars

(* The event happened, and changed nothing that the specification speaks of. *)
Seen(isTrue) == isTrue /\ Same

Polled(m, promised) ==
    \E answers \in SUBSET {answer \in answered : answer.ballot = slip[m].ballot /\ answer.member \in promised} :
        /\ {answer.member : answer \in answers} = promised
        /\ StartPolling(m, answers)

(* Forced decrees within the window were begun with the poll. *)
Begun(m, s, d) ==
    LET letter == <<slip[m].ballot, s, d>>
    IN \/ Seen(letter \in begun)
       \/ (BeginForced(m) \/ Propose(m, d.text, d.stamp)) /\ begun' = begun \cup {letter}

Entered(m, s, d) ==
    \/ slip[m].status = "polling" /\ slip[m].open[s] = d /\ Count(m, s)
    \/ Hear(m, s, d)
    \/ /\ ledger[m].votes[s] # Nothing
       /\ ledger[m].votes[s].decree = d
       /\ \E b \in Ballots : TakeWord(m, b, s)

(* What the code could see of itself after a step. *)
Looks(m, seen) ==
    LET book == ledger[m]
        paper == slip[m]
        InUse(slots) == {s \in Slots : slots[s] # Nothing}
    IN /\ book.tried = seen.tried
       /\ book.promised = seen.promised
       /\ PassedUntil(book) = seen.until
       /\ KnownUntil(book) = seen.known
       /\ {<<s, book.votes[s].ballot>> : s \in InUse(book.votes)} = seen.votes
       /\ book.stamp = seen.stamp
       /\ paper.status = seen.status
       /\ paper.status # "idle" => paper.ballot = seen.ballot
       /\ paper.status = "polling" =>
            /\ paper.promised = seen.responders
            /\ paper.next = seen.next
            /\ InUse(paper.forced) = seen.forced
            /\ InUse(paper.open) = seen.open
            /\ paper.stamp = seen.floor

(* LastVote as it left: all that is beyond its sender's gap, and maybe some of what is below. *)
HasLeft(letter) == \E answer \in answered :
    /\ answer.member = letter.member
    /\ answer.ballot = letter.ballot
    /\ answer.until = letter.until
    /\ {<<s, answer.votes[s].ballot, answer.votes[s].decree>> : s \in {t \in Slots : answer.votes[t] # Nothing}}
            = letter.votes
    /\ answer.ahead = letter.ahead
    /\ answer.stamp = letter.stamp

Explains(event) ==
    LET m == event.member
    IN CASE event.kind = "try" -> TryBallot(m, event.ballot)
         [] event.kind = "ask" -> AskAgain(m)
         [] event.kind = "promise" -> Promise(m, event.ballot, event.from)
         [] event.kind = "poll" -> Polled(m, event.responders)
         [] event.kind = "begin" -> Begun(m, event.slot, event.decree)
         [] event.kind = "vote" -> VoteFor(m, event.ballot, event.slot, event.decree)
         [] event.kind = "enter" -> Entered(m, event.slot, event.decree)
         [] event.kind = "lose" -> LoseSlip(m) \/ Seen(slip[m] = Idle)
         [] event.kind = "dry" -> Dry(m)
         [] event.kind = "crash" -> Crash(m)
         [] event.kind = "look" -> Seen(Looks(m, event.seen))
         [] event.kind = "sent NextBallot" -> Seen(<<event.ballot, event.from>> \in asked)
         [] event.kind = "sent LastVote" -> Seen(HasLeft(event.letter))
         [] event.kind = "sent BeginBallot" -> Seen(<<event.ballot, event.slot, event.decree>> \in begun)
         [] event.kind = "sent Voted" -> Seen(<<m, event.ballot, event.slot>> \in voted)
         [] event.kind = "sent Success" -> Seen(<<event.slot, event.decree>> \in told)
         [] event.kind = "sent claim" -> Seen(claimed[event.ballot] >= event.until)

TraceInit == owner = RecordedOwners /\ Begin /\ at = 1

TraceNext ==
    /\ at <= Len(Events)
    /\ at' = at + 1
    /\ Explains(Events[at])

TraceSpec == TraceInit /\ [][TraceNext]_<<vars, at>>

IsUnexplained == at <= Len(Events)

===============================================================================
