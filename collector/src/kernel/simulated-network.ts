import { computeCount, computeValue, type SimulatedText } from './simulated-values.ts';

/** Creates the files of the network below /proc, by their path; at least two interfaces. */
export function createNetworkProcTexts(interfaces: number): Map<string, SimulatedText> {
  return new Map<string, SimulatedText>([
    ['net/dev', (uptimeS) => formatNetDev(uptimeS, interfaces)],
    ['net/route', formatRoutes],
    ['net/wireless', formatWireless],
  ]);
}

/** Creates the files of the interfaces below /sys, by their path. */
export function createInterfaceTexts(interfaces: number): Map<string, SimulatedText> {
  const texts = new Map<string, SimulatedText>();
  for (const name of ['lo', ...listInterfaceNames(interfaces)]) {
    const path = `class/net/${name}`;
    const always = (file: string, text: string | number) => texts.set(`${path}/${file}`, () => `${text}\n`);
    const isWired = name.startsWith('eth');
    always('uevent', `${name === 'wlan0' ? 'DEVTYPE=wlan\n' : ''}INTERFACE=${name}\nIFINDEX=1`);
    always('type', name === 'lo' ? 772 : 1);
    always('operstate', name === 'lo' ? 'unknown' : 'up');
    always('carrier', 1);
    // The link goes down and comes up again once an hour.
    texts.set(`${path}/carrier_changes`, (uptimeS) => `${isWired ? 2 * Math.floor(uptimeS / 3600) : 0}\n`);
    if (!isWired) continue;
    always('speed', 1000);
    always('duplex', 'full');
  }
  return texts;
}

function listInterfaceNames(count: number): string[] {
  return ['eth0', 'wlan0', ...Array.from({ length: count - 2 }, (_, index) => `eth${index + 1}`)];
}

function formatRoutes(): string {
  return [
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
    'eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0',
    'eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0',
    '',
  ]
    .map((line) => line.padEnd(line === '' ? 0 : 127))
    .join('\n');
}

function formatWireless(uptimeS: number): string {
  const level = Math.round(computeValue(uptimeS, { mean: -58, swing: 0.1, periodS: 200 }));
  return [
    'Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE',
    ' face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22',
    ` wlan0: 0000   ${110 + level}.  ${level}.  -256        0      0      0      0      0        0`,
    '',
  ].join('\n');
}

function formatNetDev(uptimeS: number, interfaces: number): string {
  const columns = (rx: number, tx: number, dropped: number) =>
    `${rx * 700} ${rx} 0 ${dropped} 0 0 0 0 ${tx * 300} ${tx} 0 0 0 0 0 0`;
  const lo = computeCount(uptimeS, { mean: 5, swing: 0, periodS: 60 });
  const received = computeCount(uptimeS, { mean: 80, swing: 0.7, periodS: 75 });
  const sent = computeCount(uptimeS, { mean: 60, swing: 0.7, periodS: 75 });
  return [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
    `    lo: ${columns(lo, lo, 0)}`,
    `  eth0: ${columns(received, sent, Math.floor(uptimeS / 600))}`,
    ` wlan0: ${columns(0, 0, 0)}`,
    ...listInterfaceNames(interfaces)
      .slice(2)
      .map((name) => `  ${name}: ${columns(sent, received, 0)}`),
    '',
  ].join('\n');
}
