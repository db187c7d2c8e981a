import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { expect, test } from '@jest/globals';

test.each(['collector', 'uploader'])('systemd-analyze security rates the unit of the %s 1.8 or better', (program) => {
  const unit = fileURLToPath(new URL(`../../deploy/systemd/thugshells-${program}.service`, import.meta.url));
  const args = ['security', '--no-pager', '--offline=true', '--threshold=18', unit];
  const { stdout, status } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  expect(stdout).toContain('Overall exposure level');
  expect(status).toBe(0);
});
