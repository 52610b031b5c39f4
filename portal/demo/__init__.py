"""The rehearsal: a cast, a stage and a script that play a whole tender on one machine, and its forgeries."""
