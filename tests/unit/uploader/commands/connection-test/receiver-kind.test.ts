import { expect, test } from '@jest/globals';

import { identifyReceiver } from '../../../../../uploader/src/commands/connection-test/receiver-kind.ts';

const flag = (name: string, isSet = true): string => `\nflag{name="${name}", value="x", is_set="${isSet}"} 1\n`;
const NONE = { metrics: '', flags: '', buildInfo: '' };
const OF_VICTORIA = '{"status":"success","data":{"version":"2.24.0"}}';

test.each([
  [
    'a single node by a flag that was not set',
    {
      metrics: `vm_app_version{version="victoria-metrics-x", short_version="v1.151.0"} 1${flag('storageDataPath', false)}`,
    },
    'VictoriaMetrics v1.151.0, single node',
  ],
  ['a single node by its flags alone', { flags: '-storageDataPath="/data"\n' }, 'VictoriaMetrics, single node'],
  [
    'a storage node',
    { metrics: flag('storageDataPath') + flag('vminsertAddr') },
    'a storage node of a VictoriaMetrics cluster',
  ],
  [
    'a node of a cluster',
    { flags: '-httpListenAddr=":8480"\n-storageNode="a"\n' },
    'a node of a VictoriaMetrics cluster',
  ],
  [
    'vmauth and what is behind it',
    { metrics: `vm_app_version{version="", short_version=""} 1${flag('auth.config')}`, buildInfo: OF_VICTORIA },
    'vmauth, in front of VictoriaMetrics',
  ],
  [
    'vmagent',
    { metrics: flag('remoteWrite.tmpDataPath', false) },
    'vmagent, in front of a receiver that it does not name',
  ],
  [
    'Prometheus by its metrics',
    { metrics: '\nprometheus_build_info{branch="",goversion="go1.26.8",tags="",version="3.16.0"} 1' },
    'Prometheus 3.16.0',
  ],
  [
    'Prometheus by its API',
    { buildInfo: '{"status":"success","data":{"version":"2.42.0","goVersion":"go1.19"}}' },
    'Prometheus 2.42.0, or one like it',
  ],
  [
    'Mimir by its API',
    { buildInfo: '{"status":"success","data":{"application":"Grafana Mimir","version":"2.10.0"}}' },
    'Grafana Mimir 2.10.0',
  ],
  ['VictoriaMetrics by its API', { buildInfo: OF_VICTORIA }, 'VictoriaMetrics'],
  ['nothing by the page of a portal', { metrics: '<html>', flags: '<html>', buildInfo: '<html>' }, undefined],
  ['nothing by nothing', {}, undefined],
])('kind of receiver: tells %s', (_, pages, kind) => expect(identifyReceiver({ ...NONE, ...pages })).toBe(kind));
