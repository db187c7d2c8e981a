import { describe, expect, test } from '@jest/globals';

import { readToEnd, parseRows, typesOf } from '../../../../support/collector/exposition-text.ts';

/** The cases that Prometheus and the OpenMetrics specification publish for OpenMetrics, with data of our own. */

const openmetrics = { format: 'openmetrics' } as const;

describe('a text in OpenMetrics', () => {
  test('has every type, units, exemplars, times in seconds and an end', () => {
    const text = `# HELP pump_seconds Cycles of the pump.
# TYPE pump_seconds summary
# UNIT pump_seconds seconds
pump_seconds{quantile="0.5"} 8.3835e-05
pump_seconds_count 99 1520879607.789
# TYPE lid histogram
lid_bucket{le="1.0"} 4 # {trace_id="KOO5S4vxi0o"} 0.67
lid_bucket{le="+Inf"} 17 1520879607.25 # {trace_id="oHg5SJYRHA0",span="a b"} 9.8 1520879607.789
lid_sum 324789.3
lid_count 17
lid_created 1520430000.123
# TYPE opened counter
opened_total 17 # {} 1
opened_created 1520430000
# TYPE queue gaugehistogram
queue_bucket{le="+Inf"} 4
queue_gcount 4
queue_gsum 7
# TYPE state stateset
state{state="on"} 1
# TYPE build info
build_info{version="1.2.3"} 1
# TYPE odd unknown
odd{path="C:\\\\DIR\\\\FILE.TXT",error="can not\\nfind \\"x\\""} NaN 0.0001
# HELP noted \n# TYPE noted gauge
noted -Inf -1.5
# EOF
`;
    expect(parseRows(text, openmetrics)).toEqual([
      ['pump_seconds', { quantile: '0.5' }, 8.3835e-5],
      ['pump_seconds_count', {}, 99, 1520879607789],
      ['lid_bucket', { le: '1.0' }, 4],
      ['lid_bucket', { le: '+Inf' }, 17, 1520879607250],
      ['lid_sum', {}, 324789.3],
      ['lid_count', {}, 17],
      ['lid_created', {}, 1520430000.123],
      ['opened_total', {}, 17],
      ['opened_created', {}, 1520430000],
      ['queue_bucket', { le: '+Inf' }, 4],
      ['queue_gcount', {}, 4],
      ['queue_gsum', {}, 7],
      ['state', { state: 'on' }, 1],
      ['build_info', { version: '1.2.3' }, 1],
      ['odd', { path: 'C:\\DIR\\FILE.TXT', error: 'can not\nfind "x"' }, NaN, 0],
      ['noted', {}, -Infinity, -1500],
    ]);
    expect(Object.fromEntries(typesOf(readToEnd(text, openmetrics).families))).toMatchObject({
      pump_seconds: 'summary',
      lid: 'histogram',
      opened: 'counter',
      state: 'stateset',
      odd: 'unknown',
    });
  });

  test('may put names in quotes, in exemplars too', () => {
    const text = '# TYPE "valve.open" counter\n{"valve.open_total","a.b"="c"} 1 # {"id.thing"="x"} 4\n# EOF\n';
    expect(parseRows(text, openmetrics)).toEqual([['valve.open_total', { 'a.b': 'c' }, 1]]);
  });

  test('may leave out the line feed after its end', () => {
    expect(parseRows('# EOF', openmetrics)).toEqual([]);
    expect(parseRows('a 1\n# EOF', openmetrics)).toEqual([['a', {}, 1]]);
  });
});

describe('a text that is not OpenMetrics is refused with its line and the reason', () => {
  const cutShort = 'no # EOF at the end: the text is truncated';
  test.each([
    ['', `line 1: ${cutShort}`],
    ['metric 1', `line 1: ${cutShort}`],
    ['metric 1\n', `line 1: ${cutShort}`],
    ['a_total 1 # {aa="bb"} 4', `line 1: ${cutShort}`],
    ['\n', 'line 1: no metric name'],
    ['a 1\n\n# EOF\n', 'line 2: no metric name'],
    [' a 1\n# EOF\n', 'line 1: no metric name'],
    ['9\n# EOF\n', 'line 1: no metric name'],
    ['metric', 'line 1: the value of metric is not a number'],
    ['# TYPE u untyped\n# EOF\n', 'line 1: "untyped" is not a metric type'],
    ['# TYPE c counter \n# EOF\n', 'line 1: "counter " is not a metric type'],
    ['# TYPE c  counter\n', 'line 1: " counter" is not a metric type'],
    ['#  TYPE c counter\n# EOF\n', 'line 1: neither HELP, TYPE, UNIT nor EOF after #'],
    ['#\tTYPE c counter\n', 'line 1: neither HELP, TYPE, UNIT nor EOF after #'],
    ['#\n', 'line 1: neither HELP, TYPE, UNIT nor EOF after #'],
    ['# H', 'line 1: neither HELP, TYPE, UNIT nor EOF after #'],
    ['#EOF\n', 'line 1: neither HELP, TYPE, UNIT nor EOF after #'],
    [' # EOF\n', 'line 1: no metric name'],
    ['# TYPE \n# EOF\n', 'line 1: no metric name after TYPE'],
    ['# TYPE m\n# EOF\n', 'line 1: no text after TYPE m'],
    ['# UNIT metric suffix\n# EOF\n', 'line 1: the unit "suffix" is not at the end of metric'],
    ['# UNIT metricsuffix suffix\n# EOF\n', 'line 1: the unit "suffix" is not at the end of metricsuffix'],
    ['# UNIT m\n# EOF\n', 'line 1: no text after UNIT m'],
    ['# HELP m\n# EOF\n', 'line 1: no text after HELP m'],
    ['a\t1\n# EOF\n', 'line 1: unexpected blanks for OpenMetrics'],
    ['a 1\t2\n# EOF\n', 'line 1: unexpected blanks for OpenMetrics'],
    ['a  1\n# EOF\n', 'line 1: unexpected blanks for OpenMetrics'],
    ['a 1 \n# EOF\n', 'line 1: unexpected blanks for OpenMetrics'],
    ['a 1 2 \n# EOF\n', 'line 1: unexpected blanks for OpenMetrics'],
    ['a 1 2 #\n# EOF\n', 'line 1: an exemplar without labels'],
    ['a 1 1z\n# EOF\n', 'line 1: the timestamp is not a number of seconds'],
    ['a 1 NaN\n# EOF\n', 'line 1: the timestamp is not a number of seconds'],
    ['a 1 -Inf\n# EOF\n', 'line 1: the timestamp is not a number of seconds'],
    ['a 0 1_2\n# EOF\n', 'line 1: the timestamp is not a number of seconds'],
    ['a 1 1 1\n# EOF\n', 'line 1: unexpected text after value and timestamp of a'],
    ['# EOF\na 1', 'line 2: text after # EOF'],
    ['# EOF\n\n', 'line 2: text after # EOF'],
    ['# EOFa 1', 'line 1: neither HELP, TYPE, UNIT nor EOF after #'],
    ['a_total 1 # {aa=bb}\n', 'line 1: the value of the label "aa" is not in double quotes'],
    ['a_total 1 # {aa="bb"}\n# EOF\n', 'line 1: an exemplar without a value'],
    ['a_total 1 # {bb}\n', 'line 1: no = after the label "bb"'],
    ['a_total 1 # {"bb"} 1\n', 'line 1: an exemplar with a name'],
    ['a_total 1 # {aa="bb",,cc="dd"} 1\n', 'line 1: expected a label name'],
    ['a_total 1 # {aa="bb"} 1_2\n', 'line 1: an exemplar without a value'],
    ['a_total 1 # {aa="bb"} 0x1p-3\n', 'line 1: an exemplar without a value'],
    ['a_total 1 # {aa="bb"} true\n', 'line 1: an exemplar without a value'],
    ['a_total 1 # {aa="bb",cc=}\n', 'line 1: the value of the label "cc" is not in double quotes'],
    ['a_bucket{le="+Inf"} 1 # {aa="bb"} 4 NaN\n', 'line 1: an exemplar whose timestamp is not a number of seconds'],
    ['a_bucket{le="+Inf"} 1 # {aa="bb"} 4 5 6\n', 'line 1: unexpected text after value and timestamp of a_bucket'],
    ['{b="c",} 1\n# EOF\n', 'line 1: no metric name'],
  ])('%j', (text, message) => {
    expect(() => parseRows(text, openmetrics)).toThrow(
      expect.objectContaining({ message, code: 'EXPOSITION_MALFORMED' }),
    );
  });
});
