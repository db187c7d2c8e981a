import { describe, expect, test } from '@jest/globals';

import { createConverter } from '../../../support/collector/made-target.ts';

/** The `_created` samples of pages in OpenMetrics, which say when a counter, a histogram or a summary began to count. */

const PAGE = `# TYPE opened counter
opened_total{door="a"} 17
opened_created{door="a"} 1520430000.123
opened_total{door="b"} 3
opened_created{door="b"} 1520430001
# TYPE lid histogram
lid_bucket{le="1.0",door="a"} 4
lid_bucket{door="a",le="+Inf"} 5
lid_count{door="a"} 5
lid_sum{door="a"} 7
lid_created{door="a"} 1520430002
# TYPE pump summary
pump{quantile="0.5"} 1
pump_count 2
pump_created 1520430003
# TYPE queue gauge
queue 4
queue_created 1520430004
# TYPE quiet counter
quiet_total 1
# EOF
`;

type Converter = ReturnType<typeof createConverter>;

/** The start of each series that has one, by its name and the label `door`. */
async function findStarts(
  text: string,
  {
    converter = createConverter({ findsStarts: true }),
    format = 'openmetrics',
    maxReadings = 100,
  }: {
    converter?: Converter;
    format?: 'openmetrics' | 'prometheus';
    maxReadings?: number;
  } = {},
): Promise<Record<string, number>> {
  const { readings } = await converter.convert([Buffer.from(text)], { format }, maxReadings);
  return Object.fromEntries(
    readings.flatMap(({ series, labels, createdMs }) =>
      createdMs === undefined ? [] : [[[series.name, labels['door']].filter(Boolean).join(' '), createdMs]],
    ),
  );
}

describe('created samples', () => {
  test('created samples: give the series of their metric a start, cut to milliseconds, and stay series of their own', async () => {
    const starts = {
      'opened_total a': 1_520_430_000_123,
      'opened_total b': 1_520_430_001_000,
      'lid_bucket a': 1_520_430_002_000,
      'lid_count a': 1_520_430_002_000,
      'lid_sum a': 1_520_430_002_000,
      pump: 1_520_430_003_000,
      pump_count: 1_520_430_003_000,
    };
    expect(await findStarts(PAGE)).toEqual(starts);
    const { readings } = await createConverter({ findsStarts: true }).convert(
      [Buffer.from(PAGE)],
      { format: 'openmetrics' },
      100,
    );
    expect(readings.filter(({ series }) => series.name.endsWith('_created'))).toHaveLength(5);
  });

  test('created samples: of both buckets of a histogram are the same', async () => {
    const { readings } = await createConverter({ findsStarts: true }).convert(
      [Buffer.from(PAGE)],
      { format: 'openmetrics' },
      100,
    );
    const buckets = readings.filter(({ series }) => series.name === 'lid_bucket');
    expect(buckets.map(({ createdMs }) => createdMs)).toEqual([1_520_430_002_000, 1_520_430_002_000]);
  });

  test('created samples: mean nothing in Prometheus’ text format, and where nobody asks for them', async () => {
    const text = '# TYPE opened counter\nopened_total 1\nopened_created 1520430000\n';
    expect(await findStarts(text, { format: 'prometheus' })).toEqual({});
    expect(await findStarts(`${text}# EOF\n`)).toEqual({ opened_total: 1_520_430_000_000 });
    expect(await findStarts(`${text}# EOF\n`, { converter: createConverter() })).toEqual({});
  });

  test('created samples: also those that are dropped by their name give a start', async () => {
    const keepsName = (name: string): boolean => !name.endsWith('_created');
    const converter = createConverter({ findsStarts: true, keepsName });
    expect(Object.keys(await findStarts(PAGE, { converter }))).toContain('opened_total a');
  });

  test('created samples: change with the page, and with the type of the metric', async () => {
    const converter = createConverter({ findsStarts: true });
    const page = (type: string, seconds: string): string =>
      `# TYPE a ${type}\na_sum 1\na_sum{quantile="1"} 2\na_created ${seconds}\n# EOF\n`;
    expect(await findStarts(page('counter', '1520430000'), { converter })).toEqual({ a_sum: 1_520_430_000_000 });
    expect(await findStarts(page('counter', '1520430009'), { converter })).toEqual({ a_sum: 1_520_430_009_000 });
    const { readings } = await converter.convert(
      [Buffer.from(page('summary', '1520430009'))],
      { format: 'openmetrics' },
      9,
    );
    expect(readings.map(({ createdMs }) => createdMs)).toEqual([1_520_430_009_000, 1_520_430_009_000, undefined]);
    expect(await findStarts(page('gauge', '1520430009'), { converter })).toEqual({});
  });

  test.each(['NaN', '+Inf', '-1', '1e300'])('created samples: %s is no time', async (seconds) => {
    expect(await findStarts(`# TYPE a counter\na_total 1\na_created ${seconds}\n# EOF\n`)).toEqual({});
  });

  test('created samples: a metric whose own name ends so has no start by it', async () => {
    const text = '# TYPE a counter\na_total 1\n# TYPE a_created counter\na_created 5\na_created_total 1\n# EOF\n';
    expect(await findStarts(text)).toEqual({});
  });
});
