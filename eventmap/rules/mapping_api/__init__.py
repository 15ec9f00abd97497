"""The API of event source mappings, decided: what a request asks for, what state it leads to, what is answered."""
