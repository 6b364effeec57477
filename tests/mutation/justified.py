"""Mutants that may survive, each with the reason why no suite can, or need, notice it."""

JUSTIFIED: dict[str, str] = {
    "block-backed-relaxed":
        "the mark stands for memory that a system call gave or takes, which no store can overtake, "
        "and a block's content is handed over by the slot's word. Release keeps the order that a "
        "killed owner leaves the written one on any machine.",
}
