------------------------------ MODULE Parliament ------------------------------
(***************************************************************************)
(* The multi-decree protocol of Paxon's core, as it ships.                 *)
(*                                                                         *)
(* One legislator's step is one record of its ledger and the letter that   *)
(* rests on it.  What it keeps is split as in section 1.3 of the paper:    *)
(* `ledger' is all it has written, `disk' what of it would survive a crash *)
(* now, `slip' the ballot it conducts and may lose.                        *)
(*                                                                         *)
(* Letters are facts: once posted they stay in their set, and any action   *)
(* may read them at any time, any number of times, or never.  So loss,     *)
(* doubling, reordering and delay need no actions of their own.            *)
(*                                                                         *)
(* Time, attendance, roll calls and reads carry no safety and are left     *)
(* out; whatever they can make a member do (try a ballot, stop conducting  *)
(* one) it may do here at any moment.  README.md has the table of actions, *)
(* sections and functions, and says what is left out and why.              *)
(***************************************************************************)
EXTENDS Integers, FiniteSets, Sequences

CONSTANTS
    Members,        \* legislators
    LastBallot,     \* ballots are 1..LastBallot; 0 is the paper's minus infinity
    LastSlot,       \* slots are 1..LastSlot
    Texts,          \* what a new decree may say
    Stamps,         \* what wall clocks may show; natural numbers
    Weights,        \* Weights[slot][member], for slots 1..LastSlot + 1: the roster of each slot; 0 is no member
    RosterLag,      \* no slot is begun before every decree RosterLag below it is known
    IsDelayed,      \* whether ink takes time to dry; if not, a record is durable when written
    IsForgetful,    \* whether slips are lost at any moment, and not only when a rule says so
    Nothing         \* no vote, no decree

Ballots == 1 .. LastBallot
Slots == 1 .. LastSlot

(* A decree is named by the ballot that first proposed it; who is forced to propose it again leaves it alone. *)
Decree(first, stamp, text) == [first |-> first, stamp |-> stamp, text |-> text]
Noop == Decree(0, 0, Nothing)

Max(numbers) == CHOOSE number \in numbers : \A other \in numbers : number >= other
Min(numbers) == CHOOSE number \in numbers : \A other \in numbers : number <= other

VARIABLES
    owner,          \* owner[b]: the only member that may conduct ballot b; never changes
    ledger,         \* ledger[m]: everything m has written
    disk,           \* disk[m]: what a crash would leave of it
    drying,         \* drying[m]: records on their way to the disk, each with the letter that waits for it
    slip,           \* slip[m]: idle, trying or polling
    asked,          \* NextBallot letters
    answered,       \* LastVote letters
    begun,          \* BeginBallot letters, their claims apart
    voted,          \* Voted letters
    claimed,        \* claimed[b]: what b's president said last of how far everything has passed
    told            \* outcomes that anybody entered, and so may tell

members == <<ledger, disk, drying, slip>>
inked == <<asked, answered, voted>>       \* letters that wait for the ink
quick == <<begun, claimed, told>>         \* letters that do not
vars == <<owner, members, inked, quick>>

-------------------------------------------------------------------------------
(* Ledgers: core/ledger.py *)

EmptyLedger == [
    tried |-> 0,                                \* lastTried
    promised |-> 0,                             \* nextBal
    votes |-> [s \in Slots |-> Nothing],        \* prevVote in each slot whose outcome is not known
    outcomes |-> [s \in Slots |-> Nothing],
    stamp |-> 0]                                \* the highest stamp in any vote or outcome, ever

Knows(book, s) == book.outcomes[s] # Nothing

(* Every decree below is known. *)
PassedUntil(book) == Min({s \in Slots : ~Knows(book, s)} \cup {LastSlot + 1})

(* No outcome is known from here on. *)
KnownUntil(book) == Max({s + 1 : s \in {t \in Slots : Knows(book, t)}} \cup {1})

WithTried(book, b) == [book EXCEPT !.tried = b]
WithPromise(book, b) == [book EXCEPT !.promised = b]
WithVote(book, s, b, d) == [book EXCEPT !.promised = b,
                                        !.votes[s] = [ballot |-> b, decree |-> d],
                                        !.stamp = Max({@, d.stamp})]
WithOutcome(book, s, d) == [book EXCEPT !.outcomes[s] = d,
                                        !.votes[s] = Nothing,
                                        !.stamp = Max({@, d.stamp})]

-------------------------------------------------------------------------------
(* Rosters: core/roster.py.  More than half of the weight; a majority is equal weights. *)

RECURSIVE Sum(_, _)
Sum(weight, present) ==
    IF present = {} THEN 0
    ELSE LET one == CHOOSE m \in present : TRUE IN weight[one] + Sum(weight, present \ {one})

Outweighs(s, present) == 2 * Sum(Weights[s], present) > Sum(Weights[s], Members)
IsPromiseQuorum(s, present) == Outweighs(s, present)
IsVoteQuorum(s, present) == Outweighs(s, present)
IsMember(s, m) == Weights[s][m] > 0

-------------------------------------------------------------------------------
(* Rules in which the paper's safety lies.  Each mutant (Mutants.tla) replaces one of them. *)

(* Step 2: which ballots may be promised.  An equal one is promised again, for the first answer may be lost (E2). *)
MayPromise(book, b, from) ==
    /\ b >= book.promised
    /\ \A s \in Slots : s >= from /\ book.votes[s] # Nothing => book.votes[s].ballot # b

(* Step 2: what is written of the promise. *)
InkedPromise(book, b) == WithPromise(book, b)

(* Step 2: the slots beyond our first gap whose outcome the answer tells. *)
ToldAhead(book, from) == {s \in Slots : s >= from /\ s > PassedUntil(book) /\ Knows(book, s)}

(* Step 4: at or above the promise, and once in each ballot and slot. *)
MayVote(book, s, b) ==
    /\ b >= book.promised
    /\ book.votes[s] # Nothing => book.votes[s].ballot < b

(* Step 1: numbers that this member may still use. *)
MayTry(book, b) == b > book.tried /\ b > book.promised

(* Step 1: whether the question is put again with a later watermark, to those who are silent. *)
MayAskAgain == TRUE

(* Step 1: what is written of the number, before anybody hears of it. *)
InkedTry(book, b) == WithTried(book, b)

(* Step 3: whose answers are enough. *)
Suffices(s, promised) == IsPromiseQuorum(s, promised)

(* Step 3: the decree of the latest of these votes. *)
Chosen(votes) == (CHOOSE vote \in votes : \A other \in votes : vote.ballot >= other.ballot).decree

(* Step 3: below this everything has passed, as somebody among the responders knows, and nothing is proposed. *)
Watermark(book, answers) == Max({PassedUntil(book)} \cup {answer.until : answer \in answers})

(* Step 3: what goes into a slot that nobody voted in, below one that somebody did (section 3.1). *)
Filler == Noop

(* 3.3.3: the stamp that later decrees may not be below. *)
StampFloor(book, answers) == Max({book.stamp} \cup {answer.stamp : answer \in answers})

(* 3.3.6: the law that governs the slot is known, and enough of those whom it names have promised. *)
MayBegin(book, s, promised) == s < PassedUntil(book) + RosterLag /\ IsPromiseQuorum(s, promised)

(* 3.2.2: the votes that pass when the president of b says that everything below `until' has passed. *)
PassesOnWord(vote, b) == vote.ballot = b

(* A president stops when a decree passes that it did not propose: its word would no longer be good. *)
IsForeign(book, paper) ==
    \/ KnownUntil(book) > paper.next
    \/ \E s \in Slots : paper.open[s] # Nothing /\ Knows(book, s) /\ book.outcomes[s] # paper.open[s]

(* Letters that rest on a record leave when it is durable. *)
LeavesEarly(kind) == FALSE

-------------------------------------------------------------------------------
(* Slips of paper: core/slip.py *)

Idle == [status |-> "idle"]
Trying(b) == [status |-> "trying", ballot |-> b]
IsTrying(m) == slip[m].status = "trying"
IsPolling(m) == slip[m].status = "polling"

(* What is left of a slip after its holder wrote something: President.follow_up. *)
Settled(book, paper) ==
    IF paper.status = "idle" \/ book.promised > paper.ballot THEN Idle
    ELSE IF paper.status = "trying" THEN paper
    ELSE IF IsForeign(book, paper) THEN Idle
    ELSE LET unknown == {s \in Slots : ~Knows(book, s)}
             \* Known slots are taken off the front of the list; one behind an unknown slot waits for its turn.
             waiting == {s \in unknown : paper.forced[s] # Nothing}
             front == IF waiting = {} THEN LastSlot + 1 ELSE Min(waiting)
         IN [paper EXCEPT !.open = [s \in Slots |-> IF s \in unknown THEN @[s] ELSE Nothing],
                          !.forced = [s \in Slots |-> IF s >= front THEN @[s] ELSE Nothing]]

(* A president may say at any time how far everything has passed; here it says so at once. *)
Claiming(book, paper) ==
    IF paper.status = "polling" THEN [claimed EXCEPT ![paper.ballot] = Max({@, PassedUntil(book)})] ELSE claimed

-------------------------------------------------------------------------------
(* Ink and post: core/pen.py, node/host.py, node/outbox.py *)

Letter(kind, text) == [kind |-> kind, text |-> text]
NoLetter == Letter("none", Nothing)

(* Letters are facts, so a second copy is not worth a step.  (Traces have such steps, and take it for worth one.) *)
IsNews(m, letter) ==
    /\ letter.text \notin IF letter.kind = "NextBallot" THEN asked ELSE answered
    /\ \A place \in 1 .. Len(drying[m]) : drying[m][place].letter # letter

Post(letter) ==
    /\ asked' = IF letter.kind = "NextBallot" THEN asked \cup {letter.text} ELSE asked
    /\ answered' = IF letter.kind = "LastVote" THEN answered \cup {letter.text} ELSE answered
    /\ voted' = IF letter.kind = "Voted" THEN voted \cup {letter.text} ELSE voted

(* m's ledger becomes `book', and `letter' leaves when that is durable. *)
Write(m, book, letter) ==
    /\ ledger' = [ledger EXCEPT ![m] = book]
    /\ IF IsDelayed
       THEN /\ drying' = [drying EXCEPT ![m] = Append(@, [book |-> book, letter |-> letter])]
            /\ disk' = disk
            /\ Post(IF LeavesEarly(letter.kind) THEN letter ELSE NoLetter)
       ELSE UNCHANGED <<drying, disk>> /\ Post(letter)

(* m enters an outcome (steps 5 and 6), and looks at its slip. *)
Enter(m, s, d) ==
    LET book == WithOutcome(ledger[m], s, d)
        paper == Settled(book, slip[m])
    IN /\ ~Knows(ledger[m], s)
       /\ Write(m, book, NoLetter)
       /\ slip' = [slip EXCEPT ![m] = paper]
       /\ claimed' = Claiming(book, paper)
       /\ told' = told \cup {<<s, d>>}
       /\ UNCHANGED <<owner, begun>>

-------------------------------------------------------------------------------
(* Step 1 *)

TryBallot(m, b) ==
    LET book == InkedTry(ledger[m], b)
    IN /\ owner[b] = m
       /\ MayTry(ledger[m], b)
       /\ Write(m, book, Letter("NextBallot", <<b, PassedUntil(book)>>))
       /\ slip' = [slip EXCEPT ![m] = Trying(b)]
       /\ UNCHANGED <<owner, quick>>

(* The question again, to those who are silent: our ledger may go further by now. *)
AskAgain(m) ==
    LET question == <<slip[m].ballot, PassedUntil(ledger[m])>>
    IN /\ MayAskAgain
       /\ IsTrying(m)
       /\ IsNews(m, Letter("NextBallot", question))
       /\ Write(m, ledger[m], Letter("NextBallot", question))
       /\ UNCHANGED <<owner, slip, quick>>

(* Step 2.  `from' is the watermark in NextBallot. *)

Answer(m, book, b, from) == [
    member |-> m,
    ballot |-> b,
    until |-> PassedUntil(book),
    votes |-> [s \in Slots |-> IF s >= from THEN book.votes[s] ELSE Nothing],
    ahead |-> ToldAhead(book, from),
    stamp |-> book.stamp]

Promise(m, b, from) ==
    LET book == InkedPromise(ledger[m], b)
        answer == Answer(m, ledger[m], b, from)
    IN /\ <<b, from>> \in asked
       /\ IsMember(from, m)
       /\ MayPromise(ledger[m], b, from)
       /\ IsNews(m, Letter("LastVote", answer))
       /\ Write(m, book, Letter("LastVote", answer))
       /\ slip' = [slip EXCEPT ![m] = Settled(book, @)]
       /\ UNCHANGED <<owner, quick>>

(* Step 3, for every slot at once.  The quorum is everyone whose answer is used (E1). *)

StartPolling(m, answers) ==
    LET book == ledger[m]
        promised == {answer.member : answer \in answers}
        VotesIn(s) == {answer.votes[s] : answer \in answers} \ {Nothing}
        until == Watermark(book, answers)
        next == Max({until, KnownUntil(book)} \cup {s + 1 : s \in {t \in Slots : VotesIn(t) # {}}})
        forced == [s \in Slots |->
            IF s < until \/ s >= next \/ Knows(book, s) THEN Nothing
            ELSE IF VotesIn(s) = {} THEN Filler ELSE Chosen(VotesIn(s))]
        \* What is forced is begun in slot order, as far as the window and the rosters let it, in this same step.
        now == {s \in Slots : \A t \in 1 .. s : forced[t] # Nothing => MayBegin(book, t, promised)}
        paper == [
            status |-> "polling",
            ballot |-> slip[m].ballot,
            promised |-> promised,
            next |-> next,
            forced |-> [s \in Slots |-> IF s \in now THEN Nothing ELSE forced[s]],
            open |-> [s \in Slots |-> IF s \in now THEN forced[s] ELSE Nothing],
            stamp |-> StampFloor(book, answers)]
    IN /\ IsTrying(m)
       /\ \A answer \in answers : answer.ballot = slip[m].ballot
       /\ Cardinality(answers) = Cardinality(promised)
       /\ Suffices(PassedUntil(book), promised)
       \* What the answers tell beyond their senders' gaps has been entered first.
       /\ \A answer \in answers : \A s \in answer.ahead : Knows(book, s)
       /\ slip' = [slip EXCEPT ![m] = paper]
       /\ claimed' = Claiming(book, paper)
       /\ begun' = begun \cup {<<paper.ballot, s, forced[s]>> : s \in {t \in now : forced[t] # Nothing}}
       /\ UNCHANGED <<owner, ledger, disk, drying, inked, told>>

(* What had to wait for the window or the rosters.  It comes before anything new, in slot order. *)
BeginForced(m) ==
    LET waiting == {s \in Slots : slip[m].forced[s] # Nothing}
        s == Min(waiting)
        d == slip[m].forced[s]
    IN /\ IsPolling(m)
       /\ waiting # {}
       /\ MayBegin(ledger[m], s, slip[m].promised)
       /\ slip' = [slip EXCEPT ![m].forced[s] = Nothing, ![m].open[s] = d]
       /\ begun' = begun \cup {<<slip[m].ballot, s, d>>}
       /\ UNCHANGED <<owner, ledger, disk, drying, inked, claimed, told>>

(* A new decree goes into the lowest slot never used. *)
Propose(m, text, clock) ==
    LET s == slip[m].next
        d == Decree(slip[m].ballot, Max({slip[m].stamp, clock}), text)
    IN /\ IsPolling(m)
       /\ s \in Slots
       /\ \A t \in Slots : slip[m].forced[t] # Nothing => Knows(ledger[m], t)
       /\ MayBegin(ledger[m], s, slip[m].promised)
       /\ slip' = [slip EXCEPT ![m].next = s + 1, ![m].open[s] = d, ![m].stamp = d.stamp]
       /\ begun' = begun \cup {<<slip[m].ballot, s, d>>}
       /\ UNCHANGED <<owner, ledger, disk, drying, inked, claimed, told>>

(* Step 4 *)

VoteFor(m, b, s, d) ==
    LET book == WithVote(ledger[m], s, b, d)
    IN /\ <<b, s, d>> \in begun
       /\ IsMember(s, m)
       /\ ~Knows(ledger[m], s)
       /\ MayVote(ledger[m], s, b)
       /\ Write(m, book, Letter("Voted", <<m, b, s>>))
       /\ slip' = [slip EXCEPT ![m] = Settled(book, @)]
       /\ UNCHANGED <<owner, quick>>

(* Step 5 *)

Count(m, s) ==
    LET b == slip[m].ballot
    IN /\ IsPolling(m)
       /\ slip[m].open[s] # Nothing
       /\ IsVoteQuorum(s, {q \in Members : <<q, b, s>> \in voted})
       /\ Enter(m, s, slip[m].open[s])

(* Step 6: told in full, or on the word of the president whose ballot we voted in. *)

Hear(m, s, d) == <<s, d>> \in told /\ Enter(m, s, d)

TakeWord(m, b, s) ==
    /\ ledger[m].votes[s] # Nothing
    /\ s < claimed[b]
    /\ PassesOnWord(ledger[m].votes[s], b)
    /\ Enter(m, s, ledger[m].votes[s].decree)

(* A ballot may be given up at any time (A1, Forget). *)
LoseSlip(m) ==
    /\ IsForgetful
    /\ slip[m] # Idle
    /\ slip' = [slip EXCEPT ![m] = Idle]
    /\ UNCHANGED <<owner, ledger, disk, drying, inked, quick>>

(* One record dries, and what waited for it leaves. *)
Dry(m) ==
    /\ drying[m] # <<>>
    /\ disk' = [disk EXCEPT ![m] = Head(drying[m]).book]
    /\ drying' = [drying EXCEPT ![m] = Tail(@)]
    /\ Post(Head(drying[m]).letter)
    /\ UNCHANGED <<owner, ledger, slip, quick>>

(* A crash and the restart after it: the slip is gone, and so is what was not dry. *)
Crash(m) ==
    /\ IsDelayed
    /\ ledger' = [ledger EXCEPT ![m] = disk[m]]
    /\ drying' = [drying EXCEPT ![m] = <<>>]
    /\ slip' = [slip EXCEPT ![m] = Idle]
    /\ UNCHANGED <<owner, disk, inked, quick>>

-------------------------------------------------------------------------------

Owners == [Ballots -> Members]

Begin ==
    /\ ledger = [m \in Members |-> EmptyLedger]
    /\ disk = ledger
    /\ drying = [m \in Members |-> <<>>]
    /\ slip = [m \in Members |-> Idle]
    /\ asked = {} /\ answered = {} /\ begun = {} /\ voted = {} /\ told = {}
    /\ claimed = [b \in Ballots |-> 1]

Init == owner \in Owners /\ Begin

(* One answer of each of some members that answered. *)
Ballotings(m) == SUBSET {answer \in answered : IsTrying(m) /\ answer.ballot = slip[m].ballot}

Next == \E m \in Members :
    \/ \E b \in Ballots : TryBallot(m, b)
    \/ AskAgain(m)
    \/ \E question \in asked : Promise(m, question[1], question[2])
    \/ \E answers \in Ballotings(m) : StartPolling(m, answers)
    \/ BeginForced(m)
    \/ \E text \in Texts, clock \in Stamps : Propose(m, text, clock)
    \/ \E letter \in begun : VoteFor(m, letter[1], letter[2], letter[3])
    \/ \E s \in Slots : Count(m, s)
    \/ \E outcome \in told : Hear(m, outcome[1], outcome[2])
    \/ \E b \in Ballots, s \in Slots : TakeWord(m, b, s)
    \/ LoseSlip(m)
    \/ Dry(m)
    \/ Crash(m)

Spec == Init /\ [][Next]_vars

-------------------------------------------------------------------------------
(* What must hold: core/invariants.py says the same of simulated runs. *)

Durable(m) == IF IsDelayed THEN disk[m] ELSE ledger[m]

VotersIn(b, s) == {m \in Members : <<m, b, s>> \in voted}

(* The letters whose decree a quorum has voted for. *)
Passed == {letter \in begun : IsVoteQuorum(letter[2], VotersIn(letter[1], letter[2]))}

HasPassed(s) == \E letter \in Passed : letter[2] = s

(* Theorem 1: one decree passes in a slot. *)
Agreement == \A one, other \in Passed : one[2] = other[2] => one[3] = other[3]

(* I1: what anybody entered had passed. *)
OutcomesPassed == \A outcome \in told : \E letter \in Passed : letter[2] = outcome[1] /\ letter[3] = outcome[2]

(* B1: a ballot has one decree in a slot. *)
OneDecree == \A one, other \in begun : one[1] = other[1] /\ one[2] = other[2] => one[3] = other[3]

(* The Lemma of 2.1: ballots after a successful one have its decree. *)
LaterAgree == \A one \in Passed, other \in begun : one[2] = other[2] /\ one[1] < other[1] => one[3] = other[3]

(* Ledger's own invariant, and I3. *)
VotesBelowPromise == \A m \in Members, s \in Slots :
    ledger[m].votes[s] # Nothing => ledger[m].votes[s].ballot <= ledger[m].promised

(* I7: a promise that left is durable, and reports the latest vote below it in every slot that was asked for. *)
PromisesHold == \A answer \in answered :
    /\ Durable(answer.member).promised >= answer.ballot
    /\ \A vote \in voted :
        \/ vote[1] # answer.member
        \/ vote[2] >= answer.ballot
        \/ vote[3] < answer.until
        \/ vote[3] \in answer.ahead
        \/ \E question \in asked : question[1] = answer.ballot /\ vote[3] < question[2]
        \/ /\ answer.votes[vote[3]] # Nothing
           /\ answer.votes[vote[3]].ballot \in vote[2] .. answer.ballot - 1

(* A vote that left is durable: it, or a later one, or the outcome is on the disk. *)
VotesHold == \A vote \in voted :
    LET book == Durable(vote[1])
    IN book.promised >= vote[2]
       /\ (Knows(book, vote[3]) \/ (book.votes[vote[3]] # Nothing /\ book.votes[vote[3]].ballot >= vote[2]))

(* The word of a president is good: everything below has passed, and what it proposed there is what passed. *)
ClaimsSound == \A b \in Ballots, s \in Slots :
    s < claimed[b] =>
        /\ HasPassed(s)
        /\ \A letter \in begun, passed \in Passed :
            letter[1] = b /\ letter[2] = s /\ passed[2] = s => letter[3] = passed[3]

(* 3.3.6: what is RosterLag below a slot that was begun had passed. *)
Window == \A letter \in begun : \A s \in Slots : s + RosterLag <= letter[2] => HasPassed(s)

(* 3.3.3: among what passed without a gap, stamps do not fall from a slot to a later one whose president can have known
   the earlier: it proposed that itself, or it had passed in a ballot up to its own. *)
StampsRise ==
    LET complete == {letter \in Passed : \A s \in 1 .. letter[2] : HasPassed(s)}
    IN \A one, other \in complete :
        (one[2] < other[2] /\ one[3] # Noop /\ other[3] # Noop
          /\ (one[1] <= other[3].first \/ one[3].first = other[3].first))
            => one[3].stamp <= other[3].stamp

Safe ==
    /\ Agreement
    /\ OutcomesPassed
    /\ OneDecree
    /\ LaterAgree
    /\ VotesBelowPromise
    /\ PromisesHold
    /\ VotesHold
    /\ ClaimsSound
    /\ Window
    /\ StampsRise

(* Of steps: durable state only rises, and outcomes are written once. *)
Monotone == [][\A m \in Members :
    /\ Durable(m)'.promised >= Durable(m).promised
    /\ Durable(m)'.tried >= Durable(m).tried
    /\ \A s \in Slots : Knows(Durable(m), s) => Durable(m)'.outcomes[s] = Durable(m).outcomes[s]]_vars

(* B3 over the responders, and a promise quorum of the slot's own roster behind everything begun. *)
LatestVote(responders, s, b) ==
    LET before == {vote \in voted : vote[1] \in responders /\ vote[2] < b /\ vote[3] = s}
    IN IF before = {} THEN 0 ELSE Max({vote[2] : vote \in before})

Choices == [][\A letter \in begun' \ begun :
    LET b == letter[1]
        s == letter[2]
        promised == slip'[owner[b]].promised
        latest == LatestVote(promised, s, b)
    IN /\ IsPromiseQuorum(s, promised)
       /\ IF latest = 0 THEN letter[3] = Noop \/ letter[3].first = b
          ELSE <<latest, s, letter[3]>> \in begun]_vars

===============================================================================
