"""DECISIONS: from what was seen to what is done; pure, the clock is passed in."""
