"""EventBridge as values and pure functions: events, buses, rules, targets, archives, replays (SRC-31, 40..47)."""
