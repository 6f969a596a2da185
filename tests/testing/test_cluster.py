"""``SimulatedCluster``: what a user's test does to it, and what it tells."""

import pytest

from paxon.errors import ApplyFailed, ConfigurationError, DiskFull, NotLeader, OutcomeUnknown, Unreachable
from paxon.testing import ClusterFactory, SimulatedCluster, SimulationFailed
from tests.sim.guard import machines

Accounts = machines.Accounts


def other_than(cluster: SimulatedCluster[Accounts], member: int | None) -> list[int]:
    return [number for number in cluster.members if number != member]


def test_two_lines_are_a_cluster() -> None:
    with SimulatedCluster(Accounts) as cluster:
        assert cluster.submit(b"ada 5") == b"5"
        assert cluster.submit(b"ada 2", at=2) == b"7"
        assert cluster.query(b"ada", at=3) == b"7"


@pytest.mark.parametrize("members", [1, 5])
def test_it_has_as_many_members_as_asked_for(members: int) -> None:
    with SimulatedCluster(Accounts, members, seed=7) as cluster:
        cluster.submit(b"ada 5")
        cluster.settle()
        assert cluster.running == cluster.members == tuple(range(1, members + 1))
        assert [cluster.machine(member).balances for member in cluster.members] == [{"ada": 5}] * members


def test_a_command_on_which_the_machine_raises_is_an_error_of_its_type() -> None:
    with SimulatedCluster(Accounts) as cluster:
        with pytest.raises(ApplyFailed, match="ada has too little"):
            cluster.submit(b"ada -1")
        assert cluster.query(b"ada") == b"0"


def test_the_side_with_a_majority_goes_on_and_the_other_catches_up(simulated_cluster: ClusterFactory) -> None:
    cluster = simulated_cluster(Accounts, members=3, seed=1)
    cluster.submit(b"ada 5")
    cluster.settle()
    old = cluster.leader
    assert old is not None
    others = other_than(cluster, old)
    cluster.partition([old], others)
    with pytest.raises(OutcomeUnknown):
        cluster.submit(b"ada 100", at=old)
    assert cluster.leader in others
    cluster.submit(b"ada 1", at=others[0])
    assert cluster.query(b"ada", at=old, stale=True) == b"5"
    with pytest.raises(NotLeader):
        cluster.query(b"ada", at=old)
    cluster.heal()
    cluster.settle()
    assert cluster.query(b"ada", at=old) in (b"6", b"106")


def test_a_link_cut_one_way_lets_the_other_way_through() -> None:
    with SimulatedCluster(Accounts, seed=2) as cluster:
        cluster.submit(b"ada 5")
        cluster.settle()
        leader = cluster.leader
        assert leader is not None
        deaf = other_than(cluster, leader)[0]
        cluster.cut(leader, deaf)
        cluster.submit(b"ada 1", at=leader)
        assert cluster.query(b"ada", at=deaf, stale=True) == b"5"


@pytest.mark.parametrize("is_cut", [False, True])
def test_what_was_acknowledged_survives_everybodys_crash(is_cut: bool) -> None:
    with SimulatedCluster(Accounts, seed=3) as cluster:
        cluster.submit(b"ada 5")
        for member in cluster.members:
            (cluster.power_cut if is_cut else cluster.crash)(member)
        assert cluster.running == ()
        assert cluster.leader is None
        with pytest.raises(Unreachable):
            cluster.submit(b"ada 1")
        for member in cluster.members:
            cluster.restart(member)
        assert cluster.query(b"ada") == b"5"


def test_a_crash_leaves_the_outcome_open() -> None:
    with SimulatedCluster(Accounts, seed=4) as cluster:
        cluster.submit(b"ada 5")
        leader = cluster.leader
        assert leader is not None
        pending = cluster.begin(b"ada 1", at=leader)
        assert not pending.done()
        cluster.crash(leader)
        assert pending.done()
        with pytest.raises(OutcomeUnknown, match="crashed"):
            pending.result()
        with pytest.raises(Unreachable):
            cluster.machine(leader)
        assert cluster.query(b"ada") in (b"5", b"6")


def test_commands_in_flight_together_are_all_decided() -> None:
    with SimulatedCluster(Accounts, seed=5) as cluster:
        pendings = [cluster.begin(b"ada 1", at=1 + number % 3) for number in range(9)]
        assert {pending.result() for pending in pendings} == {b"%d" % total for total in range(1, 10)}


def test_a_paused_member_hears_nobody_and_comes_back() -> None:
    with SimulatedCluster(Accounts, seed=6) as cluster:
        cluster.submit(b"ada 5")
        cluster.settle()
        leader = cluster.leader
        assert leader is not None
        cluster.pause(leader, 3.0)
        with pytest.raises(Unreachable):
            cluster.submit(b"ada 1", at=leader)
        cluster.run(1.5)
        cluster.submit(b"ada 1", at=other_than(cluster, leader)[0])
        assert cluster.leader != leader
        cluster.run(1.5)
        cluster.settle()
        assert cluster.machine(leader).balances == {"ada": 6}


def submit_much(cluster: SimulatedCluster[Accounts]) -> None:
    for _ in range(20):
        cluster.submit(b"ada 1" + b" " * 9_000)


def test_a_full_disk_refuses_and_recovers() -> None:
    with SimulatedCluster(Accounts, members=1) as cluster:
        cluster.submit(b"ada 5")
        cluster.fill_disk(1)
        with pytest.raises((OutcomeUnknown, DiskFull)):
            submit_much(cluster)
        with pytest.raises(DiskFull):
            cluster.submit(b"ada 1")
        cluster.free_disk(1)
        cluster.run(2.0)
        before = int(cluster.query(b"ada"))
        assert cluster.submit(b"ada 1") == b"%d" % (before + 1)


def test_decided_time_never_runs_backwards_however_clocks_are_turned() -> None:
    with SimulatedCluster(machines.ByDecidedTime, seed=8) as cluster:
        times = [cluster.submit(b"ada 1")[1:]]
        for member, seconds in ((1, 30), (2, -3_000), (3, 500)):
            cluster.skew_clock(member, seconds)
            leader = cluster.leader
            assert leader is not None
            cluster.crash(leader)
            cluster.run(1.5)
            times.append(cluster.submit(b"ada 1")[1:])
            cluster.restart(leader)
            cluster.settle()
        assert times == sorted(times)


def test_the_same_seed_gives_the_same_run() -> None:
    def story(seed: int) -> tuple[float, int | None]:
        with SimulatedCluster(Accounts, seed=seed) as cluster:
            for number in range(20):
                cluster.submit(b"ada 1", at=1 + number % 3)
            return cluster.now, cluster.leader

    assert story(1) == story(1)
    assert len({story(seed) for seed in range(5)}) > 1


def test_time_stands_still_between_calls_and_passes_in_run() -> None:
    with SimulatedCluster(Accounts) as cluster:
        assert cluster.now == 0
        cluster.run(2.5)
        assert cluster.now == 2.5


def test_a_partition_without_a_majority_does_not_settle() -> None:
    cluster = SimulatedCluster(Accounts)
    cluster.partition([1], [2], [3])
    with pytest.raises(SimulationFailed, match=r"not settled after 2\.0 s: nobody leads"):
        cluster.settle(timeout=2.0)


def test_a_hidden_dependence_fails_the_call_that_shows_it() -> None:
    cluster = SimulatedCluster(machines.Timed, seed=9)
    with pytest.raises(SimulationFailed, match=r"it depends on the clock: time\.time \(machines\.py:\d+\)") as caught:
        cluster.submit(b"ada 5")
    assert "again: the same calls of a cluster with seed=9\n" in str(caught.value)


def test_the_hash_seed_is_looked_at_when_the_cluster_is_closed() -> None:
    cluster = SimulatedCluster(machines.HashOfText)
    for name in machines.NAMES:
        cluster.submit(f"{name} 1".encode())
    with pytest.raises(SimulationFailed, match="it depends on the hash seed"):
        cluster.close()
    cluster.close()


def test_a_changed_machine_is_noticed() -> None:
    cluster = SimulatedCluster(Accounts)
    cluster.submit(b"ada 5")
    cluster.settle()
    cluster.machine(2).balances["ada"] = 500
    cluster.submit(b"ada 1")
    with pytest.raises(SimulationFailed, match="is not deterministic"):
        cluster.settle()


def test_a_machine_made_inside_of_a_test_will_do() -> None:
    class Echo:
        def apply(self, command: bytes, context: object) -> bytes:
            return command

        def query(self, question: bytes) -> bytes:
            return question

    with SimulatedCluster(Echo) as cluster:
        assert cluster.submit(b"x") == b"x"
        assert cluster.query(b"y") == b"y"


@pytest.mark.parametrize("members", [0, 10])
def test_a_cluster_of_another_size_is_refused(members: int) -> None:
    with pytest.raises(ConfigurationError, match="1 to 9 members"):
        SimulatedCluster(Accounts, members)


def test_a_member_that_is_not_there_is_refused() -> None:
    with SimulatedCluster(Accounts) as cluster, pytest.raises(ConfigurationError, match="no member 4"):
        cluster.crash(4)
