/** What stands before the tenant in a cluster's addresses: vminsert's and vmselect's. */
const CLUSTER_INSERT = /\/insert\/(\d+(?::\d+)?)\/prometheus$/;
/** Write paths of receivers that answer queries beside them. */
const WRITE_PATH = /\/+api\/v1\/(import|write)(\/[a-z]+)*\/*$/;
/** Mimir writes at /api/v1/push and is read beneath /prometheus. */
const MIMIR_PATH = /\/+api\/v1\/push\/*$/;

export interface QueryAddressOptions {
  readonly remoteUrl: string;
  /** THUGSHELLS_QUERY_URL; empty for none. */
  readonly queryUrl: string;
}

/**
 * Returns the address of the receiver's query API, which ends with `/api/v1`, with the user and the password of the
 * uploads; undefined if nobody has named it and it cannot be derived from where samples are sent to.
 *
 *   /api/v1/import, /api/v1/write                → /api/v1                      VictoriaMetrics, Prometheus
 *   /insert/0/prometheus/api/v1/import           → /select/0/prometheus/api/v1  a cluster of VictoriaMetrics
 *   /api/v1/push                                 → /prometheus/api/v1           Mimir
 *
 * What stands before may be the prefix of a proxy. The search is kept: VictoriaMetrics reads `extra_label` of a query as a
 * filter, and a gateway may want a key there.
 */
export function findQueryUrl({ remoteUrl, queryUrl }: QueryAddressOptions): URL | undefined {
  if (queryUrl !== '') return toGivenUrl(new URL(queryUrl), new URL(remoteUrl));
  const url = new URL(remoteUrl);
  const { pathname } = url;
  const prefix = pathname.replace(MIMIR_PATH, '/prometheus').replace(WRITE_PATH, '');
  if (prefix === pathname) return undefined;
  url.pathname = `${prefix.replace(CLUSTER_INSERT, '/select/$1/prometheus')}/api/v1`;
  url.hash = '';
  return url;
}

/** Accepts what other programs are configured with: the address before `/api/v1`, or one of a query. */
function toGivenUrl(url: URL, remoteUrl: URL): URL {
  const prefix = url.pathname.replace(/(\/+api\/v1(\/(query|query_range|export))?)?\/*$/, '');
  url.pathname = `${prefix}/api/v1`;
  url.hash = '';
  if (url.username === '' && url.password === '') {
    url.username = remoteUrl.username;
    url.password = remoteUrl.password;
  }
  return url;
}
