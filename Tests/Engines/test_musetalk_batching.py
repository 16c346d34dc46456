"""Which pictures a batch makes: planned without a clock, so tested without one."""

from __future__ import annotations

from dataclasses import dataclass

from avatar_engine.musetalk.batching import BatchPlanner, BatchTimes


@dataclass
class Picture:
    """A picture that waits."""

    lead: float
    is_heard: bool = True
    has_begun: bool = True
    duration: float = 0.04


def planner(**times_ms: float) -> BatchPlanner:
    seconds = {int(name[1:]): value / 1000 for name, value in times_ms.items()}
    return BatchPlanner(first=2, largest=16, times=BatchTimes(seconds))


def utterance(lead: float, count: int = 25, **state: bool) -> list[Picture]:
    return [Picture(lead + 0.04 * number, **state) for number in range(count)]


def beginning(count: int = 25) -> list[Picture]:
    return utterance(0, count, is_heard=False, has_begun=False)


def test_an_utterance_begins_with_a_small_batch() -> None:
    assert planner(_1=20, _16=100).plan(beginning()).made == [0, 1]


def test_five_utterances_that_begin_together_get_their_first_picture_out_of_one_batch() -> None:
    plan = planner(_1=20, _16=100).plan([picture for _ in range(5) for picture in beginning(10)])
    assert plan.made == [0, 10, 20, 30, 40]


def test_batches_grow_with_the_time_to_spare() -> None:
    made = [len(planner(_1=10, _4=20, _8=40, _16=80).plan(utterance(lead)).made) for lead in (0.01, 0.03, 0.05, 0.1, 0.2, 1.0)]
    assert made == [1, 1, 4, 8, 16, 16]


def test_a_batch_takes_at_most_half_of_the_time_to_spare() -> None:
    device = planner(_1=30, _2=50, _4=90, _8=170, _16=330)
    for lead in (0.05, 0.1, 0.2, 0.4, 0.8):
        size = len(device.plan(utterance(lead)).made)
        assert size == 1 or device.times.estimate(size) <= lead / 2


def test_the_most_urgent_session_comes_first_and_a_batch_is_filled_with_the_next() -> None:
    waiting = utterance(0.5, 10) + utterance(0.1, 10)
    plan = planner(_1=5, _4=10, _8=20).plan(waiting)
    # 50 ms allow at most 16: ten of the urgent one, then the six of the other that fall between.
    assert plan.made == [*range(0, 6), *range(10, 20)]


def test_a_late_session_leaves_out_what_could_not_be_shown_and_makes_one_at_a_time() -> None:
    plan = planner(_1=100, _16=1600).plan(utterance(-0.2))
    # 200 ms late, 100 ms for a picture: what is over 300 ms after the first one's time is left out.
    assert plan.left_out == list(range(7))
    assert plan.made == [7]


def test_nothing_is_left_out_before_it_is_heard() -> None:
    plan = planner(_1=500).plan(beginning())
    assert plan.left_out == []
    assert plan.made == [0, 1]


def test_a_device_far_too_slow_still_makes_pictures() -> None:
    plan = planner(_1=5000).plan(utterance(0))
    assert plan.made != []
    assert len(plan.left_out) == 10


def test_no_batch_is_larger_than_the_largest() -> None:
    device = BatchPlanner(first=2, largest=3, times=BatchTimes({1: 0.001}))
    assert len(device.plan(utterance(5)).made) == 3
    assert len(device.plan([picture for _ in range(9) for picture in beginning(2)]).made) == 3


def test_nothing_waits_and_nothing_is_made() -> None:
    plan = planner(_1=10).plan([])
    assert (plan.made, plan.left_out) == ([], [])


def test_times_are_learnt_and_guessed_from_the_nearest() -> None:
    times = BatchTimes()
    assert times.estimate(8) == 0
    times.observe(4, 0.1)
    assert times.estimate(8) == 0.2
    assert times.estimate(2) == 0.1
    for _ in range(30):
        times.observe(4, 0.2)
    assert abs(times.estimate(4) - 0.2) < 0.001
