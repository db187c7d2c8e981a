/** How many newest milliseconds are left out: what a receiver has just accepted need not be visible yet. */
export const SETTLING_MS = 15_000;
