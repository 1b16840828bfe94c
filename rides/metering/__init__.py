"""How far a ride was driven: pure functions from the fixes that phones report, with noise and wrong clocks, to metres.

`meter` tells it from top to bottom: `clock` says when each fix was made, `outliers` which to leave out, `smoothing`
what noise has added, `speeds` what the phone's own speed is good for. `running` estimates during the ride, `sightings`
says where a phone is now, and `doubts` what no honest phone reports.
"""
