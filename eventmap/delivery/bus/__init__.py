"""Event buses at work: events matched, made durable, and delivered to the targets of rules (SRC-40..47)."""
