import { describe, expect, test } from '@jest/globals';
import { FaultPlan } from '../../receiver/src/faults.ts';
import { parseFaults } from '../../receiver/src/parse-faults.ts';

const facts = { text: 'a body', samples: 50, bytes: 800 };

function planOf(input: unknown): FaultPlan {
  const plan = new FaultPlan();
  plan.set(parseFaults(input));
  return plan;
}

describe('a plan of faults', () => {
  test('strikes as often as it is counted, then is gone', () => {
    const plan = planOf({ status: 503, count: 2 });
    expect(plan.take(facts)).toMatchObject({ status: 503 });
    expect(plan.list()).toEqual([{ status: 503, count: 1 }]);
    expect(plan.take(facts)).toMatchObject({ status: 503 });
    expect(plan.take(facts)).toBeUndefined();
  });

  test('strikes until it is cleared where there is no count', () => {
    const plan = planOf({ status: 503 });
    plan.take(facts);
    expect(plan.take(facts)).toEqual({ status: 503 });
    plan.set([]);
    expect(plan.take(facts)).toBeUndefined();
  });

  test('strikes in its order, one fault an import', () => {
    const plan = planOf([
      { status: 503, count: 1 },
      { eatResponse: true, count: 1 },
    ]);
    expect(plan.take(facts)).toMatchObject({ status: 503 });
    expect(plan.take(facts)).toMatchObject({ eatResponse: true });
    expect(plan.list()).toEqual([]);
  });

  test.each([
    [{ contains: 'body' }, true],
    [{ contains: 'other' }, false],
    [{ samplesOver: 49 }, true],
    [{ samplesOver: 50 }, false],
    [{ bytesOver: 799 }, true],
    [{ bytesOver: 800 }, false],
    [{ contains: 'body', samplesOver: 50 }, false],
  ])('looks at the import first: %j, %s', (when, strikes) => {
    expect(planOf({ status: 400, count: 1, when }).take(facts) !== undefined).toBe(strikes);
  });

  test('knows a cut before the body is read only when it comes next', () => {
    const plan = planOf([
      { status: 503, count: 1 },
      { cutConnection: true, count: 1 },
    ]);
    expect(plan.takeCut()).toBeUndefined();
    plan.take(facts);
    expect(plan.takeCut()).toMatchObject({ cutConnection: true });
    expect(plan.takeCut()).toBeUndefined();
  });
});

describe('a fault that would not do what it says', () => {
  test.each([
    ['a key that is not known', { statsu: 503 }, /unknown key statsu; known are count, when/],
    ['a value of another kind', { status: '503' }, /status cannot be "503"/],
    ['a count of none', { count: 0 }, /count cannot be 0/],
    ['a condition that is not known', { when: { contain: 'x' } }, /when cannot be/],
    ['a rejection without a reason', { rejected: [{ index: 1 }] }, /rejected cannot be/],
    ['no object', 503, /a fault is a JSON object/],
    ['a cut that would have to read', { cutConnection: true, when: { contains: 'x' } }, /cannot have a when/],
    ['a drip of nothing', { dripMs: 10 }, /needs a body/],
    ['two answers', { accepted: 1, status: 503 }, /cannot have a status/],
  ])('is refused: %s', (_, input, message) => {
    expect(() => parseFaults(input)).toThrow(message);
  });
});
