"""Forms of pages: those made from a procedure's schemas, and those of fixed screens."""
