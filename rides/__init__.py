"""The domain: beacons, finders, matches, rides, fares and payments. It knows no socket."""
