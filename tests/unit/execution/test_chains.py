"""What is sent side by side, and what one behind the other."""

from __future__ import annotations

from collections.abc import Callable

from bracketeer.execution.chains import Chains, Next, Task


class Threads:
    """Threads that run when told to, the newest first: the order that is wrong wherever order is left to luck."""

    def __init__(self) -> None:
        self.waiting: list[Next] = []

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
    tasks = [[noting(left, letter) for letter in chain] for chain in chains]
    Chains(threads.waiting.append).begin(tasks, inline=inline)
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


def test_nothing_to_do_is_fine() -> None:
    """Most steps command nothing."""
    assert begun(inline=True)[0] == []
