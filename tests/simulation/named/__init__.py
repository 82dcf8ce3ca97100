"""Named scenarios: for each way in which real bots lost money, a story that brings it about (`failure-modes.md` B)."""
