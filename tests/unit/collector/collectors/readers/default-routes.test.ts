import { expect, test } from '@jest/globals';

import { DefaultRoutes } from '../../../../../collector/src/collectors/readers/default-routes.ts';
import { TextKernel } from '../../../../support/collector/text-kernel.ts';

const HEADER = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const toIpv4 = (name: string) => `${HEADER}${name}\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n`;
const ZEROS = '0'.repeat(32);
const toIpv6 = (name: string) => `${ZEROS} 00 ${ZEROS} 00 ${ZEROS} 00000400 00000001 00000000 00000003 ${name}\n`;

test('default routes: one that goes another way is noticed at the next scrape, of IPv4 and of IPv6', async () => {
  const kernel = new TextKernel({ 'proc/net/route': toIpv4('eth0'), 'proc/net/ipv6_route': toIpv6('eth0') });
  const routes = new DefaultRoutes(kernel);
  for (const _scrape of [1, 2]) expect([...(await routes.read())]).toEqual(['eth0']);
  kernel.files.set('proc/net/route', toIpv4('wwan0'));
  expect([...(await routes.read())]).toEqual(['wwan0', 'eth0']);
  kernel.files.set('proc/net/ipv6_route', toIpv6('wwan0'));
  expect([...(await routes.read())]).toEqual(['wwan0']);
  kernel.files.delete('proc/net/ipv6_route');
  kernel.files.set('proc/net/route', HEADER);
  expect([...(await routes.read())]).toEqual([]);
});

test('default routes: a table that stays malformed fails at each scrape', async () => {
  const kernel = new TextKernel({ 'proc/net/route': toIpv4('eth0') });
  const routes = new DefaultRoutes(kernel);
  await routes.read();
  kernel.files.set('proc/net/route', 'Iface\n');
  for (const _scrape of [1, 2]) await expect(routes.read()).rejects.toMatchObject({ code: 'KERNEL_FILE_MALFORMED' });
});
