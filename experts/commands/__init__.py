"""Commands of the experts' room: what the centre, the contributors and the members of a panel may do."""
