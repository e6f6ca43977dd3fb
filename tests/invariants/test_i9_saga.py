from labkit.verdict import Standing
from tests.invariants.history import History
from tests.invariants.judged import FAIL, PASS, kinds, result, shop, standing


def saga(history: History, order: int, *, ended: bool = True, compensating: bool = False, failed: bool = False) -> None:
    history.add(
        "saga_instances",
        schema_name="order_db",
        saga_type="CreateOrderSaga",
        saga_id=f"saga-{order}",
        state_name="{}",
        end_state=ended,
        compensating=compensating,
        failed=failed,
        order_id=order,
    )


def test_it_is_not_applicable_where_no_sagas_are_orchestrated() -> None:
    assert standing(shop(), "I9") is Standing.NOT_APPLICABLE


def test_sagas_that_agree() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    history.rejected(10, 4, "99.00")
    saga(history, 9)
    saga(history, 10, compensating=True)
    assert standing(history, "I9") is PASS


def test_each_way_to_disagree() -> None:
    history = shop()
    for order in (9, 10):
        history.saga(order, 5, f"{order}.00")
    history.rejected(11, 4, "99.00")
    history.order(12, 4, "1.00")
    saga(history, 9, compensating=True)
    saga(history, 10, failed=True)
    saga(history, 11)
    saga(history, 12)
    saga(history, 13)
    assert kinds(history, "I9") == ["compensated_but_approved", "failed", "rejected_uncompensated", "ended_too_early", "no_order"]
    assert result(history, "I9").standing is FAIL


def test_a_saga_that_is_open_is_a_matter_of_progress() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    saga(history, 9, ended=False)
    assert standing(history, "I9") is PASS
    assert kinds(history, "I3") == ["saga_open"]
