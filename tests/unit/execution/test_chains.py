"""What is sent side by side, and what one behind the other."""

from __future__ import annotations

from collections.abc import Callable

from bracketeer.execution.chains import Chain, Chains, Next, Task


class Threads:
    """Threads that run when told to, the newest first: the order that is wrong wherever order is left to luck."""

    def __init__(self) -> None:
        self.waiting: list[Next] = []
        self.lanes: list[bool] = []

    def spawn(self, task: Next, *, urgent: bool) -> bool:
        self.waiting.append(task)
        self.lanes.append(urgent)
        return True

    def run(self) -> None:
        while self.waiting:
            self.waiting.pop()()


def noting(left: list[str], name: str, *, twice: bool = True) -> Task:
    """A task that says when it leaves; it tells of its departure, and again when it is done."""

    def task(begin_next: Next) -> None:
        left.append(name)
        begin_next()
        if twice:
            begin_next()

    return task


def begun(*chains: str, inline: bool) -> tuple[list[str], Callable[[], None]]:
    """Chains of tasks with one letter each, begun; what has left, and how to let the threads run."""
    left: list[str] = []
    threads = Threads()
    tasks = [Chain([noting(left, letter) for letter in chain], urgent=chain.islower()) for chain in chains]
    Chains(threads.spawn).begin(tasks, inline=inline)
    return left, threads.run


def test_a_chain_leaves_in_its_order_whatever_the_threads_do() -> None:
    """The stop before the take profit, also where another symbol has something to send in the same step."""
    left, run = begun("xy", "st", inline=True)
    run()
    assert sorted(left) == sorted("xyst"), "each once"
    assert [letter for letter in left if letter in "st"] == ["s", "t"]
    assert [letter for letter in left if letter in "xy"] == ["x", "y"]


def test_the_first_task_is_carried_out_on_this_thread() -> None:
    """Whoever learned of a fill sends the stop, with no hop in between."""
    left, _ = begun("ab", "cd", inline=True)
    assert left == ["a"]


def test_all_go_to_threads_when_this_one_has_to_go_on() -> None:
    """The stream's thread."""
    left, run = begun("ab", inline=False)
    assert left == []
    run()
    assert left == ["a", "b"]


def test_questions_wait_for_orders_and_stay_off_their_threads() -> None:
    """A capital letter asks, a small one sends: what sends goes first, and what asks never takes its thread."""
    left: list[str] = []
    threads = Threads()
    tasks = [Chain([noting(left, letter)], urgent=letter.islower()) for letter in "QaRb"]
    Chains(threads.spawn).begin(tasks, inline=True)
    assert left == ["a"]
    assert threads.lanes == [True, False, False]
    alone = Threads()
    Chains(alone.spawn).begin([tasks[0]], inline=True)
    assert (left, alone.lanes) == (["a"], [False])


def test_nothing_to_do_is_fine() -> None:
    """Most steps command nothing."""
    assert begun(inline=True)[0] == []
