print("importing")
raise LookupError("no table")
