import type { Fault, FaultCondition } from './faults.ts';

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isFlag: Check = (value) => typeof value === 'boolean';
const isNumber: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isStatus: Check = (value) => isCount(value) && (value as number) >= 200 && (value as number) <= 599;

const isRejection: Check = (value) => isObject(value) && isCount(value['index']) && isText(value['reason']);

const conditionShape: Readonly<Record<keyof FaultCondition, Check>> = {
  contains: isText,
  samplesOver: isCount,
  bytesOver: isCount,
};

/** One line for each key of Fault, so that a new one cannot be forgotten. */
const faultShape: Readonly<Record<keyof Fault, Check>> = {
  count: (value) => isCount(value) && value !== 0,
  when: isCondition,
  alsoHealth: isFlag,
  accepted: isCount,
  rejected: (value) => Array.isArray(value) && value.every(isRejection),
  status: isStatus,
  body: isText,
  headers: (value) => isObject(value) && Object.values(value).every(isText),
  store: (value) => value === 'nothing' || value === 'half' || value === 'all',
  delayMs: isCount,
  eatResponse: isFlag,
  cutConnection: isFlag,
  hang: isFlag,
  dripMs: isCount,
  dateSkewMs: isNumber,
};

/**
 * Reads one fault or a list of them. Throws TypeError for a key that is unknown or a value of the wrong kind: a
 * mistyped fault that never strikes would let a test pass for nothing.
 */
export function parseFaults(input: unknown): Fault[] {
  const faults: unknown[] = Array.isArray(input) ? input : [input];
  for (const fault of faults) {
    if (!isObject(fault)) throw new TypeError('a fault is a JSON object');
    for (const [key, value] of Object.entries(fault)) {
      const check = (faultShape as Record<string, Check | undefined>)[key];
      const known = Object.keys(faultShape).join(', ');
      if (check === undefined) throw new TypeError(`unknown key ${key}; known are ${known}`);
      if (!check(value)) throw new TypeError(`${key} cannot be ${JSON.stringify(value)}`);
    }
    refuseContradictions(fault);
  }
  return faults as Fault[];
}

function refuseContradictions(fault: Fault): void {
  if (fault.cutConnection === true && fault.when !== undefined) {
    throw new TypeError('cutConnection strikes before the body is read and cannot have a when');
  }
  if (fault.dripMs !== undefined && fault.body === undefined) throw new TypeError('dripMs needs a body to send');
  if (fault.status !== undefined && (fault.accepted ?? fault.rejected) !== undefined) {
    throw new TypeError('accepted and rejected answer 200 and cannot have a status');
  }
}

function isCondition(value: unknown): boolean {
  const checks: Readonly<Record<string, Check>> = conditionShape;
  return isObject(value) && Object.entries(value).every(([key, part]) => checks[key]?.(part) ?? false);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
