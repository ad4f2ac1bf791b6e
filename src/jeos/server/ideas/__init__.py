"""Ideas: suggestions of members, voted on, answered by the team."""
