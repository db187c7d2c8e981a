import { describe, expect, test } from '@jest/globals';

import { readToEnd, parseRows, typesOf } from '../../../../support/collector/exposition-text.ts';

/** The cases that Prometheus publishes for its text format (model/textparse and common/expfmt), with data of our own. */

describe('a text in Prometheus’ format', () => {
  test('has names, labels, values and times, blanks and comments anywhere between them', () => {
    const text = `
# HELP pump_cycle_seconds Cycles of the pump, with a \\n and a \\\\ in the text.
# \tTYPE pump_cycle_seconds summary
pump_cycle_seconds{quantile="0"} 4.5e-05
pump_cycle_seconds{quantile="0.25",} 7.4000000000001e-05
pump_cycle_seconds{quantile="0.5", a="b"} 8e-05
pump_cycle_seconds{ quantile="0.9", a="b" } 9e-05
pump_cycle_seconds { quantile = "1.0", a = "b", } 1e-04
pump_cycle_seconds_count 99
# HPLE is no keyword
#
# EOF
  # HELP nohelp1
\t# HELP nohelp2 \t
wind:speed:rate5m{a_b="c"}\t1
go_on 33  \t123123
_begins_with_underscore 1
x{_label="foo"} 1
x{label="\\"bar\\""} 1
last_line_without_end 5`;
    expect(parseRows(text)).toEqual([
      ['pump_cycle_seconds', { quantile: '0' }, 4.5e-5],
      ['pump_cycle_seconds', { quantile: '0.25' }, 7.4000000000001e-5],
      ['pump_cycle_seconds', { quantile: '0.5', a: 'b' }, 8e-5],
      ['pump_cycle_seconds', { quantile: '0.9', a: 'b' }, 9e-5],
      ['pump_cycle_seconds', { quantile: '1.0', a: 'b' }, 1e-4],
      ['pump_cycle_seconds_count', {}, 99],
      ['wind:speed:rate5m', { a_b: 'c' }, 1],
      ['go_on', {}, 33, 123123],
      ['_begins_with_underscore', {}, 1],
      ['x', { _label: 'foo' }, 1],
      ['x', { label: '"bar"' }, 1],
      ['last_line_without_end', {}, 5],
    ]);
    expect(typesOf(readToEnd(text).families)).toEqual([
      ['pump_cycle_seconds', 'summary'],
      ['nohelp1', 'unknown'],
      ['nohelp2', 'unknown'],
    ]);
  });

  test('may put names in quotes, the metric’s among the labels, as of version 1.0.0', () => {
    const text = `# HELP "valve.open" Whether it is open.
# TYPE "valve.open" gauge
{"valve.open",side="left"} 1
{ side = "right" , "valve.open" } 0
{"valve.open_count"} 99
{"Heizölrückstoß 10€ \\"quoted\\" {brace\\nfeed}","strange©™\\n'x' \\"y\\""="6","a.b"="c"} 10.0
plain{"dotted.label"="佖佥"} 1
`;
    expect(parseRows(text)).toEqual([
      ['valve.open', { side: 'left' }, 1],
      ['valve.open', { side: 'right' }, 0],
      ['valve.open_count', {}, 99],
      ['Heizölrückstoß 10€ "quoted" {brace\nfeed}', { 'strange©™\n\'x\' "y"': '6', 'a.b': 'c' }, 10],
      ['plain', { 'dotted.label': '佖佥' }, 1],
    ]);
    expect(typesOf(readToEnd(text).families)).toEqual([['valve.open', 'gauge']]);
  });

  test.each([
    ['1', 1],
    ['+1', 1],
    ['-1', -1],
    ['.5', 0.5],
    ['5.', 5],
    ['-.5E+3', -500],
    ['1e3', 1000],
    ['9223372036854775807', 2 ** 63],
    ['0012', 12],
    ['1234567890123456', 1234567890123456],
    ['Inf', Infinity],
    ['+Inf', Infinity],
    ['-inf', -Infinity],
    ['infinity', Infinity],
    ['NaN', NaN],
    ['nan', NaN],
    ['1e400', Infinity],
    ['4.9e-324', 5e-324],
    ['1.7976931348623157e308', Number.MAX_VALUE],
  ])('reads the value %s', (written, value) => {
    expect(parseRows(`a ${written}\nb{c="d"}${written} -7\n`)).toEqual([
      ['a', {}, value],
      ['b', { c: 'd' }, value, -7],
    ]);
  });

  test.each([
    [String.raw`\\`, '\\'],
    [String.raw`\"`, '"'],
    [String.raw`\n`, '\n'],
    [String.raw`\\n`, String.raw`\n`],
    [String.raw`\t\x`, String.raw`\t\x`],
    ['}', '}'],
    [',={', ',={'],
    ['# x', '# x'],
    ['abc\0', 'abc\0'],
    [String.raw`C:\\DIR\\F.TXT`, String.raw`C:\DIR\F.TXT`],
    [' blanks\t', ' blanks\t'],
  ])('reads the label value %s', (written, value) => {
    expect(parseRows(`a{l="${written}",m="n"} 1\n`)).toEqual([['a', { l: value, m: 'n' }, 1]]);
  });

  test('takes a label without a value for none, and one of any name for what it is', () => {
    const [row] = parseRows('a{empty="",__proto__="p",constructor="c",hasOwnProperty="h"} 1\n');
    expect(Object.entries(row![1])).toEqual([
      ['__proto__', 'p'],
      ['constructor', 'c'],
      ['hasOwnProperty', 'h'],
    ]);
  });

  test('may end its lines as Windows does', () => {
    expect(parseRows('# TYPE a gauge\r\na 1\r\n\r\na{b="c"} 2 3\r\n', { mustEnd: true })).toEqual([
      ['a', {}, 1],
      ['a', { b: 'c' }, 2, 3],
    ]);
  });

  test('may be empty', () => {
    for (const text of ['', '\n', '\n\n \t\n', '#', '# \n']) expect(parseRows(text)).toEqual([]);
  });

  test('keeps histograms as the series that they consist of', () => {
    const text = `# TYPE latency histogram
latency_bucket{le="100"} 123.5
latency_bucket{le="+Inf"} 2693 # {trace_id="abc"} 0.67
latency_sum 1.7560473e+06
latency_count 2693
# TYPE queue gauge_histogram
queue_bucket{le="+Inf"} 4
`;
    expect(parseRows(text).map(([name, labels, value]) => [name, labels['le'], value])).toEqual([
      ['latency_bucket', '100', 123.5],
      ['latency_bucket', '+Inf', 2693],
      ['latency_sum', undefined, 1756047.3],
      ['latency_count', undefined, 2693],
      ['queue_bucket', '+Inf', 4],
    ]);
  });
});

describe('a text that is not in the format is refused with its line and the reason', () => {
  test.each([
    ['a\n', 'line 1: the value of a is not a number'],
    ['a', 'line 1: the value of a is not a number'],
    ['9 1', 'line 1: no metric name'],
    ['é 1', 'line 1: no metric name'],
    ['a-b 1', 'line 1: the value of a is not a number'],
    ["a{b='c'} 1", 'line 1: the value of the label "b" is not in double quotes'],
    ['a{b=c} 1', 'line 1: the value of the label "b" is not in double quotes'],
    ['a{b=\n', 'line 1: the value of the label "b" is not in double quotes'],
    ['a{b=\0"c"} 1', 'line 1: the value of the label "b" is not in double quotes'],
    ['a{b\0="c"} 1', 'line 1: no = after the label "b"'],
    ['a\0{b="c"} 1', 'line 1: the value of a is not a number'],
    ['a{b+="c"} 1', 'line 1: no = after the label "b"'],
    ['a{b} 1', 'line 1: no = after the label "b"'],
    ['a{@="c"} 1', 'line 1: expected a label name'],
    ['a{="c"} 1', 'line 1: a label without a name'],
    ['a{""="c"} 1', 'line 1: a label without a name'],
    ['a{,b="c"} 1', 'line 1: expected a label name'],
    ['a{b="c",,d="e"} 1', 'line 1: expected a label name'],
    ['a{b="c"d="e"} 1', 'line 1: no , or } after the label "b"'],
    ['a{b="c"+} 1', 'line 1: no , or } after the label "b"'],
    ['a{b="c"', 'line 1: no , or } after the label "b"'],
    ['a{b="c', 'line 1: unclosed quote'],
    ['a{b="c\\"} 1', 'line 1: unclosed quote'],
    ['\n\na{b="new\nline"} 1', 'line 3: unclosed quote'],
    ['a{b="1",b="2"} 1', 'line 1: duplicate label "b"'],
    ['{"a", "b = "c"}', 'line 1: no = after the label "b = "'],
    ['{"a",b\\nc="d"} 1', 'line 1: no = after the label "b"'],
    ['{"a","b"} 1', 'line 1: no = after the label "b"'],
    ['a{"b"} 1', 'line 1: a second metric name'],
    ['{b="c"} 1', 'line 1: no metric name'],
    ['{} 1', 'line 1: no metric name'],
    ['a true', 'line 1: the value of a is not a number'],
    ['a 1_2', 'line 1: the value of a is not a number'],
    ['a 0x1p-3', 'line 1: the value of a is not a number'],
    ['a 0x10', 'line 1: the value of a is not a number'],
    ['a 1e', 'line 1: the value of a is not a number'],
    ['a 1,5', 'line 1: the value of a is not a number'],
    ['a -', 'line 1: the value of a is not a number'],
    ['a Infinit', 'line 1: the value of a is not a number'],
    ['a -NaN', 'line 1: the value of a is not a number'],
    ['a 1 2.5', 'line 1: the timestamp is not a whole number of milliseconds'],
    ['a 1 1_2', 'line 1: the timestamp is not a whole number of milliseconds'],
    ['a 0 1\0', 'line 1: the timestamp is not a whole number of milliseconds'],
    ['a 1 2 3', 'line 1: unexpected text after value and timestamp of a'],
    ['a 1 # 5', 'line 1: an exemplar without labels'],
    ['# TYPE #', 'line 1: no metric name after TYPE'],
    ['# TYPE 9a gauge', 'line 1: no metric name after TYPE'],
    ['# HELP #', 'line 1: no metric name after HELP'],
    ['# TYPE a', 'line 1: "" is not a metric type'],
    ['a 1\n# TYPE a guage\n', 'line 2: "guage" is not a metric type'],
    ['<html>\n<body>', 'line 1: no metric name'],
    [`${'a 1\n'.repeat(6999)}b`, 'line 7000: the value of b is not a number'],
  ])('%j', (text, message) => {
    expect(() => parseRows(text)).toThrow(expect.objectContaining({ message, code: 'EXPOSITION_MALFORMED' }));
  });

  test('a last line without an end, where nothing else tells that the text is whole', () => {
    expect(parseRows('a 1\nb 42\n', { mustEnd: true })).toHaveLength(2);
    expect(() => parseRows('a 1\nb 42', { mustEnd: true })).toThrow(
      'line 2: no line feed at the end of the last line: the text is truncated',
    );
  });
});

test('prometheus text: a type counts in upper and lower case, as node_exporter reads it', () => {
  const { families } = readToEnd('# TYPE a Gauge\n# TYPE b COUNTER\n# TYPE "c" hisTogram\na 1\n');
  expect(typesOf(families)).toEqual([
    ['a', 'gauge'],
    ['b', 'counter'],
    ['c', 'histogram'],
  ]);
});

test('prometheus text: help is read without its escapes, and a comment about nothing is none', () => {
  const { families } = readToEnd(
    '# HELP a Opened \\\\ and\\nclosed "twice" \\x.\n# TYPE a counter\n# HELP b\n# other\nc 1\n',
  );
  expect([...families.values()]).toEqual([
    { name: 'a', type: 'counter', help: 'Opened \\ and\nclosed "twice" \\x.', unit: '' },
    { name: 'b', type: 'unknown', help: '', unit: '' },
  ]);
});

test('prometheus text: of long help the beginning is kept, and of a page of it half a megabyte', () => {
  const lines = Array.from({ length: 2_000 }, (_, index) => `# HELP a${index} ${'x'.repeat(600)}\n`);
  const { families } = readToEnd(lines.join(''), {}, 100);
  const lengths = [...families.values()].map(({ help }) => help.length);
  expect([lengths.length, Math.max(...lengths), lengths.filter((length) => length > 0).length]).toEqual([
    2_000, 500, 1_048,
  ]);
});

test('prometheus text: a byte order mark is skipped at the beginning, and there alone', () => {
  expect(parseRows('\ufeffa 1\nb 2\n')).toEqual([
    ['a', {}, 1],
    ['b', {}, 2],
  ]);
  expect(parseRows('\ufeff# TYPE a gauge\na 1\n')).toEqual([['a', {}, 1]]);
  expect(parseRows('\ufeff')).toEqual([]);
  expect(() => parseRows('\ufeff\ufeffa 1\n')).toThrow('line 1: no metric name');
  expect(() => parseRows('a 1\n\ufeffb 2\n')).toThrow('line 2: no metric name');
});
