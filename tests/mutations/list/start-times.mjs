/** Mutations of the start timestamps of remote write 2.0, and of what is reported of pages that fail. */

/** @type {import('../mutation.mjs').Mutation[]} */
export const startTimes = [
  {
    why: 'takes the start of one histogram for that of another, whose labels differ',
    file: 'collector/src/inputs/exposition/created-samples.ts',
    find: 'const text = familyName + canonicalTags(labels);',
    replace: 'const text = familyName + canonicalTags({});',
    tests: ['collector/inputs/created-samples'],
  },
  {
    why: 'finds no start of a histogram, whose buckets have a label more',
    file: 'collector/src/inputs/exposition/created-samples.ts',
    find: "counter: '', histogram: 'le',",
    replace: "counter: '', histogram: '',",
    tests: ['collector/inputs/created-samples'],
  },
  {
    why: 'keeps the key of a metric whose type has changed',
    file: 'collector/src/inputs/exposition/created-samples.ts',
    find: 'known?.familyName === familyName && known.type === type',
    replace: 'known?.familyName === familyName',
    tests: ['collector/inputs/created-samples'],
  },
  {
    why: 'writes a start with each scrape of an exporter that creates its counters for each',
    file: 'collector/src/store/writing/start-table.ts',
    find: 'const next = hasChanged && isRecent ? null : startMs;',
    replace: 'const next = startMs;',
    tests: ['collector/store/writing/start-table'],
  },
  {
    why: 'goes by the clock of the exporter after a step, and so changes a start that is the same',
    file: 'collector/src/store/writing/start-table.ts',
    find: 'if (!hasChanged && (known.startMs !== null || isRecent)) return;',
    replace: '',
    tests: ['collector/store/writing/start-table'],
  },
  {
    why: 'takes a restart of the collector for one of the exporter',
    file: 'collector/src/store/writing/start-table.ts',
    find: 'if (hasChanged && !Number.isNaN(known.createdMs)) known.changedAtMs',
    replace: 'if (hasChanged) known.changedAtMs',
    tests: ['collector/store/writing/start-table'],
  },
  {
    why: 'deletes the start that samples have which are left',
    file: 'collector/src/store/writing/start-table.ts',
    find: 'AND id NOT IN (SELECT MAX(id) FROM old GROUP BY series_id)',
    replace: '',
    tests: ['collector/store/writing/start-table'],
  },
  {
    why: 'gives samples from before a restart of the exporter the start after it',
    file: 'uploader/src/encoding/rows/start-times.ts',
    find: 'starts?.findLast(({ firstId }) => firstId <= id)?.startMs',
    replace: 'starts?.at(-1)?.startMs',
    tests: ['uploader/encoding/formats/start-times'],
  },
  {
    why: 'sends a start that is later than its sample',
    file: 'uploader/src/encoding/rows/start-times.ts',
    find: 'startMs >= MIN_TIMESTAMP_MS && startMs <= timestamps.numbers[place]!',
    replace: 'startMs >= MIN_TIMESTAMP_MS',
    tests: ['uploader/encoding/formats/start-times'],
  },
  {
    why: 'sends starts by the clock before it was set',
    file: 'uploader/src/encoding/rows/start-times.ts',
    find: '(findEpoch(epochs, id)?.offsetMs ?? 0)',
    replace: '(findEpoch(epochs, 0)?.offsetMs ?? 0)',
    tests: ['uploader/encoding/formats/start-times'],
  },
  {
    why: 'reports no samples of a page that is malformed at its end',
    file: 'collector/src/inputs/exposition-converter.ts',
    find: 'throw isMalformed ? new FailedPage(error, selection) : error;',
    replace: 'throw isMalformed ? error : error;',
    tests: ['collector/inputs/scrape-target'],
  },
  {
    why: 'reports no samples of a page over sample_limit',
    file: 'collector/src/inputs/scrape-target.ts',
    find: 'return new FailedPage(error, read);',
    replace: 'return new FailedPage(error, NOTHING_READ);',
    tests: ['collector/inputs/scrape-labels'],
  },
];
