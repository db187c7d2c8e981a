import { describe, expect, test } from '@jest/globals';
import { AgentError } from '@thugshells/shared/errors.ts';

import { LoadCollector } from '../../../../../collector/src/collectors/load.ts';
import { extractReadings } from '../../../../../collector/src/collectors/readers/partial-result.ts';
import { indexByIdentity, TextKernel } from '../../../../support/collector/text-kernel.ts';

const BOOT_ID = 'proc/sys/kernel/random/boot_id';
const board = {
  'proc/loadavg': '1.00 2.00 3.00 1/2 3\n',
  'proc/uptime': '10.00 20.00\n',
  [BOOT_ID]: '2c8f1d9e-5b7a-4b1e-9d3f-0a1b2c3d4e5f\n',
  'proc/sys/kernel/osrelease': '6.1.0-50-arm64\n',
};

test('load collector: returns boot id, kernel and version of the program as texts', async () => {
  expect(indexByIdentity(await new LoadCollector(new TextKernel(board), '1.2.3').collect())).toMatchObject({
    'load.average_1m': 1,
    'system.boot_id': '2c8f1d9e-5b7a-4b1e-9d3f-0a1b2c3d4e5f',
    'system.kernel': '6.1.0-50-arm64',
    'collector.build': '1.2.3',
  });
});

test('a kernel without one of them leaves it out alone', async () => {
  const { [BOOT_ID]: _, ...without } = board;
  const read = indexByIdentity(await new LoadCollector(new TextKernel(without)).collect());
  expect(read).not.toHaveProperty(['system.boot_id']);
  expect(read).not.toHaveProperty(['collector.build']);
  expect(read).toHaveProperty(['system.kernel']);
});

describe('a spoilt file is named, and takes no load along:', () => {
  test.each([
    [BOOT_ID, ''],
    [BOOT_ID, '\n'],
    [BOOT_ID, '2c8f1d9e\n'],
    [BOOT_ID, board[BOOT_ID].trim()],
    [BOOT_ID, board[BOOT_ID].repeat(2)],
    ['proc/sys/kernel/osrelease', '\n'],
    ['proc/sys/kernel/osrelease', 'a b\n'],
    ['proc/sys/kernel/osrelease', `${'x'.repeat(65)}\n`],
  ])('%s that reads %j', async (path, text) => {
    const error = await new LoadCollector(new TextKernel({ ...board, [path]: text }))
      .collect()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'KERNEL_FILE_MALFORMED' });
    expect((error as AgentError).message).toMatch(`/${path}: `);
    expect(Object.keys(indexByIdentity(extractReadings(error)))).toHaveLength(4 + 1);
  });
});
