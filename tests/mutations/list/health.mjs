/** Mutations of the health rules and of the status server. */

/** @type {import('../mutation.mjs').Mutation[]} */
export const health = [
  {
    why: 'health is degraded one pending sample too late',
    file: 'uploader/src/health/rules.ts',
    find: 'books.pending >= Math.max(limits.healthDegradedPending',
    replace: 'books.pending > Math.max(limits.healthDegradedPending',
    tests: ['uploader/health/rules'],
  },
  {
    why: 'health is an error one pending sample too early',
    file: 'uploader/src/health/rules.ts',
    find: 'books.pending > Math.max(limits.healthErrorPending',
    replace: 'books.pending >= Math.max(limits.healthErrorPending',
    tests: ['uploader/health/rules'],
  },
  {
    why: 'one interval’s samples degrade a device with many series',
    file: 'uploader/src/health/rules.ts',
    find: 'const floor = limit.minPendingIntervals *',
    replace: 'const floor = 0 * limit.minPendingIntervals *',
    tests: ['uploader/health/rules'],
  },
  {
    why: 'a receiver that rejects everything is only degraded',
    file: 'uploader/src/health/rules.ts',
    find: "if (receiver.condition === 'held')\n    return {\n      status: 'error'",
    replace: "if (receiver.condition === 'held')\n    return {\n      status: 'degraded'",
    tests: ['uploader/health/rules'],
  },
  {
    why: 'rows that are held count as stalled uploads',
    file: 'uploader/src/health/upload-progress.ts',
    find: 'books.pending <= (held?.count ?? 0)',
    replace: 'books.pending <= 0 * (held?.count ?? 0)',
    tests: ['uploader/health/rules'],
  },
  {
    why: 'a collector is late before the flush that stores its scrape',
    file: 'uploader/src/health/rules.ts',
    find: 'limit.minLateMs) + flushIntervalMs;',
    replace: 'limit.minLateMs) + 0 * flushIntervalMs;',
    tests: ['uploader/health/rules'],
  },
  {
    why: 'the device has the mildest status of its components',
    file: 'uploader/src/health/component-health.ts',
    find: 'severity[b] > severity[a] ? b : a',
    replace: 'severity[b] < severity[a] ? b : a',
    tests: ['uploader/health/rules'],
  },
  {
    why: '/health returns 200 for an error, which no load balancer notices',
    file: 'uploader/src/http/server.ts',
    find: "(status === 'error' ? 503 : 200)",
    replace: "(status === 'error' ? 200 : 200)",
    tests: ['uploader/http/server'],
  },
  {
    why: '/health/ready returns 200 while the device is degraded',
    file: 'uploader/src/http/server.ts',
    find: "(status === 'ok' ? 200 : 503)",
    replace: "(status === 'error' ? 503 : 200)",
    tests: ['uploader/http/server'],
  },
  {
    why: 'requests by a foreign host name are served (DNS rebinding)',
    file: 'uploader/src/http/server.ts',
    find: 'this.#refusesOtherNames = isLoopback(host);',
    replace: "this.#refusesOtherNames = isLoopback(host) && host === '';",
    tests: ['uploader/http/server'],
  },
  {
    why: 'a database that is set aside is not reported',
    file: 'uploader/src/health/rules.ts',
    find: 'database === undefined ? {} : { database }',
    replace: 'database === undefined ? {} : {}',
    tests: ['uploader/health/rules'],
  },
  {
    why: 'a newer database ends the uploader',
    file: 'uploader/src/queue/open-when-ready.ts',
    find: '    return { reason: toErrorMessage(error), tooNew: error };',
    replace: '    throw error;',
    tests: ['uploader/queue/open-when-ready'],
  },
];
