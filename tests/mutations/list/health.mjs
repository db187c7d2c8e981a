/** Mutations of the health rules and of the sidecar. */

/** @type {import('../mutation.mjs').Mutation[]} */
export const health = [
  {
    why: 'is degraded one pending sample too late',
    file: 'uploader/src/health/rules.ts',
    find: 'books.pending >= Math.max(limits.healthDegradedPending',
    replace: 'books.pending > Math.max(limits.healthDegradedPending',
    tests: ['uploader/health/rules'],
  },
  {
    why: 'is an error one pending sample too early',
    file: 'uploader/src/health/rules.ts',
    find: 'books.pending > Math.max(limits.healthErrorPending',
    replace: 'books.pending >= Math.max(limits.healthErrorPending',
    tests: ['uploader/health/rules'],
  },
  {
    why: 'lets a board with many series be degraded by one interval’s samples',
    file: 'uploader/src/health/rules.ts',
    find: 'const floor = limit.minPendingIntervals *',
    replace: 'const floor = 0 * limit.minPendingIntervals *',
    tests: ['uploader/health/rules'],
  },
  {
    why: 'calls a receiver that refuses everything degraded only',
    file: 'uploader/src/health/rules.ts',
    find: "if (receiver.condition === 'held')\n    return { status: 'error'",
    replace: "if (receiver.condition === 'held')\n    return { status: 'degraded'",
    tests: ['uploader/health/rules'],
  },
  {
    why: 'takes rows that are held for a receiver that is silent',
    file: 'uploader/src/health/upload-progress.ts',
    find: 'books.pending <= (held?.count ?? 0)',
    replace: 'books.pending <= 0 * (held?.count ?? 0)',
    tests: ['uploader/health/rules'],
  },
  {
    why: 'forgets the flush that a scrape waits for, and calls its collector late',
    file: 'uploader/src/health/rules.ts',
    find: 'limit.minLateMs) + flushIntervalMs;',
    replace: 'limit.minLateMs) + 0 * flushIntervalMs;',
    tests: ['uploader/health/rules'],
  },
  {
    why: 'takes the mildest of its components for the whole',
    file: 'uploader/src/health/component-health.ts',
    find: 'severity[b] > severity[a] ? b : a',
    replace: 'severity[b] < severity[a] ? b : a',
    tests: ['uploader/health/rules'],
  },
  {
    why: 'answers 200 for an error, which no load balancer notices',
    file: 'uploader/src/http/server.ts',
    find: "(status === 'error' ? 503 : 200)",
    replace: "(status === 'error' ? 200 : 200)",
    tests: ['uploader/http/server'],
  },
  {
    why: 'is ready while it is degraded',
    file: 'uploader/src/http/server.ts',
    find: "(status === 'ok' ? 200 : 503)",
    replace: "(status === 'error' ? 503 : 200)",
    tests: ['uploader/http/server'],
  },
  {
    why: 'tells a page elsewhere what a browser asks for it (DNS rebinding)',
    file: 'uploader/src/http/server.ts',
    find: 'this.#refusesOtherNames = isLoopback(host);',
    replace: "this.#refusesOtherNames = isLoopback(host) && host === '';",
    tests: ['uploader/http/server'],
  },
  {
    why: 'a database that is set aside goes unseen',
    file: 'uploader/src/health/rules.ts',
    find: 'database === undefined ? {} : { database }',
    replace: 'database === undefined ? {} : {}',
    tests: ['uploader/health/rules'],
  },
  {
    why: 'the uploader ends with a newer database',
    file: 'uploader/src/queue/open-when-ready.ts',
    find: '    return { reason: toErrorMessage(error), tooNew: error };',
    replace: '    throw error;',
    tests: ['uploader/queue/open-when-ready'],
  },
];
