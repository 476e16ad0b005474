"""The queue of answers: accepted sessions first, no kind starved, each answer with one courier."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aggregator.sinks.answer_queue import AnswerQueue, WaitingAnswer


def waiting(name: str, *, accepted: bool, due: float = 0.0, size: int = 10) -> WaitingAnswer:
    return WaitingAnswer(name, size, accepted, due)


def taken(queue: AnswerQueue, now: float) -> list[str]:
    """Take all answers that may be in flight together."""
    names = []
    while (answer := queue.take(now)) is not None:
        names.append(answer.session)
    return names


def test_accepted_answers_get_all_but_one_courier() -> None:
    """The last courier is reserved for refused sessions."""
    queue = AnswerQueue(1000, 4)
    for number in range(5):
        queue.add(waiting(f"refused{number}", accepted=False))
        queue.add(waiting(f"accepted{number}", accepted=True))
    assert taken(queue, 0.0) == ["accepted0", "accepted1", "accepted2", "refused0"]
    assert queue.next_due() is None


def test_refused_answers_leave_one_courier_free() -> None:
    """An accepted answer always finds it free."""
    queue = AnswerQueue(1000, 2)
    for number in range(5):
        queue.add(waiting(f"refused{number}", accepted=False))
    assert taken(queue, 0.0) == ["refused0"]
    queue.add(waiting("accepted", accepted=True))
    assert queue.next_due() == 0.0
    assert taken(queue, 0.0) == ["accepted"]


def test_answers_of_a_kind_are_sent_in_the_order_they_are_due() -> None:
    """A failed answer waits for its next attempt without delaying later ones."""
    queue = AnswerQueue(1000, 4)
    queue.add(waiting("first", accepted=True))
    first = queue.take(0.0)
    assert first is not None
    queue.retry(first, 5.0)
    queue.add(waiting("second", accepted=True, due=6.0))
    queue.add(waiting("third", accepted=True, due=1.0))
    assert taken(queue, 0.0) == []
    assert queue.next_due() == 1.0
    assert taken(queue, 6.0) == ["third", "first", "second"]


def test_refused_answers_fill_at_most_half_of_the_queue() -> None:
    """Accepted ones may fill it all."""
    queue = AnswerQueue(100, 2)
    queue.add(waiting("refused", accepted=False, size=50))
    assert not queue.has_room(1, accepted=False)
    assert queue.has_room(50, accepted=True)
    assert not queue.has_room(51, accepted=True)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.booleans()),
            st.tuples(st.sampled_from(["take", "retry", "remove"]), st.integers(0, 9)),
        ),
        max_size=60,
    ),
    st.integers(2, 5),
)
def test_no_answer_is_lost_or_taken_twice(steps: list[tuple[str, int]], couriers: int) -> None:
    """The limits hold in any order of arrival, failure and delivery."""
    queue, under_way, left = AnswerQueue(10**6, couriers), list[WaitingAnswer](), set[str]()
    for number, (step, choice) in enumerate(steps):
        if step == "add":
            left.add(str(number))
            queue.add(waiting(str(number), accepted=bool(choice)))
        elif step == "take":
            answer = queue.take(number)
            if answer is not None:
                assert answer not in under_way
                under_way.append(answer)
        elif under_way:
            answer = under_way.pop(choice % len(under_way))
            if step == "retry":
                queue.retry(answer, float(number))
            else:
                queue.remove(answer)
                left.remove(answer.session)
        assert len(under_way) <= couriers
        assert queue.bytes == 10 * len(left)
    while left:
        answer = queue.take(1e9)
        under_way += [answer] if answer is not None else []
        done = under_way.pop(0)
        queue.remove(done)
        left.remove(done.session)
    assert queue.next_due() is None
