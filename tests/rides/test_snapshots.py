from rides.snapshots import open_match, payment_snapshot, ride_snapshot
from tests.cast import arrive, propose
from users.models import User

RIDE = {
    "ride_id", "match_id", "driver_id", "passenger_id", "status", "location", "target_location", "distance_km",
    "total_cost", "adjustment_factor", "adjusted_cost", "created_at", "started_at", "arrived_at", "completed_at",
}  # fmt: skip
MATCH = {
    "match_id", "driver_id", "passenger_id", "location", "driver_location", "target_location", "match_status",
    "distance_km", "expires_at",
}  # fmt: skip
PAYMENT = {"payment_id", "ride_id", "status", "total_cost", "admin_fee", "driver_payout", "qr_code_url"}


def test_a_match_has_the_fields_of_the_contract(dewi: User, putri: User) -> None:
    assert set(open_match(propose(dewi, putri)).to_data()) == MATCH


def test_a_ride_has_the_fields_of_the_contract(dewi: User, putri: User) -> None:
    data = ride_snapshot(arrive(dewi, putri, tracked_km=1.25, factor=0.5)).to_data()
    assert set(data) == RIDE
    assert (data["distance_km"], data["total_cost"], data["adjustment_factor"], data["adjusted_cost"]) == (
        1.25,
        3750,
        0.5,
        1875,
    )


def test_a_payment_has_the_fields_of_the_contract_and_its_parties(dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri)
    assert set(payment_snapshot(ride.payment, ride).to_data()) == PAYMENT | {"driver_id", "passenger_id"}
