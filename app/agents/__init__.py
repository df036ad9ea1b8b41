"""Who works here: agents, teams, sessions, API tokens."""
