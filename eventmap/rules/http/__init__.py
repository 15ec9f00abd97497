"""HTTP sources: a request as the event of each payload format, an answer as the response (SRC-90..105)."""
