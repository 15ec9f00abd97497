"""HTTP sources as pure rules."""
