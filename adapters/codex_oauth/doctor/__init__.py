"""What may stand in the way of a sign-in on this machine: looked at, judged, and told with what to do."""
