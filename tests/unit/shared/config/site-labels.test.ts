import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { siteLabels } from '../../../../shared/src/config/site-labels.ts';
import { OWN_LABEL_NAMES } from '../../../../shared/src/metrics/label-names.ts';
import { loadCollectorConfig } from '../../../../shared/src/config/collector-config.ts';
import { loadUploaderConfig } from '../../../../shared/src/config/uploader-config.ts';

describe('labels of the site:', () => {
  test.each([
    ['', {}],
    ['site=berlin', { site: 'berlin' }],
    ['site=berlin,rack=3', { site: 'berlin', rack: '3' }],
    [' site = north pole , rack = 3 ', { site: 'north pole', rack: '3' }],
    [`site="berlin",rack='3'`, { site: 'berlin', rack: '3' }],
    ['path=/a=b/c:d,ort=Köln Süd', { path: '/a=b/c:d', ort: 'Köln Süd' }],
    ['__proto=x,_a=y,Site=z', undefined],
    ['_a=y,Site=z', { _a: 'y', Site: 'z' }],
    ['constructor=x,toString=y', { constructor: 'x', toString: 'y' }],
  ])('%j is read as %j', (text, labels) => expect(siteLabels.parse(text)).toEqual(labels));

  const pairs = (count: number): string => Array.from({ length: count }, (_, index) => `l${index}=x`).join(',');
  test.each([
    ['site', 'part 1 is not label=value; write pairs split on commas, such as site=berlin,rack=3'],
    ['site=a,', 'part 2 is not label=value'],
    ['site:a', 'part 1 is not label=value'],
    ['{site="a"}', 'the label of part 1 is no label name: use letters, digits and _'],
    ['=a', 'the label of part 1 is no label name'],
    ['site=a,http://ann:secret@host/?x=b', 'the label of part 2 is no label name'],
    ['my-site=a', 'label "my-site" is no label name'],
    ['1site=a', 'label "1site" is no label name'],
    ['größe=1', 'label "größe" is no label name'],
    ['__name__=a', 'label "__name__" begins with __, which receivers reserve; choose another name'],
    ['device_id=a', 'label "device_id" is the name of this device; set THUGSHELLS_DEVICE_ID'],
    ['site=a,site=b', 'label "site" is there twice; remove one'],
    ['site=', 'label "site" has no value; give it one, or remove it'],
    ['site=""', 'label "site" has no value'],
    ['site="a,b=c"', 'label "site" has a quote in its value'],
    ['site=a\u0007', 'label "site" has a value that is not printable UTF-8'],
    ['site=K\ufffdln', 'label "site" has a value that is not printable UTF-8'],
    [`site=${'ä'.repeat(129)}`, 'label "site" has a value of 258 bytes; shorten it to 256'],
    [`${'s'.repeat(65)}=a`, 'has more than 64 characters; shorten it'],
    [pairs(11), '11 labels are more than 10; remove some'],
  ])('%j is refused with the remedy', (text, problem) => {
    expect(siteLabels.parse(text)).toBeUndefined();
    expect(siteLabels.problem!(text)).toContain(problem);
  });

  test('ten labels of the longest names and values are accepted', () => {
    const longest = Array.from({ length: 10 }, (_, index) => `l${index}${'x'.repeat(62)}=${'v'.repeat(256)}`);
    expect(Object.keys(siteLabels.parse(longest.join(','))!)).toHaveLength(10);
  });

  test.each(OWN_LABEL_NAMES.filter((name) => name !== 'device_id'))(
    'the agent’s own label %s is refused, and another name proposed',
    (name) => {
      const problem = `label "${name}" is a label of the agent’s own; choose another name, such as site_${name}`;
      expect([siteLabels.parse(`${name}=a`), siteLabels.problem!(`${name}=a`)]).toEqual([undefined, problem]);
      expect(siteLabels.parse(`site_${name}=a`)).toBeDefined();
    },
  );

  test('any text is either read or refused with a reason', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', '_', '=', ',', '"', "'", ' ', '1', 'é', '\\', '{') });
    fc.assert(
      fc.property(texts, (text) => {
        expect(siteLabels.parse(text) === undefined).toBe(siteLabels.problem!(text) !== undefined);
      }),
    );
  });

  test.each([
    ['collector', loadCollectorConfig],
    ['uploader', loadUploaderConfig],
  ])('the %s reads them, and names the mistake in them', (_, load) => {
    expect(load({ THUGSHELLS_LABELS: '"site=berlin"\r' }).values.siteLabels).toEqual({ site: 'berlin' });
    expect(load({}).values.siteLabels).toEqual({});
    expect(() => load({ THUGSHELLS_LABELS: 'job=a' })).toThrow(
      'THUGSHELLS_LABELS=job=a: label "job" is a label of the agent’s own; choose another name, such as site_job',
    );
  });
});
