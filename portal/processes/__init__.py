"""The hall as processes that cannot do each other's work: who runs what, with which secrets, as which database role."""
