"""The chosen element: moved over rows, columns and the matrices of a batch, typed, kept by the tensor."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tutor.explain.elements import Matrix
from tutor.study.element import ElementChoice


def matrix(*shape: int, key: str = "W", name: str = "") -> Matrix:
    return Matrix(1, "result", 0, name or key, key, shape, None, "float32")


def test_moving_stays_within_the_matrix() -> None:
    choice, w = ElementChoice(), matrix(2, 3)
    assert choice.element(w) is None
    choice.move(w, 0, 1)
    assert choice.index(w) == (0, 0)  # the first one, where none was chosen
    for rows, columns, index in ((0, 1, (0, 1)), (1, 0, (1, 1)), (1, 0, (1, 1)), (0, 5, (1, 2)), (-3, -1, (0, 1))):
        choice.move(w, rows, columns)
        assert choice.index(w) == index
    assert choice.element(w) == 1


def test_from_the_last_row_it_goes_on_in_the_next_matrix_of_a_batch() -> None:
    choice, batch = ElementChoice(), matrix(2, 2, 3)
    choice.move(batch, 0, 0)
    choice.move(batch, 2, 1)
    assert choice.index(batch) == (1, 0, 1)
    choice.move(batch, -1, 0)
    assert choice.index(batch) == (0, 1, 1)


def test_a_vector_is_a_row() -> None:
    choice, v = ElementChoice(), matrix(4)
    choice.move(v, 1, 0)
    choice.move(v, 1, 3)
    assert choice.index(v) == (3,)


def test_it_is_kept_by_the_tensor_and_holds_for_the_gradient() -> None:
    choice, w, other = ElementChoice(), matrix(2, 3), matrix(2, 3, key="b")
    choice.move(w, 0, 0)
    choice.move(w, 1, 2)
    assert choice.index(matrix(2, 3, name="W.grad")) == (1, 2)
    assert choice.index(other) is None
    choice.move(other, 0, 0)
    assert choice.index(w) == (1, 2)
    assert choice.matrix([w, other]) is other  # where one was chosen last
    assert choice.matrix([w]) is w
    assert choice.matrix([]) is None


def test_it_is_clamped_by_another_shape() -> None:
    choice = ElementChoice()
    choice.move(matrix(4, 5), 0, 0)
    choice.move(matrix(4, 5), 3, 4)
    assert choice.index(matrix(2, 3)) == (1, 2)
    assert choice.index(matrix(3)) == (2,)
    assert choice.index(matrix(2, 2, 2)) == (0, 1, 1)
    assert choice.index(matrix(0, 3)) is None
    assert choice.index(matrix()) == ()


def test_an_index_is_typed_and_erased() -> None:
    choice, w = ElementChoice(), matrix(12, 3)
    for character in "11,2":
        choice.type(w, character)
    assert (choice.typed, choice.index(w)) == ("11,2", (11, 2))
    choice.type(w, ",")  # one too many: it begins again
    choice.type(w, "0")
    assert (choice.typed, choice.index(w)) == ("0", (11, 2))
    choice.erase(w)
    assert (choice.typed, choice.index(w)) == ("", (11, 2))
    choice.erase(w)
    assert choice.index(w) is None


@given(
    st.lists(st.integers(0, 5), max_size=4).map(tuple),
    st.lists(st.integers(0, 5), max_size=4).map(tuple),
    st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), max_size=6),
)
def test_it_is_always_inside(shape: tuple[int, ...], another: tuple[int, ...], moves: list[tuple[int, int]]) -> None:
    choice = ElementChoice()
    for at, (rows, columns) in enumerate(moves):
        choice.move(matrix(*(shape, another)[at % 2]), rows, columns)
        for here in (matrix(*shape), matrix(*another)):
            element = choice.element(here)
            assert element is None or 0 <= element < here.count
