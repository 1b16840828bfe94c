"""Why what is asked of searches, offers, rides and payments is refused."""

from __future__ import annotations

from common.errors import ErrorReason


class RideReason(ErrorReason):
    """Reasons of this app."""

    ALREADY_ON_A_RIDE = "already_on_a_ride", "You have a current ride."
    UNFINISHED_RIDE = "unfinished_ride", "You have a ride that is not over, or not paid."
    SEARCHING = "searching", "You are looking for a driver."
    CANCELLED_OFTEN = "cancelled_often", "You have cancelled often within an hour and have to wait."

    VEHICLE_NEEDED = "vehicle_needed", "Say which vehicle you drive before you switch the beacon on."
    DRIVER_PENDING = "driver_pending", "Your registration as a driver waits for approval."
    DRIVER_REFUSED = "driver_refused", "Your registration as a driver was refused."
    PAPERS_EXPIRED = "papers_expired", "A paper that you need to drive has expired."

    OFFER_DECIDED = "offer_decided", "The offer was accepted, declined or withdrawn before."
    OFFER_EXPIRED = "offer_expired", "The time to answer the offer is over."
    OFFER_ACCEPTED = "offer_accepted", "You have accepted this offer already."
    OTHER_SIDE_GONE = "other_side_gone", "The driver or the passenger is not available any more."
    DRIVER_TAKEN = "driver_taken", "The driver has a current ride."
    PASSENGER_TAKEN = "passenger_taken", "The passenger has a current ride."

    QUOTE_EXPIRED = "quote_expired", "The quote is no longer valid."
    QUOTE_OF_OTHER_VEHICLE = "quote_of_other_vehicle", "The quote is for another kind of vehicle."
    QUOTE_OF_OTHER_PLACES = "quote_of_other_places", "The quote is for other places."

    WRONG_RIDE_STATUS = "wrong_ride_status", "The ride is in a state that does not allow it."
    POSITION_UNKNOWN = "position_unknown", "Your position is not known, or too old."
    TOO_FAR_AWAY = "too_far_away", "You are too far from the passenger."
    PIN_NEEDED = "pin_needed", "The passenger's PIN is needed."
    WRONG_PIN = "wrong_pin", "This is not the passenger's PIN."
    TOO_MANY_WRONG_PINS = "too_many_wrong_pins", "There were too many wrong PINs."
    RATING_CLOSED = "rating_closed", "The time to rate the ride is over."

    WRONG_AMOUNT = "wrong_amount", "The amount is not the one that was asked."
    PAYMENT_DECIDED = "payment_decided", "The payment has this status already."
    NO_NOTICES = "no_notices", "The payment gateway sends no notices."
    UNREADABLE_NOTICE = "unreadable_notice", "The notice of the payment gateway cannot be read."
    WRONG_SIGNATURE = "wrong_signature", "The signature of the notice is wrong."

    PUSH_UNSUPPORTED = "push_unsupported", "The server does not push to devices of this kind."
