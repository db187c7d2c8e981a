/** Runs `work`, and then, also if it fails, what it gave to `later`, the last first. */
export async function withCleanup(work) {
  const cleanups = [];
  try {
    return await work((cleanup) => cleanups.push(cleanup));
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}
