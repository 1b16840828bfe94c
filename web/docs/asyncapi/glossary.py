"""What the fields of commands and of the unnumbered messages mean; the rest is in `rides.glossary`."""

from __future__ import annotations

from rides.glossary import GLOSSARY

COMMANDS = {
    **GLOSSARY,
    "LocationUpdate.timestamp": "When the phone was there, by the server's clock; without it, now.",
    "LocationUpdate.accuracy": "Metres by which the position may be wrong.",
    "LocationUpdate.speed": "Metres per second.",
    "LocationUpdate.heading": "Degrees clockwise from the north.",
    "BeaconUpdate.is_active": "Whether the driver wants passengers.",
    "BeaconUpdate.latitude": "The driver's position; without it he joins with his first `location_update`.",
    "BeaconUpdate.longitude": "The driver's position; belongs to `latitude`.",
    "FinderUpdate.is_active": "Whether to look for a driver.",
    "FinderUpdate.location": "The pick-up; needed to begin.",
    "FinderUpdate.target_location": "Where to go; needed to begin.",
    "MatchConfirm.accepted": "False declines the match for good.",
    "RideStart.latitude": "Taken, but does not count: what the server knows does.",
    "RideStart.longitude": "Taken, but does not count: what the server knows does.",
    "RideArrived.adjustment_factor": "What the fare is multiplied by; without it, 1.",
    "PaymentProcess.total_cost": "Exactly what was asked, in rupiah.",
    "PaymentProcess.status": "Whether the passenger pays.",
    "RideCancel.reason": "For the other side.",
    "Received.seq": "Every notification up to this number has reached the device.",
    "TokenRefresh.token": "A fresh access token of the same user.",
}

MESSAGES = {
    **GLOSSARY,
    "SessionReady.user_id": "Who you are.",
    "SessionReady.role": "What you are in a ride.",
    "SessionReady.connection_id": "This connection; stands in the server's log.",
    "SessionReady.epoch": "The generation of the numbers, for `?resume=`; they begin anew with another one.",
    "SessionReady.seq": "Where the stream stands: the next notification is `seq` + 1.",
    "SessionReady.recovered": "Whether nothing was missed; false: replace what you know by `state`.",
    "SessionReady.server_time": "The server's clock, for the `timestamp` of positions.",
    "SessionReady.state": "The complete state.",
    "SessionReady.limits": "What to keep to.",
    "Limits.max_message_size": "Bytes of a frame (`WS_MAX_MESSAGE_SIZE`).",
    "Limits.command_rate": "Commands a second (`WS_COMMAND_RATE`).",
    "Limits.command_burst": "Commands at once (`WS_COMMAND_BURST`).",
    "Limits.location_rate": "Positions a second that the other party is shown (`WS_LOCATION_RATE`).",
    "LocationRelayed.user_id": "Whose position it is.",
    "LocationRelayed.timestamp": "When he was there.",
    "TokenExpiring.expires_at": "When the token ends, and the connection with it.",
    "ServerRestarting.reconnect_after": "Seconds until you should connect again; another number for everybody.",
    "Error.code": "What kind of mistake it is.",
    "Error.message": "The reason, for people.",
    "Error.field": "The field that is wrong, as a path such as `location.latitude`.",
    "Error.retry_after": "With `RATE_LIMIT`: seconds after which the command may be sent again, with the same `id`.",
}
